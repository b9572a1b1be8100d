/* SPDX-License-Identifier: MIT
 *
 * Tells brokers which users, tenants and groups are here (INTEREST, PROTOCOL.md
 * section 8): the whole list behind that of the connections, a part a turn,
 * and from then on what comes and goes, once a turn.  Loop thread only.
 */
#ifndef GATEWAY_TELLING_H
#define GATEWAY_TELLING_H

#include "gateway/hub.h"

/* The link has just come up: the first part goes out before any REQUEST. */
void telling_start(hub_t *hub, link_t *link);

/* The next part, if one is due. */
void telling_step(hub_t *hub, link_t *link);

/* What came and went in this turn. */
void telling_flush(hub_t *hub);

#endif
