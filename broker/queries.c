/* SPDX-License-Identifier: MIT */
#include "broker/queries.h"

#include "broker/interests.h"
#include "broker/live.h"
#include "broker/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 100

typedef struct {
    store_op_t op;
    core_t *core; /* NULL: it is no more */
    list_t linked;
    asker_t asker;
} query_t;

/* --- the answer ---------------------------------------------------------- */

static uint64_t status_of(int rc)
{
    switch (rc) {
    case 0:
        return 200;
    case -ENOENT:
        return 404;
    case -EINVAL:
        return 400;
    case -ETIMEDOUT:
        return 504;
    default:
        return 503;
    }
}

static int put_rows(buf_t *out, const store_result_t *result)
{
    char id[CONN_ID_TEXT];
    int rc = wire_put_array(out, (uint32_t)result->row_count);

    for (size_t i = 0; i < result->row_count && rc == 0; i++) {
        const store_row_t *row = &result->rows[i];
        conn_id_format(&row->id, id);
        if ((rc = wire_put_array(out, 2)) == 0 &&
            (rc = wire_put_str(
                 out, (wire_bytes_t){(uint8_t *)id, CONN_ID_TEXT})) == 0) {
            rc = wire_put_raw(out, row->context);
        }
    }
    return rc;
}

static int put_options(buf_t *out, store_verb_t verb,
                       const store_result_t *result)
{
    bool is_count = verb == STORE_COUNT;

    if (!is_count && result->cursor.len == 0) {
        return 0;
    }
    int rc = wire_put_map(out, 1);
    if (rc < 0) {
        return rc;
    }
    return is_count ? wire_put_entry_uint(out, "count", result->count)
                    : wire_put_entry_str(out, "cursor", result->cursor);
}

static void say(core_t *core, worker_t *worker, const message_result_t *result)
{
    peer_sent(core, worker->peer,
              message_put_result(peer_out(core, worker->peer), result));
}

void queries_done(core_t *core, uint64_t handle, const message_result_t *result)
{
    worker_t *worker = peers_worker(core, handle);

    if (worker != NULL) {
        worker->queries--;
        say(core, worker, result);
    }
}

static void answer(core_t *core, const query_t *query, int rc,
                   const store_result_t *result)
{
    message_result_t message = {.id = query->asker.id, .status = status_of(rc)};
    buf_t parts;

    buf_init(&parts, FRAME_MAX / 2);
    if (rc == 0) {
        rc = put_rows(&parts, result);
        size_t rows_len = parts.len;
        rc = rc < 0 ? rc : put_options(&parts, query->op.verb, result);
        message.rows = (wire_bytes_t){parts.data, rows_len};
        message.options =
            (wire_bytes_t){parts.data + rows_len, parts.len - rows_len};
    }
    if (rc < 0 && message.status == 200) {
        message = (message_result_t){.id = query->asker.id, .status = 503};
    }
    queries_done(core, query->asker.worker, &message);
    buf_fini(&parts);
}

static void on_done(store_op_t *op, int rc, const store_result_t *result)
{
    query_t *query = op->user;
    core_t *core = query->core;

    list_remove(&query->linked);
    if (core != NULL) {
        answer(core, query, rc, result);
    }
    free(query);
}

/* --- the question -------------------------------------------------------- */

static int parse_id(wire_cursor_t *in, conn_id_t *id)
{
    wire_bytes_t text;

    if (wire_get_str(in, &text) < 0) {
        return -EPROTO;
    }
    /* Whatever else a client may have called an id: nobody has it. */
    return conn_id_parse(text.data, text.len, id) < 0 ? -ENOENT : 0;
}

static int parse_name(wire_cursor_t *in, size_t max, store_op_t *op)
{
    return wire_get_str_max(in, max, &op->key);
}

static int parse_group(wire_cursor_t *in, wire_bytes_t *group)
{
    if (wire_get_str(in, group) < 0 || !name_fits(NAME_GROUP, *group)) {
        return -EPROTO;
    }
    return 0;
}

