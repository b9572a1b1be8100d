/* SPDX-License-Identifier: MIT
 *
 * What the broker's core is made of.  Private to broker/core*.c and its
 * modules; nobody else includes it.
 *
 *   peer ── worker ── crew ── serves ── route ── conns that wait for it
 *     └──── gateway ── conns ── requests (waiting here, or at a worker)
 *
 * A crew is the set of workers that announced the same routes, so that a
 * route knows a few crews instead of many workers.  A connection's mailbox
 * is its list of waiting requests; while it has requests in flight it is bound
 * to the worker that holds them, which is what keeps its events in order.
 */
#ifndef BROKER_STATE_H
#define BROKER_STATE_H

#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/table.h"
#include "base/wheel.h"
#include "broker/core.h"
#include "broker/leases.h"
#include "broker/stats.h"
#include "broker/traffic.h"
#include "proto/message.h"
#include "store/store.h"

typedef struct peer peer_t;
typedef struct worker worker_t;
typedef struct gateway gateway_t;
typedef struct conn conn_t;
typedef struct request request_t;
typedef struct crew crew_t;
typedef struct route route_t;
typedef struct known known_t;       /* groups of a connection: watch.c */
typedef struct interest interest_t; /* of a gateway in a name: interests.c */

/* --- peers -------------------------------------------------------------- */

/* Whoever has sent something: a stranger until its HELLO. */
struct peer {
    /* What each frame from it and to it looks at. */
    list_t hashed; /* in a bucket of the peer table */
    list_t dirty;  /* among those with something to send, or alone */
    const char *doom;
    side_t side;
    bool is_mute;        /* `id` is another's by now: nothing is sent */
    bool is_unreachable; /* its transport is gone */
    uint64_t principal;  /* whose key it has; see origin_t */
    size_t id_len;
    uint8_t *id;        /* owned: the ROUTER's name for it */
    worker_t *worker;   /* owned; NULL: not one, or a stranger */
    gateway_t *gateway; /* lives on until its connections are done */
    buf_t out;          /* messages that leave at the end of the turn */
    int64_t last_heard_ms, last_sent_ms;
    int64_t cut_ms; /* a gateway: since when it is waited for; 0: it stands */

    list_t named;  /* in one of the boot ids, or alone */
    list_t linked; /* among all peers */
    list_t doomed; /* among those to be given up, or alone */
    char boot[BOOT_ID_MAX + 1];
    char name[PEER_NAME_MAX + 1];
    int64_t last_asked_ms;
    int64_t liveness_ms;
    int64_t faults_since_ms;
    uint32_t faults; /* malformed and unexpected messages since then */
};

/* Who pushes and asks; and but for a manager, takes requests. */
struct worker {
    peer_t *peer;
    bool is_manager;
    crew_t *crew;     /* whose requests it gets; NULL: a manager, drains, is
                         in doubt, or has not said READY */
    crew_t *enlisted; /* that counts it: the same, in doubt too, or NULL */
    list_t in_crew;   /* on its load level, or alone when full */
    list_t in_flight; /* requests that it holds */
    list_t waiters;   /* connections bound to it that wait for room */
    uint64_t handle;  /* stands for it in all that is told others; no reuse */
    bool is_route_turn;
    uint32_t queries; /* under way */

    uint64_t window, window_bytes;
    uint64_t opened; /* slow start: what it may hold now, <= window */
    uint64_t held, held_bytes;

    uint64_t pushes, push_bytes;          /* on their way */
    uint64_t credit_pushes, credit_bytes; /* to be given back */
    list_t credited; /* among those with such credit, or alone */

    list_t siblings;    /* in a bucket of processes, the last to join first, or
                           alone */
    list_t unasked;     /* among those in doubt since this turn, or alone */
    uint64_t doubt;     /* the number of the PING that it is to answer before it
                           is given anything; 0: none */
    int64_t doubted_ms; /* since when */
    size_t process_len; /* 0: it is alone */
    char process[BOOT_ID_MAX]; /* whose link it is */
};

/* A PUSH, JOIN or LEAVE on its way to one or more gateways. */
typedef struct push {
    struct push *next; /* free list */
    uint64_t worker;   /* handle */
    uint64_t bytes;
    uint32_t gateways;                 /* that have not taken it */
    bool is_asked;                     /* PUSHED is wanted, … */
    uint64_t ack;                      /* … with this id */
    uint64_t delivered, gone, refused; /* connections, so far */
} push_t;

