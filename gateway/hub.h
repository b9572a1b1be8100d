/* SPDX-License-Identifier: MIT
 *
 * The gateway's core: the table of sessions, the links to the brokers, the
 * timers, and the rules between them.  No clocks, no loop, no ZeroMQ: the
 * actor (gateway.c) hands in time and frames, and carries out what gathers.
 * Loop thread only.
 *
 * A turn: hub_begin (time) -> sockets and frames -> hub_end (timers, writes,
 * CREDIT and PING), then the actor sends each link's `out`.
 */
#ifndef GATEWAY_HUB_H
#define GATEWAY_HUB_H

#include "base/ip.h"
#include "base/log.h"
#include "base/tokens.h"
#include "gateway/admission.h"
#include "gateway/fanout.h"
#include "gateway/farewells.h"
#include "gateway/link.h"
#include "gateway/options.h"
#include "gateway/session.h"
#include "gateway/static_files.h"
#include "gateway/stats.h"
#include "gateway/trips.h"
#include "proto/route_expr.h"

/* Turns are at most 50 ms apart: a longer gap is a pause of ours, which is not
 * held against the broker. */
#define HUB_PAUSE_MS 500

#define BUSIEST_MAX  32 /* connections */

/* One that was found: see busiest.h. */
typedef struct {
    conn_id_t id;
    uint32_t messages; /* between the two visits */
} busy_t;

typedef struct {
    busy_t found[BUSIEST_MAX]; /* by the walk at hand, the busiest first */
    busy_t told[BUSIEST_MAX];  /* by the one before, … */
    size_t found_count, told_count;
    int64_t told_ms;  /* … of so long */
    int64_t began_ms; /* the last walk; that before the first: our start */
    int64_t span_ms;  /* between the last two beginnings */
    uint32_t slot;    /* where the walk is */
    bool is_walking;
} busiest_t;

/* Who is to be told of its groups: presence.c. */
typedef struct {
    list_t changed;  /* session.touched */
    uint32_t era;    /* grows when nobody watches any more */
    uint32_t looked; /* slots that were looked at, … */
    bool is_looking; /* … since somebody began to watch */
} presences_t;

/* Hand a request to who answers it: managing_answer, with its number.  Where
 * body.data is NULL the body is still to come: the answer is 100 if it is worth
 * reading.  Returns 0, or -EAGAIN. */
typedef int hub_ask_fn(void *user, uint64_t number, wire_bytes_t head,
                       wire_bytes_t body);

/* The brakes of what strangers can cause: one for each event, so that who
 * causes one hides neither another nor what is said of brokers. */
typedef struct {
    log_brake_t full, address, fast, origin, proxy, tls, throttled, slow;
} refusals_t;

struct hub {
    gateway_options_t options; /* its texts are owned by the actor */
    char *origins;             /* owned: those of a tuning; NULL: there was
                                  none */
    route_expr_t *route_expr;  /* owned */
    static_files_t *files;     /* owned; NULL without --static */
    ip_nets_t proxies;         /* whose X-Forwarded-For is believed */
    char boot[BOOT_ID_MAX + 1];

    link_t *links[GATEWAY_BROKERS_MAX]; /* owned; one for each broker */
    size_t link_count;
    uint32_t link_serial;                     /* of the next */
    uint32_t beginnings[GATEWAY_BROKERS_MAX]; /* link_ending, by number */
    uint64_t reserve;  /* bytes: the largest REQUEST that we make */
    list_t unplaced;   /* session.wait: while no broker is there */
    list_t bodies;     /* session.wait: in SESSION_BODY, oldest first */
    uint64_t managing; /* sessions in SESSION_BODY or SESSION_ASKED */
    hub_ask_fn *ask;   /* the management API; NULL: there is none */
    void *ask_user;
    uint32_t loop;   /* our number in connection ids */
    uint32_t placed; /* slots whose placement was looked at, while … */
    bool is_placing; /* … a broker has joined */
    gateway_stats_t stats;
    admission_t admission;
    rate_t message_rate, byte_rate; /* of a connection */
    log_brake_t brake;
    refusals_t refusals;

