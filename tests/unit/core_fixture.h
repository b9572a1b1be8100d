/* SPDX-License-Identifier: MIT
 *
 * A broker's core between scripted peers.  Each call of a peer is a turn of
 * the broker; what the core sends to a peer lies in its inbox, in order, until
 * the test takes it.  One broker at a time, made by broker_set_up.
 *
 * A test reads like this:
 *
 *     node_t *gateway = a_gateway(1);
 *     node_t *worker = a_worker("w", "echo $disconnect", 8);
 *     client_t *client = a_client(gateway);
 *     uint64_t id = client_says(client, "echo", "hello");
 *     answers(worker, takes_message(worker, "hello"), 200, "hi");
 *     gets_reply(gateway, id, 200);
 */
#ifndef TESTS_CORE_FIXTURE_H
#define TESTS_CORE_FIXTURE_H

#include "broker/core.h"
#include "proto/message.h"
#include "tests/model_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEADLINE_MS    5000  /* of a request that names none */
#define LIVENESS_MS    10000 /* of the broker */
#define ROUTE_GRACE_MS 1000  /* of the broker, */
#define SPANS_KEPT     16
#define SWEEP_MS       100 /* which looks that often whether it is over */

/* A gateway or a worker, as the test plays it. */
typedef struct node {
    side_t side;
    char id[32];        /* what the ROUTER calls it */
    uint64_t principal; /* whose key it has; 0 without CURVE */
    char boot[32];      /* changes when it restarts */
    char broker[32];    /* of a gateway: whom it remembers, */
    uint64_t session;   /* and what it was to it */
    uint32_t loop;      /* of a gateway */
    bool requires_connect;
    bool is_manager;
    wire_bytes_t process; /* of a worker or manager: it says so; or empty */
    bool knows_watchers;  /* of a gateway: who serve $presence */
    bool returns;         /* of a gateway: it can, behind a broken transport, */
    uint64_t watches;     /* and has heard so many WATCHes */
    bool is_silent;       /* sends nothing of its own accord */
    bool is_stuck;        /* its socket takes nothing now */
    bool is_broken;       /* its transport is gone */
    uint64_t last_id;
    uint32_t last_slot;
    buf_t out; /* what it will say next */

    struct {
        uint8_t *data; /* owned; lent to the messages taken */
        size_t len;
    } * frames;
    size_t frame_count, frame_at;
    wire_cursor_t in; /* in the frame before frame_at */
} node_t;

/* A connection of a gateway. */
typedef struct {
    node_t *gateway;
    uint32_t slot;
    char id[CONN_ID_TEXT + 1];
} client_t;

/* The broker of the test at hand. */
typedef struct {
    core_t *core;
    store_options_t store_options;
    store_t *store;
    model_table_t table; /* that brokers share, if they do */
    model_store_t model; /* what the broker sees of it */
    bool has_shared_store;
    int64_t now_ms;
    broker_options_t options;
    uint32_t dead;      /* letters that were to be kept, of which the last: */
    uint64_t letter_id; /* 0: it was new */
    uint64_t letter_attempts;
    char letter_text[64];
    uint64_t settled;         /* id of the letter that was settled last, or 0 */
    const char *traceparent;  /* of events from now on, or NULL */
    span_t spans[SPANS_KEPT]; /* that came, in order */
    size_t span_count;
} fixture_t;
extern fixture_t broker;

int broker_set_up(void **state);
/* The same, with a store that outlives it. */
int broker_set_up_shared(void **state);
int broker_tear_down(void **state);

/* Another process with nothing in its memory, in place of the broker; its
 * options are broker.options. */
void broker_restarts(void);

/* How many there are in the store. */
uint64_t rows(void);

/* Time goes by in turns of 50 ms.  Peers that are not silent send a sign of
 * life every second. */
void time_passes(int64_t ms);

/* --- peers --------------------------------------------------------------- */

/* One that has sent nothing yet. */
node_t *a_stranger(side_t side, const char *name);

/* They have greeted and taken their WELCOME.  routes: words. */
node_t *a_worker(const char *name, const char *routes, uint64_t window);
node_t *a_gateway(uint32_t loop);

/* On either side; it has greeted and taken its WELCOME. */
node_t *a_manager(side_t side, const char *name);

/* As a_gateway; nobody gets in without a handler's word. */
node_t *a_strict_gateway(uint32_t loop);

/* Append to what it will say. */
void put_hello(node_t *node);
void put_ready(node_t *worker, const char *routes, uint64_t window,
               uint64_t window_bytes);
void put_message(node_t *node, const message_t *message);

/* Say it, in one frame and one turn. */
void speaks(node_t *node);

void says(node_t *node, const message_t *message);
void says_bare(node_t *node, message_kind_t kind);

/* BYE, and no sign of life from then on. */
void dies(node_t *node);
void says_bytes(node_t *node, const void *bytes, size_t len);
void announces(node_t *worker, const char *routes, uint64_t window);

/* HELLO and READY; takes and returns its WELCOME. */
message_t greets(node_t *worker, const char *routes, uint64_t window);

/* The same with a new boot id, as behind its death. */
void starts_anew(node_t *worker, const char *routes, uint64_t window);

/* --- what a peer gets ---------------------------------------------------- */

/* The next message; false when there is none. */
bool takes(node_t *node, message_t *message);

/* The next message, which must be of this kind. */
message_t gets(node_t *node, message_kind_t kind);
void gets_nothing(node_t *node);
void gets_error(node_t *node, const char *code);

/* Forget what has come. */
void forgets(node_t *node);

/* --- events -------------------------------------------------------------- */

/* A connection that nobody has been told of. */
client_t *a_newcomer(node_t *gateway);

/* One that is open; no worker serves $connect. */
client_t *a_client(node_t *gateway);

/* Each returns the gateway's id of the request. */
uint64_t client_knocks(client_t *client); /* CONNECT */
uint64_t client_says(client_t *client, const char *route, const char *text);
uint64_t client_leaves(client_t *client); /* DISCONNECT */
uint64_t client_says_within(client_t *client, const char *route,
                            const char *text, uint64_t deadline_ms);

/* Append the REQUEST to what the gateway will say; returns its id. */
uint64_t put_event(client_t *client, event_t event, const char *route,
                   const char *text, uint64_t deadline_ms);

/* The next message to the worker is that REQUEST; returns its id there. */
uint64_t takes_event(node_t *worker, event_t event);
uint64_t takes_message(node_t *worker, const char *text);

void answers(node_t *worker, uint64_t id, uint64_t status, const char *text);

/* The next message to the gateway is that REPLY. */
message_t gets_reply(node_t *gateway, uint64_t id, uint64_t status);

/* --- pushes -------------------------------------------------------------- */

void put_push(node_t *worker, const char *conn, const char *text);
void pushes(node_t *worker, const char *conn, const char *text);
void closes(node_t *worker, const char *conn, uint64_t code);
void gives_credit(node_t *gateway, uint64_t messages);

/* The worker's credit comes now, or when it has been kept back. */
message_credit_t gets_credit(node_t *worker);

/* An open connection's line in a SYNC, and the SYNC. */
void syncs(node_t *gateway, client_t *const *list, size_t count, bool more);

/* The client comes from another broker, or goes to one. */
void adds(node_t *gateway, client_t *client);
void drops(node_t *gateway, client_t *client);

/* The gateway does not have whom a PUSH or CLOSE of `from` named. */
void has_no(node_t *gateway, const char *conn, uint64_t from);

bool is_text(wire_bytes_t bytes, const char *text);

#endif
