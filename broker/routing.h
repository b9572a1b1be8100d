/* SPDX-License-Identifier: MIT
 *
 * Which worker gets a request: routes, the crews that serve them, and the
 * load of their workers.
 *
 * A worker stands on one of LOAD_LEVELS lists of its crew, by what it holds in
 * proportion to its window; a crew keeps one bit for each list in use.  So the
 * least loaded worker of a route is found by looking at one word a crew, and
 * workers of equal load take turns.
 */
#ifndef BROKER_ROUTING_H
#define BROKER_ROUTING_H

#include "broker/state.h"

/*
 * Check the routes of a READY against PROTOCOL.md section 5.
 * Returns NULL, or what is wrong with them, for people.
 */
const char *routing_check(wire_bytes_t routes);

/*
 * Let the worker (in no crew) serve these routes, which routing_check passed.
 * Returns 0 or -ENOMEM; then it serves none.
 */
int routing_join(core_t *core, worker_t *worker, wire_bytes_t routes);

/*
 * Take the worker out of its crew; harmless when it has none.  A route that
 * nobody serves any more is deserted, and can be waited for.
 */
void routing_leave(core_t *core, worker_t *worker);

/*
 * It keeps its place in its crew, if it has one, and gets no requests: the
 * routes count as served.  Until it is resumed; harmless twice.
 */
void routing_suspend(worker_t *worker);
void routing_resume(worker_t *worker);

#define DESERTED_MAX 4096 /* routes; more are closed, the oldest first */

/*
 * Close the routes that have been deserted for longer than the grace of the
 * options, or are too many.  Connections that waited for one are moved to
 * `orphans` (conn.queued), their queue being QUEUE_NONE.
 */
void routing_close_deserted(core_t *core, list_t *orphans);

/* The route of this key, or NULL: some crew serves it, or it is deserted. */
route_t *routing_find(core_t *core, wire_bytes_t key);

/* Nobody serves it, but it is waited for as if somebody just had. */
void routing_expect(core_t *core, wire_bytes_t key);

/* May its messages overtake others of their connection?  If all who serve it
 * say so. */
bool routing_is_unordered(const route_t *route);

/* On which terms the crew serves the route, or NULL: it does not. */
const serves_t *routing_terms(const crew_t *crew, const route_t *route);

/* The least loaded worker with room for `size` bytes, or NULL. */
worker_t *routing_pick(route_t *route, uint64_t size);

bool worker_has_room(const worker_t *worker, uint64_t size);

/* What it holds or may hold has changed: put it on its level. */
void routing_level(worker_t *worker);

/* Let the connection (in no queue) wait for the route. */
void routing_wait(conn_t *conn, route_t *route);

/* Take it out of whatever queue it is in; harmless when in none. */
void routing_unqueue(conn_t *conn);

#endif
