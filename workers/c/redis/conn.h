/* SPDX-License-Identifier: MIT
 *
 * A connection to a Redis server whose owner waits for it, but no longer than
 * until a moment that it says.  One thread at a time.
 */
#ifndef WORKERS_C_REDIS_CONN_H
#define WORKERS_C_REDIS_CONN_H

#include "base/buf.h"
#include "store/redis_reader.h"
#include "store/redis_tls.h"

#define CONN_WHY_MAX 160 /* bytes of a reason */

typedef struct {
    int fd;
    SSL *ssl; /* owned; NULL: in clear */
    redis_reader_t reader;
    buf_t out; /* owned: what is to be said */
} conn_t;

/* How servers are spoken to; constant. */
typedef struct {
    redis_url_t url;
    SSL_CTX *tls; /* owned; NULL: in clear */
} manner_t;

/*
 * Connect to the first host that takes us, and greet it (AUTH, SELECT, ROLE).
 *
 * turn      which of the hosts, and of the addresses of each, is tried first.
 *           One that hangs takes all of the time, so the next attempt is to
 *           begin with another: from turn to turn all of them have theirs.
 * until_ms  monotonic
 * Returns 0 with *conn, which the caller owns until conn_destroy; or a negative
 * errno with a line in why.
 */
int conn_new(conn_t **conn, const manner_t *manner, uint64_t turn,
             int64_t until_ms, char why[CONN_WHY_MAX]);

/* What has not arrived yet does not any more: it would come behind what is said
 * on another connection.  Harmless for NULL. */
void conn_destroy(conn_t **conn_p);

/*
 * Say what is in conn->out, which is empty then, and wait for one reply, to be
 * freed by freeReplyObject.
 * Returns 0; or a negative errno with a line in why, and the connection is of
 * no use any more.
 */
int conn_ask(conn_t *self, int64_t until_ms, redisReply **reply,
             char why[CONN_WHY_MAX]);

#endif
