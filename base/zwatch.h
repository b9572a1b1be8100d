/* SPDX-License-Identifier: MIT
 *
 * A ZeroMQ socket in a libev loop.
 *
 * A socket's ZMQ_FD is edge triggered and says only "look again"; any call on
 * the socket, a send too, may swallow the edge (zmq_getsockopt(3), ZMQ_FD).
 * So whenever that may have happened, ZMQ_EVENTS is read before the loop
 * blocks, and an idle watcher keeps it from blocking while something is there.
 * Each such look is a system call, hence not at every turn for a socket that is
 * only read.  Loop thread only.
 */
#ifndef BASE_ZWATCH_H
#define BASE_ZWATCH_H

#include <stdbool.h>

#include <ev.h>

/* What the owner does with the socket in the loop's thread. */
typedef enum { ZWATCH_READS, ZWATCH_READS_AND_SENDS } zwatch_use_t;

/* Called once a turn while the socket may be readable; reads a bounded batch,
 * without waiting. */
typedef void zwatch_fn(void *user);

typedef struct {
    struct ev_loop *loop; /* borrowed */
    void *socket;         /* borrowed: a libzmq socket */
    zwatch_fn *readable;
    void *user; /* borrowed */
    zwatch_use_t use;
    bool has_fired; /* its descriptor, in this turn */
    bool is_left;   /* there may be more than was read */
    ev_io io;
    ev_prepare prepare;
    ev_check check;
    ev_idle idle;
} zwatch_t;

/*
 * Prepare watchers of the loop's owner that send on the socket need a
 * priority above this, so that the socket is looked at after them.
 */
#define ZWATCH_PRIORITY 0

void zwatch_start(zwatch_t *self, struct ev_loop *loop, void *socket,
                  zwatch_use_t use, zwatch_fn *readable, void *user);

/* Harmless twice; *self may be freed afterwards. */
void zwatch_stop(zwatch_t *self);

#endif
