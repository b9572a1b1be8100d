/* SPDX-License-Identifier: MIT
 *
 * Who may come to a broker that uses CURVE: it answers libzmq's questions
 * about peers (broker/zap.h) from the allow-lists of the two sockets, which it
 * keeps up to date, and says whose frame is whose.  One in a process, since
 * libzmq asks at one place.  The broker's loop and thread.
 *
 * A NULL guard knows everybody.
 */
#ifndef BROKER_GUARD_H
#define BROKER_GUARD_H

#include "base/zcurve.h"
#include "broker/core.h"

#include <ev.h>
#include <zmq.h>

typedef struct guard guard_t;

typedef struct {
    /* The keys of a side have changed: guard_allows tells who may stay. */
    void (*changed)(void *user, side_t side);

    /* Somebody was refused, which was logged. */
    void (*refused)(void *user);
} guard_ops_t;

/* options, ops and user are borrowed.  From here on libzmq has somebody to
 * ask.  NULL with one line in error. */
guard_t *guard_new(const broker_options_t *options, struct ev_loop *loop,
                   const guard_ops_t *ops, void *user, char *error,
                   size_t error_size);

/* After the sockets that it protects were closed. */
void guard_destroy(guard_t **self_p);

/* Is there a list for this side?  (Not for the gateway of the same process.) */
bool guard_has(const guard_t *self, side_t side);

/* Let CURVE and us decide who comes to this socket, which is not bound yet.
 * Returns 0, or -1 with zmq_errno. */
int guard_protect(const guard_t *self, side_t side, void *socket);

/*
 * May the sender of this frame speak?  *principal stands for its key (see
 * origin_t).
 */
bool guard_knows(const guard_t *self, side_t side, zmq_msg_t *frame,
                 uint64_t *principal);

bool guard_allows(const guard_t *self, side_t side, uint64_t principal);

/* A handshake failed before libzmq had a key to ask about. */
void guard_failure(guard_t *self, side_t side, const zcurve_event_t *event);

/* Once a turn: look at the lists now and then. */
void guard_turn(guard_t *self, int64_t now_ms);

#endif
