/* SPDX-License-Identifier: MIT
 *
 * What workers ask of gateways, which know better than the store what stands
 * now (PROTOCOL.md, "Queries").  A question lies at its gateway until that has
 * answered, is lost, or the time is over; the windows of queries.c bound how
 * many there are.
 */
#ifndef BROKER_LIVE_H
#define BROKER_LIVE_H

#include "broker/state.h"

#define LIVE_MS       5000   /* for an answer; then status 504 */
#define LIVE_ROWS_MAX 131072 /* bytes of its rows; more get status 503 */

/*
 * Ask the gateway whose loop the id carries.  worker: handle; id: its own.
 * Returns 0 when the RESULT follows, or the status of the refusal.
 */
uint64_t live_connection(core_t *core, uint64_t worker, uint64_t id,
                         const conn_id_t *conn);

/* A RESULT of the gateway.  false: it answers none of these questions. */
bool live_told(core_t *core, gateway_t *gateway,
               const message_result_t *result);

/* The gateway is lost: what it was asked is answered now. */
void live_lost(core_t *core, gateway_t *gateway);

/* Now and then: look for questions whose time is over. */
void live_turn(core_t *core);

#endif
