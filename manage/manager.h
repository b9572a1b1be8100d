/* SPDX-License-Identifier: MIT
 *
 * The management API's core: a request becomes an order, the order a message
 * to a broker, and what the broker answers the request's answer.  No sockets
 * and no clocks: who owns it feeds requests, frames and times.  One thread.
 *
 *   POST     PUSH with ack --PUSHED--> 200, 410, 429
 *   GET      QUERY live ----RESULT---> 200, 410, or on to the store
 *   DELETE   QUERY live ----RESULT---> 410, or CLOSE and
 *            QUERY live ----RESULT---> 204
 *
 * Nothing answers a CLOSE but a question behind it, by the same way.
 *
 * A broker that cannot reach the gateway which an id names cannot tell a
 * connection that it may have from one that nobody has; the store can.
 *
 * When a broker is lost, questions go to another: they do no harm twice.  What
 * became of a push is not known, so it is not said again.
 */
#ifndef MANAGE_MANAGER_H
#define MANAGE_MANAGER_H

#include "base/roster.h"
#include "manage/api_reply.h"
#include "manage/auth.h"
#include "manage/calls.h"
#include "manage/stats.h"

typedef void manager_answer_fn(void *user, manager_caller_t caller,
                               const api_reply_t *answer);

typedef struct {
    const char *name;  /* of the process, for people */
    const char *stage; /* "": any */
    uint64_t body_max; /* bytes of a request's */
    auth_t *auth;      /* borrowed; NULL: nobody has credentials */
    manager_answer_fn *answer;
    void *user;
} manager_options_t;

typedef struct manager manager_t;

/* boot: of this process, at most UPLINK_BOOT_MAX bytes.  All is borrowed. */
manager_t *manager_new(const manager_options_t *options, const char *boot);
void manager_destroy(manager_t **self_p);

/* A broker comes or goes; slot: its number in the roster. */
uplink_t *manager_add_broker(manager_t *self, size_t slot,
                             const char *endpoint);
void manager_remove_broker(manager_t *self, size_t slot);

/* The clocks of a turn: monotonic, and Unix. */
void manager_begin(manager_t *self, int64_t now_ms, int64_t wall_ms);
void manager_end(manager_t *self);

/*
 * A request; its answer comes once, now or later.  All is lent.
 *
 * is_trusted  whoever reached that listener may do it
 * body        empty, too, when it is larger than it may be, or the request has
 *             no credentials
 */
void manager_ask(manager_t *self, manager_caller_t caller, bool is_trusted,
                 const http_request_t *request, wire_bytes_t body);

/*
 * The head of a request of whoever it may be, whose body is still to come: is
 * that worth reading?  The answer is 100, which is no request yet, or the
 * refusal.  Lent.
 */
void manager_look(manager_t *self, manager_caller_t caller,
                  const http_request_t *request);

/* A frame of the broker in that slot; lent. */
void manager_frame(manager_t *self, size_t slot, wire_bytes_t frame);

/* The transport to it broke: nothing that it still owed comes. */
void manager_broken(manager_t *self, size_t slot);

/* Say goodbye to all. */
void manager_bye(manager_t *self);

const manage_stats_t *manager_stats(const manager_t *self);

#endif
