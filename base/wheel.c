/* SPDX-License-Identifier: MIT */
#include "base/wheel.h"

static list_t *slot_of(wheel_t *self, int64_t tick)
{
    return &self->slot[(uint64_t)tick % WHEEL_SLOTS];
}

void wheel_init(wheel_t *self, int64_t now_ms)
{
    for (int i = 0; i < WHEEL_SLOTS; i++) {
        list_init(&self->slot[i]);
    }
    self->tick = now_ms / WHEEL_TICK_MS;
    self->armed = 0;
}

void wheel_arm(wheel_t *self, wheel_node_t *node, int64_t due_ms)
{
    wheel_cancel(self, node);
    node->due_ms = due_ms;

    /* Rounded up: a timer never fires early. */
    int64_t tick = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
    if (tick < self->tick) {
        tick = self->tick;
    }
    list_append(slot_of(self, tick), &node->link);
    self->armed++;
}

void wheel_cancel(wheel_t *self, wheel_node_t *node)
{
    if (wheel_is_armed(node)) {
        list_remove(&node->link);
        self->armed--;
    }
}

wheel_node_t *wheel_take(wheel_t *self, int64_t now_ms)
{
    int64_t last = now_ms / WHEEL_TICK_MS;

    if (self->armed == 0 && self->tick < last) {
        self->tick = last;
    }
    /* After a long sleep one round visits every slot; more would repeat it. */
    if (last - self->tick >= WHEEL_SLOTS) {
        self->tick = last - WHEEL_SLOTS + 1;
    }
    for (; self->tick <= last; self->tick++) {
        list_foreach(link, slot_of(self, self->tick)) {
            wheel_node_t *node = list_entry(link, wheel_node_t, link);
            if (node->due_ms <= now_ms) {
                wheel_cancel(self, node);
                return node;
            }
        }
        if (self->tick == last) {
            break; /* this tick is not over: later nodes may join its slot */
        }
    }
    return NULL;
}
