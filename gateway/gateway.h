/* SPDX-License-Identifier: MIT
 *
 * A gateway as an actor: a libev loop, a listening socket, clients' connections
 * and one DEALER to each broker.  Of several such loops each is an actor, and a
 * gateway of its own to brokers; before them is one more, which to its owner is
 * the gateway (loops.c): it has no clients, hands on what it is told, asks all
 * what it is asked, and adds up.
 *
 * Messages on the actor's pipe (text frames):
 *
 *   actor -> owner   READY address:port
 *                    STOPPED [report]   of several loops what one has counted
 *   owner -> actor   $TERM     drain: stop accepting, close the connections
 *                              (1012), deliver their $disconnects, end
 *                    STATS     log the counters (event GATEWAY-STATS)
 *                    SET name value   of a setting that gateway_can_set: it
 *                              counts from the next RELOAD on at the latest
 *
 * and those of base/actor.h.  It answers READY and METRICS (gateway/report.h)
 * on the pipe options->questions; of several loops each is asked GATEWAY_REPORT
 * and GATEWAY_BUSIEST instead, by the one before them.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/actor.h"
#include "gateway/options.h"

#include <stdbool.h>

#define GATEWAY_SET     "SET " /* and a name, a space, and a value */

#define GATEWAY_REPORT  "REPORT"  /* report_put (gateway/summary.h) */
#define GATEWAY_BUSIEST "BUSIEST" /* ranking_put (gateway/ranking.h) */

/* Can this setting be changed so?  Any thread (gateway/tuning.c). */
bool gateway_can_set(const char *name);

/* The actor of one loop, and that of options->loops of them, of
 * gateway_options_t, which are read until STOPPED or FAILED. */
extern const actor_kind_t gateway_actor;
extern const actor_kind_t gateway_loops_actor;

#endif
