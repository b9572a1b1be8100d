/* SPDX-License-Identifier: MIT
 *
 * A broker's process: the real core, in the turns that broker.c gives it.
 */
#ifndef TESTS_SIMULATION_BROKER_NODE_H
#define TESTS_SIMULATION_BROKER_NODE_H

#include "tests/model_store.h"
#include "tests/simulation/wire.h"

#define BOOTS_KEPT 256 /* whose names rows may bear */

typedef struct {
    router_t router;
    broker_options_t options;
    core_t *core; /* owned; NULL while it is down */
    store_options_t store_options;
    store_t *store;
    model_table_t *table; /* borrowed: what brokers share, or NULL */
    model_store_t model;
    size_t answers_due;
    int store_failure; /* that it meets now */
    int64_t store_ms;  /* that an answer may take */
    char names[BOOTS_KEPT][32];
    uint32_t life;   /* grows with each start and end */
    unsigned number; /* among the brokers */
    uint32_t boots;  /* how often it was started */
    bool in_turn;
    bool is_probed;          /* tells truth.h which message comes when */
    uint64_t presences_lost; /* as it counts them */
    int64_t stopped_until_ms;
    int64_t probed_ms;
    int probes_due;
    int64_t drain_until_ms; /* 0: it does not drain */
    int64_t clock_off_ms;   /* of its host, from the world's */
} broker_node_t;

/* table: what brokers share, borrowed, or NULL: each has its own memory. */
void broker_node_init(broker_node_t *self, unsigned number,
                      const broker_options_t *options, model_table_t *table);
void broker_node_fini(broker_node_t *self);

void broker_node_start(broker_node_t *self);
void broker_node_crash(broker_node_t *self);

/* SIGTERM: finish what is on its way, within `ms`, and leave; start again. */
void broker_node_drain(broker_node_t *self, int64_t ms);

/* Its store answers nothing but this; 0: it works again. */
void broker_node_fail_store(broker_node_t *self, int failure);

/* SIGSTOP, and SIGCONT after `ms`. */
void broker_node_stop(broker_node_t *self, int64_t ms);

#endif
