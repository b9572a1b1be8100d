/* SPDX-License-Identifier: MIT */
#include "gateway/view.h"

#include "base/question.h"
#include "gateway/busiest.h"
#include "gateway/report.h"
#include "proto/json_out.h"

#include <string.h>

#define REASONS_MAX 512 /* bytes */

static unsigned refuse(buf_t *out, const char *why)
{
    return buf_put(out, why, strlen(why)) < 0 ? 500 : 400;
}

/* A page: from where, and how many rows. */
static int get_page(const char *question, uint64_t *cursor, uint64_t *limit)
{
    *cursor = 0;
    *limit = VIEW_ROWS;
    int rc = question_number(question, "cursor", UINT32_MAX, cursor);

    return rc < 0 ? rc : question_number(question, "limit", VIEW_ROWS, limit);
}

static unsigned refuse_page(buf_t *out)
{
    return refuse(out, "limit is a number up to 200, cursor what the page "
                       "before has said\n");
}

/* There is more from this entry on. */
static void put_cursor(json_out_t *out, uint64_t at, uint64_t end)
{
    if (at < end) {
        json_put_field_uint(out, "cursor", at);
    }
}

/* --- STATUS -------------------------------------------------------------- */

static const char *state_of(const link_t *link)
{
    if (link->state == LINK_UP) {
        return link->is_draining ? "drains" : "up";
    }
    return link->is_lost ? "lost" : "greeting";
}

