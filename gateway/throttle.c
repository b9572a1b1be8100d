/* SPDX-License-Identifier: MIT */
#include "gateway/throttle.h"

#define SMALLEST_BURST 10 /* of a second's */

rate_t throttle_rate(int64_t per_s, int64_t burst)
{
    int64_t least = per_s / SMALLEST_BURST;

    return rate_of(per_s, burst > 0 && burst < least ? least : burst);
}

/* Once for each connection, so that one that is always too fast does not hide
 * another. */
static void say(session_t *session)
{
    hub_t *hub = session->hub;
    bool is_by_messages =
        !tokens_have(&session->messages, &hub->message_rate, hub->now_ms);

    session->was_throttled = true;
    log_braked_from(&hub->refusals.throttled, session->ip, LEVEL_INFO,
                    "CONN-THROTTLED", "ip=%s limit=%s", session->ip,
                    is_by_messages ? "message-rate" : "byte-rate");
}

void throttle_begin(session_t *session)
{
    if (session->is_throttled) {
        return;
    }
    session->is_throttled = true;
    session->hub->stats.throttled++;
    if (!session->was_throttled) {
        say(session);
    }
}

int64_t throttle_wait_ms(const session_t *session)
{
    const hub_t *hub = session->hub;
    int64_t messages_ns =
        tokens_wait_ns(&session->messages, &hub->message_rate, hub->now_ms);
    int64_t bytes_ns =
        tokens_wait_ns(&session->bytes, &hub->byte_rate, hub->now_ms);
    int64_t wait_ns = messages_ns > bytes_ns ? messages_ns : bytes_ns;

    return (wait_ns + TOKENS_MS_NS - 1) / TOKENS_MS_NS;
}
