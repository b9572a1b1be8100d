/* SPDX-License-Identifier: MIT
 *
 * Requests that wait for brokers' answers: a table that finds each by the id
 * of its messages, and sees that none of those whom they wait for takes it
 * all.
 *
 * A lane is what waits at one broker for one gateway, or for a push to names.
 * It is late when one of its calls has waited for CALLS_LATE_MS: somebody
 * hangs.  Then only a few of it go on waiting, and the room is for calls about
 * others.
 */
#ifndef MANAGE_CALLS_H
#define MANAGE_CALLS_H

#include "base/list.h"
#include "manage/order.h"
#include "manage/uplink.h"

#define CALLS_MAX            256  /* under way; more get 429 */
#define CALLS_ANSWER_MS      6000 /* for a broker's answer; then 504 */
#define CALLS_LATE_MS        1000 /* without an answer; then its lane is late */
#define CALLS_LATE_MAX       4    /* that wait for a gateway which is late */
#define CALLS_LATE_NAMES_MAX 24   /* pushes to names that do */
#define CALLS_UUID           37   /* characters of a request id, with its NUL */

/* Who waits for an answer; opaque. */
typedef struct {
    uint32_t asker;
    uint64_t number;
} manager_caller_t;

typedef enum {
    STEP_PUSH,   /* PUSHED is due */
    STEP_LIVE,   /* the gateway's RESULT */
    STEP_STORED, /* the store's, since no broker has such a gateway */
    STEP_CLOSED, /* the gateway's, behind a CLOSE */
} step_t;

typedef struct {
    list_t link; /* unused, or under way: the oldest first */
    uint64_t id; /* of its messages; its index is id % CALLS_MAX */
    manager_caller_t caller;
    uplink_t *uplink; /* borrowed */
    uint64_t asked;   /* bits, by slot: brokers that it was at */
    step_t step;
    int64_t began_ms;
    int64_t asked_ms; /* since when that broker has it */
    order_t order;
    char request[CALLS_UUID];
} call_t;

typedef struct {
    call_t table[CALLS_MAX];
    list_t unused, under_way;
} calls_t;

void calls_init(calls_t *self);

/* May an order go to that broker, or does too much wait there for the same? */
bool calls_have_room(const calls_t *self, const uplink_t *uplink,
                     const order_t *order, int64_t now_ms);

/* A call begins; NULL: there are CALLS_MAX. */
call_t *calls_new(calls_t *self, manager_caller_t caller, const order_t *order,
                  int64_t now_ms);
void calls_free(calls_t *self, call_t *call);

/* It is that broker's now. */
void call_at(call_t *call, uplink_t *uplink, int64_t now_ms);

/* Has that broker been asked, and was it not lost before it answered? */
bool call_was_at(const call_t *call, const uplink_t *uplink);

/* Its broker is lost, and has said nothing. */
void call_lost(call_t *call);

/* The call that waits for this answer, or NULL. */
call_t *calls_find(calls_t *self, const uplink_t *uplink, uint64_t id);

/* Take those out that shall not wait any longer, to be freed: their time is
 * over, or their lane is late and has as many before them as may wait. */
void calls_take_late(calls_t *self, int64_t now_ms, list_t *late);

#endif
