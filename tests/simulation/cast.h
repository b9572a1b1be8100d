/* SPDX-License-Identifier: MIT
 *
 * Who plays in a run, and what may go wrong in it: all chosen from its seed.
 */
#ifndef TESTS_SIMULATION_CAST_H
#define TESTS_SIMULATION_CAST_H

#include "tests/simulation/broker_node.h"
#include "tests/simulation/client.h"
#include "tests/simulation/gateway_node.h"
#include "tests/simulation/manager_node.h"
#include "tests/simulation/worker_node.h"

#define GATEWAYS_MAX 2
#define WORKERS_MAX  4
#define CLIENTS_MAX  8
#define MANAGERS_MAX 2
#define THREADS_MAX  2 /* of a worker's process: links to each broker */

#define LIVENESS_MS  1000
#define LEASE_MS     3500 /* longer than anybody stands still */

/* The window in bytes of a gateway is never smaller than what it reserves for
 * its largest request (hub.c), and often little larger. */
#define LARGEST_REQUEST (512 + CONTEXT_MAX + DETAILS_MAX)
#define SMALL_WINDOW    (LARGEST_REQUEST + 4000)

/* What may go wrong in a run. */
typedef enum {
    WORKER_CRASHES,
    WORKER_DRAINS,
    WORKER_STOPS,
    WORKER_CUT_OFF,
    WORKER_LINK_BREAKS,
    HANDLER_HANGS,
    HANDLER_DRAGS,
    GATEWAY_CRASHES,
    GATEWAY_STOPS,
    GATEWAY_CUT_OFF,
    GATEWAY_LINK_BREAKS,
    MANAGER_CRASHES,
    MANAGER_STOPS,
    MANAGER_CUT_OFF,
    MANAGER_LINK_BREAKS,
    BROKER_CRASHES,
    BROKER_STOPS,
    BROKER_DRAINS,
    STORE_FAILS,
    STORE_EMPTIED,
    STORE_SLOW,
    LINKS_FLAP,
    SOCKETS_FILL,
    NAMES_CHANGE,
    CLOCKS_JUMP,
    FAULTS,
} mishap_t;

typedef struct {
    bool may[FAULTS];
    bool is_chaos;
    bool has_store;    /* that the brokers share */
    bool has_presence; /* some worker serves $presence */
    bool has_resets;   /* gateways' links break in the probe, too */
    model_table_t table;
    int64_t pause_ms; /* between faults, at most */
    broker_node_t brokers[BROKERS_MAX];
    gateway_node_t gateways[GATEWAYS_MAX];
    process_t processes[WORKERS_MAX]; /* of workers, */
    worker_node_t workers[WORKERS_MAX][BROKERS_MAX * THREADS_MAX]; /* links */
    client_t clients[CLIENTS_MAX];
    manager_node_t managers[MANAGERS_MAX];
    uint32_t probed[CLIENTS_MAX]; /* attempts; 0: none */
    size_t broker_count, gateway_count, worker_count, client_count;
    size_t manager_count;
    size_t links_each; /* of a worker's process */
    uint32_t manager_starts;
} cast_t;

extern cast_t cast;

typedef enum { CHAOS, CALM, RETURN, PROBE } act_t;

/* Choose, and make them; nobody runs yet. */
void cast_set_up(void);

/* How likely mishaps and deeds are in this act. */
void cast_set_chances(act_t act);

void cast_start(void);
void cast_start_gateway(gateway_node_t *gateway);
void cast_start_manager(manager_node_t *manager);
void cast_fini(void);

/* The links of all workers, one after the other. */
size_t cast_link_count(void);
worker_node_t *cast_link(size_t i);

#endif
