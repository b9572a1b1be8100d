/* SPDX-License-Identifier: MIT
 *
 * The three files of the core among themselves: core.c greets, measures
 * liveness and hands each message to the side that it is for.
 */
#ifndef BROKER_CORE_INTERNAL_H
#define BROKER_CORE_INTERNAL_H

#include "broker/state.h"

/* A HELLO has been accepted: make the peer a worker (or a manager, which is one
 * that takes no requests) or a gateway.  0, -ENOMEM, -EUSERS when there are too
 * many. */
int worker_start(core_t *core, peer_t *peer, const message_hello_t *hello);
int gateway_start(core_t *core, peer_t *peer, const message_hello_t *hello);

/*
 * Did we end the connections that the greeting gateway had in the session which
 * it remembers?  We did, if it was lost after its list was whole, or if we
 * swept what a broker before us had left.
 */
bool gateway_was_ended(const core_t *core, const message_hello_t *hello);

/* It is lost: end what it was. */
void worker_end(core_t *core, peer_t *peer);
void gateway_end(core_t *core, peer_t *peer);

/* A message other than HELLO and PING.  false: not expected from it. */
bool worker_message(core_t *core, peer_t *peer, const message_t *message);
bool gateway_message(core_t *core, peer_t *peer, const message_t *message);

#endif
