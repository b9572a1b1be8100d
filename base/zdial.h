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

#define ZDIAL_AGAIN_MS     5000 /* without a transport, until one is asked for */
#define ZDIAL_PAUSE_MS     100  /* after a first refusal, doubled up to … */
#define ZDIAL_PAUSE_MAX_MS 2000
#define ZDIAL_LOOK_MS      50

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

/* Whether there is a transport; zeroed at first. */
typedef struct {
    int64_t blocked_ms; /* since when the socket takes nothing; 0: it does */
    int64_t again_ms; /* it has hung up, and dials again then; 0: it has not */
    int64_t pause_ms; /* before it dials again, the last time; 0: never */
} zdial_t;

/* The socket took something. */
static inline void zdial_moves(zdial_t *self)
{
    self->blocked_ms = 0;
}

/*
 * The socket takes nothing.  libzmq connects again by itself, but not after
 * bytes that break its own protocol, a frame beyond the limit among them: then
 * it has to be told.  That costs nothing while there is no transport; to a
 * broker that only stood still, its queue full, we become a stranger.
 */
static inline void zdial_blocked(zdial_t *self, void *socket,
                                 const char *endpoint, int64_t now_ms,
                                 bool is_welcomed)
{
    if (self->blocked_ms == 0) {
        self->blocked_ms = now_ms;
    } else if (now_ms - self->blocked_ms >= ZDIAL_AGAIN_MS && !is_welcomed &&
               self->again_ms == 0) {
        self->blocked_ms = now_ms;
        (void)zmq_disconnect(socket, endpoint);
        (void)zmq_connect(socket, endpoint); /* or later */
    }
}

/*
 * The handshake came to nothing.  libzmq would dial again at once, for ever:
 * its pauses grow only while nobody listens.  So it hangs up, for longer each
 * time until a broker welcomes us.
 */
static inline void zdial_refused(zdial_t *self, void *socket,
                                 const char *endpoint, int64_t now_ms)
{
    if (self->again_ms > 0) {
        return;
    }
    self->pause_ms = self->pause_ms == 0 ? ZDIAL_PAUSE_MS : 2 * self->pause_ms;
    if (self->pause_ms > ZDIAL_PAUSE_MAX_MS) {
        self->pause_ms = ZDIAL_PAUSE_MAX_MS;
    }
    self->again_ms = now_ms + self->pause_ms;
    (void)zmq_disconnect(socket, endpoint);
}

/* When zdial_turn has something to do, at the latest; INT64_MAX: never.  Who
 * was refused looks soon whether it is again. */
static inline int64_t zdial_due_ms(const zdial_t *self, int64_t now_ms)
{
    if (self->again_ms > 0) {
        return self->again_ms;
    }
    return self->pause_ms > 0 ? now_ms + ZDIAL_LOOK_MS : INT64_MAX;
}

/* In each turn. */
static inline void zdial_turn(zdial_t *self, void *socket, const char *endpoint,
                              int64_t now_ms, bool is_welcomed)
{
    if (is_welcomed) {
        self->pause_ms = 0;
    }
    if (self->again_ms > 0 && now_ms >= self->again_ms) {
        self->again_ms = 0;
        (void)zmq_connect(socket, endpoint); /* or zdial_blocked does */
    }
}

#endif