/* 0, with *group set where it is for gateways; -EPROTO: it breaks the rules;
 * -ENOENT: there is no such connection. */
static int parse_what(wire_bytes_t what, store_op_t *op, wire_bytes_t *group)
{
    wire_cursor_t in = wire_cursor(what);
    wire_bytes_t word;
    uint32_t count;

    if (wire_get_array(&in, &count) < 0 || count == 0 ||
        wire_get_str(&in, &word) < 0) {
        return -EPROTO;
    }
    if (wire_is(word, "count")) {
        op->verb = STORE_COUNT;
        return 0;
    }
    if (count < 2) {
        return -EPROTO;
    }
    if (wire_is(word, "connection")) {
        op->verb = STORE_GET;
        return parse_id(&in, &op->id);
    }
    if (wire_is(word, "user")) {
        op->verb = STORE_LIST_USER;
        return parse_name(&in, USER_MAX, op);
    }
    if (wire_is(word, "tenant")) {
        op->verb = STORE_LIST_TENANT;
        return parse_name(&in, TENANT_MAX, op);
    }
    return wire_is(word, "group") ? parse_group(&in, group) : -EPROTO;
}

static uint32_t limit_of(wire_bytes_t options)
{
    uint64_t limit = wire_map_uint(options, "limit", PAGE_DEFAULT);

    if (limit == 0) {
        return 1;
    }
    return limit < STORE_PAGE_MAX ? (uint32_t)limit : STORE_PAGE_MAX;
}

static void refuse(core_t *core, worker_t *worker, uint64_t id, uint64_t status)
{
    say(core, worker, &(message_result_t){.id = id, .status = status});
}

/* 0: the RESULT follows; or the status of the refusal. */
static uint64_t ask_store(core_t *core, asker_t asker, const store_op_t *op)
{
    query_t *query = calloc(1, sizeof *query);

    if (query == NULL) {
        return 503;
    }
    query->op = *op;
    query->op.user = query;
    query->core = core;
    query->asker = asker;
    list_init(&query->op.link);
    list_append(&core->queries, &query->linked);
    store_submit(core->store, &query->op);
    return 0;
}

static uint64_t ask(core_t *core, asker_t asker, const store_op_t *op,
                    wire_bytes_t group, wire_bytes_t options)
{
    if (group.len > 0) {
        members_t members = {group, op->cursor, op->limit,
                             wire_map_bool(options, "count", false)};
        return live_members(core, asker, &members);
    }
    if (op->verb == STORE_GET && wire_map_bool(options, "live", false)) {
        return live_connection(core, asker, &op->id);
    }
    return ask_store(core, asker, op);
}

static uint32_t queries_max(const worker_t *worker)
{
    return worker->is_manager ? MANAGER_QUERIES_MAX : QUERIES_MAX;
}

void queries_ask(core_t *core, worker_t *worker, const message_query_t *asked)
{
    store_op_t op = {.done = on_done, .limit = limit_of(asked->options)};
    wire_bytes_t group = {NULL, 0};
    int rc = parse_what(asked->what, &op, &group);

    op.cursor = wire_map_str(asked->options, "cursor");
    if (op.cursor.len > STORE_CURSOR_MAX) {
        rc = -EPROTO;
    }

    core->stats.queries++;
    if (rc < 0) {
        refuse(core, worker, asked->id, rc == -ENOENT ? 404 : 400);
        return;
    }
    if (worker->queries >= queries_max(worker)) {
        refuse(core, worker, asked->id, 429);
        return;
    }
    worker->queries++;
    uint64_t status = ask(core, (asker_t){worker->handle, asked->id}, &op,
                          group, asked->options);
    if (status != 0) {
        worker->queries--;
        refuse(core, worker, asked->id, status);
    }
}

void queries_init(core_t *core)
{
    list_init(&core->queries);
}

void queries_fini(core_t *core)
{
    list_t *link;

    while ((link = list_take(&core->queries)) != NULL) {
        list_entry(link, query_t, linked)->core = NULL;
    }
}
