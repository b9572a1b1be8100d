/* SPDX-License-Identifier: MIT
 *
 * The broker as an actor: a loop, and two ROUTER sockets around the core
 * (broker/core.h).
 *
 * Messages on the actor's pipe (text frames):
 *
 *   actor -> owner   READY workers-endpoint gateways-endpoint
 *   owner -> actor   $TERM     say BYE to all peers and end
 *                    STATS     log the counters (event BROKER-STATS)
 *                    DRAIN-TIME ms   has been used up but for this
 *
 * and those of base/actor.h.  It answers READY and METRICS (broker/report.h) on
 * the pipe options->questions.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include "base/actor.h"
#include "broker/options.h"

#define BROKER_DRAIN_TIME "DRAIN-TIME " /* and milliseconds: before $TERM */

/* The actor, of broker_options_t, which are read until STOPPED or FAILED. */
extern const actor_kind_t broker_actor;

#endif
