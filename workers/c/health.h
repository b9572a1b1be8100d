/* SPDX-License-Identifier: MIT
 *
 * How an app that runs does: its loop tells, once a turn, and any thread reads.
 */
#ifndef WORKERS_C_HEALTH_H
#define WORKERS_C_HEALTH_H

#include "workers/c/hoist_metrics.h"

#include <stdatomic.h>

typedef struct {
    _Atomic int64_t turned_ms; /* monotonic: the last turn of the loop */
    atomic_bool is_draining;
    hoist_gauge *brokers, *brokers_up; /* borrowed: of the app's registry */
} health_t;

static inline void health_tell(health_t *self, int64_t now_ms, size_t brokers,
                               size_t up, bool is_draining)
{
    atomic_store_explicit(&self->turned_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&self->is_draining, is_draining,
                          memory_order_relaxed);
    hoist_gauge_set(self->brokers, (int64_t)brokers);
    hoist_gauge_set(self->brokers_up, (int64_t)up);
}

#endif
