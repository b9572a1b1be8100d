/* SPDX-License-Identifier: MIT
 *
 * What a worker has to say to one broker, in the order it was said.
 *
 *   ready   encoded messages that may be sent now
 *   held    encoded messages that wait for push window, and all behind them:
 *           a reply must not overtake the push that was made before it
 *
 * Pure: bytes in, bytes out.  Nothing is allocated once the buffers have
 * grown to their working size.  Owner thread only.
 */
#ifndef WORKERS_C_OUTBOX_H
#define WORKERS_C_OUTBOX_H

#include "proto/message.h"

/* Bytes waiting past which a push is refused. */
#define OUTBOX_HARD_MAX ((size_t)64 << 20)

/* Bytes of one body, so that frames stay below the protocol's 64 MiB. */
#define OUTBOX_BODY_MAX ((size_t)32 << 20)

/* Room that only the replies of events that failed, and a few bytes of the
 * link's own, may use (failure.c). */
#define OUTBOX_RESERVE ((size_t)16 << 20)

typedef struct {
    buf_t ready;     /* owned */
    buf_t held;      /* owned */
    size_t held_at;  /* bytes of held that have been moved to ready */
    uint64_t window; /* pushes, joins and leaves that may be on their way */
    uint64_t window_bytes; /* of the pushes' targets and bodies */
    uint64_t pushes;     /* on their way: sent, no CREDIT yet; and the others */
    uint64_t push_bytes; /* of their targets and bodies */
} outbox_t;

/* Where a reply was put, so that it can be taken back in the same turn. */
typedef struct {
    bool held; /* in held, else in ready */
    size_t at; /* offset of its first byte */
    size_t len;
} outbox_mark_t;

/* Empty, with a push window without bounds. */
void outbox_init(outbox_t *self);
void outbox_fini(outbox_t *self);

/* Forget everything; the next broker start begins with this push window. */
void outbox_reset(outbox_t *self, uint64_t window, uint64_t window_bytes);

/* Bytes that wait here, ready or held. */
static inline size_t outbox_waiting(const outbox_t *self)
{
    return self->ready.len + self->held.len - self->held_at;
}

static inline bool outbox_is_holding(const outbox_t *self)
{
    return self->held.len > self->held_at;
}

/*
 * Append in order.
 * Return 0; -EMSGSIZE for a body above OUTBOX_BODY_MAX; -ENOBUFS when
 * OUTBOX_HARD_MAX waits (push, join, close) or the buffer is at its limit
 * (reply); -ENOMEM.
 */
int outbox_reply(outbox_t *self, const message_reply_t *reply,
                 outbox_mark_t *mark);

/* That of an event that failed, which is small: the reserve is for it.
 * Returns 0; -ENOBUFS where even that is full; -ENOMEM. */
int outbox_reply_failure(outbox_t *self, const message_reply_t *reply,
                         outbox_mark_t *mark);
int outbox_push(outbox_t *self, const message_push_t *push);
int outbox_join(outbox_t *self, message_kind_t kind, /* or LEAVE */
                const message_join_t *join);
int outbox_close(outbox_t *self, const message_close_t *close);

/*
 * Append an encoded QUERY.  It has no order with anything, so it does not wait
 * behind pushes.
 * Returns 0, -ENOBUFS, -ENOMEM.
 */
int outbox_query(outbox_t *self, wire_bytes_t query);

/* The same of READY, and of PONG. */
int outbox_ready(outbox_t *self, const message_ready_t *ready);
int outbox_pong(outbox_t *self, const message_pong_t *pong);

/* Remove the reply that *mark tells of; nothing may have been sent or
 * credited since. */
void outbox_take_back(outbox_t *self, const outbox_mark_t *mark);

/* The broker gives push window back: release what it allows. */
void outbox_credit(outbox_t *self, const message_credit_t *credit);

/*
 * How many bytes at the front of ready make a frame: whole messages, at least
 * one, and no more than `most` bytes unless a single one is larger.
 */
size_t outbox_frame(const outbox_t *self, size_t most);

/* The first len bytes of ready have been sent. */
void outbox_sent(outbox_t *self, size_t len);

#endif
