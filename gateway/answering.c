/* SPDX-License-Identifier: MIT */
#include "gateway/answering.h"

#define ROW_MAX (CONTEXT_MAX + 128) /* bytes of a row: with its live part */

/* --- one connection ------------------------------------------------------ */

/* 200: its DISCONNECT will come; 410: it was handled; 404: neither. */
static uint64_t status_of(const hub_t *hub, const session_t *session,
                          wire_bytes_t conn)
{
    conn_id_t id;

    if (session != NULL && (session->is_known || session->is_connecting)) {
        return 200;
    }
    bool is_id = conn_id_parse(conn.data, conn.len, &id) == 0;
    return is_id && farewells_has(&hub->farewells, &id) ? 410 : 404;
}

/* Unix ms of its client's last word, or of the last message to it. */
static uint64_t last_active(const session_t *session)
{
    const hub_t *hub = session->hub;
    int64_t last_ms = session->heard_ms > session->message_ms
                          ? session->heard_ms
                          : session->message_ms;

    return (uint64_t)(hub->now_wall_ms - (hub->now_ms - last_ms));
}

/* The context, and what only we know. */
static int put_live_context(buf_t *out, const session_t *session)
{
    wire_cursor_t in =
        wire_cursor((wire_bytes_t){session->context, session->context_len});
    uint32_t count = 0;

    (void)wire_get_map(&in, &count); /* empty, where there is none */
    wire_bytes_t pairs = {in.at, (size_t)(in.end - in.at)};
    int rc = wire_put_map(out, count + 1);
    if (rc == 0 && (rc = wire_put_raw(out, pairs)) == 0 &&
        (rc = wire_put_text(out, "last_active_at")) == 0) {
        rc = wire_put_uint(out, last_active(session));
    }
    return rc;
}

static int put_context(buf_t *out, const session_t *session)
{
    wire_bytes_t context = {session->context, session->context_len};

    return context.len > 0 ? wire_put_raw(out, context) : wire_put_map(out, 0);
}

static int put_row(buf_t *out, wire_bytes_t conn, const session_t *session,
                   bool is_live)
{
    int rc = wire_put_array(out, 2);

    if (rc == 0 && (rc = wire_put_str(out, conn)) == 0) {
        rc = is_live ? put_live_context(out, session)
                     : put_context(out, session);
    }
    return rc;
}

static void answer_connection(hub_t *hub, link_t *link,
                              const message_query_t *query, wire_bytes_t conn)
{
    message_result_t result = {.id = query->id};
    const session_t *session = hub_find_conn(hub, conn);
    bool is_live = wire_map_bool(query->options, "live", false);
    buf_t rows;

    result.status = status_of(hub, session, conn);
    if (is_live && result.status == 200 && session->state != SESSION_OPEN) {
        result.status = 404;
    }
    buf_init(&rows, ROW_MAX);
    int rc = result.status == 200 ? wire_put_array(&rows, 1) : 0;
    if (rc == 0 && result.status == 200) {
        rc = put_row(&rows, conn, session, is_live);
        result.rows = (wire_bytes_t){rows.data, rows.len};
    }
    if (rc == 0) {
        (void)message_put_result(&link->out, &result);
    }
    buf_fini(&rows);
}

/* --- what is asked ------------------------------------------------------- */

void answering_query(hub_t *hub, link_t *link, const message_query_t *query)
{
    wire_cursor_t what = wire_cursor(query->what);
    wire_bytes_t word, name;
    uint32_t count;

    hub->stats.queries++;
    if (wire_get_array(&what, &count) < 0 || count < 2 ||
        wire_get_str(&what, &word) < 0 || !wire_is(word, "connection") ||
        wire_get_str(&what, &name) < 0) {
        hub_malformed(hub, "what a QUERY asks for");
        return;
    }
    answer_connection(hub, link, query, name);
}
