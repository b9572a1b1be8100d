/* SPDX-License-Identifier: MIT
 *
 * Events that wait for another thread of the program.  Such an event is parked
 * in the `asked` of its broker (asked.h), and whoever has its ticket posts to
 * the thread that has the event: a task, with the ticket in front.  Owner
 * thread, but for what hoist.h says of its functions.
 */
#ifndef WORKERS_C_LATER_H
#define WORKERS_C_LATER_H

#include "workers/c/posts.h"

/*
 * What was posted, as it is to be run.
 *
 * task  a task with a ticket in front becomes the task; its run is NULL when
 *       there is nothing to run: the loop was only to wake up.
 * Returns the ticket's number; 0: it has none.
 */
uint64_t later_open(task_t *task);

#endif
