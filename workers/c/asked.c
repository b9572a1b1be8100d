/* SPDX-License-Identifier: MIT */
#include "workers/c/asked.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

/* A ticket is a serial number and a place; all that may wait have one. */
#define PLACES ((uint64_t)ASKED_MAX)

void asked_init(asked_t *self, outbox_t *outbox)
{
    *self = (asked_t){.outbox = outbox, .due_ms = INT64_MAX};
    list_init(&self->waiting);
    list_init(&self->sent);
    list_init(&self->pushed);
    list_init(&self->parked);
    list_init(&self->resumed);
    receipts_init(&self->receipts);
}

void asked_fini(asked_t *self)
{
    must(self->count == 0 && self->receipts.count == 0);
    receipts_fini(&self->receipts);
    free(self->tickets);
}

uint64_t asked_next_id(asked_t *self)
{
    return ++self->last_id;
}

/* The slot of that QUERY, or with 0 a free one; NULL: none. */
static slot_t *find_slot(asked_t *self, uint64_t id)
{
    for (size_t i = 0; i < ASKED_AT_ONCE; i++) {
        if (self->slots[i].id == id) {
            return &self->slots[i];
        }
    }
    return NULL;
}

bool asked_has(const asked_t *self, uint64_t id)
{
    for (size_t i = 0; i < ASKED_AT_ONCE; i++) {
        if (self->slots[i].id == id) {
            return self->slots[i].query != NULL;
        }
    }
    return false;
}

/* Say a query that is in no list. */
static int say(asked_t *self, slot_t *slot, query_t *query)
{
    wire_bytes_t words = {query->words.data, query->words.len};
    int rc = outbox_query(self->outbox, words);

    if (rc == 0) {
        *slot = (slot_t){query->id, query};
        buf_fini(&query->words);
        list_append(&self->sent, &query->link);
    }
    return rc;
}

/* It is in a list: count it, and let its time begin with the next tick. */
static void begin(asked_t *self, query_t *query)
{
    query->due_ms = 0;
    self->is_fresh = true;
    self->count++;
    self->events += !ctx_is_task(&query->ctx);
}

int asked_put(asked_t *self, query_t *query)
{
    slot_t *slot = find_slot(self, 0);
    int rc = 0;

    if (asked_is_full(self)) {
        return -EBUSY;
    }
    if (slot != NULL && list_is_empty(&self->waiting)) {
        rc = say(self, slot, query);
    } else {
        list_append(&self->waiting, &query->link);
    }
    if (rc == 0) {
        begin(self, query);
    }
    return rc;
}

void asked_wait(asked_t *self, query_t *query)
{
    must(!asked_is_full(self));
    query->id = 0;
    list_append(&self->pushed, &query->link);
    begin(self, query);
}

int asked_park(asked_t *self, query_t *query, uint64_t serial)
{
    uint64_t place = serial % PLACES;

    must(!asked_is_full(self));
    if (self->tickets == NULL &&
        (self->tickets = calloc(PLACES, sizeof(query_t *))) == NULL) {
        return -ENOMEM;
    }
    while (self->tickets[place] != NULL) {
        place = (place + 1) % PLACES;
    }
    self->tickets[place] = query;
    query->ticket = serial * PLACES + place;
    query->id = 0;
    query->handler = NULL;
    query->pushed = NULL;
    query->resumed = (task_t){NULL, NULL};
    query->timeout_ms = ASKED_PARKED_MS;
    list_append(&self->parked, &query->link);
    begin(self, query);
    if (event_is_counted(query->request.event)) {
        query->due_ms = query->ctx.due_ms; /* behind it nobody is answered */
    }
    return 0;
}

/* Say what waits, as far as there are slots.  What cannot be put just now is
 * tried again with the next tick, until its time is over. */
static void say_waiting(asked_t *self)
{
    list_t *next;
    slot_t *slot;

    while ((next = list_peek(&self->waiting)) != NULL &&
           (slot = find_slot(self, 0)) != NULL) {
        list_remove(next);
        if (say(self, slot, list_entry(next, query_t, link)) < 0) {
            list_prepend(&self->waiting, next);
            break;
        }
    }
}

/* Nobody waits any more for what it asked. */
static void forget_question(asked_t *self, query_t *query)
{
    slot_t *slot = query->id != 0 ? find_slot(self, query->id) : NULL;
    receipt_t receipt;

    if (slot != NULL) {
        slot->query = NULL;
    }
    (void)receipts_take(&self->receipts, query->receipt, &receipt);
    query->receipt = 0;
    if (query->ticket != 0) {
        self->tickets[query->ticket % PLACES] = NULL;
        query->ticket = 0;
    }
    buf_fini(&query->words); /* it may never have been sent */
}

static query_t *take_out(asked_t *self, query_t *query)
{
    forget_question(self, query);
    list_remove(&query->link);
    self->count--;
    self->events -= !ctx_is_task(&query->ctx);
    return query;
}

