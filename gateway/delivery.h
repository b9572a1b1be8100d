/* SPDX-License-Identifier: MIT
 *
 * What workers send to clients of their own accord: PUSH, to ids or to a name,
 * JOIN, LEAVE and CLOSE, and what is counted of it (PROTOCOL.md section 8).
 * Between the hub and groups.h, fanout.h.  Loop thread only.
 */
#ifndef GATEWAY_DELIVERY_H
#define GATEWAY_DELIVERY_H

#include "gateway/hub.h"

void delivery_init(hub_t *hub);
void delivery_fini(hub_t *hub); /* no session is left */

void delivery_push(hub_t *hub, link_t *link, const message_push_t *push);
void delivery_join(hub_t *hub, link_t *link, message_kind_t kind,
                   const message_join_t *join);
void delivery_close(hub_t *hub, link_t *link, const message_close_t *close);

/*
 * The connection is accepted with these options of the REPLY, which are valid:
 * from now on it has its user, its tenant and its groups, and is one of all.
 * Returns 0, -EPROTO, -ENOMEM, or -ENOSPC for too many groups.
 */
int delivery_accept(session_t *session, wire_bytes_t options);

/* Something else is said to it: what was pushed before comes first. */
void delivery_catch_up(session_t *session);

/* It takes nothing more. */
void delivery_end(session_t *session);

/* The broker forgot what it had sent by this link, or is gone. */
void delivery_forget(hub_t *hub, link_t *link);

/* A turn's share of what is for many.
 * is_busy: there is more, and the next turn should come at once. */
void delivery_step(hub_t *hub);
bool delivery_is_busy(const hub_t *hub);

#endif
