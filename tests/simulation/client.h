/* SPDX-License-Identifier: MIT
 *
 * A client: connects, sends numbered messages, leaves in every way there is,
 * and comes back.  Tells truth.h what it sends and what it hears.
 */
#ifndef TESTS_SIMULATION_CLIENT_H
#define TESTS_SIMULATION_CLIENT_H

#include "tests/simulation/gateway_node.h"

typedef enum { CLIENT_AWAY, CLIENT_OPENING, CLIENT_OPEN } client_state_t;

typedef struct {
    gateway_node_t *gateways; /* borrowed: any of these */
    size_t gateway_count;
    client_state_t state;
    uint32_t attempt; /* truth's number of it */
    uint32_t life;    /* grows with each attempt's begin and end */
    transport_sock_t *sock;
    buf_t in;      /* owned: bytes not yet understood */
    bool is_quiet; /* sends no more */
    bool is_done;  /* and never comes back */
} client_t;

void client_init(client_t *self, gateway_node_t *gateways, size_t count);
void client_fini(client_t *self);

/* Connect after a while. */
void client_start(client_t *self);

/* Send `count` more messages, to a route that every worker serves. */
void client_probe(client_t *self, unsigned count);

/* Leave in order and stay away. */
void client_finish(client_t *self);

#endif
