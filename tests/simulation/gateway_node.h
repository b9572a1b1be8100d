/* SPDX-License-Identifier: MIT
 *
 * A gateway's process: the real hub with its sessions, in the turns that
 * gateway.c gives it, over sockets that exist only here.  It implements
 * gateway/transport.h.
 */
#ifndef TESTS_SIMULATION_GATEWAY_NODE_H
#define TESTS_SIMULATION_GATEWAY_NODE_H

#include "gateway/hub.h"
#include "tests/simulation/wire.h"

#define FAREWELLS_MAX 64 /* more than there are clients */

#define BROKERS_MAX   3
#define LIVES_KEPT    8

typedef struct {
    gateway_options_t options;
    hub_t *hub; /* owned; NULL while it is down */
    wire_t wires[BROKERS_MAX];
    size_t wire_count;         /* one to each broker */
    uint32_t life;             /* grows with each start and end */
    uint32_t loop;             /* of the hub */
    uint32_t dead[LIVES_KEPT]; /* loops of those that crashed last */
    bool in_turn;
    unsigned holds;    /* one write in so many finds a full socket; 0: none */
    unsigned forgets;  /* one look in so many finds that a broker which is down
                          has no address any more; 0: none */
    uint32_t sessions; /* that its links have had */
    int64_t stopped_until_ms;
    int64_t clock_off_ms;               /* of its host, from the world's */
    transport_sock_t *socks;            /* owned: all ever made */
    conn_id_t farewells[FAREWELLS_MAX]; /* under way before a frame */
    size_t farewell_count;
} gateway_node_t;

/* What a client is told of its socket. */
typedef struct {
    void (*received)(void *client, const uint8_t *bytes, size_t len);
    void (*ended)(void *client, bool is_reset);
} client_ops_t;

/* One broker after the other is added before the first start. */
void gateway_node_init(gateway_node_t *self, const gateway_options_t *options);
void gateway_node_add_broker(gateway_node_t *self, router_t *broker);
void gateway_node_fini(gateway_node_t *self);

void gateway_node_start(gateway_node_t *self);
void gateway_node_crash(gateway_node_t *self);

/* SIGSTOP, and SIGCONT after `ms`. */
void gateway_node_stop(gateway_node_t *self, int64_t ms);

/* A client connects; NULL when nobody listens or it is refused. */
transport_sock_t *gateway_node_connect(gateway_node_t *self, void *client,
                                       const client_ops_t *ops);

/* What the client does with its socket.  It is not told of its own close. */
void sock_send(transport_sock_t *sock, const uint8_t *bytes, size_t len);
void sock_close(transport_sock_t *sock);
void sock_reset(transport_sock_t *sock);

#endif
