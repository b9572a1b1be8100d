/* SPDX-License-Identifier: MIT
 *
 * How fast an open connection may send: frames (messages, then, for whoever
 * does not cut them; pings and pongs with them) and bytes a second.  Who is
 * faster is not read until there are tokens again: nothing is dropped, nothing
 * refused, and TCP tells the client.  Loop thread only.
 */
#ifndef GATEWAY_THROTTLE_H
#define GATEWAY_THROTTLE_H

#include "gateway/hub.h"

/* What a setting means: of sockets that are looked at 20 times a second a
 * burst below a tenth of the rate could not be used, so it counts as that. */
rate_t throttle_rate(int64_t per_s, int64_t burst);

/* May it send on? */
static inline bool throttle_allows(const session_t *session)
{
    const hub_t *hub = session->hub;

    return tokens_have(&session->messages, &hub->message_rate, hub->now_ms) &&
           tokens_have(&session->bytes, &hub->byte_rate, hub->now_ms);
}

static inline void throttle_spend_frame(session_t *session)
{
    const hub_t *hub = session->hub;

    tokens_spend(&session->messages, &hub->message_rate, hub->now_ms, 1);
}

/* Of a read, which is taken whole: what there is too much is owed. */
static inline void throttle_spend_bytes(session_t *session, size_t count)
{
    const hub_t *hub = session->hub;

    tokens_spend(&session->bytes, &hub->byte_rate, hub->now_ms, (int64_t)count);
}

/* It is not allowed, and not read until it is. */
void throttle_begin(session_t *session);

/* How long until it is allowed; 0: it is. */
int64_t throttle_wait_ms(const session_t *session);

#endif
