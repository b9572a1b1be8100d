/* SPDX-License-Identifier: MIT
 *
 * dynamodb://TABLE?region=…&endpoint=http://…
 */
#ifndef STORE_DYNAMODB_URL_H
#define STORE_DYNAMODB_URL_H

#include <stdbool.h>
#include <stddef.h>

#define DYNAMODB_TABLE_MAX  256
#define DYNAMODB_REGION_MAX 64
#define DYNAMODB_URL_MAX    1024

typedef struct {
    char table[DYNAMODB_TABLE_MAX];
    char region[DYNAMODB_REGION_MAX];
    char endpoint[DYNAMODB_URL_MAX]; /* with its scheme */
    char streams[DYNAMODB_URL_MAX];  /* the endpoint of DynamoDB Streams */
    char host[DYNAMODB_URL_MAX];     /* of the endpoint, as in Host */
    char streams_host[DYNAMODB_URL_MAX];
} dynamodb_url_t;

/* Does it name a DynamoDB store at all? */
bool dynamodb_url_is(const char *url);

/*
 * Take the URL apart; what it leaves out comes from AWS_REGION,
 * AWS_DEFAULT_REGION and the profile, and from AWS_ENDPOINT_URL_DYNAMODB and
 * AWS_ENDPOINT_URL.
 * Returns 0, or -EINVAL with one line in `error`.
 */
__attribute__((warn_unused_result)) int dynamodb_url_parse(const char *url,
                                                           dynamodb_url_t *out,
                                                           char *error,
                                                           size_t error_size);

#endif
