/* SPDX-License-Identifier: MIT
 *
 * Signals for any number of apps in a process: SIGTERM and SIGINT ask to stop,
 * SIGHUP to reload, and who watches hears of them through eventfds.  This is
 * the SDK's only state outside an app, and is there only while an app runs that
 * wants it.  Any thread.
 */
#ifndef WORKERS_C_SIGNALS_H
#define WORKERS_C_SIGNALS_H

#define SIGNALS_MAX 512 /* threads and apps at a time that watch */

typedef enum { SIGNALS_STOP = 1, SIGNALS_RELOAD } signals_kind_t;

/*
 * From now on a signal of that kind adds 1 to the eventfd; the first call takes
 * all these signals from whoever handled them.
 * Returns 0; -ENOSPC at SIGNALS_MAX.
 */
int signals_watch(signals_kind_t kind, int event_fd);

/* Stop that; the last call gives the signals back.  When it returns, no signal
 * touches the eventfd, which may be closed.  Harmless for one that does not
 * watch.  No signal handler may call it. */
void signals_unwatch(int event_fd);

/* In a child of fork(), with signals blocked, before anything else here: what
 * threads of the parent were at is not done by any of the child's. */
void signals_forked(void);

/* When they are given back, this process ignores them: it is about to end, and
 * whoever waits for that signals it, too. */
void signals_end_here(void);

#endif
