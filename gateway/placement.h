/* SPDX-License-Identifier: MIT
 *
 * Which broker a connection is at: the one of the highest random weight among
 * those that are up (rendezvous hashing: Thaler, Ravishankar, "Using name-based
 * mappings to increase hit rates", 1998), so that connections spread evenly
 * and only those move that have to, when a broker is lost or joins.  One that
 * has just started and may not know its workers yet is taken only where there
 * is no other.  Loop thread only.
 */
#ifndef GATEWAY_PLACEMENT_H
#define GATEWAY_PLACEMENT_H

#include "gateway/hub.h"

/* The link for the connection, among those that are up and stay; NULL: none. */
link_t *placement_choose(const hub_t *hub, const conn_id_t *id);

/* The link is lost, and what was on its way is settled: its connections go to
 * others, if there are any. */
void placement_lost(hub_t *hub, link_t *link);

/* The link's broker is about to end: its connections begin to move to others,
 * if there are any. */
void placement_drained(hub_t *hub, link_t *link);

/* The link is up: what waited for it goes on, and connections that belong
 * there begin to move. */
void placement_joined(hub_t *hub, link_t *link);

/* A broker is not young any more. */
void placement_settled(hub_t *hub);

/* Once a turn: the next of those that are to move. */
void placement_step(hub_t *hub);

/* Does the session belong to another broker?  Then it begins to leave. */
void placement_look(session_t *session);

/* The session is to leave its broker: do so, if it is idle, or stay. */
void placement_leave(session_t *session);

/* It may have become idle. */
static inline void placement_settle(session_t *session)
{
    if (session->is_leaving) {
        placement_leave(session);
    }
}

#endif
