/* SPDX-License-Identifier: MIT
 *
 * How an app that runs does: each of its threads tells, once a turn, and any
 * thread reads.  What is told of all is what the worst off has.
 */
#ifndef WORKERS_C_HEALTH_H
#define WORKERS_C_HEALTH_H

#include "workers/c/hoist_metrics.h"

#include <stdatomic.h>

#define HEALTH_THREADS 64 /* as many as an app has at most */

/* What a thread tells. */
typedef struct {
    int64_t now_ms; /* monotonic */
    size_t brokers, up;
    bool is_draining;
} pulse_told_t;

/* The same, as others read it. */
typedef struct {
    _Atomic int64_t turned_ms; /* the last turn of its loop */
    _Atomic int64_t brokers, up;
    atomic_bool is_draining;
} pulse_t;

typedef struct {
    pulse_t pulses[HEALTH_THREADS];
    unsigned count;                    /* threads of this run */
    hoist_gauge *brokers, *brokers_up; /* borrowed: told, never asked, since
                                          programs can set gauges by name */
} health_t;

/* A run of so many threads begins; nobody reads yet. */
void health_begin(health_t *self, unsigned count, int64_t now_ms);

/* The thread's own, in each turn. */
void health_tell(health_t *self, unsigned thread, const pulse_told_t *told);

/* The last turn of the thread that has had none for longest. */
int64_t health_turned_ms(const health_t *self);

/* The brokers, and those that are up, of the thread that the fewest have
 * welcomed. */
void health_brokers(const health_t *self, int64_t *brokers, int64_t *up);

/* Does one of them drain? */
bool health_is_draining(const health_t *self);

#endif
