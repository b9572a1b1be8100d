/* SPDX-License-Identifier: MIT
 *
 * An actor as its owner knows it, and the thread in which it lives.
 *
 * An actor has a thread to itself (actor_spawn), or is a guest in that of
 * another (actor_spawn_in): the two then share one loop and take their turns
 * together, and what one has said to the other is read without anybody being
 * woken.  Neither knows: each has its pipe, its turns and its own end, and to
 * the owner both are the same.
 *
 * A thread ends when the last who lives in it has.  All calls in the owner's
 * thread.
 */
#ifndef BASE_ACTOR_REF_H
#define BASE_ACTOR_REF_H

#include "base/actor.h"

#include <czmq.h>

typedef struct actor_ref {
    zsock_t *pipe;    /* to the actor, for commands and a poller; borrowed by
                         others; NULL: there is no actor */
    zactor_t *thread; /* owned; NULL: it is a guest */
    const actor_kind_t *kind; /* borrowed */
} actor_ref_t;

/*
 * Start an actor in a thread with this name (at most 15 bytes, for top and
 * perf), and return before it has said READY or FAILED.  `options` and `name`
 * are borrowed until the actor has ended.  Returns 0; -EAGAIN when there is no
 * thread.
 */
int actor_spawn(actor_ref_t *self, const actor_kind_t *kind, void *options,
                const char *name);

/* The same, in the thread of `host`, which is told to end later than this. */
void actor_spawn_in(actor_ref_t *self, const actor_ref_t *host,
                    const actor_kind_t *kind, void *options);

/* Tell it to end, if it has not, and wait until it has.  Harmless when there
 * is none. */
void actor_stop(actor_ref_t *self);

#endif
