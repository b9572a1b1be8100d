/* SPDX-License-Identifier: MIT
 *
 * Descriptors 0, 1 and 2, which a process may have been started without: the
 * next that it opens would have their numbers, and be written lines of the log.
 */
#ifndef BASE_STDIO_FDS_H
#define BASE_STDIO_FDS_H

/*
 * Open /dev/null in place of each that is closed.  Before anything else is
 * opened; not for several threads at once.
 * Returns 0, or a negative errno.
 */
int stdio_fds_open(void);

#endif
