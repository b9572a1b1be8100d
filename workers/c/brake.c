/* SPDX-License-Identifier: MIT */
#include "workers/c/brake.h"

#include "base/xalloc.h"

void brake_init(brake_t *self)
{
    *self = (brake_t){0};
    must(pthread_mutex_init(&self->lock, NULL) == 0);
}

void brake_fini(brake_t *self)
{
    pthread_mutex_destroy(&self->lock);
}

bool brake_pass(brake_t *self, log_level_t level, uint32_t *suppressed)
{
    pthread_mutex_lock(&self->lock);
    bool may_pass = log_brake_pass(&self->brake, level, suppressed);
    pthread_mutex_unlock(&self->lock);
    return may_pass;
}
