/* SPDX-License-Identifier: MIT
 *
 * A process with the management API: the real core, in the turns that manage.c
 * gives it, and who asks it for this and that.  Tells asks.h.
 */
#ifndef TESTS_SIMULATION_MANAGER_NODE_H
#define TESTS_SIMULATION_MANAGER_NODE_H

#include "manage/manager.h"
#include "tests/simulation/gateway_node.h"
#include "tests/simulation/wire.h"

/* Whom it may be asked about; 0: nobody. */
typedef uint32_t manager_choice_fn(void);

typedef struct {
    manager_t *manager;        /* owned; NULL while it is down */
    manager_choice_fn *choose; /* borrowed */
    wire_t wires[BROKERS_MAX];
    uplink_t *uplinks[BROKERS_MAX]; /* borrowed: of the manager */
    bool is_broken[BROKERS_MAX];    /* a monitor says so, and is not read yet */
    size_t wire_count;              /* one to each broker */
    uint32_t life;                  /* grows with each start and end */
    uint32_t number; /* of this start, among all of all managers */
    char boot[UPLINK_BOOT_MAX + 1];
    bool in_turn;
    bool is_ending;  /* what it answers nobody hears */
    bool is_quiet;   /* nobody asks */
    unsigned closes; /* one request in so many closes a connection; 0: none */
    int64_t stopped_until_ms;
} manager_node_t;

/* One broker after the other is added before the first start. */
void manager_node_init(manager_node_t *self, manager_choice_fn *choose);
void manager_node_add_broker(manager_node_t *self, router_t *broker);
void manager_node_fini(manager_node_t *self);

/* number: another one for each start. */
void manager_node_start(manager_node_t *self, uint32_t number);
void manager_node_crash(manager_node_t *self);

/* SIGSTOP, and SIGCONT after `ms`. */
void manager_node_stop(manager_node_t *self, int64_t ms);

#endif
