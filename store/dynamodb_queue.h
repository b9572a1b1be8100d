/* SPDX-License-Identifier: MIT
 *
 * The operations of a DynamoDB store from their submission to their end, and
 * which of them may be sent: of those on one connection only the first.  Pure.
 *
 *     put ─▶ waits (ready, or behind another of its id) ─▶ taken ─▶ ended
 *              ▲─────────────────── again ◀───────────────────┘
 */
#ifndef STORE_DYNAMODB_QUEUE_H
#define STORE_DYNAMODB_QUEUE_H

#include "store/store.h"

#define DYNAMODB_BUCKETS 16384 /* a power of two */

typedef struct {
    store_op_t *op; /* borrowed from whoever submitted it */
    store_verb_t verb;
    conn_id_t id;
    record_t *record;    /* one reference, of SAVE; else NULL */
    int64_t now_ms;      /* Unix time of its submission */
    int64_t deadline_ms; /* of clock_mono_ms */
    uint32_t limit;
    wire_bytes_t key, cursor, value, expected; /* in bytes */
    bool is_throttled; /* the service had no capacity for it */
    bool is_alone;     /* not to be sent with others */
    list_t chained;    /* in its bucket: SAVE, REMOVE and GET */
    list_t ready;      /* may be sent; in none else */
    list_t waiting;    /* was not sent; in none else */
    uint8_t bytes[];
} dynamodb_task_t;

typedef struct {
    list_t *buckets; /* owned array; of tasks by id, in the order of put */
    list_t leases, gets, heavy,
        writes;         /* ready ones; heavy: lists and counts */
    list_t waiting;     /* all that were not sent, by age */
    size_t write_count; /* of `writes` */
    size_t count;       /* of all */
} dynamodb_queue_t;

void dynamodb_queue_init(dynamodb_queue_t *self);
void dynamodb_queue_fini(dynamodb_queue_t *self); /* must be empty */

/* What is lent with op is copied.  NULL: no memory. */
dynamodb_task_t *dynamodb_task_new(store_op_t *op, int64_t now_ms,
                                   int64_t deadline_ms);
void dynamodb_task_destroy(dynamodb_task_t **task_p);

/* Owned by the queue from here to dynamodb_queue_end. */
void dynamodb_queue_put(dynamodb_queue_t *self, dynamodb_task_t *task);

/* The next to be sent; NULL: none.  other: of a lease, then a GET. */
dynamodb_task_t *dynamodb_queue_take_other(dynamodb_queue_t *self);
dynamodb_task_t *dynamodb_queue_take_heavy(dynamodb_queue_t *self);
dynamodb_task_t *dynamodb_queue_take_write(dynamodb_queue_t *self);

/* A write that was taken waits once more, in front of all. */
void dynamodb_queue_again(dynamodb_queue_t *self, dynamodb_task_t *task);

/* The one that waits longest; NULL: none.  It stays. */
dynamodb_task_t *dynamodb_queue_oldest(const dynamodb_queue_t *self);

/* It is over, taken or not; the next on its connection is ready now. */
void dynamodb_queue_end(dynamodb_queue_t *self, dynamodb_task_t *task);

#endif
