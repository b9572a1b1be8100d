/* SPDX-License-Identifier: MIT
 *
 * Tasks that other threads hand to the loop.  The queue is a pipe: the kernel
 * keeps it whole and bounded without a lock of ours, it wakes the loop, and
 * who writes may be a signal handler.
 */
#ifndef WORKERS_C_POSTS_H
#define WORKERS_C_POSTS_H

#include "workers/c/hoist.h"

#define POSTS_MAX 4096 /* that wait */

typedef struct {
    hoist_task *run; /* borrowed: the program's code */
    void *data;      /* borrowed: the program's */
} task_t;

typedef struct {
    int read_fd;  /* readable while something waits; -1: there is no pipe */
    int write_fd; /* -1: closed to more */
} posts_t;

/* Returns 0 or a negative errno: nothing can be put then. */
int posts_init(posts_t *self);
void posts_fini(posts_t *self);

/* Any thread, and signal handlers.  Returns 0; -EAGAIN at POSTS_MAX;
 * -ENOTCONN when it is closed. */
int posts_put(const posts_t *self, const task_t *task);

/* From now on nothing can be put.  No other thread may be putting. */
void posts_close(posts_t *self);

/* The next task, of the loop's thread.  Returns whether there was one. */
bool posts_take(const posts_t *self, task_t *task);

/* How many wait. */
size_t posts_count(const posts_t *self);

#endif
