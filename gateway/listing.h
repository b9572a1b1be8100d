/* SPDX-License-Identifier: MIT
 *
 * What a broker is told of connections by SYNC: the list after a WELCOME, and
 * those that come from another broker or went there.  In parts, the next when
 * the last was read, so that neither a frame nor a queue grows with the number
 * of connections.  Loop thread only.
 */
#ifndef GATEWAY_LISTING_H
#define GATEWAY_LISTING_H

#include "gateway/hub.h"

/* The broker has welcomed us: what it may know of us is put in order, and its
 * list begins. */
void listing_start(hub_t *hub, link_t *link, link_welcome_t meaning);

/* Once a turn: the next part, if there is one and it is time. */
void listing_step(hub_t *hub, link_t *link);

#endif
