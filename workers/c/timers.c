/* SPDX-License-Identifier: MIT */
#include "workers/c/timers.h"

#include <errno.h>

int timers_add(timers_t *self, int64_t every_ms, const task_t *task)
{
    if (every_ms < 1 || every_ms > TIMER_MAX_MS || task->run == NULL) {
        return -EINVAL;
    }
    if (self->count == TIMERS_MAX) {
        return -ENOSPC;
    }
    self->timers[self->count++] =
        (task_timer_t){.task = *task, .every_ms = every_ms};
    return 0;
}

void timers_start(timers_t *self, int64_t now_ms)
{
    for (size_t i = 0; i < self->count; i++) {
        self->timers[i].due_ms = now_ms + self->timers[i].every_ms;
    }
}

int64_t timers_due_ms(const timers_t *self)
{
    int64_t due_ms = INT64_MAX;

    for (size_t i = 0; i < self->count; i++) {
        if (self->timers[i].due_ms < due_ms) {
            due_ms = self->timers[i].due_ms;
        }
    }
    return due_ms;
}

/* Times that were missed are not made up for: nobody wants two at once. */
static void set_next(task_timer_t *timer, int64_t now_ms)
{
    int64_t missed = (now_ms - timer->due_ms) / timer->every_ms;

    timer->due_ms += (missed + 1) * timer->every_ms;
}

bool timers_take(timers_t *self, int64_t now_ms, task_t *task)
{
    for (size_t i = 0; i < self->count; i++) {
        task_timer_t *timer = &self->timers[i];
        if (timer->due_ms <= now_ms) {
            *task = timer->task;
            set_next(timer, now_ms);
            return true;
        }
    }
    return false;
}