query_t *asked_take_pushed(asked_t *self, query_t *query)
{
    return take_out(self, query);
}

bool asked_resume(asked_t *self, uint64_t ticket, const task_t *task)
{
    query_t *query =
        self->tickets != NULL ? self->tickets[ticket % PLACES] : NULL;

    if (query == NULL || query->ticket != ticket) {
        return false;
    }
    forget_question(self, query);
    query->resumed = *task;
    list_remove(&query->link);
    list_append(&self->resumed, &query->link);
    return true;
}

query_t *asked_take_resumed(asked_t *self)
{
    list_t *first = list_peek(&self->resumed);

    return first != NULL ? take_out(self, list_entry(first, query_t, link))
                         : NULL;
}

query_t *asked_take_answered(asked_t *self, uint64_t id)
{
    slot_t *slot = id != 0 ? find_slot(self, id) : NULL;

    if (slot == NULL) {
        return NULL; /* of an earlier life, or made up */
    }
    query_t *query = slot->query;
    if (query != NULL) {
        take_out(self, query);
    }
    slot->id = 0;
    say_waiting(self);
    return query;
}

static query_t *find_late(const list_t *list, int64_t now_ms)
{
    list_foreach(node, list) {
        query_t *query = list_entry(node, query_t, link);
        if (query->due_ms != 0 && query->due_ms <= now_ms) {
            return query;
        }
    }
    return NULL;
}

query_t *asked_take_late(asked_t *self, int64_t now_ms)
{
    if (now_ms < self->due_ms) {
        return NULL;
    }
    query_t *query = find_late(&self->sent, now_ms);
    if (query == NULL) {
        query = find_late(&self->waiting, now_ms);
    }
    if (query == NULL) {
        query = find_late(&self->pushed, now_ms);
    }
    if (query == NULL) {
        query = find_late(&self->parked, now_ms);
    }
    if (query == NULL) {
        query = find_late(&self->resumed, now_ms);
    }
    if (query == NULL) {
        self->is_fresh = true; /* the next tick finds out who is next */
        self->due_ms = INT64_MAX;
        return NULL;
    }
    return take_out(self, query);
}

query_t *asked_take(asked_t *self)
{
    list_t *first = list_peek(&self->sent);

    if (first == NULL) {
        first = list_peek(&self->waiting);
    }
    if (first == NULL) {
        first = list_peek(&self->pushed);
    }
    if (first == NULL) {
        first = list_peek(&self->parked);
    }
    if (first == NULL) {
        first = list_peek(&self->resumed);
    }
    return first != NULL ? take_out(self, list_entry(first, query_t, link))
                         : NULL;
}

void asked_forget(asked_t *self)
{
    must(self->count == 0 && self->receipts.count == 0);
    memset(self->slots, 0, sizeof self->slots);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Begin the time of those that have none; the first of all that are due. */
static int64_t first_due_ms(const list_t *list, int64_t now_ms)
{
    int64_t first_ms = INT64_MAX;

    list_foreach(node, list) {
        query_t *query = list_entry(node, query_t, link);
        if (query->due_ms == 0) {
            query->due_ms = now_ms + query->timeout_ms;
        }
        first_ms = query->due_ms < first_ms ? query->due_ms : first_ms;
    }
    return first_ms;
}

void asked_tick(asked_t *self, int64_t now_ms)
{
    say_waiting(self);
    receipts_tick(&self->receipts, now_ms);
    if (self->is_fresh) {
        int64_t sent_ms = first_due_ms(&self->sent, now_ms);
        int64_t waiting_ms = first_due_ms(&self->waiting, now_ms);
        int64_t pushed_ms = first_due_ms(&self->pushed, now_ms);
        int64_t parked_ms = least(first_due_ms(&self->parked, now_ms),
                                  first_due_ms(&self->resumed, now_ms));
        self->due_ms =
            least(least(sent_ms, waiting_ms), least(pushed_ms, parked_ms));
        self->is_fresh = false;
    }
}

int64_t asked_due_ms(const asked_t *self)
{
    return least(self->due_ms, receipts_due_ms(&self->receipts));
}

static int64_t oldest_ms(const list_t *list)
{
    int64_t oldest = INT64_MAX;

    list_foreach(node, list) {
        const query_t *query = list_entry(node, query_t, link);
        oldest = query->came_ms < oldest ? query->came_ms : oldest;
    }
    return oldest;
}

int64_t asked_oldest_ms(const asked_t *self)
{
    int64_t sent_ms = oldest_ms(&self->sent);
    int64_t waiting_ms = oldest_ms(&self->waiting);
    int64_t parked_ms =
        least(oldest_ms(&self->parked), oldest_ms(&self->resumed));

    return least(least(oldest_ms(&self->pushed), parked_ms),
                 least(sent_ms, waiting_ms));
}
