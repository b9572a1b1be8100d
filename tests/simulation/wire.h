/* SPDX-License-Identifier: MIT
 *
 * A ZeroMQ connection between a peer's DEALER and a broker's ROUTER, as both
 * really behave: frames keep their order and take their time; when it breaks,
 * what was on its way is lost, the ROUTER knows the peer no longer and the
 * DEALER comes back some time later under a new name.  Where it strays, some
 * of it had come in time and is read later: at the ROUTER, under the old name,
 * perhaps behind what comes by the new one.  A hole is a network
 * that delivers nothing for a while and tells nobody.
 */
#ifndef TESTS_SIMULATION_WIRE_H
#define TESTS_SIMULATION_WIRE_H

#include "broker/core.h"

typedef struct wire wire_t;

/* What a DEALER's owner is told. */
typedef struct {
    void (*frame)(void *owner, wire_t *wire, const uint8_t *bytes, size_t len);
    /* Until when the owner does nothing (SIGSTOP); frames wait. */
    int64_t (*stopped_until_ms)(void *owner);
    /* What was on its way is lost. */
    void (*broken)(void *owner, wire_t *wire);
} wire_ops_t;

/* What a ROUTER's owner is told. */
typedef struct {
    void (*frame)(void *owner, wire_t *wire, const uint8_t *bytes, size_t len);
    int64_t (*stopped_until_ms)(void *owner);
    /* The socket's monitor saw a connection break. */
    void (*broken)(void *owner, wire_t *wire);
} router_ops_t;

typedef struct router {
    void *owner; /* borrowed */
    const router_ops_t *ops;
    bool is_alive;    /* the process stands */
    bool has_drained; /* it ended in order, with nothing on its way */
    unsigned park;    /* one send in so many finds a full socket; 0: none */
    unsigned late;    /* one frame in so many takes longer; 0: none */
    unsigned flap;    /* one connection in so many breaks at once; 0: none */
    wire_t *wires;    /* all that were ever connected to it */
} router_t;

typedef struct {
    uint8_t *bytes;
    size_t len;
} parcel_t;

typedef struct {
    parcel_t *parcels; /* owned ring */
    size_t head, count, capacity;
    int64_t last_ms; /* nothing arrives before it */
} pipe_t;

struct wire {
    side_t side;
    router_t *router;      /* borrowed */
    void *owner;           /* borrowed: of the DEALER */
    const wire_ops_t *ops; /* of the DEALER */
    bool is_wanted;        /* the DEALER's process stands */
    bool is_up;
    uint32_t life;        /* grows with each break */
    uint8_t id[5];        /* the ROUTER's name for it */
    unsigned frames_left; /* to the DEALER until it breaks; 0: it lasts */
    pipe_t to_router, to_dealer;
    int64_t hole_until_ms;
    struct wire *former; /* owned: as it was before a break; NULL: unless it
                            strays, and in that itself */
    wire_t *next;        /* of the router */
};

void wire_init(wire_t *self, side_t side, router_t *router, void *owner,
               const wire_ops_t *ops);
void wire_fini(wire_t *self);

/* From now on it strays. */
void wire_let_stray(wire_t *self);

/* The DEALER's process begins: connect, as soon as the router stands. */
void wire_open(wire_t *self);

/* It ends. */
void wire_close(wire_t *self);

/* The connection breaks; both stand, and it is made again. */
void wire_break(wire_t *self);

/* Nothing gets through for `ms`. */
void wire_hole(wire_t *self, int64_t ms);

/* From the DEALER.  false: not connected; nothing was taken. */
bool wire_send(wire_t *self, const uint8_t *bytes, size_t len);

/* From the ROUTER: as core_ops_t.send. */
int router_send(router_t *self, side_t side, const uint8_t *id, size_t id_len,
                const uint8_t *bytes, size_t len);

/* The router's process ends: every connection breaks. */
void router_close(router_t *self);

#endif
