/* SPDX-License-Identifier: MIT
 *
 * The inside of the DynamoDB store, for its own files: dynamodb.c has the queue
 * and sends what is in it; dynamodb_rows.c, dynamodb_lists.c and
 * dynamodb_leases.c know what to ask for and what the answers mean.
 */
#ifndef STORE_DYNAMODB_STORE_H
#define STORE_DYNAMODB_STORE_H

#include "base/log.h"
#include "store/dynamodb_body.h"
#include "store/dynamodb_client.h"
#include "store/dynamodb_page.h"
#include "store/dynamodb_queue.h"
#include "store/options.h"

#define DYNAMODB_TOGETHER_MAX 25 /* of BatchWriteItem */

typedef struct {
    store_t store;                  /* first: a store_t is its kind */
    const store_options_t *options; /* borrowed */
    struct ev_loop *loop;           /* borrowed */
    dynamodb_url_t url;
    dynamodb_client_t *client; /* owned */
    dynamodb_queue_t queue;
    list_t errands;                   /* owned: dynamodb_errand_t */
    size_t errand_count, heavy_count; /* heavy: lists and counts */
    bool is_dispatching, is_due_again;
    unsigned throttles; /* in a row; writes rest until `rest` is over */
    bool is_told_down;  /* STORE-DOWN was the last that was logged */
    bool is_ending;
    ev_timer timer; /* for the one that waits longest */
    ev_timer rest;
    ev_timer probe_timer;
    dynamodb_call_t *probe; /* NULL: none under way */
    log_brake_t brake;
} store_dynamodb_t;

typedef struct dynamodb_errand dynamodb_errand_t;
typedef void dynamodb_answer_fn(dynamodb_errand_t *errand, json_t *answer);

struct dynamodb_errand {
    list_t linked;
    store_dynamodb_t *self; /* borrowed */
    dynamodb_call_t *call;
    dynamodb_task_t *tasks[DYNAMODB_TOGETHER_MAX]; /* the queue's */
    size_t task_count;
    dynamodb_answer_fn *on_answer;
    dynamodb_page_t page; /* of a list */
    uint32_t scan;        /* items that the last call looked at */
    unsigned calls;
    bool is_heavy;
    int64_t begun_ms;      /* of clock_mono_ms */
    uint64_t counted;      /* COUNT */
    store_lease_t *leases; /* LEASES; owned, names and values in bytes */
    size_t lease_count;
    buf_t bytes;
};

/* The next call of the errand; ends it when there is no memory for one.  The
 * bodies are moved. */
void dynamodb_errand_call(dynamodb_errand_t *errand, const char *action,
                          json_t *body, json_t *again);

/* All of its operations end alike, and it is freed. */
void dynamodb_errand_end(dynamodb_errand_t *errand, int rc,
                         const store_result_t *result);

/* The service has no capacity: no writes for a moment. */
void dynamodb_store_rest(store_dynamodb_t *self);

/* Begin an errand that has its tasks; each ends it. */
void dynamodb_send_write(dynamodb_errand_t *errand);
void dynamodb_send_together(dynamodb_errand_t *errand);
void dynamodb_send_get(dynamodb_errand_t *errand);
void dynamodb_send_list(dynamodb_errand_t *errand);
void dynamodb_send_count(dynamodb_errand_t *errand);
void dynamodb_send_keep(dynamodb_errand_t *errand);
void dynamodb_send_leases(dynamodb_errand_t *errand);
void dynamodb_send_claim(dynamodb_errand_t *errand);
void dynamodb_send_drop(dynamodb_errand_t *errand);

#endif
