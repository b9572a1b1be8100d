/* SPDX-License-Identifier: MIT
 *
 * What the broker's and the gateway's actors have in common: a libev loop that
 * works in turns, the owner's commands on a czmq pipe, and the sockets between
 * the two.
 *
 * A turn: `begin` (read the clock), what the watchers bring, `end` (timers;
 * what the turn made for a peer leaves in one call).  There are at least
 * twenty turns a second, which is the resolution of all timers.
 *
 * Messages on the pipe (text frames):
 *
 *   actor -> owner   READY …           by whoever uses this
 *                    FAILED reason     it ends by itself then
 *                    STOPPED           after $TERM
 *   owner -> actor   $TERM, STATS      see actor_ops_t
 *                    CANCEL            others could not start, so $TERM comes
 *                                      before there was anything to do
 *
 * Who else wants to know something of an actor (the admin listener) asks on a
 * pipe of its own, whose ends belong to the owner of both:
 *
 *   asker -> actor   number question
 *   actor -> asker   number status text   in the order of the questions; status
 *                                         as in HTTP
 *
 * HEALTH is answered by 200 and nothing, which shows that the loop turns; the
 * others are the user's.  An answer for which the pipe has no room is dropped:
 * an actor waits for nobody.
 *
 * zactor_new() loses a failed start, so the owner waits for READY or FAILED
 * before it counts on the actor.  All calls on the actor's own thread.
 */
#ifndef BASE_ACTOR_H
#define BASE_ACTOR_H

#include "base/buf.h"
#include "base/zwatch.h"

#include <czmq.h>
#include <ev.h>

typedef struct {
    void (*begin)(void *user);
    void (*end)(void *user);
    void (*term)(void *user);  /* the owner wants us to end: actor_end soon */
    void (*stats)(void *user); /* log the counters */

    /* Append the answer to a question; returns its status, 404 when it is
     * none.  NULL: there is nothing to ask. */
    unsigned (*answer)(void *user, const char *question, buf_t *out);

    /* Another command; NULL: there is none. */
    void (*told)(void *user, const char *command);
} actor_ops_t;

typedef struct {
    zsock_t *pipe;        /* borrowed */
    struct ev_loop *loop; /* owned; for the user's own watchers */
    const actor_ops_t *ops;
    void *user;        /* borrowed */
    bool is_cancelled; /* there is nothing to tell at the end */
    ev_check begin;
    ev_prepare end;
    ev_timer tick;
    zwatch_t commands;
    zsock_t *questions; /* borrowed; NULL: nobody asks */
    zwatch_t asked;
} actor_t;

/* Make the loop and name the thread (at most 15 bytes).  `ops` and `user`
 * outlive the actor. */
void actor_init(actor_t *self, const char *name, zsock_t *pipe,
                const actor_ops_t *ops, void *user);

/* Answer what is asked on this pipe, once actor_run takes turns; NULL: none. */
void actor_take_questions(actor_t *self, zsock_t *questions);

/* Take turns until actor_end. */
void actor_run(actor_t *self);

/* Let actor_run return at the end of this turn. */
void actor_end(actor_t *self);

/* Free the loop; watchers of the user are stopped before. */
void actor_fini(actor_t *self);

/*
 * A libzmq socket (ROUTER, DEALER) of the hops of PROTOCOL.md section 2: frames
 * are bounded, and so are its queues, above all that windows allow.  NULL, with
 * zmq_errno, when there is none.  zmq_close frees it.
 */
void *actor_socket(int type);

/* Set an option of type int; aborts when libzmq does not know it. */
void actor_socket_set(void *socket, int option, int value);

#endif
