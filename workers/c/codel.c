/* SPDX-License-Identifier: MIT */
#include "workers/c/codel.h"

/* An interval is over, and another begins with this wait.  Of one in which
 * nobody came there is nothing to say. */
static void judge(codel_t *self, int64_t waited_ms, int64_t now_ms)
{
    bool is_fresh = now_ms < self->end_ms + self->interval_ms;

    self->is_too_long = is_fresh && self->least_ms >= self->target_ms;
    self->least_ms = waited_ms;
    self->end_ms = now_ms + self->interval_ms;
}

bool codel_drops(codel_t *self, int64_t waited_ms, int64_t now_ms)
{
    if (now_ms >= self->end_ms) {
        judge(self, waited_ms, now_ms);
    }
    if (waited_ms < self->least_ms) {
        self->least_ms = waited_ms;
    }
    if (waited_ms < self->target_ms) {
        self->is_too_long = false;
    }
    return self->is_too_long && waited_ms >= 2 * self->target_ms;
}
