/* SPDX-License-Identifier: MIT
 *
 * Telling handlers of $presence who joins and leaves groups (PROTOCOL.md
 * section 8).  A connection's memberships are the truth; a PRESENCE says how
 * they differ from what was told last, one at a time, so that whatever happens
 * while it is under way becomes one more.  Its last says that it has left all,
 * and comes before its DISCONNECT.  Loop thread only.
 */
#ifndef GATEWAY_PRESENCE_H
#define GATEWAY_PRESENCE_H

#include "gateway/hub.h"

void presence_init(hub_t *hub);

/* Does this broker say that $presence is served? */
void presence_watch(hub_t *hub, link_t *link, bool is_watching);

/* Does any? */
bool presence_is_watched(const hub_t *hub);

/* The session's groups, or whether they may be told, may have changed: look at
 * the end of the turn. */
void presence_touch(session_t *session);

/* Has it something to tell, or something told without a REPLY, before its
 * DISCONNECT may be said?  Says so, if it can. */
bool presence_holds(session_t *session);

/* Is a PRESENCE without its REPLY? */
bool presence_is_under_way(const session_t *session);

/* It got its REPLY; one of status 503 says that nobody was told.  Or it was
 * given up.  What was not told is said again as it was. */
void presence_reply(session_t *session, uint64_t status);
void presence_abandoned(session_t *session);

/* Append the array of groups that handlers may know it to be in.  Nothing is
 * appended when there are none.  Returns as wire_put_array, or 1. */
int presence_put_groups(buf_t *out, const session_t *session);

/* Bytes of that at most. */
#define PRESENCE_GROUPS_BYTES ((size_t)2 * GROUPS_MAX * (GROUP_MAX + 2) + 8)

void presence_fini(session_t *session);

/* End of turn: some of those that were touched. */
void presence_step(hub_t *hub);

/* Is there more to do at once? */
bool presence_is_busy(const hub_t *hub);

#endif
