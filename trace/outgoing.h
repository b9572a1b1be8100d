/* SPDX-License-Identifier: MIT
 *
 * The thread behind an exporter: spans come on a socket, wait in a ring of a
 * fixed size, and leave in batches over HTTP, one at a time.  What the receiver
 * cannot take now is said again after a while; what it refuses is dropped.
 * Counts go back on the same socket.
 */
#ifndef TRACE_OUTGOING_H
#define TRACE_OUTGOING_H

#include "trace/exporter.h"

#define OUTGOING_PACKET 96 /* spans in one message of the socket */

/*
 * Start the thread, which ends some time after the other end of fd is shut.
 * fd: moved on success.  Returns 0 or -errno.
 */
int outgoing_start(int fd, const char *endpoint, const otlp_source_t *source);

#endif
