/* SPDX-License-Identifier: MIT */
#include "workers/c/redis/pool.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OUT_KEPT 65536 /* bytes of buffer that an idle connection keeps */

void pool_init(pool_t *self, const manner_t *manner)
{
    *self = (pool_t){.manner = *manner};
    must(pthread_mutex_init(&self->lock, NULL) == 0);
}

void pool_fini(pool_t *self)
{
    for (size_t i = 0; i < self->idle_count; i++) {
        conn_destroy(&self->idle[i]);
    }
    SSL_CTX_free(self->manner.tls);
    explicit_bzero(&self->manner.url, sizeof self->manner.url);
    pthread_mutex_destroy(&self->lock);
}

/* --- whether it answers --------------------------------------------------- */

/* May this thread try?  While it does not answer one may, each time that it was
 * left alone for a while. */
static bool may_try(pool_t *self, attempt_t *attempt)
{
    int64_t now_ms = clock_mono_ms();

    pthread_mutex_lock(&self->lock);
    bool may = self->backoff_ms == 0 || now_ms >= self->down_ms;
    if (may && self->backoff_ms > 0) {
        self->down_ms = now_ms + self->backoff_ms;
    }
    attempt->epoch = self->epoch;
    if (!may) {
        memcpy(attempt->why, self->why, sizeof self->why);
    }
    pthread_mutex_unlock(&self->lock);
    return may;
}

/* It is left alone from now on; takes out the idle connections. */
static size_t begin_pause(pool_t *self, const char why[CONN_WHY_MAX],
                          conn_t *idle[POOL_IDLE_MAX])
{
    size_t count = self->idle_count;
    int64_t next_ms =
        self->backoff_ms > 0 ? 2 * self->backoff_ms : BACKOFF_MIN_MS;

    memcpy(idle, self->idle, count * sizeof *idle);
    self->idle_count = 0;
    self->epoch++;
    self->backoff_ms = next_ms < BACKOFF_MAX_MS ? next_ms : BACKOFF_MAX_MS;
    self->down_ms = clock_mono_ms() + self->backoff_ms;
    memcpy(self->why, why, sizeof self->why);
    return count;
}

/* The other connections lead to the same server: none of them is to cost the
 * time of a step once more. */
void pool_blame(pool_t *self, const attempt_t *attempt)
{
    conn_t *idle[POOL_IDLE_MAX];
    size_t count = 0;

    pthread_mutex_lock(&self->lock);
    if (attempt->epoch == self->epoch) {
        count = begin_pause(self, attempt->why, idle);
    }
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < count; i++) {
        conn_destroy(&idle[i]);
    }
}

/* --- connections --------------------------------------------------------- */

/* One that has been used before, or NULL. */
static conn_t *take(pool_t *self)
{
    pthread_mutex_lock(&self->lock);
    conn_t *conn = self->idle_count > 0 ? self->idle[--self->idle_count] : NULL;
    pthread_mutex_unlock(&self->lock);
    return conn;
}

/* It has answered: so the server does. */
static void give_back(pool_t *self, conn_t *conn)
{
    buf_reset(&conn->out, OUT_KEPT);
    pthread_mutex_lock(&self->lock);
    self->backoff_ms = 0;
    if (self->idle_count < POOL_IDLE_MAX) {
        self->idle[self->idle_count++] = conn;
        conn = NULL;
    }
    pthread_mutex_unlock(&self->lock);
    conn_destroy(&conn);
}

static int ask_on(conn_t *conn, attempt_t *attempt, pool_question_t *question,
                  void *user, redisReply **reply)
{
    int rc = question(&conn->out, user);

    if (rc < 0) {
        (void)snprintf(attempt->why, sizeof attempt->why, "%s", strerror(-rc));
        return rc;
    }
    rc = conn_ask(conn, attempt->until_ms, reply, attempt->why);
    if (rc < 0) {
        attempt->is_unsure = true;
    }
    return rc;
}

/* A connection that nobody has looked after may be dead, which says nothing of
 * the server. */
static int ask_old_ones(pool_t *self, attempt_t *attempt,
                        pool_question_t *question, void *user,
                        redisReply **reply)
{
    int rc = -ENOTCONN;

    for (conn_t *conn; rc < 0 && (conn = take(self)) != NULL;) {
        rc = ask_on(conn, attempt, question, user, reply);
        if (rc == 0) {
            give_back(self, conn);
        } else {
            conn_destroy(&conn);
        }
        if (rc == -ETIMEDOUT) {
            return rc; /* it lives, and does not answer */
        }
    }
    return rc;
}

static int ask_new_one(pool_t *self, attempt_t *attempt,
                       pool_question_t *question, void *user,
                       redisReply **reply)
{
    conn_t *conn;
    int rc = conn_new(&conn, &self->manner, attempt->epoch, attempt->until_ms,
                      attempt->why);

    if (rc < 0) {
        return rc;
    }
    rc = ask_on(conn, attempt, question, user, reply);
    if (rc == 0) {
        give_back(self, conn);
    } else {
        conn_destroy(&conn);
    }
    return rc;
}

int pool_ask(pool_t *self, attempt_t *attempt, pool_question_t *question,
             void *user, redisReply **reply)
{
    if (!may_try(self, attempt)) {
        return -ENOTCONN;
    }
    int rc = ask_old_ones(self, attempt, question, user, reply);
    if (rc < 0 && rc != -ETIMEDOUT) {
        rc = ask_new_one(self, attempt, question, user, reply);
    }
    if (rc < 0) {
        pool_blame(self, attempt);
    }
    return rc;
}
