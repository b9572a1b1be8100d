/* SPDX-License-Identifier: MIT
 *
 * One thread of an app that runs, which to its brokers is a worker of its own:
 * with its own boot id, its own DEALERs and windows, and so with connections
 * whose events no other thread has at the same time.  Threads share the app,
 * which they only read, and ZeroMQ's context.
 */
#ifndef WORKERS_C_LOOP_H
#define WORKERS_C_LOOP_H

#include "workers/c/app.h"

typedef struct {
    hoist_app *app;            /* borrowed: its routes are frozen */
    void *zmq;                 /* borrowed: ZeroMQ's context */
    unsigned number;           /* of the thread; the first, 0, has the timers,
                                  and what others post is run there */
    unsigned threads;          /* of the app */
    const char *process;       /* borrowed: what brokers know those of this
                                  process by: see link.h */
    const atomic_uint *others; /* borrowed: threads beside the first that run;
                                  it leaves behind them */
} loop_options_t;

/*
 * Run until a stop comes to the thread's inlet, and then until all is done.
 *
 * was_up  set where it began: a failure before that is one of the settings or
 *         of the system, not of what came later.
 * Returns 0, or a negative errno, which was logged.
 */
int loop_run(const loop_options_t *options, bool *was_up);

#endif
