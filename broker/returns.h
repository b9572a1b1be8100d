/* SPDX-License-Identifier: MIT
 *
 * A gateway whose transport broke may be back in a moment, by another one.  Its
 * connections stand meanwhile.  What was on its way, either way, may be lost,
 * so neither side waits for it: requests are over (the gateway tells its
 * clients so), pushes count as gone, and what changes a connection that was let
 * in (JOIN, LEAVE, CLOSE) is said again.
 */
#ifndef BROKER_RETURNS_H
#define BROKER_RETURNS_H

#include "broker/state.h"

#define RETURN_MS 2000 /* for a gateway to come back */

/* A doomed peer.  true: it is a gateway that is waited for, and no longer
 * doomed. */
bool returns_keep(core_t *core, peer_t *peer);

/* Is the time over of one that is waited for? */
bool returns_is_late(const core_t *core, const peer_t *peer);

/*
 * `former` greets as `peer`: if it is a gateway that can go on, it does, as
 * `peer`.  false: it cannot, and is to be ended.
 */
bool returns_take(core_t *core, peer_t *former, peer_t *peer,
                  const message_hello_t *hello);

/* It is welcomed: what was for it meanwhile follows. */
void returns_welcomed(core_t *core, peer_t *former, peer_t *peer);

#endif
