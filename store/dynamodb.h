/* SPDX-License-Identifier: MIT
 *
 * Records in a table of DynamoDB (docs/stores.md, "DynamoDB").
 */
#ifndef STORE_DYNAMODB_H
#define STORE_DYNAMODB_H

#include "store/options.h"
#include "store/store.h"

#include <ev.h>

/*
 * As store_open, for a URL that dynamodb_url_is takes.
 * Returns NULL with a reason in `error` when the URL is wrong.
 */
store_t *store_dynamodb_new(const store_options_t *options,
                            struct ev_loop *loop, char *error,
                            size_t error_size);

#endif
