/* SPDX-License-Identifier: MIT
 *
 * What comes to one thread of an app from others: stops, tasks, and to the
 * first what is for the app.  Made before the thread runs, there until the app
 * goes.
 */
#ifndef WORKERS_C_INLET_H
#define WORKERS_C_INLET_H

#include "workers/c/posts.h"

typedef struct {
    int stop_fd;         /* eventfd: counts the stops that were asked for */
    int reload_fd;       /* eventfd: the same of reloads */
    posts_t posts;       /* tasks */
    posts_t resumptions; /* tasks with a ticket (later.h): they wait for another
                            broker than those */
} inlet_t;

/* Returns 0 or a negative errno; what is there works, and is to be ended. */
int inlet_init(inlet_t *self);
void inlet_fini(inlet_t *self);

/*
 * Behind a fork, in the child: what comes to the parent comes here no more, nor
 * there what comes here.  The descriptors keep their numbers.
 * Returns 0 or a negative errno: then they are still the parent's.
 */
int inlet_renew(inlet_t *self);

/* Ask to stop, or to reload, once more.  Any thread, and signal handlers. */
void inlet_stop(const inlet_t *self);
void inlet_reload(const inlet_t *self);

/* Take what was asked for.  Returns whether there was one. */
bool inlet_take_stop(const inlet_t *self);
bool inlet_take_reload(const inlet_t *self);

/* The thread's loop has a turn.  Any thread. */
void inlet_wake(const inlet_t *self);

#endif
