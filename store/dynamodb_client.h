/* SPDX-License-Identifier: MIT
 *
 * Calls of DynamoDB's API: signed, tried again with full jitter while their
 * time lasts, and their errors told as one word.  One thread, that of the loop.
 */
#ifndef STORE_DYNAMODB_CLIENT_H
#define STORE_DYNAMODB_CLIENT_H

#include "store/dynamodb_url.h"
#include "store/stats.h"

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>
#include <jansson.h>

#define DYNAMODB_CONNECTIONS                                                   \
    64 /* calls under way that have one of their own                           \
        */

typedef struct dynamodb_client dynamodb_client_t;
typedef struct dynamodb_call dynamodb_call_t;

/* Why a call failed; lent. */
typedef struct {
    const char *type;    /* of the service: ValidationException, say; or "" */
    const char *message; /* for people */
} dynamodb_fault_t;

/*
 * The end of a call, told by the loop and never by dynamodb_start.  rc is 0
 * with the answer, a JSON object that is lent; or with NULL
 *
 *   -ESTALE     a condition did not hold
 *   -EBUSY      throttled all the time
 *   -EACCES     no credentials, or they were refused
 *   -ENOTCONN   it could not be reached
 *   -ETIMEDOUT  it did not answer
 *   -EREMOTEIO  any other error of the service
 *   -EPROTO     its answer is no JSON object, or too large
 *   -ENOMEM
 */
typedef void dynamodb_done_fn(void *user, int rc, json_t *answer,
                              const dynamodb_fault_t *fault);

typedef struct {
    const char *action; /* PutItem, say; a literal */
    bool is_streams;    /* of the API DynamoDB Streams */
    json_t *body;       /* moved */
    /* moved; what to send when it is tried again, since the first may have
     * taken effect; NULL: the same */
    json_t *again;
    int64_t deadline_ms; /* of clock_mono_ms */
    dynamodb_done_fn *done;
    void *user;
} dynamodb_request_t;

/* url and stats are borrowed for its life. */
dynamodb_client_t *dynamodb_client_new(struct ev_loop *loop,
                                       const dynamodb_url_t *url,
                                       store_stats_t *stats);

/* Forgets the calls that are under way. */
void dynamodb_client_destroy(dynamodb_client_t **self_p);

/* NULL: no memory (or no body). */
dynamodb_call_t *dynamodb_start(dynamodb_client_t *self,
                                const dynamodb_request_t *request);

/* End a call without its `done`; *call_p becomes NULL. */
void dynamodb_cancel(dynamodb_call_t **call_p);

/* A random time to wait before the attempt of this number, from 1. */
int64_t dynamodb_backoff_ms(unsigned attempt);

#endif