/* What one gateway has of it; or of a CLOSE. */
typedef struct {
    push_t *push;        /* NULL: a CLOSE */
    interest_t *joining; /* in the group that it joins, or NULL */
    uint8_t *order;      /* owned: what is no PUSH, to be said again; or NULL */
    uint32_t order_len;
    uint32_t named; /* connections; 1: a name */
    bool is_told;   /* its PUSHED came */
    bool is_early;  /* not said again: is_before_entry */
} passed_t;

struct gateway {
    peer_t *peer; /* NULL once lost */
    list_t linked;
    list_t by_loop; /* in a bucket of those that stand, or alone */
    uint32_t loop;
    uint64_t session; /* that it was told in WELCOME */
    bool requires_connect;
    bool returns;              /* it can come back by another transport */
    bool is_unsure;            /* whether it has heard each WATCH, … */
    uint32_t watches;          /* … of which it was told so many */
    uint64_t held, held_bytes; /* requests without a REPLY */

    conn_t ***pages; /* [slot / CONNS_A_PAGE][slot % CONNS_A_PAGE]; owned */
    uint32_t page_count;
    size_t conns;    /* those whose struct points here */
    uint32_t round;  /* of SYNC; what the list at hand names bears it */
    bool is_syncing; /* between the parts of a list */
    bool was_synced; /* a whole list has come in this session */
    bool is_drained; /* it sends no more requests, since we are to end */

    bool is_behind;       /* some of its rows are to be written again */
    bool is_catching_up;  /* and that is what the walk is for */
    uint32_t keep_slot;   /* where the keeper's walk over its slots is */
    bool is_leased;       /* its lease was kept at least once */
    list_t unleased;      /* CONNECTs whose rows wait for that: request.link */
    uint64_t beat;        /* that it has */
    int64_t lease_due_ms; /* when it is to be kept again */

    passed_t *pushes; /* ring of those that it has not taken, oldest first */
    size_t pushes_head, pushes_len, pushes_cap;
    size_t orders_bytes;   /* of the copies in it */
    uint64_t pushes_first; /* number of the oldest: `ack` to the gateway */

    list_t interests; /* the names that it has */
    uint32_t interest_count;
    bool is_naming;    /* between the parts of their list */
    bool has_too_many; /* some were not kept: keen until the next list */
    list_t keen;       /* among those that get pushes to any name, or alone */

    list_t questions; /* that it has not answered: live.c */

    buf_t targets; /* ids for it in the PUSH at hand */
    uint32_t target_count;
    list_t targeted;
};

/* --- connections and requests ------------------------------------------- */

typedef enum {
    CONN_OPENING, /* CONNECT is under way */
    CONN_OPEN,
    CONN_CLOSING, /* DISCONNECT is under way, or CONNECT was refused */
} conn_state_t;

typedef enum {
    QUEUE_NONE,
    QUEUE_ROUTE,    /* until a worker of its route has room */
    QUEUE_WORKER,   /* until the worker that it is bound to has room */
    QUEUE_STRANDED, /* until some worker serves its route */
} queue_t;

struct conn {
    /* What each message looks at: CONN_HOT bytes, held in conns.c. */
    record_t *record; /* one reference; it has the id */
    gateway_t *gateway;
    worker_t *worker;    /* that holds its requests in flight */
    list_t waiting;      /* requests: the mailbox */
    request_t *farewell; /* its gateway's DISCONNECT, until it is done */
    uint32_t in_flight;  /* requests at `worker` */
    uint32_t loose;      /* at any worker, without order */
    uint32_t overdue;    /* requests at workers whose time is over */
    uint8_t state;       /* conn_state_t */
    uint8_t queue;       /* queue_t: which list `queued` is in */
    bool is_listed : 1;  /* found by its id */
    bool is_moved : 1;   /* another broker's: nothing of it is given again */
    bool is_busy : 1;    /* in somebody's hands: not to be freed */
    bool is_stored : 1;  /* it may have a row */
    bool is_unsaved : 1; /* its row is not as it should be */
    bool is_orphan : 1;  /* of the sweep at hand */

