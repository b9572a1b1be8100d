/* SPDX-License-Identifier: MIT */
#include "manage/calls.h"

void calls_init(calls_t *self)
{
    list_init(&self->unused);
    list_init(&self->under_way);
    for (size_t i = 0; i < CALLS_MAX; i++) {
        self->table[i].id = i;
        list_append(&self->unused, &self->table[i].link);
    }
}

call_t *calls_new(calls_t *self, manager_caller_t caller, const order_t *order,
                  int64_t now_ms)
{
    list_t *link = list_take(&self->unused);

    if (link == NULL) {
        return NULL;
    }
    call_t *call = list_entry(link, call_t, link);
    call->id += CALLS_MAX; /* no answer of the last one fits */
    call->caller = caller;
    call->order = *order;
    call->asked = 0;
    call->began_ms = now_ms;
    list_append(&self->under_way, link);
    return call;
}

void calls_free(calls_t *self, call_t *call)
{
    list_remove(&call->link);
    list_append(&self->unused, &call->link);
    call->uplink = NULL;
}

void call_at(call_t *call, uplink_t *uplink, int64_t now_ms)
{
    call->uplink = uplink;
    call->asked_ms = now_ms;
    call->asked |= UINT64_C(1) << uplink->slot;
}

bool call_was_at(const call_t *call, const uplink_t *uplink)
{
    return (call->asked >> uplink->slot & 1) != 0;
}

void call_lost(call_t *call)
{
    call->asked &= ~(UINT64_C(1) << call->uplink->slot);
}

call_t *calls_find(calls_t *self, const uplink_t *uplink, uint64_t id)
{
    call_t *call = &self->table[id % CALLS_MAX];

    return call->id == id && call->uplink == uplink ? call : NULL;
}

/* --- lanes --------------------------------------------------------------- */

/*
 * They are not kept but looked for: calls are few, and who looks is about to
 * speak HTTP.
 */

typedef struct {
    const uplink_t *uplink; /* borrowed */
    uint32_t gateway;
    size_t waiting; /* calls, so far */
    bool is_late;
} lane_t;

typedef struct {
    lane_t table[CALLS_MAX];
    size_t count;
} lanes_t;

static size_t share_of(const lane_t *lane)
{
    return lane->gateway == ORDER_ALL ? CALLS_LATE_NAMES_MAX : CALLS_LATE_MAX;
}

static bool is_in(const call_t *call, const lane_t *lane)
{
    return call->uplink == lane->uplink && call->order.gateway == lane->gateway;
}

static bool has_waited(const call_t *call, int64_t now_ms)
{
    return now_ms - call->asked_ms >= CALLS_LATE_MS;
}

static lane_t *lane_of(lanes_t *lanes, const call_t *call)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (is_in(call, &lanes->table[i])) {
            return &lanes->table[i];
        }
    }
    lane_t *lane = &lanes->table[lanes->count++];
    *lane = (lane_t){.uplink = call->uplink, .gateway = call->order.gateway};
    return lane;
}

static void find_lanes(const calls_t *self, int64_t now_ms, lanes_t *lanes)
{
    lanes->count = 0;
    list_foreach(link, &self->under_way) {
        const call_t *call = list_entry(link, call_t, link);
        lane_of(lanes, call)->is_late |= has_waited(call, now_ms);
    }
}

bool calls_have_room(const calls_t *self, const uplink_t *uplink,
                     const order_t *order, int64_t now_ms)
{
    lane_t lane = {.uplink = uplink, .gateway = order->gateway};

    list_foreach(link, &self->under_way) {
        const call_t *call = list_entry(link, call_t, link);
        if (is_in(call, &lane)) {
            lane.waiting++;
            lane.is_late |= has_waited(call, now_ms);
        }
    }
    return !lane.is_late || lane.waiting < share_of(&lane);
}

static bool may_wait(lanes_t *lanes, const call_t *call, int64_t now_ms)
{
    lane_t *lane = lane_of(lanes, call);

    if (now_ms - call->began_ms >= CALLS_ANSWER_MS ||
        (lane->is_late && lane->waiting >= share_of(lane))) {
        return false;
    }
    lane->waiting++;
    return true;
}

void calls_take_late(calls_t *self, int64_t now_ms, list_t *late)
{
    list_t *first = list_peek(&self->under_way);
    lanes_t lanes;

    list_init(late);
    if (first == NULL ||
        now_ms - list_entry(first, call_t, link)->began_ms < CALLS_LATE_MS) {
        return; /* nobody has waited so long */
    }
    find_lanes(self, now_ms, &lanes);
    list_foreach_safe(link, &self->under_way) {
        if (!may_wait(&lanes, list_entry(link, call_t, link), now_ms)) {
            list_remove(link);
            list_append(late, link);
        }
    }
}