    session_t **table;    /* owned; by slot, NULL where free */
    uint16_t *generation; /* owned; by slot, of its next use */
    uint32_t *free_slots; /* owned; a stack */
    uint32_t capacity;    /* slots allocated */
    uint32_t used;        /* slots ever used */
    uint32_t free_count;
    uint64_t sessions; /* in the table */
    farewells_t farewells;
    groups_t groups;
    fanout_t fanout;
    busiest_t busiest;
    presences_t presences;
    tracing_t tracing;
    trips_t trips;

    list_t dirty; /* sessions with bytes for the end of turn */
    list_t dead;  /* sessions out of the table, freed at the end of turn */
    wheel_t wheel;
    int64_t born_ms;     /* monotonic */
    int64_t now_ms;      /* monotonic; of this turn */
    int64_t now_us;      /* the same moment */
    int64_t now_wall_ms; /* Unix; of this turn */
    uint64_t handshakes; /* sessions before OPEN */
    uint64_t gated;      /* those of them that asked for a WebSocket, and those
                            that a broker is still to answer */
    uint64_t lingering;  /* … in SESSION_LINGERING */
    bool is_draining;
    int64_t drain_from_ms;
    uint32_t drain_slots, drained; /* slots in use then; those told so far */
};

/*
 * Returns the hub, or NULL with a one-line reason in error.  The texts in
 * options must outlive it.
 */
hub_t *hub_new(const gateway_options_t *options, int64_t now_ms, char *error,
               size_t error_size);
void hub_destroy(hub_t **self_p);

/* From now on requests to the management API are answered. */
void hub_manage(hub_t *self, hub_ask_fn *ask, void *user);

/* From now on spans of sampled events are put there. */
void hub_trace(hub_t *self, span_fn *put, void *user);

/* A turn begins.  now_us: of the clock of hub_new's now_ms, in microseconds. */
void hub_begin(hub_t *self, int64_t now_us, int64_t now_wall_ms);

/* A frame from the link's broker; lent. */
void hub_frame(hub_t *self, link_t *link, const uint8_t *bytes, size_t len);

/* The link's transport broke. */
void hub_broken(hub_t *self, link_t *link);

/* A broker sent what is no frame of the protocol. */
void hub_malformed(hub_t *self, const char *text);

/* Timers, then the writes of this turn. */
void hub_end(hub_t *self);

/* Is there room for somebody who waits for it, and what was put before has
 * left?  The next turn is due then. */
bool hub_is_busy(const hub_t *self);

/* Start closing everything (1012); hub_is_empty tells when it is done. */
void hub_drain(hub_t *self);
bool hub_is_empty(const hub_t *self);

/* For transport_new; owner is the hub. */
extern const transport_ops_t hub_transport_ops;

/* --- for sessions ------------------------------------------------------ */

/* Both lives of the session are over: its slot is free at once, its memory at
 * the end of turn. */
void hub_release(hub_t *self, session_t *session);

/* `out` has bytes: write them at the end of turn. */
void hub_touch(hub_t *self, session_t *session);

/* A push to the session reached nobody. */
void hub_put_gone(hub_t *self, const session_t *session, pusher_t pusher);

/* The same, for whoever this broker calls `from`. */
void hub_put_gone_to(hub_t *self, link_t *link, wire_bytes_t conn,
                     uint64_t from);

/* The session of a connection id as text, or NULL. */
session_t *hub_find_conn(const hub_t *self, wire_bytes_t conn);

/* The session in a slot, if it is of that generation, or NULL. */
session_t *hub_find_slot(const hub_t *self, uint32_t slot, uint16_t generation);

/* The session of a connection id, or NULL. */
session_t *hub_find(const hub_t *self, const conn_id_t *id);

#endif
