/* SPDX-License-Identifier: MIT
 *
 * Which connections have most messages.  Nobody keeps them in order: whoever
 * asks starts a walk through the table, a part of it in each turn, and is told
 * what the walk before has found, so that an answer costs the loop next to
 * nothing.  What counts is what a connection has said and heard between its
 * visits by the two walks.  Loop thread only.
 */
#ifndef GATEWAY_BUSIEST_H
#define GATEWAY_BUSIEST_H

#include "gateway/hub.h"

#define BUSIEST_A_TURN 1024 /* slots that are looked at */

/* Somebody asks: begin a walk, unless one is under way or began only now. */
void busiest_ask(hub_t *hub);

/* A turn's part of the walk. */
void busiest_step(hub_t *hub);

static inline bool busiest_is_walking(const hub_t *hub)
{
    return hub->busiest.is_walking;
}

#endif
