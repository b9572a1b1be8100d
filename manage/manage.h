/* SPDX-License-Identifier: MIT
 *
 * The management API as an actor: one thread with a libev loop and one DEALER
 * to each broker, on which it is a manager (PROTOCOL.md).  It has no sockets of
 * clients: the admin listener and the gateway hand it requests on their pipes
 * (base/actor.h), a question with two parts, the request's head and its body,
 * and get the status, the body and the header lines of the answer.
 *
 * Messages on the actor's pipe (text frames):
 *
 *   actor -> owner   READY yes|no   whether anybody has credentials
 *   owner -> actor   $TERM     end
 *                    STATS     log the counters (event MANAGE-STATS)
 *
 * and those of base/actor.h.  It answers METRICS; READY is 200, since it is no
 * reason to send clients elsewhere.
 */
#ifndef MANAGE_MANAGE_H
#define MANAGE_MANAGE_H

#include "base/actor.h"
#include "manage/options.h"

/* The actor, of manage_options_t, which are used, and their pipes, until
 * STOPPED or FAILED. */
extern const actor_kind_t manage_actor;

#endif
