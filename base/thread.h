/* SPDX-License-Identifier: MIT
 *
 * Threads that nobody waits for: what they have is theirs, and they end by
 * themselves.  Any thread.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

/*
 * Run it, with user, in a thread of this name (at most 15 bytes); signals are
 * left to the other threads.
 * Returns 0; -errno when there is no thread to be had, and user is not taken.
 */
int thread_detach(void *(*run)(void *user), void *user, const char *name);

#endif