static void put_broker(json_out_t *out, const hub_t *hub, const link_t *link)
{
    json_put_open(out, '{');
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

/* What is said for people when somebody asks whether it is ready. */
static void put_ready(json_out_t *out, const hub_t *hub)
{
    buf_t lines;

    buf_init(&lines, REASONS_MAX);
    json_put_field_bool(out, "ready", gateway_ready(hub, &lines) == 200);
    json_put_key(out, "reasons");
    json_put_lines(out, (wire_bytes_t){lines.data, lines.len});
    buf_fini(&lines);
}

static void put_counters(json_out_t *out, const gateway_stats_t *stats)
{
    json_put_key(out, "counters");
    json_put_open(out, '{');
#define X(name, kind, unit, meaning)                                           \
    json_put_field_uint(out, #name, stats->name);
    GATEWAY_STATS(X)
#undef X
    json_put_close(out, '}');
}

static unsigned view_status(hub_t *hub, const char *address, buf_t *text)
{
    json_out_t out = json_out(text);

    json_put_open(&out, '{');
    json_put_field(&out, "name", wire_bytes(hub->options.name));
    json_put_field(&out, "address", wire_bytes(address));
    json_put_field_uint(&out, "loop", hub->loop);
    json_put_field_uint(&out, "uptime_ms",
                        (uint64_t)(hub->now_ms - hub->born_ms));
    put_ready(&out, hub);
    json_put_field_bool(&out, "draining", hub->is_draining);
    json_put_field_uint(&out, "groups", hub->groups.table.count);
    json_put_key(&out, "brokers");
    json_put_open(&out, '[');
    for (size_t i = 0; i < hub->link_count; i++) {
        put_broker(&out, hub, hub->links[i]);
    }
    json_put_close(&out, ']');
    put_counters(&out, &hub->stats);
    json_put_close(&out, '}');
    return out.rc < 0 ? 500 : 200;
}

/* --- CONNECTIONS --------------------------------------------------------- */

static int64_t wall_of(const hub_t *hub, int64_t mono_ms)
{
    return hub->now_wall_ms - (hub->now_ms - mono_ms);
}

static void put_session(json_out_t *out, const session_t *session)
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

static unsigned view_busiest(hub_t *hub, uint64_t limit, buf_t *text)
{
    const busiest_t *busiest = &hub->busiest;
    json_out_t out = json_out(text);

    busiest_ask(hub);
    json_put_open(&out, '{');
    json_put_field_uint(&out, "over_ms", (uint64_t)busiest->told_ms);
    json_put_key(&out, "connections");
    json_put_open(&out, '[');
    for (size_t i = 0; i < busiest->told_count && i < limit; i++) {
        const busy_t *busy = &busiest->told[i];
        const session_t *session = hub_find(hub, &busy->id);
        if (session != NULL && session->state == SESSION_OPEN) {
            json_put_open(&out, '{');
            put_session(&out, session);
            json_put_field_uint(&out, "messages", busy->messages);
            json_put_close(&out, '}');
        }
    }
    json_put_close(&out, ']');
    json_put_close(&out, '}');
    return out.rc < 0 ? 500 : 200;
}

static unsigned view_page(const hub_t *hub, uint64_t slot, uint64_t limit,
                          buf_t *text)
{
    json_out_t out = json_out(text);
    uint64_t end = slot + VIEW_SLOTS;

    json_put_open(&out, '{');
    json_put_key(&out, "connections");
    json_put_open(&out, '[');
    for (; slot < end && slot < hub->used && limit > 0; slot++) {
        const session_t *session = hub->table[slot];
        if (session != NULL && session->state == SESSION_OPEN) {
            json_put_open(&out, '{');
            put_session(&out, session);
            json_put_close(&out, '}');
            limit--;
        }
    }
    json_put_close(&out, ']');
    put_cursor(&out, slot, hub->used);
    json_put_close(&out, '}');
    return out.rc < 0 ? 500 : 200;
}

static unsigned view_connections(hub_t *hub, const char *question, buf_t *text)
{
    uint64_t cursor, limit, busiest = BUSIEST_MAX;

    if (question_number(question, "busiest", BUSIEST_MAX, &busiest) < 0) {
        return refuse(text, "busiest is a number up to 32\n");
    }
    if (question_has(question, "busiest")) {
        return view_busiest(hub, busiest, text);
    }
    if (get_page(question, &cursor, &limit) < 0) {
        return refuse_page(text);
    }
    return view_page(hub, cursor, limit, text);
}

/* --- GROUPS -------------------------------------------------------------- */

static const char *const types[] =
    {[GROUP_USER] = "user", [GROUP_TENANT] = "tenant", [GROUP_NAMED] = "group"};

#define TYPES (sizeof types / sizeof *types)

static void put_group(json_out_t *out, const group_t *group)
{
    json_put_open(out, '{');
    json_put_field(out, "type", wire_bytes(types[group->type]));
    json_put_field(out, "name", (wire_bytes_t){group->bytes, group->len});
    json_put_field_uint(out, "members", group->count);
    json_put_close(out, '}');
}

static unsigned view_groups(const hub_t *hub, const char *question, buf_t *text)
{
    const groups_t *groups = &hub->groups;
    json_out_t out = json_out(text);
    uint64_t at, limit;

    if (get_page(question, &at, &limit) < 0) {
        return refuse_page(text);
    }
    uint64_t end = at + VIEW_SLOTS;
    json_put_open(&out, '{');
    json_put_key(&out, "groups");
    json_put_open(&out, '[');
    for (; at < end && at < groups->listed_used && limit > 0; at++) {
        const group_t *group = groups->listed[at];
        if (group != NULL && group->type < TYPES && group->count > 0 &&
            (!question_has(question, "type") ||
             question_says(question, "type", types[group->type]))) {
            put_group(&out, group);
            limit--;
        }
    }
    json_put_close(&out, ']');
    put_cursor(&out, at, groups->listed_used);
    json_put_close(&out, '}');
    return out.rc < 0 ? 500 : 200;
}

unsigned gateway_view(hub_t *hub, const char *address, const char *question,
                      buf_t *out)
{
    if (question_is(question, "STATUS")) {
        return view_status(hub, address, out);
    }
    if (question_is(question, "CONNECTIONS") &&
        !question_says(question, "of", "broker")) {
        return view_connections(hub, question, out);
    }
    if (question_is(question, "GROUPS")) {
        return view_groups(hub, question, out);
    }
    return 404;
}
