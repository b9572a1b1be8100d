/* SPDX-License-Identifier: MIT */
#include "broker/letter.h"

#include "proto/message.h"

#include <errno.h>

#define VERSION 1

int letter_put(buf_t *out, const letter_t *letter, int64_t died_ms)
{
    char conn[CONN_ID_TEXT];
    int rc;

    conn_id_format(&letter->conn, conn);
    if ((rc = wire_put_array(out, 8)) < 0 ||
        (rc = wire_put_uint(out, VERSION)) < 0 ||
        (rc = wire_put_uint(out, (uint64_t)died_ms)) < 0 ||
        (rc = wire_put_str(
             out, (wire_bytes_t){(const uint8_t *)conn, CONN_ID_TEXT})) < 0 ||
        (rc = wire_put_str(out, letter->route)) < 0 ||
        (rc = wire_put_body(out, &letter->body)) < 0 ||
        (rc = wire_put_raw(out, letter->context)) < 0 ||
        (rc = wire_put_uint(out, letter->number)) < 0) {
        return rc;
    }
    return wire_put_uint(out, letter->attempts);
}

int letter_get(wire_bytes_t bytes, letter_t *letter, int64_t *died_ms)
{
    wire_cursor_t in = wire_cursor(bytes);
    wire_bytes_t conn;
    uint64_t version, died;
    uint32_t count;

    if (wire_get_array(&in, &count) < 0 || count < 8 ||
        wire_get_uint(&in, &version) < 0 || version != VERSION ||
        wire_get_uint_max(&in, INT64_MAX, &died) < 0 ||
        wire_get_str(&in, &conn) < 0 ||
        conn_id_parse(conn.data, conn.len, &letter->conn) < 0 ||
        wire_get_str_max(&in, ROUTE_KEY_MAX, &letter->route) < 0 ||
        letter->route.len == 0 || wire_get_body(&in, &letter->body) < 0 ||
        wire_get_raw_map(&in, &letter->context) < 0 ||
        letter->context.len > CONTEXT_MAX ||
        wire_get_uint(&in, &letter->number) < 0 ||
        wire_get_uint(&in, &letter->attempts) < 0) {
        return -EBADMSG;
    }
    *died_ms = (int64_t)died;
    return 0;
}
