/* SPDX-License-Identifier: MIT
 *
 * One connection to one server: looked up, connected, secured, greeted (AUTH,
 * SELECT, …), and then commands out and replies in, in the same order.  It does
 * not connect again by itself.  One thread, that of the loop.
 *
 *   CLOSED -> LOOKING_UP -> CONNECTING -> SECURING -> GREETING -> READY
 *      ^           |             |            |           |         |
 *      +-----------+-------------+------------+-----------+---------+  lost
 *
 * A server that owes something (a connection, a reply) and says nothing for
 * timeout_ms, or a second if that is longer, is lost.  Commands that it may
 * still have in its socket then would come into effect after those of the next
 * connection; so that greets with CLIENT KILL of the former, where the server
 * knows us by the address that we know.
 */
#ifndef STORE_REDIS_LINK_H
#define STORE_REDIS_LINK_H

#include "base/buf.h"
#include "store/redis_lookup.h"
#include "store/redis_reader.h"
#include "store/redis_tls.h"

#define REDIS_WHY_TEXT 160
#define REDIS_OUT_MAX  ((size_t)64 << 20) /* bytes that wait to be sent */
#define REDIS_GREETING 5                  /* commands of a greeting, at most */

typedef enum {
    LINK_CLOSED,
    LINK_LOOKING_UP,
    LINK_CONNECTING,
    LINK_SECURING,
    LINK_GREETING,
    LINK_READY,
} redis_link_state_t;

typedef struct {
    void (*ready)(void *user);

    /* The next reply; lent. */
    void (*reply)(void *user, const redisReply *reply);

    /* It is closed, and may be opened again.  rc as store.h has it. */
    void (*lost)(void *user, int rc, const char *why);

    /* Bytes were sent or read: there may be more to say. */
    void (*turned)(void *user);
} redis_link_ops_t;

/* How servers are spoken to. */
typedef struct {
    struct ev_loop *loop;   /* borrowed */
    const redis_url_t *url; /* borrowed: user, password, db */
    SSL_CTX *tls;           /* borrowed; NULL: none */
    int64_t timeout_ms;
} redis_manner_t;

typedef struct {
    const redis_manner_t *manner; /* borrowed */
    const redis_link_ops_t *ops;  /* borrowed */
    void *user;                   /* borrowed */
    bool is_sentinel;             /* has neither users nor databases of ours */
    bool wants_master;            /* a replica counts as lost */

    redis_link_state_t state;
    uint32_t openings; /* a callback may close and open it */
    redis_host_t host;
    redis_lookup_t lookup;
    redis_addresses_t addresses;
    size_t address;  /* that is tried */
    unsigned silent; /* times that one let us wait in vain, in a row */
    int fd;
    ev_io io;
    ev_timer patience;
    SSL *ssl; /* owned */
    redis_reader_t reader;
    buf_t out;
    size_t sent; /* of `out` */
    size_t owed; /* replies */
    uint8_t greeting[REDIS_GREETING];
    size_t greeting_at, greeting_len;
    char former[REDIS_ADDRESS_TEXT]; /* our end of a connection that may still
                                        have commands under way; "": none */
} redis_link_t;

void redis_link_init(redis_link_t *self, const redis_manner_t *manner,
                     const redis_link_ops_t *ops, void *user);
void redis_link_fini(redis_link_t *self);

/* Begin to connect; it must be closed.  All comes by the ops, `lost` maybe in
 * here. */
void redis_link_open(redis_link_t *self, const redis_host_t *host);

/* Close without a word to the user; harmless twice. */
void redis_link_close(redis_link_t *self);

/* Close it and say `lost`. */
void redis_link_lose(redis_link_t *self, int rc, const char *why);

/* Where to put commands while it is ready, and how many were put.  They leave
 * with redis_link_flush. */
static inline buf_t *redis_link_out(redis_link_t *self)
{
    return &self->out;
}
void redis_link_owes(redis_link_t *self, size_t replies);
void redis_link_flush(redis_link_t *self);

/* Bytes that were put and not sent yet. */
static inline size_t redis_link_backlog(const redis_link_t *self)
{
    return self->out.len - self->sent;
}

#endif
