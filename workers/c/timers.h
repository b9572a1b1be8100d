/* SPDX-License-Identifier: MIT
 *
 * Tasks that come round.  Time is handed in; owner thread only.
 */
#ifndef WORKERS_C_TIMERS_H
#define WORKERS_C_TIMERS_H

#include "workers/c/posts.h"

#include <stdint.h>

#define TIMERS_MAX   64
#define TIMER_MAX_MS 86400000 /* between two times */

typedef struct {
    task_t task;
    int64_t every_ms;
    int64_t due_ms; /* monotonic; once they were started */
} task_timer_t;

typedef struct {
    task_timer_t timers[TIMERS_MAX];
    size_t count;
} timers_t;

/* Returns 0; -EINVAL for a time out of range or no task; -ENOSPC. */
int timers_add(timers_t *self, int64_t every_ms, const task_t *task);

/* Each is due one interval from now. */
void timers_start(timers_t *self, int64_t now_ms);

/* When the next is due; INT64_MAX: there is none. */
int64_t timers_due_ms(const timers_t *self);

/*
 * A task that is due; it is due again at the next of its times that is not
 * over.  Returns whether there was one.
 */
bool timers_take(timers_t *self, int64_t now_ms, task_t *task);

#endif
