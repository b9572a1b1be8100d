/* SPDX-License-Identifier: MIT
 *
 * A brake of the log (base/log.h) for what the threads of an app share.  Any
 * thread.
 */
#ifndef WORKERS_C_BRAKE_H
#define WORKERS_C_BRAKE_H

#include "base/log.h"

#include <pthread.h>

typedef struct {
    pthread_mutex_t lock; /* a leaf: no line is written under it */
    log_brake_t brake;
} brake_t;

void brake_init(brake_t *self);
void brake_fini(brake_t *self);

/* As log_brake_pass. */
bool brake_pass(brake_t *self, log_level_t level, uint32_t *suppressed);

#endif
