/* SPDX-License-Identifier: MIT
 *
 * Any bytes as the value of a row in Redis: what is read lies within them,
 * obeys the limits of the protocol, and written again is read as the same.
 */
#include "base/xalloc.h"
#include "proto/message.h"
#include "store/redis_row.h"

static wire_bytes_t whole(const buf_t *buf)
{
    return (wire_bytes_t){buf->data, buf->len};
}

static void must_be_within(wire_bytes_t part, const uint8_t *data, size_t size)
{
    must(part.len == 0 ||
         (part.data >= data && part.data + part.len <= data + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    store_row_t row = {.ttl_s = 0}, again = {.ttl_s = 0};
    wire_bytes_t value = {data, size};
    buf_t out;

    must_be_within(redis_row_head(value), data, size);
    if (redis_row_get(value, &row) < 0) {
        return 0;
    }
    must(row.expires_ms >= 0 && row.writer.len <= BOOT_ID_MAX);
    must(row.context.len >= 1 && row.context.len <= CONTEXT_MAX);
    must_be_within(row.writer, data, size);
    must_be_within(row.context, data, size);
    must(redis_row_head(value).len > 0);
    buf_init(&out, REDIS_ROW_MAX);
    must(redis_row_put(&out, &row) == 0);
    must(redis_row_get(whole(&out), &again) == 0);
    must(again.expires_ms == row.expires_ms && again.ttl_s == row.ttl_s);
    must(wire_equal(again.writer, row.writer));
    must(wire_equal(again.context, row.context));
    buf_fini(&out);
    return 0;
}
