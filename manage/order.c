/* SPDX-License-Identifier: MIT */
#include "manage/order.h"

#include "base/utf8.h"
#include "proto/api_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NORMAL_CLOSE 1000

/* What can be asked. */
typedef struct {
    const char *method, *word;
    order_verb_t verb;
    const char *type;
    size_t name_max; /* bytes; 0: there is no name */
} row_t;

static const row_t table[] = {
    {"POST", "connections", ORDER_POST, "connection", CONN_ID_TEXT},
    {"GET", "connections", ORDER_GET, "connection", CONN_ID_TEXT},
    {"DELETE", "connections", ORDER_CLOSE, "connection", CONN_ID_TEXT},
    {"POST", "users", ORDER_CAST, "user", USER_MAX},
    {"POST", "tenants", ORDER_CAST, "tenant", TENANT_MAX},
    {"POST", "groups", ORDER_CAST, "group", GROUP_MAX},
    {"POST", "all", ORDER_CAST, "all", 0},
};

static const row_t *find_row(const http_request_t *request,
                             const api_path_t *path)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const row_t *row = &table[i];
        if (wire_is(path->word, row->word) &&
            wire_is(request->method, row->method) &&
            path->has_rest == (row->name_max > 0)) {
            return row;
        }
    }
    return NULL;
}

static bool is_segment(wire_bytes_t text)
{
    return text.len == 0 || memchr(text.data, '/', text.len) == NULL;
}

static bool is_our_stage(wire_bytes_t encoded, const char *stage)
{
    buf_t text;

    if (encoded.len == 0 || stage[0] == '\0') {
        return true;
    }
    buf_init(&text, encoded.len);
    bool is_ours = http_decode(encoded, false, &text) == 0 &&
                   wire_is((wire_bytes_t){text.data, text.len}, stage);
    buf_fini(&text);
    return is_ours;
}

/* --- names ---------------------------------------------------------------- */

static bool read_id(wire_bytes_t text, order_t *out)
{
    conn_id_t id;

    if (conn_id_parse(text.data, text.len, &id) < 0) {
        return false;
    }
    out->gateway = id.loop;
    return true;
}

static bool is_name(wire_bytes_t text, size_t max)
{
    return text.len > 0 && text.len <= max &&
           utf8_is_valid(text.data, text.len);
}

/* `detail` has the decoded name. */
static const fault_t *read_name(const row_t *row, order_t *out, buf_t *detail)
{
    wire_bytes_t name = {detail->data, detail->len};

    out->gateway = ORDER_ALL;
    if (row->verb != ORDER_CAST && !read_id(name, out)) {
        return &fault_id;
    }
    if (row->verb == ORDER_CAST && row->name_max > 0 &&
        !is_name(name, row->name_max)) {
        return &fault_name;
    }
    out->name_len = name.len;
    if (name.len > 0) {
        memcpy(out->name, name.data, name.len);
    }
    return NULL;
}

/* --- the query of a CLOSE ------------------------------------------------ */

static bool read_code(wire_bytes_t text, uint64_t *code)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i > 3) {
            return false;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *code = value;
    return close_code_is_allowed(value);
}

static bool read_reason(wire_bytes_t text, order_t *out)
{
    if (text.len > REASON_MAX || !utf8_is_valid(text.data, text.len)) {
        return false;
    }
    out->reason_len = text.len;
    if (text.len > 0) {
        memcpy(out->reason, text.data, text.len);
    }
    return true;
}

/* What else there is in the query is not ours to judge. */
static const fault_t *read_pair(wire_bytes_t name, order_t *out, buf_t *value)
{
    wire_bytes_t text = {value->data, value->len};

    if ((wire_is(name, "code") && !read_code(text, &out->code)) ||
        (wire_is(name, "reason") && !read_reason(text, out))) {
        return &fault_close;
    }
    return NULL;
}

static const fault_t *read_query(wire_bytes_t query, order_t *out,
                                 buf_t *detail)
{
    wire_bytes_t name, value;
    const fault_t *fault = NULL;

    out->code = NORMAL_CLOSE;
    while (fault == NULL && http_next_pair(&query, &name, &value)) {
        detail->len = 0;
        fault = http_decode(value, true, detail) < 0
                    ? &fault_syntax
                    : read_pair(name, out, detail);
    }
    return fault;
}

const fault_t *order_read(const http_request_t *request, const char *stage,
                          order_t *out, buf_t *detail)
{
    api_path_t path;

    memset(out, 0, sizeof *out);
    if (!api_path_parse(request->path, &path) ||
        !is_our_stage(path.stage, stage) || !is_segment(path.rest)) {
        return &fault_forbidden;
    }
    const row_t *row = find_row(request, &path);
    if (row == NULL) {
        return &fault_forbidden;
    }
    if (http_decode(path.rest, false, detail) < 0) {
        return &fault_syntax;
    }
    out->verb = row->verb;
    out->type = row->type;
    const fault_t *fault = read_name(row, out, detail);
    if (fault == NULL && row->verb == ORDER_CLOSE) {
        fault = read_query(request->query, out, detail);
    }
    return fault;
}
