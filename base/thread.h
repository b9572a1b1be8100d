/* SPDX-License-Identifier: MIT
 *
 * Threads, to which no signal comes.  Any thread.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/*
 * Run it, with user, in a thread of this name (at most 15 bytes), which is the
 * caller's to join.
 * Returns 0; -errno when there is no thread to be had.
 */
int thread_start(pthread_t *thread, void *(*run)(void *user), void *user,
                 const char *name);

/*
 * The same in a thread that nobody waits for: what it has is its own, and it
 * ends by itself.
 * Returns 0; -errno when there is no thread to be had, and user is not taken.
 */
int thread_detach(void *(*run)(void *user), void *user, const char *name);

#endif
