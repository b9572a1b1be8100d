/* SPDX-License-Identifier: MIT
 *
 * What the broker's and the gateway's actors have in common: a libev loop that
 * works in turns, the owner's commands on a czmq pipe, and the sockets between
 * the two.
 *
 * A turn: `begin` (read the clock), what the watchers bring, `end` (timers;
 * what the turn made for a peer leaves in one call).  There are at least
 * twenty turns a second, which is the resolution of all timers.  Who starts an
 * actor, and in which thread, is in base/actor_ref.h; the loop may be that of
 * another, too.
 *
 * Messages on the pipe (text frames):
 *
 *   actor -> owner   READY …           by whoever uses this
 *                    FAILED reason     it ends by itself then
 *                    STOPPED           after $TERM
 *   owner -> actor   $TERM, STATS, RELOAD   see actor_ops_t
 *                    JOIN kind pipe options   another actor starts in this
 *                                      thread; three pointers
 *                    CANCEL            others could not start, so $TERM comes
 *                                      before there was anything to do
 *
 * Who else wants to know something of an actor (the admin listener) asks on a
 * pipe of its own, whose ends belong to the owner of both:
 *
 *   asker -> actor   number question [part …]
 *   actor -> asker   number status text [more]   status as in HTTP
 *
 * HEALTH is answered by 200 and nothing, which shows that the loop turns; the
 * others are the user's.  What is only a word is answered at once; with parts
 * behind it (an HTTP request that was made to another actor: its head, its
 * body) when its work is done.  An answer for which the pipe has no room is
 * dropped: an actor waits for nobody.
 *
 * The owner waits for READY or FAILED before it counts on the actor.  All calls
 * on the actor's own thread.
 */
#ifndef BASE_ACTOR_H
#define BASE_ACTOR_H

#include "base/buf.h"
#include "base/zwatch.h"

#include <czmq.h>
#include <ev.h>

#define ACTOR_ASKERS_MAX                                                       \
    65 /* pipes with questions: the admin listener's, and                      \
          one of each loop of a gateway */

/* A question with parts, until actor_answer. */
typedef struct {
    uint32_t asker;  /* the pipe on which it came: 0 is that taken first */
    uint64_t number; /* the asker's */
} actor_call_t;

/* Bytes that are lent. */
typedef struct {
    const void *data;
    size_t len;
} actor_part_t;

typedef struct {
    void (*begin)(void *user);
    void (*end)(void *user);
    void (*term)(void *user);  /* the owner wants us to end: actor_end soon */
    void (*stats)(void *user); /* log the counters */

    /* Read again what can be read again while it runs, and log what came of it.
     * NULL: there is no such thing. */
    void (*reload)(void *user);

    /* Append the answer to a question; returns its status, 404 when it is
     * none.  NULL: there is nothing to ask. */
    unsigned (*answer)(void *user, const char *question, buf_t *out);

    /* A question that is only a word, HEALTH too, whose answer is due later
     * (actor_answer).  NULL: they are answered at once, as above. */
    void (*defers)(void *user, actor_call_t call, const char *question);

    /* A question with parts, which are lent: actor_answer is due, now or
     * later.  NULL: there is none. */
    void (*asked)(void *user, actor_call_t call, const actor_part_t *parts,
                  size_t count);

    /* Another command; NULL: there is none. */
    void (*told)(void *user, const char *command);
} actor_ops_t;

typedef struct {
    struct actor *actor;
    zsock_t *questions; /* borrowed */
    zwatch_t watch;
} actor_asker_t;

struct actor_kind;

/* Where an actor lives.  All of it is borrowed. */
typedef struct {
    zsock_t *pipe;
    struct ev_loop *loop;
    void *thread; /* what `join` is given */
    void (*join)(void *thread, const struct actor_kind *kind, zsock_t *pipe,
                 void *options);
} actor_place_t;

typedef struct actor {
    actor_place_t place;
    struct ev_loop *loop; /* borrowed; for the user's own watchers */
    const actor_ops_t *ops;
    void *user;        /* borrowed */
    bool is_cancelled; /* there is nothing to tell at the end */
    bool is_over;
    ev_check begin;
    ev_prepare end;
    zwatch_t commands;
    actor_asker_t askers[ACTOR_ASKERS_MAX];
    uint32_t asker_count;
} actor_t;

/* What makes an actor, and unmakes it, in its thread. */
typedef struct actor_kind {
    /* Start, from actor_init to actor_run, and say READY.  Returns the actor;
     * NULL when it could not, and FAILED is said. */
    actor_t *(*open)(const actor_place_t *place, void *options);

    /* It is over: free it, and say STOPPED.  No watcher is left in the loop;
     * others in it wait meanwhile. */
    void (*close)(actor_t *actor);
} actor_kind_t;

/* `ops` and `user` outlive the actor. */
void actor_init(actor_t *self, const actor_place_t *place,
                const actor_ops_t *ops, void *user);

/* Answer what is asked on this pipe, from actor_run on; NULL: none. */
void actor_take_questions(actor_t *self, zsock_t *questions);

/* The answer to a question with parts. */
void actor_answer(actor_t *self, actor_call_t call, unsigned status,
                  actor_part_t text, actor_part_t more);

/*
 * Ask: the asker's side, in its thread, on a pipe that does not wait.
 * Returns 0; -EAGAIN when the pipe is full.
 */
int actor_ask(zsock_t *questions, uint64_t number, const char *question,
              const actor_part_t *parts, size_t count);

/* An answer, until actor_drop. */
typedef struct {
    uint64_t number;
    unsigned status;
    actor_part_t text, more;
    zmsg_t *message; /* owned: what the parts are lent from */
} actor_answer_t;

/* The next that is there, without waiting; false: there is none. */
bool actor_next(zsock_t *questions, actor_answer_t *answer);
void actor_drop(actor_answer_t *answer);

/* Take part in the turns of the loop, until actor_end. */
void actor_run(actor_t *self);

/* Be over with the end of this turn: `close` comes soon. */
void actor_end(actor_t *self);

/* Harmless twice, and without actor_run. */
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