    list_t queued;
    route_t *route;      /* that it waits for, when QUEUE_ROUTE */
    request_t *presence; /* its gateway's PRESENCE, until it is done */
    request_t *held;     /* CONNECT or DISCONNECT that waits for the store */
    known_t *groups;     /* owned; NULL: none that a handler was told of */
    uint32_t saved_s;    /* when its row was written, since our start */
    uint32_t round;      /* of the SYNC that named it */
};

/* The parts of a request that a worker needs; lent. */
typedef struct {
    wire_bytes_t route;
    body_t body;
    wire_bytes_t details;
    const uint8_t *conn; /* the connection's id as its gateway wrote it; NULL
                            where that is not at hand */
} parts_t;

/* A copy of them. */
typedef struct {
    uint32_t route_len, body_len, details_len;
    body_type_t body_type;
    uint8_t bytes[];
} held_t;

/* Its place in a trace. */
typedef struct {
    trace_place_t place;             /* that its gateway has given */
    uint8_t dispatch[SPAN_ID_BYTES]; /* of the span of the worker at hand */
    bool waits;                      /* it is in its mailbox */
} traced_t;

struct request {
    list_t link; /* in conn->waiting or worker->in_flight */
    wheel_node_t deadline;
    conn_t *conn;
    worker_t *worker; /* that holds it, or NULL */
    held_t *held;     /* owned; while waiting, and always of a DISCONNECT */
    flow_t *flow;     /* that counts it */
    traced_t *traced; /* owned; NULL: it is in no trace */
    uint64_t gateway_id;
    uint64_t number;
    uint64_t letter; /* id of the dead letter that it was, or 0 */
    int64_t due_ms;
    int64_t since_us;     /* it waits, or its worker has it */
    uint32_t size;        /* its share of the gateway's window, bytes */
    uint32_t worker_size; /* of the worker's */
    uint32_t index;       /* in the table */
    uint32_t generation;  /* of its id */
    uint16_t status;      /* of the REPLY that waits for the row */
    uint8_t event;
    uint8_t attempt;  /* how often it was given to a worker */
    bool is_again;    /* when that worker dies, another gets it */
    bool is_loose;    /* at a worker, of a route without order */
    bool is_answered; /* the gateway has its REPLY, or wants none */
    bool is_overdue;  /* … since its time was over, at a worker */
};

/* --- routes ------------------------------------------------------------- */

#define LOAD_LEVELS 64 /* one bit each in crew->levels_used */

struct crew {
    list_t linked;
    list_t level[LOAD_LEVELS]; /* workers with room, by relative load */
    uint64_t levels_used;
    list_t serves; /* serves.in_crew */
    list_t hungry; /* serves.hungry: its routes that have waiters */
    size_t workers;
    size_t keys_len;
    uint8_t keys[]; /* the announced array, sorted: what makes it this crew */
};

/* A crew serves a route. */
typedef struct {
    list_t in_route;
    crew_t *crew;
    route_t *route;
    uint8_t redeliver; /* times that it wants a request again at most */
    bool is_unordered;
    list_t in_crew, hungry;
} serves_t;

struct route {
    hashed_t hashed;
    list_t crews;     /* serves.in_route */
    list_t waiters;   /* connections whose first request waits for it */
    flow_t *flow;     /* that counts its requests */
    uint32_t strict;  /* of its crews, those that want order */
    uint32_t key_len; /* of key */
    uint8_t key[ROUTE_KEY_MAX];
    list_t deserted; /* among those that no crew serves, or alone */
    int64_t deserted_ms;
};

/* --- the store ---------------------------------------------------------- */

/* What keeper.c has under way; see there. */
typedef struct {
    list_t under_way; /* keep.linked */
    list_t late;      /* rows that are to go, and could not yet */
    size_t under_way_count, late_count;
    uint64_t slots_due;  /* of the walk, in thousandths */
    uint32_t shortest_s; /* that a row lasts, of all seen */
} keeper_t;

#define LOOPS_KEPT 1024

/* A ring of gateways' loop numbers: the first that came is forgotten first. */
typedef struct {
    uint32_t loops[LOOPS_KEPT]; /* + 1; 0: none */
    size_t at;
} loops_t;

