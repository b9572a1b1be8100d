/* SPDX-License-Identifier: MIT
 *
 * The one place that knows all kinds of store.
 */
#ifndef STORE_OPEN_H
#define STORE_OPEN_H

#include "store/options.h"
#include "store/store.h"

#include <ev.h>

/* Is the URL one that store_open takes?  Returns 0, or -EINVAL with one line in
 * `error`, which shows nothing of a password. */
int store_url_check(const char *url, char *error, size_t error_size);

/*
 * A store of the kind that options->url names, on this loop (borrowed for the
 * store's life, as the options' texts).  It need not be reachable: it connects
 * by itself, now and ever again.
 *
 * Returns NULL with a reason in `error` when the URL is no store's.
 */
store_t *store_open(const store_options_t *options, struct ev_loop *loop,
                    char *error, size_t error_size);

#endif
