/* SPDX-License-Identifier: MIT
 *
 * An app in several processes.  The one that was started forks them, starts
 * those that end again, and hands on what it is asked; it runs no handler.
 * Nobody outlives it, and it outlives all.
 */
#ifndef WORKERS_C_SUPERVISOR_H
#define WORKERS_C_SUPERVISOR_H

#include "workers/c/app.h"

#define SUPERVISOR_KILL_MS 2000 /* behind the time to drain */

/*
 * Be the supervisor until a stop has come and all processes have ended.
 *
 * word_fd  set in the processes: where they may say (supervisor_tell) that
 *          they cannot begin; to be closed.
 * Returns 1 in each process that it forks, whose inlets are its own.  In the
 * supervisor: 0 when all ended in order; what a process said at its first
 * start; -ECHILD when one failed, or was killed, behind the stop; another
 * negative errno when none could be forked, which is logged.
 */
int supervise(hoist_app *app, int *word_fd);

/* That a process cannot begin: a negative errno. */
void supervisor_tell(int word_fd, int error);

#endif
