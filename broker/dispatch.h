/* SPDX-License-Identifier: MIT
 *
 * Requests on their way: from a connection's mailbox to a worker, and from
 * the worker (or a deadline, or its death) to their one outcome.
 *
 * Each of these may end a connection, and with it its lost gateway: callers
 * keep no pointer to either across a call.
 */
#ifndef BROKER_DISPATCH_H
#define BROKER_DISPATCH_H

#include "broker/state.h"

#define DISCONNECT_MS 29000 /* time for a DISCONNECT that nobody waits for */
#define DEATHS_MAX    100   /* of workers that had a DISCONNECT or PRESENCE */

/*
 * Take a request (conn, event, gateway_id, number, size and due_ms set) into
 * its connection's mailbox; it goes to a worker as soon as its turn comes.
 */
void dispatch_request(core_t *core, request_t *request, const parts_t *parts);

/* As core_revive. */
int dispatch_letter(core_t *core, const letter_t *letter);

/*
 * The connection has ended and its gateway will not say so: unlist it, and
 * queue the DISCONNECT if a worker knows of it.
 */
void dispatch_end(core_t *core, conn_t *conn, uint64_t code,
                  const char *reason);

/* The connection's gateway says that it has ended: what handlers know of its
 * groups, and the gateway no longer, is over first. */
void dispatch_leave(core_t *core, conn_t *conn);

/*
 * Another broker has the connection now: unlist it without a word to workers.
 * What waits here is over; what a worker holds is left to it.
 */
void dispatch_drop(core_t *core, conn_t *conn);

/*
 * The gateway's transport broke: its requests have failed for it, but for
 * DISCONNECTs and PRESENCEs, which it says again.  What waits here is over;
 * what a worker holds is left to it.
 */
void dispatch_cut(core_t *core, gateway_t *gateway);

/* A worker's REPLY.  dispatch_feed is to follow, at the end of the frame. */
void dispatch_reply(core_t *core, worker_t *worker,
                    const message_reply_t *given);

/* The deadline of a request has passed. */
void dispatch_timeout(core_t *core, request_t *request);

/* The worker has more room than before: give it what waits. */
void dispatch_feed(core_t *core, worker_t *worker);

/* New routes are served: send what waited for anyone to serve its own. */
void dispatch_stranded(core_t *core);

/* Now and then: give up what waited for a worker that did not come in time. */
void dispatch_tick(core_t *core);

/* It takes no more requests; what waited for it goes elsewhere. */
void dispatch_drain(core_t *core, worker_t *worker);

/* It is gone: each request that it held gets its outcome. */
void dispatch_worker_lost(core_t *core, worker_t *worker);

#endif
