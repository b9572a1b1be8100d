/* SPDX-License-Identifier: MIT
 *
 * Pushes, joins and closes on their way from workers to gateways, and the
 * windows that bound them (PROTOCOL.md section 8).
 */
#ifndef BROKER_PUSHES_H
#define BROKER_PUSHES_H

#include "broker/state.h"

/* Of JOIN, LEAVE and CLOSE that are kept for a gateway; more are said once. */
#define ORDERS_MAX (4u << 20) /* bytes */

void pushes_put(core_t *core, worker_t *worker, const message_push_t *message);

void pushes_close(core_t *core, worker_t *worker, const message_close_t *close);

/* JOIN or LEAVE. */
void pushes_join(core_t *core, worker_t *worker, message_kind_t kind,
                 const message_join_t *join);

/* The gateway says how many its part of a push reached. */
void pushes_counted(gateway_t *gateway, const message_pushed_t *pushed);

/* A JOIN failed: tell its worker.  false: no such ERROR is expected. */
bool pushes_failed(core_t *core, const message_error_t *error);

/* The gateway has taken the oldest `count` that it is to give CREDIT for. */
void pushes_taken(core_t *core, gateway_t *gateway, uint64_t count);

/*
 * The gateway's transport broke: PUSHes that it gave no CREDIT for count as
 * gone; JOIN, LEAVE and CLOSE are put once more.
 */
void pushes_cut(core_t *core, gateway_t *gateway);

/* A connection was gone: tell the worker that `from` stands for. */
void pushes_gone(core_t *core, const message_gone_t *gone);

/* Something is about to be sent to the peer: with it, the credit that it is
 * due. */
void pushes_settle(core_t *core, peer_t *peer);

/* Now and then: no credit is due for longer than from one to the next. */
void pushes_tick(core_t *core);

void pushes_fini(core_t *core);

#endif
