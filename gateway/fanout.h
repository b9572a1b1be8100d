/* SPDX-License-Identifier: MIT
 *
 * Pushes to many, a few at a time.  What is for a large group becomes a job;
 * the jobs are done in the order they came, so many members in each turn of
 * the loop.  Where several wait, a member whose turn it is gets them together,
 * so that one write carries them.  Order does not suffer: whoever is to hear
 * something else, or joins or leaves, first gets what the jobs that wait have
 * for it (fanout_catch_up); each member remembers the last job that it has had.
 *
 *   fanout_put -> job -> fanout_step, a few members a turn -> ops.done
 *                   \--> fanout_catch_up, one member
 *
 * Whoever is a member when a job comes gets it, and nobody else.  Pure; loop
 * thread only.
 */
#ifndef GATEWAY_FANOUT_H
#define GATEWAY_FANOUT_H

#include "gateway/groups.h"

/* Whoever is told when a job is done. */
typedef struct {
    struct job *last; /* that it put and that waits, or NULL */
} sender_t;

typedef struct job {
    group_t *group;   /* NULL: nobody; may be gone when `left` is 0 */
    uint32_t left;    /* members that have not had it */
    int64_t due_ms;   /* nobody gets it from then on; 0: no matter when */
    uint8_t *frame;   /* owned: head and payload, shared by all */
    size_t len, head; /* bytes of it, and of its head */
    body_type_t type; /* of the payload */
    sender_t *sender; /* borrowed; NULL when nobody is to be told */
    bool is_asked;    /* PUSHED is wanted … */
    uint64_t ack;     /* … with this id */
    uint32_t delivered, gone, refused;
    uint32_t late;  /* those of the gone whose time was over */
    bool is_queued; /* they were too many to be served at once */
    uint64_t credit_messages, credit_bytes; /* due when it is done */
} job_t;

typedef struct {
    /* Put it to one member, who may end by it.  0, -ENOTCONN, -ENOBUFS. */
    int (*deliver)(void *user, member_t *member, const job_t *job);

    /* Every member has had it, or will not. */
    void (*done)(void *user, const job_t *job);
} fanout_ops_t;

typedef struct {
    groups_t *groups; /* borrowed */
    const fanout_ops_t *ops;
    void *user;
    job_t **jobs; /* owned: a ring, oldest first */
    size_t head, len, cap;
    uint64_t first;      /* number of the oldest, 1, 2, … */
    bool is_walking;     /* the oldest has been begun */
    uint32_t at_once;    /* members that need no job */
    uint32_t per_turn;   /* members, … */
    size_t turn_bytes;   /* … and bytes, but for one frame, of one turn */
    uint32_t per_member; /* jobs that it gets while it has its turn */
    int64_t now_ms;
} fanout_t;

#define FANOUT_AT_ONCE    16
#define FANOUT_PER_TURN   64
#define FANOUT_TURN_BYTES (1u << 20)
#define FANOUT_PER_MEMBER 32

void fanout_init(fanout_t *self, groups_t *groups, const fanout_ops_t *ops,
                 void *user);

/* Jobs that wait are forgotten. */
void fanout_fini(fanout_t *self);

/*
 * Give *job to all members of its group but for `except_count` of them: at once
 * where they are few, else a turn after the other.  job->frame is taken over
 * in any case; ops.done comes once, perhaps before this returns.
 */
void fanout_put(fanout_t *self, const job_t *job, member_t *const *except,
                size_t except_count);

/* Give the member what the jobs that wait have for it. */
void fanout_catch_up(fanout_t *self, member_t *member);

/* The member ends: what waits for it is gone. */
void fanout_abandon(fanout_t *self, member_t *member);

/* A turn's share. */
void fanout_step(fanout_t *self);

/* The sender is not to be told any more. */
void fanout_forget(fanout_t *self, sender_t *sender);

static inline bool fanout_is_idle(const fanout_t *self)
{
    return self->len == 0;
}

#endif
