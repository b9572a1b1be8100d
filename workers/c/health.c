/* SPDX-License-Identifier: MIT */
#include "workers/c/health.h"

static int64_t get(const _Atomic int64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(_Atomic int64_t *value, int64_t number)
{
    atomic_store_explicit(value, number, memory_order_relaxed);
}

void health_begin(health_t *self, unsigned count, int64_t now_ms)
{
    self->count = count;
    for (unsigned i = 0; i < count; i++) {
        set(&self->pulses[i].turned_ms, now_ms);
        set(&self->pulses[i].brokers, 0);
        set(&self->pulses[i].up, 0);
        atomic_store(&self->pulses[i].is_draining, false);
    }
}

void health_brokers(const health_t *self, int64_t *brokers, int64_t *up)
{
    const pulse_t *worst = &self->pulses[0];

    for (unsigned i = 1; i < self->count; i++) {
        if (get(&self->pulses[i].up) < get(&worst->up)) {
            worst = &self->pulses[i];
        }
    }
    *brokers = get(&worst->brokers);
    *up = get(&worst->up);
}

static void set_gauges(const health_t *self)
{
    int64_t brokers, up;

    health_brokers(self, &brokers, &up);
    hoist_gauge_set(self->brokers, brokers);
    hoist_gauge_set(self->brokers_up, up);
}

void health_tell(health_t *self, unsigned thread, const pulse_told_t *told)
{
    pulse_t *pulse = &self->pulses[thread];

    set(&pulse->turned_ms, told->now_ms);
    set(&pulse->brokers, (int64_t)told->brokers);
    set(&pulse->up, (int64_t)told->up);
    atomic_store_explicit(&pulse->is_draining, told->is_draining,
                          memory_order_relaxed);
    set_gauges(self); /* again and again, since another may do so meanwhile */
}

int64_t health_turned_ms(const health_t *self)
{
    int64_t turned_ms = INT64_MAX;

    for (unsigned i = 0; i < self->count; i++) {
        int64_t its_ms = get(&self->pulses[i].turned_ms);
        turned_ms = its_ms < turned_ms ? its_ms : turned_ms;
    }
    return turned_ms;
}

bool health_is_draining(const health_t *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (atomic_load_explicit(&self->pulses[i].is_draining,
                                 memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}
