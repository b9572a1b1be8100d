/* SPDX-License-Identifier: MIT
 *
 * Records in Redis: one server, one that sentinels watch, or a cluster.
 * docs/stores.md says what is kept there and how.
 */
#ifndef STORE_REDIS_H
#define STORE_REDIS_H

#include "store/options.h"
#include "store/store.h"

#include <stddef.h>

#include <ev.h>

/* As store_open, for redis:// and rediss://. */
store_t *store_redis_new(const store_options_t *options, struct ev_loop *loop,
                         char *error, size_t error_size);

#endif
