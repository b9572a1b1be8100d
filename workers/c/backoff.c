/* SPDX-License-Identifier: MIT */
#include "workers/c/backoff.h"

int64_t backoff_next(backoff_t *self, int64_t lived_ms)
{
    if (self->pause_ms == 0 || lived_ms >= BACKOFF_CALM_MS) {
        self->pause_ms = BACKOFF_FIRST_MS;
    } else if (self->pause_ms < BACKOFF_MAX_MS / 2) {
        self->pause_ms *= 2;
    } else {
        self->pause_ms = BACKOFF_MAX_MS;
    }
    return self->pause_ms;
}
