/* SPDX-License-Identifier: MIT
 *
 * What a store can be told (docs/settings.md has the table).
 */
#ifndef STORE_OPTIONS_H
#define STORE_OPTIONS_H

#include <stdint.h>

typedef struct {
    /* memory, redis://… or dynamodb://…; docs/stores.md has the forms */
    const char *url;
    const char *writer; /* boot id of the broker, written into each row */
    int64_t ttl_s;      /* that a row lasts untouched */
    int64_t timeout_ms; /* for one operation, with all that is tried again */
    int64_t queue;      /* operations under way or queued */
} store_options_t;

/* Set every field to its documented default; writer is "". */
void store_options_init(store_options_t *options);

#endif
