/* SPDX-License-Identifier: MIT
 *
 * What handlers want to know of one broker and have had no answer to yet: who
 * is connected (PROTOCOL.md, "Queries"), and what became of a push.  A query
 * carries the event, or task, that asked, since the answer's handler goes on
 * with it; an event has one query at a time.
 *
 *   waiting  not said yet: so many are with the broker already
 *   sent     with the broker, each in a slot
 *   pushed   a PUSH, which is in the outbox; its receipt knows the query
 *   parked   nothing is asked: the event waits for another thread of the
 *            program, which has its ticket (later.h)
 *   resumed  its ticket came: it goes on when the broker takes more
 *
 * A slot is given back by the RESULT alone: a broker that answers too late
 * still has the query under way.  Owner thread only.
 */
#ifndef WORKERS_C_ASKED_H
#define WORKERS_C_ASKED_H

#include "base/list.h"
#include "workers/c/core.h"
#include "workers/c/receipts.h"

#define ASKED_AT_ONCE     16    /* with one broker; it refuses more */
#define ASKED_MAX         1024  /* of one broker, waiting or sent */
#define ASKED_TIMEOUT_MS  5000  /* unless the handler says otherwise */
#define ASKED_TIMEOUT_MAX 60000 /* ms */
#define ASKED_PARKED_MS   60000 /* of an event without a deadline */

struct query {
    list_t link;               /* in waiting, sent, pushed, parked, resumed */
    hoist_ctx ctx;             /* the event, for the answer's handler */
    message_request_t request; /* of ctx; lent from bytes */
    buf_t bytes;               /* owned: the REQUEST */
    buf_t words;               /* owned: the QUERY, until it is sent */
    uint64_t id;               /* of the QUERY; never used twice; 0: a push */
    uint64_t receipt;          /* of the push; 0: none */
    uint64_t ticket;           /* of a parked event; 0: none, or it came */
    int64_t came_ms;           /* the event */
    int64_t timeout_ms;
    int64_t due_ms;                /* 0: its time has not begun */
    hoist_answer_handler *handler; /* borrowed: the program's code */
    hoist_pushed_handler *pushed;  /* the same, of a push; else NULL */
    void *data;                    /* borrowed: the program's */
    task_t resumed; /* in the place of these: what an event that was parked
                       goes on with; none: nobody has come yet */
    bool holds;     /* its connection's next events wait for this one */
};

/* A QUERY that the broker has not answered. */
typedef struct {
    uint64_t id;    /* 0: the slot is free */
    query_t *query; /* borrowed: in sent; NULL: nobody waits any more */
} slot_t;

struct asked {
    list_t waiting, sent, pushed, parked, resumed; /* queries, oldest first */
    size_t count;                                  /* of all */
    size_t events; /* of these, whose asker is an event */
    slot_t slots[ASKED_AT_ONCE];
    receipts_t receipts;
    query_t **tickets; /* owned: parked ones by the place in their ticket;
                          NULL until there is one */
    unsigned thread;   /* of the app, where all this is */
    outbox_t *outbox;  /* borrowed: where QUERYs go */
    uint64_t last_id;
    int64_t due_ms; /* no query is due before; INT64_MAX: none is */
    bool is_fresh;  /* the time of one has not begun */
};

void asked_init(asked_t *self, outbox_t *outbox);

/* All queries and receipts were taken. */
void asked_fini(asked_t *self);

/*
 * Ask: query is in the table until it is taken out by one of those below.  Its
 * words, with query->id of asked_next_id in them, are said now or later.
 * Returns 0; -EBUSY at ASKED_MAX; -ENOBUFS, -ENOMEM when they cannot be put.
 */
int asked_put(asked_t *self, query_t *query);
uint64_t asked_next_id(asked_t *self);

/*
 * Wait for the PUSHED of query->receipt; query is in the table likewise.  There
 * is room for it if asked_is_full did not say otherwise.
 */
void asked_wait(asked_t *self, query_t *query);

/*
 * Park an event until its ticket, or its deadline, comes; query is in the table
 * likewise, with query->ticket set.  There is room for it.
 *
 * serial  no other event of the app has it.
 * Returns 0; -ENOMEM.
 */
int asked_park(asked_t *self, query_t *query, uint64_t serial);

/* The ticket of a parked event has come, with what it goes on with.  Returns
 * whether there is such an event: it is resumed then. */
bool asked_resume(asked_t *self, uint64_t ticket, const task_t *task);

/* Does one that is resumed wait to go on? */
static inline bool asked_has_resumed(const asked_t *self)
{
    return !list_is_empty(&self->resumed);
}

static inline bool asked_is_full(const asked_t *self)
{
    return self->count == ASKED_MAX;
}

/* Each takes a query out: the one that this RESULT answers, the one that was
 * resumed first, the one that a receipt told of, the next whose time is over,
 * any.  NULL: there is none. */
query_t *asked_take_answered(asked_t *self, uint64_t id);
query_t *asked_take_resumed(asked_t *self);
query_t *asked_take_pushed(asked_t *self, query_t *query);
query_t *asked_take_late(asked_t *self, int64_t now_ms);
query_t *asked_take(asked_t *self);

/* Does somebody wait for the RESULT of this QUERY? */
bool asked_has(const asked_t *self, uint64_t id);

/* The broker has no query or push of ours any more; all were taken. */
void asked_forget(asked_t *self);

/* Begin the time of what was asked in this turn; say what has found room. */
void asked_tick(asked_t *self, int64_t now_ms);

/* When something is due; INT64_MAX: nothing is. */
int64_t asked_due_ms(const asked_t *self);

/* When the oldest event came that waits for an answer; INT64_MAX: none does. */
int64_t asked_oldest_ms(const asked_t *self);

#endif
