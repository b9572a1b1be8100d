/* SPDX-License-Identifier: MIT
 *
 * One gateway loop as an actor: one thread that owns a libev loop, a
 * listening socket, its clients' connections and one DEALER to each broker.
 *
 * Messages on the actor's pipe (text frames):
 *
 *   actor -> owner   READY address:port
 *   owner -> actor   $TERM     drain: stop accepting, close the connections
 *                              (1012), deliver their $disconnects, end
 *                    STATS     log the counters (event GATEWAY-STATS)
 *                    SET name value   of a setting that gateway_can_set: it
 *                              counts from the next RELOAD on at the latest
 *
 * and those of base/actor.h.  It answers READY and METRICS (gateway/report.h)
 * on the pipe options->questions.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "gateway/options.h"

#include <stdbool.h>

#include <czmq.h>

#define GATEWAY_SET "SET " /* and a name, a space, and a value */

/* Can this setting be changed so?  Any thread (gateway/tuning.c). */
bool gateway_can_set(const char *name);

/*
 * The actor: zactor_new(gateway_actor, &options).  options is read until
 * STOPPED or FAILED.
 */
void gateway_actor(zsock_t *pipe, void *options);

#endif
