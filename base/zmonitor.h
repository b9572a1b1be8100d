/* SPDX-License-Identifier: MIT
 *
 * What becomes of a ZeroMQ socket's transport, as a socket of its own: events
 * come by zcurve_next.  The thread that owns the socket.
 */
#ifndef BASE_ZMONITOR_H
#define BASE_ZMONITOR_H

/* Tell of these events (ZMQ_EVENT_…) of the socket, which is not connected yet.
 * Returns 0 with *monitor, a socket to read from; or a negative zmq_errno, with
 * NULL. */
int zmonitor_open(void *socket, int events, void **monitor);

/* Before the socket is closed.  Harmless twice, and for two NULLs. */
void zmonitor_close(void *socket, void **monitor);

#endif
