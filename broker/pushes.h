/* SPDX-License-Identifier: MIT
 *
 * Pushes and closes on their way from workers to gateways, and the windows
 * that bound them (PROTOCOL.md section 8).
 */
#ifndef BROKER_PUSHES_H
#define BROKER_PUSHES_H

#include "broker/state.h"

void pushes_put(core_t *core, worker_t *worker, const message_push_t *message);

void pushes_close(core_t *core, worker_t *worker, const message_close_t *close);

/* The gateway has taken its oldest `count` pushes. */
void pushes_taken(core_t *core, gateway_t *gateway, uint64_t count);

/* A connection was gone: tell the worker that `from` stands for. */
void pushes_gone(core_t *core, const message_gone_t *gone);

/* End of turn: give credit back. */
void pushes_settle(core_t *core);

void pushes_fini(core_t *core);

#endif
