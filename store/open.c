/* SPDX-License-Identifier: MIT */
#include "store/open.h"

#include "store/dynamodb.h"
#include "store/dynamodb_url.h"
#include "store/memory.h"
#include "store/redis.h"
#include "store/redis_url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_redis(const char *url)
{
    return strncmp(url, "redis", strlen("redis")) == 0;
}

int store_url_check(const char *url, char *error, size_t error_size)
{
    redis_url_t redis;
    dynamodb_url_t dynamodb;

    if (strcmp(url, "memory") == 0) {
        return 0;
    }
    if (is_redis(url)) {
        int rc = redis_url_parse(url, &redis, error, error_size);
        explicit_bzero(&redis, sizeof redis);
        return rc;
    }
    if (dynamodb_url_is(url)) {
        return dynamodb_url_parse(url, &dynamodb, error, error_size);
    }
    /* Not all of it: there may be a password in it. */
    snprintf(error, error_size, "unknown store %.*s", (int)strcspn(url, ":"),
             url);
    return -EINVAL;
}

store_t *store_open(const store_options_t *options, struct ev_loop *loop,
                    char *error, size_t error_size)
{
    if (strcmp(options->url, "memory") == 0) {
        return store_memory_new(options);
    }
    if (is_redis(options->url)) {
        return store_redis_new(options, loop, error, error_size);
    }
    if (dynamodb_url_is(options->url)) {
        return store_dynamodb_new(options, loop, error, error_size);
    }
    (void)store_url_check(options->url, error, error_size);
    return NULL;
}
