/* SPDX-License-Identifier: MIT
 *
 * What workers ask (PROTOCOL.md, "Queries"): of the store; what is asked of
 * gateways is in live.h.
 */
#ifndef BROKER_QUERIES_H
#define BROKER_QUERIES_H

#include "broker/state.h"

/* Under way; more get status 429.  A manager asks for many. */
#define QUERIES_MAX         16  /* of one worker */
#define MANAGER_QUERIES_MAX 256 /* of one manager */

void queries_init(core_t *core);

/* Those that are under way end without us: the store outlives the core. */
void queries_fini(core_t *core);

/* Ask; the RESULT follows, possibly at once. */
void queries_ask(core_t *core, worker_t *worker, const message_query_t *asked);

/* The RESULT of a query that is under way, to the worker that this handle
 * stands for; one that is gone gets none. */
void queries_done(core_t *core, uint64_t handle,
                  const message_result_t *result);

#endif
