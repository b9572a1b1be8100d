/* SPDX-License-Identifier: MIT
 *
 * The connections of a ledger: each thread that has something to ask takes one
 * and gives it back.  While the server does not answer, nobody tries but one
 * thread now and then.  Any thread; the lock is held for no input or output.
 */
#ifndef WORKERS_C_REDIS_POOL_H
#define WORKERS_C_REDIS_POOL_H

#include "workers/c/redis/conn.h"

#include <pthread.h>

#define POOL_IDLE_MAX  64 /* connections that stay open */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000

typedef struct {
    manner_t manner;
    pthread_mutex_t lock;        /* of all below */
    conn_t *idle[POOL_IDLE_MAX]; /* owned; the last used is taken first */
    size_t idle_count;
    int64_t backoff_ms; /* 0: it answers */
    int64_t down_ms;    /* monotonic: until then nobody tries */
    char why[CONN_WHY_MAX];
} pool_t;

/* manner: moved. */
void pool_init(pool_t *self, const manner_t *manner);
void pool_fini(pool_t *self);

/* What is asked, appended to the connection's `out`: 0 or -ENOMEM, -ENOBUFS. */
typedef int pool_question_t(buf_t *out, void *user);

/*
 * Ask, and wait for the reply until then (monotonic); freeReplyObject frees it.
 * A question may be asked twice, where a connection turns out to be dead.
 * Returns 0, also with a reply that is an error; or a negative errno, and
 * pool_why says more.
 */
int pool_ask(pool_t *self, int64_t until_ms, pool_question_t *question,
             void *user, redisReply **reply);

/* The last question failed for this reason; and the server is to be left alone
 * for a while, as where it does not answer. */
void pool_note(pool_t *self, const char *why);
void pool_blame(pool_t *self, const char *why);

/* Why the last question failed. */
void pool_why(pool_t *self, char *text, size_t size);

#endif
