/* SPDX-License-Identifier: MIT
 *
 * A DEALER's way to its broker.  The thread that owns the socket.
 */
#ifndef BASE_ZDIAL_H
#define BASE_ZDIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <zmq.h>

#define ZDIAL_AGAIN_MS 5000 /* without a transport, until one is asked for */

/* Let the socket take IPv6, if the endpoint is one; before bind or connect.
 * Not always: then IPv4 would need a kernel that has IPv6. */
static inline int zdial_prepare(void *socket, const char *endpoint)
{
    int is_v6 = strchr(endpoint, '[') != NULL;

    return zmq_setsockopt(socket, ZMQ_IPV6, &is_v6, sizeof is_v6);
}

/* Returns 0, or -1 with zmq_errno. */
static inline int zdial(void *socket, const char *endpoint)
{
    int rc = zdial_prepare(socket, endpoint);

    return rc < 0 ? rc : zmq_connect(socket, endpoint);
}

/*
 * The socket takes nothing.  libzmq connects again by itself, but not after
 * bytes that break its own protocol, a frame beyond the limit among them: then
 * it has to be told.  That costs nothing while there is no transport; to a
 * broker that only stood still, its queue full, we become a stranger.
 *
 * since_ms  when it began; 0, which the caller sets when it is over: just now
 */
static inline void zdial_again(void *socket, const char *endpoint,
                               int64_t *since_ms, int64_t now_ms,
                               bool is_welcomed)
{
    if (*since_ms == 0) {
        *since_ms = now_ms;
    } else if (now_ms - *since_ms >= ZDIAL_AGAIN_MS && !is_welcomed) {
        *since_ms = now_ms;
        (void)zmq_disconnect(socket, endpoint);
        (void)zmq_connect(socket, endpoint); /* or later */
    }
}

#endif
