/* SPDX-License-Identifier: MIT
 *
 * A small HTTP/1.1 server on plain sockets: a fixed number of connections, each
 * of which has one request under way.  What is asked is its user's business.
 *
 *   READING --head--> ASKED --answer--> WRITING --written--> READING
 *      |                                   |                 or LINGERING
 *      +--refused------------------------->+
 *
 * All that a client can hold is bounded: bytes of a head and of a body, time
 * for both (bytes that drip in do not prolong it), time to read an answer, and
 * connections.
 * When all of those are taken, the one that has been reading its head longest
 * goes, so that who is slow does not keep out who is not.
 *
 * Loop thread only.
 */
#ifndef ADMIN_SERVER_H
#define ADMIN_SERVER_H

#include "admin/stats.h"
#include "proto/http.h"

#include <stdbool.h>

#include <ev.h>

#define SERVER_SLOTS      64      /* connections */
#define SERVER_HEAD_MAX   8192    /* bytes of a request head */
#define SERVER_READ_MS    5000    /* from accept or the last answer to a head */
#define SERVER_WRITE_MS   5000    /* for the client to read an answer */
#define SERVER_LINGER_MS  1000    /* for it to close, when we have */
#define SERVER_ANSWER_MAX 4194304 /* bytes of an answer */

typedef struct server server_t;

/* A request under way; its slot is call % SERVER_SLOTS. */
typedef uint64_t server_call_t;

typedef struct {
    unsigned status;
    const char *allow;   /* methods, with 405; NULL: none */
    const uint8_t *body; /* lent; text */
    size_t len;
    const char *type;     /* of the body; NULL: `headers` say it */
    wire_bytes_t headers; /* lent; more of them, as whole lines */
} server_answer_t;

/*
 * A request came: server_answer is due, now or later.  All is lent.  A body
 * that is too large, or of unknown length, is not read: it is empty, and the
 * connection is closed behind the answer.
 */
typedef void server_asked_fn(void *user, server_call_t call,
                             const http_request_t *request, wire_bytes_t body);

/* Does this request take a body?  Where it does not, one is refused. */
typedef bool server_takes_fn(const http_request_t *request);

typedef struct {
    const char *address;  /* ADDRESS:PORT, to listen on */
    admin_stats_t *stats; /* borrowed: what it counts goes here */
    uint64_t body_max;    /* bytes of a request's */
    server_asked_fn *asked;
    server_takes_fn *takes_body;
    void *user; /* borrowed */
} server_options_t;

/* Returns the server, or NULL with a one-line reason in error. */
server_t *server_new(struct ev_loop *loop, const server_options_t *options,
                     char *error, size_t error_size);

/* Close everything. */
void server_destroy(server_t **self_p);

/* The bound address; lent. */
const char *server_address(const server_t *self);

/* The clock of the turn that begins. */
void server_begin(server_t *self, int64_t now_ms);

/* End of turn: whose time is over goes. */
void server_end(server_t *self);

/* Answer a call; nothing happens when its client has gone. */
void server_answer(server_t *self, server_call_t call,
                   const server_answer_t *answer);

#endif
