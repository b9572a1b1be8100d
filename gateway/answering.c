/* SPDX-License-Identifier: MIT */
#include "gateway/answering.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define NAMES_MAX  ((size_t)GROUPS_MAX * (GROUP_MAX + 2))
#define ROW_MAX    (CONTEXT_MAX + NAMES_MAX + 128) /* bytes of a live row */
#define PAGE_ROWS  100   /* unless it is asked for more or fewer */
#define PAGE_BYTES 65536 /* of rows, and one more */
#define PAGE_STEPS 1024  /* members that are looked at for it */
#define CURSOR_MAX 48    /* bytes */

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

static int put_groups(buf_t *out, const member_t *member)
{
    const membership_t *at = NULL;
    int rc = wire_put_array(out, member->named);

    while (rc == 0 && (at = groups_named_after(member, at)) != NULL) {
        rc =
            wire_put_str(out, (wire_bytes_t){at->group->bytes, at->group->len});
    }
    return rc;
}

/* The context, and what only we know. */
static int put_live_context(buf_t *out, const session_t *session)
{
    wire_cursor_t in =
        wire_cursor((wire_bytes_t){session->context, session->context_len});
    uint32_t count = 0;

    (void)wire_get_map(&in, &count); /* empty, where there is none */
    wire_bytes_t pairs = {in.at, (size_t)(in.end - in.at)};
    uint64_t active_ms = last_active(session);
    int rc = wire_put_map(out, count + 2);
    if (rc == 0 && (rc = wire_put_raw(out, pairs)) == 0 &&
        (rc = wire_put_entry_uint(out, "last_active_at", active_ms)) == 0 &&
        (rc = wire_put_text(out, "groups")) == 0) {
        rc = put_groups(out, &session->member);
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

/* --- members of a group -------------------------------------------------- */

/*
 * Members come in the order in which they joined, by the numbers of that.  The
 * slot is that of the member where the page ended, so that the next need not
 * look for its place from the first on; it may be another's by now.
 */
typedef struct {
    uint64_t number; /* of the last row; 0: none yet */
    uint32_t slot;
} place_t;

typedef struct {
    place_t place;
    uint64_t limit; /* rows */
    uint32_t count; /* of them, so far */
    bool is_last;
    buf_t rows;
} page_t;

/* The digits in front of text, which moves behind them. */
static int take_number(wire_bytes_t *text, uint64_t max, uint64_t *number)
{
    size_t at = 0;

    *number = 0;
    for (; at < text->len && text->data[at] >= '0' && text->data[at] <= '9';
         at++) {
        uint64_t digit = (uint64_t)(text->data[at] - '0');
        if (*number > (max - digit) / 10) {
            return -EPROTO;
        }
        *number = *number * 10 + digit;
    }
    text->data += at;
    text->len -= at;
    return at > 0 ? 0 : -EPROTO;
}

/* "number.slot"; absent or empty: the first page. */
static int parse_place(wire_bytes_t text, place_t *place)
{
    uint64_t slot;

    *place = (place_t){.number = 0};
    if (text.len == 0) {
        return 0;
    }
    if (take_number(&text, UINT64_MAX, &place->number) < 0 || text.len == 0 ||
        *text.data != '.') {
        return -EPROTO;
    }
    text.data++;
    text.len--;
    if (take_number(&text, CONN_ID_SLOT_MAX, &slot) < 0 || text.len > 0) {
        return -EPROTO;
    }
    place->slot = (uint32_t)slot;
    return 0;
}

static const session_t *session_of(const membership_t *membership)
{
    return list_entry(membership->member, session_t, member);
}

/* Where to begin: all in front of it have been told.  NULL: at the first. */
static const membership_t *begin_at(const hub_t *hub, const group_t *group,
                                    const place_t *place)
{
    const session_t *session =
        place->slot < hub->used ? hub->table[place->slot] : NULL;
    const membership_t *at =
        session != NULL ? groups_membership(group, &session->member) : NULL;

    return at != NULL && at->number <= place->number ? at : NULL;
}

static bool is_full(const page_t *page)
{
    return page->count >= page->limit || page->rows.len >= PAGE_BYTES;
}

static int put_member(page_t *page, const session_t *session)
{
    char conn[CONN_ID_TEXT];
    size_t before = page->rows.len;

    conn_id_format(&session->id, conn);
    int rc =
        put_row(&page->rows, (wire_bytes_t){(const uint8_t *)conn, sizeof conn},
                session, false);
    if (rc < 0) {
        page->rows.len = before;
    }
    return rc;
}

/* One more, or -ENOBUFS where it is full; who is still at the gate has no row.
 */
static int take_member(page_t *page, const membership_t *membership)
{
    const session_t *session = session_of(membership);

    if (membership->number > page->place.number) {
        if (session->state == SESSION_OPEN) {
            int rc = is_full(page) ? -ENOBUFS : put_member(page, session);
            if (rc < 0) {
                return rc;
            }
            page->count++;
        }
        page->place.number = membership->number;
    }
    page->place.slot = session->id.slot;
    return 0;
}

static int gather(const hub_t *hub, const group_t *group, page_t *page)
{
    const membership_t *at = begin_at(hub, group, &page->place);

    for (int i = 0; i < PAGE_STEPS; i++) {
        at = groups_after(group, at);
        if (at == NULL) {
            page->is_last = true;
            return 0;
        }
        int rc = take_member(page, at);
        if (rc < 0) {
            return rc == -ENOBUFS ? 0 : rc;
        }
    }
    return 0;
}

static int put_cursor(buf_t *out, const place_t *place)
{
    char text[CURSOR_MAX];
    int rc = wire_put_map(out, 1);

    (void)snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu32, place->number,
                   place->slot);
    if (rc == 0 && (rc = wire_put_text(out, "cursor")) == 0) {
        rc = wire_put_text(out, text);
    }
    return rc;
}

static int put_count(buf_t *out, uint64_t count)
{
    int rc = wire_put_map(out, 1);

    if (rc == 0 && (rc = wire_put_text(out, "count")) == 0) {
        rc = wire_put_uint(out, count);
    }
    return rc;
}

/* Rows and, where there may be more, the cursor. */
static int put_page(const hub_t *hub, const group_t *group, page_t *page,
                    buf_t *rows, buf_t *options)
{
    int rc = group != NULL ? gather(hub, group, page) : 0;

    if (rc == 0 && (rc = wire_put_array(rows, page->count)) == 0) {
        rc =
            wire_put_raw(rows, (wire_bytes_t){page->rows.data, page->rows.len});
    }
    if (rc == 0 && group != NULL && !page->is_last) {
        rc = put_cursor(options, &page->place);
    }
    return rc;
}

static void answer_page(const hub_t *hub, link_t *link,
                        const message_query_t *query, const group_t *group)
{
    message_result_t result = {.id = query->id, .status = 200};
    page_t page = {.limit = wire_map_uint(query->options, "limit", PAGE_ROWS)};
    buf_t rows, options;

    buf_init(&page.rows, PAGE_BYTES + ROW_MAX);
    buf_init(&rows, PAGE_BYTES + ROW_MAX + 8);
    buf_init(&options, 256);
    if (parse_place(wire_map_str(query->options, "cursor"), &page.place) < 0) {
        result.status = 400;
    } else if (put_page(hub, group, &page, &rows, &options) < 0) {
        result.status = 503;
    } else {
        result.rows = (wire_bytes_t){rows.data, rows.len};
        result.options = (wire_bytes_t){options.data, options.len};
    }
    (void)message_put_result(&link->out, &result);
    buf_fini(&page.rows);
    buf_fini(&rows);
    buf_fini(&options);
}

static void answer_count(link_t *link, const message_query_t *query,
                         const group_t *group)
{
    message_result_t result = {.id = query->id, .status = 200};
    buf_t options;

    buf_init(&options, 64);
    if (put_count(&options, group != NULL ? group->count : 0) < 0) {
        result.status = 503;
    } else {
        result.options = (wire_bytes_t){options.data, options.len};
    }
    (void)message_put_result(&link->out, &result);
    buf_fini(&options);
}

static void answer_group(const hub_t *hub, link_t *link,
                         const message_query_t *query, wire_bytes_t name)
{
    const group_t *group = groups_find(&hub->groups, GROUP_NAMED, name);

    if (wire_map_bool(query->options, "count", false)) {
        answer_count(link, query, group);
    } else {
        answer_page(hub, link, query, group);
    }
}

/* --- what is asked ------------------------------------------------------- */

void answering_query(hub_t *hub, link_t *link, const message_query_t *query)
{
    wire_cursor_t what = wire_cursor(query->what);
    wire_bytes_t word, name;
    uint32_t count;

    hub->stats.queries++;
    bool is_read = wire_get_array(&what, &count) == 0 && count >= 2 &&
                   wire_get_str(&what, &word) == 0 &&
                   wire_get_str(&what, &name) == 0;
    if (is_read && wire_is(word, "connection")) {
        answer_connection(hub, link, query, name);
    } else if (is_read && wire_is(word, "group")) {
        answer_group(hub, link, query, name);
    } else {
        hub_malformed(hub, "what a QUERY asks for");
    }
}
