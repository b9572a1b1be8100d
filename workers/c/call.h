/* SPDX-License-Identifier: MIT
 *
 * A handler calls another route of its app: a MESSAGE of the same connection
 * that nobody sent, whose reply goes to whoever calls.  What it says otherwise
 * leaves by the caller's outbox, in order.  Owner thread only.
 */
#ifndef WORKERS_C_CALL_H
#define WORKERS_C_CALL_H

#include "workers/c/core.h"

#define CALLS_MAX 8 /* one inside of the other */

struct call {
    hoist_ctx ctx; /* of the event that is made */
    again_t again; /* of ctx */
    message_request_t request;
    const accept_t *accepted; /* borrowed: what a CONNECT that calls was
                                 accepted with so far; NULL: none does */
    unsigned depth;           /* 1: an event's handler calls */
    bool has_reply;           /* it was given one, which was not taken back */
    buf_t body;               /* owned: of the reply */
    buf_t former;             /* owned: of the reply before, which may be the
                                 body of this call */
    body_type_t type;         /* of body */
};

/* Keep the body of its reply.  Returns 0, -EMSGSIZE, -ENOMEM. */
int call_keep_reply(call_t *self, const body_t *body);

/* Nothing of it is left. */
void call_forget_reply(call_t *self);

/* That body; lent. */
body_t call_reply(const call_t *self);

/* Nobody reads it any more: the event that calls has come to its end. */
void call_end(call_t *self);

/* Harmless for NULL. */
void call_destroy(call_t **self_p);

#endif
