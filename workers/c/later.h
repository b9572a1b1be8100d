/* SPDX-License-Identifier: MIT
 *
 * Events that wait for another thread of the program.  Such an event is parked
 * in the `asked` of its broker (asked.h), and whoever has its ticket posts to
 * the thread that has the event: a task, with the ticket in front, among the
 * resumptions of its inlet.  Owner thread, but for what hoist.h says of its
 * functions.
 */
#ifndef WORKERS_C_LATER_H
#define WORKERS_C_LATER_H

#include "workers/c/posts.h"

/*
 * A resumption that was posted, as it is to be run.
 *
 * task  becomes the task that the ticket is in front of; its run is NULL when
 *       there is nothing to run: the loop was only to wake up.
 * Returns the ticket's number; 0: there is none.
 */
uint64_t later_open(task_t *task);

#endif
