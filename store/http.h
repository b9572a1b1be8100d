/* SPDX-License-Identifier: MIT
 *
 * An HTTP client on a libev loop: libcurl's multi interface over a pool of
 * connections that are kept alive.  It never blocks the loop; names are looked
 * up as libcurl was built to (a thread of its own, or c-ares).  The only file
 * pair of the project that includes <curl/…>.  One thread, that of the loop.
 */
#ifndef STORE_HTTP_H
#define STORE_HTTP_H

#include "proto/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ev.h>

#define HTTP_HEADERS_MAX 16

typedef struct http http_t;
typedef struct http_call http_call_t;

typedef struct {
    const char *url;
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value"; NULL ends them */
    bool is_post;                          /* else GET */
    wire_bytes_t body;                     /* of a POST; lent until done */
    int64_t timeout_ms;                    /* for all of it */
    size_t answer_max;                     /* bytes */
    bool is_near; /* past any proxy that the environment names */

    /*
     * On a connection of its own.  On one that has served before, libcurl sends
     * a request again by itself where that broke off without an answer; this is
     * for one that must not take effect twice.
     */
    bool is_once;
} http_request_t;

typedef struct {
    long status;
    wire_bytes_t body;
} http_answer_t;

/*
 * Called by the loop, never by http_start.  rc is 0 with the answer (lent),
 * whatever its status; or with NULL
 *
 *   -ENOTCONN   no connection, or one that broke off
 *   -ETIMEDOUT
 *   -EMSGSIZE   the answer is above answer_max
 *   -EPROTO     it is no HTTP
 *   -ENOMEM
 *
 * and the reason in `why`.  The call is over.
 */
typedef void http_done_fn(void *user, int rc, const http_answer_t *answer,
                          const char *why);

/* At most `connections` at once; more requests wait.  NULL: no memory. */
http_t *http_new(struct ev_loop *loop, long connections);

/* Forgets what is under way: no `done` is called.  *self_p becomes NULL. */
void http_destroy(http_t **self_p);

/* Start a request.  Lent: all but the body only for this call.  NULL: no
 * memory, or no URL. */
http_call_t *http_start(http_t *self, const http_request_t *request,
                        http_done_fn *done, void *user);

/* End it without a `done`; *call_p becomes NULL. */
void http_cancel(http_call_t **call_p);

/* Connections that were made so far. */
uint64_t http_connects(const http_t *self);

#endif
