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
    uint64_t epoch;     /* how often it was blamed; so many hosts and addresses
                           further on a new connection begins to try them */
    int64_t backoff_ms; /* 0: it answers */
    int64_t down_ms;    /* monotonic: until then nobody tries */
    char why[CONN_WHY_MAX]; /* it was blamed the last time */
} pool_t;

/* One step of a ledger's, which may have several questions. */
typedef struct {
    int64_t until_ms;       /* monotonic: it waits no longer */
    uint64_t epoch;         /* the pool's, when it asked last */
    bool is_unsure;         /* a question has left, and had no answer */
    char why[CONN_WHY_MAX]; /* it has failed */
} attempt_t;

/* manner: copied, but for what it owns, which is moved. */
void pool_init(pool_t *self, const manner_t *manner);
void pool_fini(pool_t *self);

/* What is asked, appended to the connection's `out`: 0 or -ENOMEM, -ENOBUFS. */
typedef int pool_question_t(buf_t *out, void *user);

/*
 * Ask, and wait for the reply; freeReplyObject frees it.  A question may be
 * asked twice, where a connection turns out to be dead.
 * Returns 0, also with a reply that is an error; or a negative errno, and
 * attempt->why says more.
 */
int pool_ask(pool_t *self, attempt_t *attempt, pool_question_t *question,
             void *user, redisReply **reply);

/*
 * Leave the server alone for a while, for what attempt->why says, and try the
 * next host then.  Of all that have failed together the first is heard: what
 * the others have met is what he has told.
 */
void pool_blame(pool_t *self, const attempt_t *attempt);

#endif
