/* SPDX-License-Identifier: MIT */
#include "store/open.h"

#include "store/dynamodb.h"
#include "store/dynamodb_url.h"
#include "store/memory.h"
#include "store/redis.h"

#include <stdio.h>
#include <string.h>

store_t *store_open(const store_options_t *options, struct ev_loop *loop,
                    char *error, size_t error_size)
{
    if (strcmp(options->url, "memory") == 0) {
        return store_memory_new(options);
    }
    if (strncmp(options->url, "redis", 5) == 0) {
        return store_redis_new(options, loop, error, error_size);
    }
    if (dynamodb_url_is(options->url)) {
        return store_dynamodb_new(options, loop, error, error_size);
    }
    /* Not all of it: there may be a password in it. */
    snprintf(error, error_size, "unknown store %.*s",
             (int)strcspn(options->url, ":"), options->url);
    return NULL;
}