/* What sweep.c knows of leases, and the one that it is at. */
typedef struct {
    list_t seen;         /* leases of other brokers: lease_t */
    loops_t swept;       /* gateways that were away while we swept */
    loops_t strays;      /* those of whom others may have left rows */
    list_t asks;         /* operations under way */
    list_t released;     /* gateways that have ended: released_t */
    int64_t look_due_ms; /* at the leases */
    bool knows_owners;   /* that the store had when we came */
    uint64_t beats;      /* each value of a lease is another */

    bool is_on;          /* `lease` is claimed, or about to be */
    bool is_asking;      /* an operation is under way */
    bool is_last;        /* that was its last page */
    bool is_next_due;    /* another lease may be over */
    list_t asked;        /* rows whose gateway was asked: asked_t */
    int64_t asked_ms;    /* when the last was asked */
    uint32_t orphans;    /* whose DISCONNECT is under way */
    uint32_t rows;       /* that are to go, for it */
    uint32_t left;       /* rows that it cannot deal with yet */
    int64_t due_ms;      /* when our claim is to be renewed */
    int64_t claimed_ms;  /* when it was, last */
    int64_t page_due_ms; /* when the next page may be asked for */
    unsigned failures;   /* of pages, one after the other */
    lease_t claim;       /* our lease as it is to be */
    uint64_t disconnects;
    lease_t lease;
    size_t cursor_len;
    char cursor[STORE_CURSOR_MAX];
} sweep_t;

/* --- the whole ---------------------------------------------------------- */

/* Names that gateways have; see interests.c. */
typedef struct {
    table_t table;
    hash_key_t key; /* random */
} names_t;

#define PEER_BUCKETS  1024
#define LOOP_BUCKETS  256
#define SESSIONS_KEPT 4096 /* of which is known how they ended */

typedef struct {
    request_t **pages; /* owned */
    uint32_t first_generation;
    uint32_t page_count;
    uint32_t used; /* entries ever used */
    list_t unused; /* request.link */
} requests_t;

struct core {
    broker_options_t options;
    core_ops_t ops;
    void *user;
    store_t *store; /* borrowed */
    broker_stats_t stats;
    char boot[BOOT_ID_MAX + 1];
    bool is_draining;
    bool is_successor; /* a gateway knew a broker in our place */
    int64_t born_ms, now_ms;
    int64_t now_us; /* the same moment as now_ms */
    int64_t ticked_ms;
    wheel_t wheel;

    list_t peers, dirty, doomed, gateways, credited;
    list_t loop_buckets[LOOP_BUCKETS]; /* of gateways */
    list_t keen; /* gateways that get pushes to any name */
    names_t names;
    list_t peer_buckets[PEER_BUCKETS], boot_buckets[PEER_BUCKETS];
    list_t process_buckets[PEER_BUCKETS]; /* of workers: siblings.c */
    list_t unasked;  /* of these, who is to be asked at the turn's end */
    uint64_t doubts; /* the number of the newest PING that asks one */
    size_t peer_count[SIDES]; /* by side_t */
    worker_t **workers;       /* by handle % handles, managers too; owned */
    uint64_t handles;
    uint64_t next_handle;
    uint64_t next_session;
    span_ids_t span_ids;
    uint8_t
        was_synced[SESSIONS_KEPT / 8]; /* bits, by session % SESSIONS_KEPT */

    gateway_t nobody; /* has the connections of letters, which are gone */

    keeper_t keeper;
    sweep_t sweep;
    list_t queries;         /* of workers, under way at the store */
    uint64_t next_question; /* id of a QUERY to a gateway */

    bool is_watched;     /* gateways were told that $presence is served */
    uint32_t watch_era;  /* grows when it is not any more, … */
    uint32_t watch_told; /* … and this is what they were told of */

    list_t crews;
    list_t deserted; /* routes without a crew, oldest first */
    uint32_t deserted_count;
    list_t stranded;            /* conns in QUEUE_STRANDED */
    int64_t disconnect_gone_ms; /* since when nobody serves $disconnect */
    table_t routes;             /* by key */
    traffic_t traffic;
    requests_t requests;
    push_t *free_pushes;
    buf_t scratch;
    log_brake_t brake;
};

#endif
