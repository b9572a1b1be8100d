/* SPDX-License-Identifier: MIT
 *
 * How each broker stands with the hub: greeted, welcomed, about to end, lost or
 * gone, and what becomes of the requests that it had (PROTOCOL.md section 11).
 * The link keeps the state (link.h); here is what that means for all others.
 * Loop thread only.
 */
#ifndef GATEWAY_STANDING_H
#define GATEWAY_STANDING_H

#include "gateway/hub.h"

/* A WELCOME came: the broker knows us, and hears of its connections. */
void standing_welcomed(hub_t *self, link_t *link,
                       const message_welcome_t *welcome);

/* A WHO came: it does not know us (any more). */
void standing_asked(hub_t *self, link_t *link);

/* A DRAIN came: it takes no more requests and is about to end. */
void standing_drains(hub_t *self, link_t *link);

/* A BYE came: it has ended. */
void standing_left(hub_t *self, link_t *link);

/* An ERROR came: it is logged, and a loop number that is another's given up. */
void standing_refused(hub_t *self, const link_t *link,
                      const message_error_t *error);

/* Once a turn: is it silent, is its greeting due again, is it missed? */
void standing_step(hub_t *self, link_t *link);

/*
 * A broker joins: greet it.
 *
 * number     one that no link has; there are at most GATEWAY_BROKERS_MAX
 * settle_ms  for so long its workers may not have heard of it: connections are
 *            placed at others, if there are any
 */
link_t *standing_add(hub_t *self, uint32_t number, const char *endpoint,
                     int64_t settle_ms);

/*
 * Nobody would miss the link: its broker never came or is gone, and no session
 * is at it.
 */
bool standing_is_spent(const hub_t *self, const link_t *link);

/* Remove a link that is spent. */
void standing_remove(hub_t *self, link_t *link);

#endif
