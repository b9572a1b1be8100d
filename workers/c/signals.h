/* SPDX-License-Identifier: MIT
 *
 * SIGTERM and SIGINT for any number of apps in a process: each hears of them
 * through its eventfd.  This is the SDK's only state outside an app, and is
 * there only while an app runs that wants it.  Any thread.
 */
#ifndef WORKERS_C_SIGNALS_H
#define WORKERS_C_SIGNALS_H

#define SIGNALS_MAX 64 /* apps at a time */

/*
 * From now on a signal adds 1 to the eventfd; the first call takes the
 * signals from whoever handled them.
 * Returns 0; -ENOSPC at SIGNALS_MAX.
 */
int signals_watch(int event_fd);

/* Stop that; the last call gives the signals back. */
void signals_unwatch(int event_fd);

#endif
