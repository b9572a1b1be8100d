/* SPDX-License-Identifier: MIT
 *
 * Requests that wait for their connection: its event before has not ended,
 * because it waits for an answer.  Each such connection has a mailbox here, for
 * as long as that lasts or there is something in it; whoever has none is
 * handled at once.  Owner thread only.
 *
 *            hold                 release, something is in it
 *   no box --------> held  --------------------------------> runnable
 *     ^   release, empty |                                      |
 *     +------------------+---------- the last is taken ---------+
 */
#ifndef WORKERS_C_MAIL_H
#define WORKERS_C_MAIL_H

#include "base/list.h"
#include "workers/c/kept.h"

#define MAIL_BUCKETS 64

typedef struct {
    list_t bucket;   /* those of the same hash */
    list_t runnable; /* in mail_t's, or in none */
    char conn[CONN_ID_TEXT];
    bool is_held;
    kept_t requests; /* owned */
} mailbox_t;

typedef struct {
    list_t buckets[MAIL_BUCKETS];
    list_t runnable; /* mailboxes, served in turns */
    size_t boxes;
    size_t count; /* requests in all of them */
    size_t bytes; /* of these */
    size_t limit; /* of bytes; may grow */
} mail_t;

/* A request to be handled. */
typedef struct {
    mailbox_t *box;      /* borrowed, until mail_done */
    kept_request_t kept; /* lent, until mail_done */
} mail_request_t;

/* limit: bytes of requests that may wait here, about. */
void mail_init(mail_t *self, size_t limit);
void mail_fini(mail_t *self);

/* Forget all mailboxes and what is in them. */
void mail_reset(mail_t *self);

/* Has the connection a mailbox?  Then its next request goes into it. */
bool mail_has_box(const mail_t *self, wire_bytes_t conn);

/* From now on the connection's requests wait; and no longer.  An event holds
 * its connection once. */
void mail_hold(mail_t *self, wire_bytes_t conn);
void mail_release(mail_t *self, wire_bytes_t conn);

/*
 * Put a REQUEST, which is copied, into the mailbox that its connection has.
 * Returns 0; -ENOBUFS beyond the limit; -ENOMEM.
 */
int mail_put(mail_t *self, wire_bytes_t conn, wire_bytes_t raw, int64_t now_ms);

static inline bool mail_is_runnable(const mail_t *self)
{
    return !list_is_empty(&self->runnable);
}

/*
 * The next request of a mailbox that is runnable: false when there is none.
 * Handle it, hold the connection if the event goes on, then say mail_done.
 */
bool mail_next(mail_t *self, mail_request_t *next);
void mail_done(mail_t *self, const mail_request_t *done);

#endif
