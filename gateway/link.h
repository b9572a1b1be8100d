/* SPDX-License-Identifier: MIT
 *
 * A gateway loop's link to one broker: greeting, windows, and the requests
 * that are on their way.  No I/O: what is to be sent gathers in `out`, which
 * the loop sends as one frame a turn.  Loop thread only.
 *
 *   DOWN --greet--> GREETING --WELCOME--> LISTING --list's end--> UP
 *    ^                  ^                    |                     |
 *    +---- silence, BYE-+--------- WHO ------+---------------------+
 *
 * While LISTING the list of connections goes out, a part at a time: the next
 * when the PONG behind the last says that it was read.  Requests wait.
 *
 * Connections come and go between brokers: those that come are `arriving` until
 * the broker is told and `told` until it has read that; those that went are
 * `departed` until it has read that.
 *
 * A request that is given up because its broker seems to be lost stays in the
 * table, without a session, until the broker answers it after all or proves to
 * have forgotten it: it takes its share of the broker's window all that time.
 */
#ifndef GATEWAY_LINK_H
#define GATEWAY_LINK_H

#include "base/list.h"
#include "base/missing.h"
#include "gateway/fanout.h"
#include "proto/message.h"
#include "trace/span.h"

typedef enum { LINK_DOWN, LINK_GREETING, LINK_LISTING, LINK_UP } link_state_t;

/* What a WELCOME means for the connections placed on this broker. */
typedef enum {
    LINK_FIRST,     /* a broker that does not know them: it takes them over
                       from SYNC */
    LINK_GIVEN_UP,  /* it, or another for it, had counted us lost and ended them
                     */
    LINK_RESUMED,   /* the same broker, and it kept them */
    LINK_RESET,     /* so it did, but what was on its way is lost */
    LINK_UNCHANGED, /* a second WELCOME to one greeting */
} link_welcome_t;

/* Whose a request is, and what its outcome is measured by. */
typedef struct {
    int64_t since_us; /* when it was put */
    span_t *span;     /* owned, that has begun; NULL: it is not sampled */
    uint32_t slot;    /* of the connection */
    uint16_t conn_generation;
} link_origin_t;

/* A request on its way, or a free slot. */
typedef struct {
    link_origin_t origin;
    uint32_t generation; /* of this entry; 20 bits are in the number */
    uint32_t next_free;  /* index + 1 in the free list */
    uint8_t event;       /* event_t; 0 marks a free entry */
    bool is_abandoned;   /* its session has been told that it failed */
    uint32_t size;       /* bytes of the encoded REQUEST */
} link_request_t;

typedef struct {
    char *endpoint;     /* owned */
    uint64_t hash;      /* of it: its part in where connections are placed */
    uint32_t number;    /* among the hub's links; that of one that is gone is
                           given again */
    uint32_t serial;    /* never given again */
    uint32_t beginning; /* generation of entries that are new */
    link_state_t state;
    bool is_young;      /* the broker may not know its workers yet, until … */
    int64_t settles_ms; /* … then */
    int64_t unknown_until_ms; /* workers may not know it yet */
    bool is_draining; /* it is about to end and takes no more requests */
    bool is_lost;     /* what was on its way was given up; until a WELCOME */
    bool has_left;    /* it said BYE; until a WELCOME */
    int64_t lost_ms;  /* when it was lost last */
    buf_t out;        /* messages of this turn */
    list_t waiting;   /* sessions that wait for room */
    bool is_feeding;  /* one of them has its turn */
    uint32_t loop;    /* our number in connection ids and request numbers */

    uint32_t listed; /* slots that the list has passed, while LISTING */
    list_t arriving; /* session.move: it is still to be told of them */
    list_t told;     /* session.move: it was, and has not said PONG since */
    buf_t departed;  /* conn_id_t each: it is to forget them … */
    size_t
        forgetful; /* … bytes of those that it was told since its last PONG */

    uint32_t named;      /* groups that the list of names has passed, … */
    bool is_naming;      /* … while that goes out */
    bool hears_names;    /* it has begun, so changes are told */
    bool is_watching;    /* it says that somebody serves $presence, … */
    uint64_t watches;    /* … or no more, so often in this session */
    bool credits_closes; /* it waits for the CREDIT of a CLOSE */

    char boot[BOOT_ID_MAX + 1]; /* of the broker, "" before the first WELCOME */
    uint64_t session; /* that it gave us: another one means it gave us up */
    uint64_t pings;   /* the number of the last */
    uint64_t
        pongs; /* of the last that was answered, or is of an earlier life */

    int64_t heartbeat_ms, liveness_ms;
    int64_t last_heard_ms, last_sent_ms, last_greeted_ms;
    missing_t missing;     /* while we greet it */
    int64_t last_stood_ms; /* before we greeted again */
    int64_t broken_ms; /* its transport broke, and nothing was heard since; 0 */

    uint64_t window, window_bytes; /* granted */
    uint64_t in_flight, in_flight_bytes;
    uint64_t reserve; /* bytes: the largest REQUEST that we make */

    link_request_t *requests; /* owned */
    uint32_t capacity, used;  /* entries allocated; ever used */
    uint32_t free_head;       /* index + 1, 0: none */

    sender_t pushes;                        /* to many, that are under way */
    uint64_t credit_messages, credit_bytes; /* of pushes taken, not yet given */
    int64_t credit_since_ms;                /* when the first of them was */
    uint64_t push_window, push_window_bytes; /* of each worker; 0: not known */
} link_t;

