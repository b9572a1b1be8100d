/* SPDX-License-Identifier: MIT
 *
 * A hashed timing wheel: add, cancel and expire in constant time, however
 * many timers stand (Varghese and Lauck, "Hashed and Hierarchical Timing
 * Wheels", SOSP 1987, scheme 6).  Nodes are embedded in what they time.
 * Owner thread only; time is handed in.  A timer fires at or up to
 * WHEEL_TICK_MS after its due time, never before.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_MS 8
#define WHEEL_SLOTS                                                            \
    4096 /* 32.8 s a round: default deadlines cost one visit                   \
          */

typedef struct {
    list_t link;    /* in one slot, or alone when not armed */
    int64_t due_ms; /* monotonic */
} wheel_node_t;

typedef struct {
    list_t slot[WHEEL_SLOTS];
    int64_t tick; /* the next tick to be looked at */
    size_t armed; /* nodes in all slots */
} wheel_t;

void wheel_init(wheel_t *self, int64_t now_ms);

/* A node must be initialised once before its first arm or cancel. */
static inline void wheel_node_init(wheel_node_t *node)
{
    list_init(&node->link);
}

static inline bool wheel_is_armed(const wheel_node_t *node)
{
    return !list_is_empty(&node->link);
}

/* (Re)arm node for due_ms; one that is past fires at the next take. */
void wheel_arm(wheel_t *self, wheel_node_t *node, int64_t due_ms);

/* Disarm; harmless when it is not armed. */
void wheel_cancel(wheel_t *self, wheel_node_t *node);

/*
 * The next node that is due at now_ms, disarmed, or NULL when there is no
 * more.  Call until NULL; nodes may be armed and cancelled in between.
 */
wheel_node_t *wheel_take(wheel_t *self, int64_t now_ms);

#endif
