/* SPDX-License-Identifier: MIT */
#include "store/redis_row.h"

#include "proto/message.h"

#include <errno.h>

#define ELEMENTS 4

int redis_row_put(buf_t *out, const store_row_t *row)
{
    int rc = wire_put_array(out, ELEMENTS);

    rc = rc < 0 ? rc : wire_put_uint(out, (uint64_t)row->expires_ms);
    rc = rc < 0 ? rc : wire_put_uint(out, row->ttl_s);
    rc = rc < 0 ? rc : wire_put_str(out, row->writer);
    if (rc == 0 && row->context.len == 0) {
        return wire_put_map(out, 0);
    }
    return rc < 0 ? rc : wire_put_raw(out, row->context);
}

int redis_row_get(wire_bytes_t value, store_row_t *row)
{
    wire_cursor_t in = wire_cursor(value);
    wire_bytes_t later;
    uint64_t expires_ms, ttl_s;
    uint32_t count;

    if (value.len > REDIS_ROW_MAX || wire_get_array(&in, &count) < 0 ||
        count < ELEMENTS ||
        wire_get_uint_max(&in, INT64_MAX, &expires_ms) < 0 ||
        wire_get_uint_max(&in, UINT32_MAX, &ttl_s) < 0 ||
        wire_get_str_max(&in, BOOT_ID_MAX, &row->writer) < 0 ||
        wire_get_raw_map(&in, &row->context) < 0 ||
        row->context.len > CONTEXT_MAX) {
        return -EPROTO;
    }
    for (uint32_t i = ELEMENTS; i < count; i++) {
        if (wire_get_raw(&in, &later) < 0) {
            return -EPROTO;
        }
    }
    row->expires_ms = (int64_t)expires_ms;
    row->ttl_s = (uint32_t)ttl_s;
    return wire_at_end(&in) ? 0 : -EPROTO;
}

wire_bytes_t redis_row_head(wire_bytes_t value)
{
    wire_cursor_t in = wire_cursor(value);
    uint64_t expires_ms;
    uint32_t count;

    if (wire_get_array(&in, &count) < 0 ||
        wire_get_uint(&in, &expires_ms) < 0) {
        return (wire_bytes_t){NULL, 0};
    }
    return (wire_bytes_t){value.data, (size_t)(in.at - value.data)};
}
