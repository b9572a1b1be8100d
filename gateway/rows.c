/* SPDX-License-Identifier: MIT */
#include "gateway/rows.h"

static const char *state_of(const link_t *link)
{
    if (link->state == LINK_UP) {
        return link->is_draining ? "drains" : "up";
    }
    return link->is_lost ? "lost" : "greeting";
}

void row_put_broker(json_out_t *out, const hub_t *hub, const link_t *link)
{
    json_put_open(out, '{');
    if (hub->options.loops > 1) {
        json_put_field_uint(out, "loop", (uint64_t)hub->options.loop + 1);
    }
    json_put_field(out, "endpoint", wire_bytes(link->endpoint));
    json_put_field(out, "state", wire_bytes(state_of(link)));
    json_put_field(out, "boot", wire_bytes(link->boot));
    json_put_field_uint(out, "window", link->window);
    json_put_field_uint(out, "window_bytes", link->window_bytes);
    json_put_field_uint(out, "in_flight", link->in_flight);
    json_put_field_uint(out, "in_flight_bytes", link->in_flight_bytes);
    if (link->last_heard_ms > 0) { /* else it never was */
        json_put_field_uint(out, "silent_ms",
                            (uint64_t)(hub->now_ms - link->last_heard_ms));
    }
    json_put_close(out, '}');
}

static int64_t wall_of(const hub_t *hub, int64_t mono_ms)
{
    return hub->now_wall_ms - (hub->now_ms - mono_ms);
}

void row_put_session(json_out_t *out, const session_t *session)
{
    const hub_t *hub = session->hub;
    wire_bytes_t context = {session->context, session->context_len};
    char id[CONN_ID_TEXT];

    conn_id_format(&session->id, id);
    json_put_field(out, "id", (wire_bytes_t){(const uint8_t *)id, sizeof id});
    json_put_field_if(out, "user", wire_map_str(context, "user"));
    json_put_field_if(out, "tenant", wire_map_str(context, "tenant"));
    json_put_field(out, "ip", wire_bytes(session->ip));
    json_put_field_uint(out, "connected_at",
                        (uint64_t)wall_of(hub, session->opened_ms));
    json_put_field_uint(out, "active_at",
                        (uint64_t)wall_of(hub, session->message_ms));
    json_put_field_uint(out, "messages_in", session->messages_in);
    json_put_field_uint(out, "messages_out", session->messages_out);
    json_put_field_uint(out, "in_flight", session->in_flight);
    json_put_field_uint(out, "queued_bytes", session_queued(session));
    json_put_field_bool(out, "paused", session->is_paused);
    json_put_field_uint(out, "groups", session->member.named);
}
