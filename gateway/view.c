/* SPDX-License-Identifier: MIT */
#include "gateway/view.h"

#include "base/question.h"
#include "gateway/ranking.h"
#include "gateway/rows.h"
#include "gateway/summary.h"
#include "proto/json_out.h"

#include <string.h>

static unsigned refuse(buf_t *out, const char *why)
{
    return buf_put(out, why, strlen(why)) < 0 ? 500 : 400;
}

/* A page: from where in our table, and how many rows. */
static int get_page(const hub_t *hub, const char *question, uint64_t *at,
                    uint64_t *limit)
{
    uint64_t most = (uint64_t)hub->options.loops << VIEW_LOOP_SHIFT;
    uint64_t cursor = 0;

    *limit = VIEW_ROWS;
    int rc = question_number(question, "cursor", most - 1, &cursor);
    *at = cursor & UINT32_MAX;
    return rc < 0 ? rc : question_number(question, "limit", VIEW_ROWS, limit);
}

static unsigned refuse_page(buf_t *out)
{
    return refuse(out, "limit is a number up to 200, cursor what the page "
                       "before has said\n");
}

/* There is more from this entry on, or in the next loop. */
static void put_cursor(json_out_t *out, const hub_t *hub, uint64_t at,
                       uint64_t end)
{
    uint64_t loop = (uint64_t)hub->options.loop;

    if (at < end) {
        json_put_field_uint(out, "cursor", loop << VIEW_LOOP_SHIFT | at);
    } else if (loop + 1 < (uint64_t)hub->options.loops) {
        json_put_field_uint(out, "cursor", (loop + 1) << VIEW_LOOP_SHIFT);
    }
}

/* --- STATUS -------------------------------------------------------------- */

/* As of several loops, of which there is one. */
static unsigned view_status(const hub_t *hub, const char *address, buf_t *text)
{
    report_t report;
    buf_t bytes;

    buf_init(&bytes, REPORT_MAX);
    unsigned status = report_put(hub, &bytes);
    if (status == 200) {
        report_read((wire_bytes_t){bytes.data, bytes.len}, &report);
        status = summary_status(&report, 1, hub->options.name, address, text);
    }
    buf_fini(&bytes);
    return status;
}

/* --- CONNECTIONS --------------------------------------------------------- */

static unsigned view_busiest(hub_t *hub, uint64_t limit, buf_t *text)
{
    buf_t bytes;

    buf_init(&bytes, REPORT_MAX);
    unsigned status = ranking_put(hub, &bytes);
    if (status == 200) {
        wire_bytes_t rows = {bytes.data, bytes.len};
        status = ranking_show(&rows, 1, limit, text);
    }
    buf_fini(&bytes);
    return status;
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
            row_put_session(&out, session);
            json_put_close(&out, '}');
            limit--;
        }
    }
    json_put_close(&out, ']');
    put_cursor(&out, hub, slot, hub->used);
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
    if (get_page(hub, question, &cursor, &limit) < 0) {
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

    if (get_page(hub, question, &at, &limit) < 0) {
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
    put_cursor(&out, hub, at, groups->listed_used);
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
