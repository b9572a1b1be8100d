/* SPDX-License-Identifier: MIT
 *
 * Whom to tell what became of a push: one receipt for each PUSH with `ack`
 * whose PUSHED has not come from this broker.  Its id is that `ack`; it finds
 * the receipt without a search and is never used twice.  Nothing is allocated
 * once there were as many receipts as there are.  Owner thread only.
 */
#ifndef WORKERS_C_RECEIPTS_H
#define WORKERS_C_RECEIPTS_H

#include "workers/c/hoist.h"

#define RECEIPTS_MAX 65536 /* of one broker */
#define RECEIPT_MS   60000 /* without a PUSHED */

typedef struct query query_t;

/* Whom to tell: an event that waits, or else a handler. */
typedef struct {
    query_t *query;                /* borrowed: in asked_t's, or NULL */
    hoist_pushed_handler *handler; /* borrowed: the program's code */
    void *data;                    /* borrowed: the program's */
} receipt_t;

typedef struct {
    receipt_t receipt;
    uint64_t id;           /* 0: free */
    int64_t due_ms;        /* 0: its time has not begun */
    uint32_t older, newer; /* places; of a free one, newer is the next free */
} receipt_place_t;

typedef struct {
    receipt_place_t *places; /* owned; [0] is the head of the ring by age */
    uint32_t cap;            /* of places */
    uint32_t used;           /* places that ever were in use, the head too */
    uint32_t free;           /* a free place among them; 0: none */
    uint32_t count;          /* receipts */
    uint64_t serial;         /* of the last one */
} receipts_t;

void receipts_init(receipts_t *self);
void receipts_fini(receipts_t *self);

/* Returns 0 with *id set, not 0; -EBUSY at RECEIPTS_MAX; -ENOMEM. */
int receipts_put(receipts_t *self, const receipt_t *receipt, uint64_t *id);

/* Is there one with this id? */
bool receipts_has(const receipts_t *self, uint64_t id);

/* Each takes a receipt out: the one with this id, the oldest if its time is
 * over, the oldest.  Returns whether there was one. */
bool receipts_take(receipts_t *self, uint64_t id, receipt_t *receipt);
bool receipts_take_late(receipts_t *self, int64_t now_ms, receipt_t *receipt);
bool receipts_take_any(receipts_t *self, receipt_t *receipt);

/* Begin the time of those that came since the last tick. */
void receipts_tick(receipts_t *self, int64_t now_ms);

/* When the time of the oldest is over; INT64_MAX: there is none. */
int64_t receipts_due_ms(const receipts_t *self);

#endif
