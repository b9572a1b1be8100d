/* SPDX-License-Identifier: MIT
 *
 * The admin listener as an actor: HTTP for operators and their tools, on one
 * thread with a libev loop of its own, so that it answers for actors that do
 * not.  It knows nothing of them but their names and the pipes on which they
 * are asked (base/actor.h): a request is put to all of them as a question, and
 * who has not answered within ADMIN_ANSWER_MS is said to be silent (503).
 *
 * Messages on the actor's pipe (text frames):
 *
 *   actor -> owner   READY address:port
 *   owner -> actor   STOPPING    nothing is ready from here on
 *                    GONE name   that actor has ended and is not asked any more
 *                    $TERM       close everything and end
 *                    STATS       log the counters (event ADMIN-STATS)
 *
 * and those of base/actor.h.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "admin/options.h"
#include "base/actor.h"

#define ADMIN_ANSWER_MS 2000 /* for all actors to answer a request */
#define ADMIN_MANAGE_MS 8000 /* for the management API */

/* The actor, of admin_options_t whose `listen` is not "".  They, and their
 * pipes, are used until STOPPED or FAILED. */
extern const actor_kind_t admin_actor;

#endif