#define LINK_REQUESTS_MAX (1u << 20) /* entries; the number has 20 bits */

/*
 * loop: our number; reserve: bytes, the largest REQUEST that will be put;
 * beginning: 0, or link_ending of the last link that had this number.
 */
void link_init(link_t *self, const char *endpoint, uint32_t number,
               uint32_t beginning, uint32_t loop, uint64_t reserve);
void link_fini(link_t *self);

/* Where the next link of this number begins, so that it uses no number of a
 * request again. */
uint32_t link_ending(const link_t *self);

/* What a HELLO says beside who we are. */
typedef struct {
    bool require_connect;
    bool presence; /* somebody serves $presence, at this broker or another */
} link_greeting_t;

/* Say HELLO (again).  name and boot are ours. */
void link_greet(link_t *self, int64_t now_ms, const char *boot,
                const char *name, link_greeting_t greeting);

/*
 * Take a WELCOME over.  Unless it is LINK_UNCHANGED the caller abandons what
 * is under way, puts the list from its start and calls link_up.
 */
link_welcome_t link_welcome(link_t *self, int64_t now_ms,
                            const message_welcome_t *welcome);

/* It is about to end: nothing but DISCONNECTs is put any more, and it is told
 * so.  Harmless when said before. */
void link_drain(link_t *self);

/* Have we been welcomed, and not lost the broker since? */
bool link_stands(const link_t *self);

/* Has the broker read all that it was told behind a link_listed? */
bool link_may_list(const link_t *self);

/* Something is put whose arrival is to be known. */
void link_listed(link_t *self);

/*
 * The connection is another broker's now; this one is to be told so, and again
 * if it may not have heard.  0, -ENOBUFS, -ENOMEM.
 */
int link_depart(link_t *self, const conn_id_t *id);

/* The last part is put: requests may follow. */
void link_up(link_t *self);

/* Its transport broke: the broker is dead, or will ask who we are. */
void link_broke(link_t *self, int64_t now_ms);

/* What was put has left. */
void link_sent(link_t *self, int64_t now_ms);

/* Why its transport does not stand, a constant: for when it is missed. */
void link_refused(link_t *self, const char *reason);

/* A PONG came. */
void link_pong(link_t *self, const message_pong_t *pong);

/* Does the window allow one more CONNECT or MESSAGE?  Not while the transport
 * is made again: what is put then is lost, or nobody knows whose it is. */
bool link_has_room(const link_t *self);

/* The same, for who asks now: who waits already comes before it.  So nobody
 * whose requests are being answered lives on what others wait for. */
bool link_has_turn(const link_t *self);

/*
 * Put a REQUEST; fills request->id.  origin is kept for link_take, and its span
 * is moved when the result is 0.
 * Returns 0; -EAGAIN while the link is down or, but for a DISCONNECT, without
 * room, and when the table is full; -ENOBUFS, -ENOMEM.
 */
int link_put(link_t *self, message_request_t *request,
             const link_origin_t *origin);

/*
 * The request `id` is over: give its share of the window back.
 * Returns 0 with *request set, and its span the caller's; -ESTALE when it was
 * abandoned; -ENOENT for an id that is not under way.
 */
int link_take(link_t *self, uint64_t id, link_request_t *request);

/*
 * Abandon the requests under way one after the other; *from is where to go on,
 * 0 at first.
 * Returns 0 with *request, and its span the caller's, and its number *id, or
 * -ENOENT when there is none left.
 */
int link_abandon_next(link_t *self, uint32_t *from, uint64_t *id,
                      link_request_t *request);

/* The broker will answer none of those that were abandoned. */
void link_release_abandoned(link_t *self);

/* Count PUSHes as taken; the CREDIT goes out with link_settle, in this turn or
 * a later one. */
void link_credit(link_t *self, uint64_t messages, uint64_t bytes);

/* End of turn: append the CREDIT due and, when idle too long, a PING. */
void link_settle(link_t *self, int64_t now_ms);

#endif
