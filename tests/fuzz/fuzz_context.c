/* SPDX-License-Identifier: MIT
 *
 * Any two maps as a connection's context and as the options of a REPLY: what
 * is merged is one map within its limit that holds user, tenant and attributes
 * of the options and all else of the context; merging it again changes
 * nothing; an error leaves the buffer alone.
 */
#include "base/xalloc.h"
#include "proto/context.h"
#include "proto/message.h"

#include <errno.h>
#include <string.h>

#define ROOM ((size_t)CONTEXT_MAX * 2)

static wire_bytes_t whole(const buf_t *buf)
{
    return (wire_bytes_t){buf->data, buf->len};
}

/* The raw value under key, or no bytes when it is absent or nil. */
static wire_bytes_t value_of(wire_bytes_t map, const char *key)
{
    wire_cursor_t value, start;
    wire_bytes_t raw = {NULL, 0};

    if (map.len > 0 && wire_map_find(map, key, &value)) {
        start = value;
        if (wire_get_nil(&value) < 0) {
            must(wire_get_raw(&start, &raw) == 0);
        }
    }
    return raw;
}

static void must_agree(wire_bytes_t merged, wire_bytes_t from, const char *key)
{
    must(wire_equal(value_of(merged, key), value_of(from, key)));
}

static void check_merged(const buf_t *out, wire_bytes_t base,
                         wire_bytes_t options)
{
    wire_cursor_t in = wire_cursor(whole(out));
    wire_bytes_t merged;
    buf_t again;

    must(out->len <= CONTEXT_MAX);
    must(wire_get_raw_map(&in, &merged) == 0 && wire_at_end(&in));
    must_agree(merged, options, "user");
    must_agree(merged, options, "tenant");
    must_agree(merged, options, "attributes");
    must_agree(merged, base, "ip");
    must(value_of(merged, "user").len <= USER_MAX + 5);
    buf_init(&again, ROOM);
    must(context_merge(&again, merged, merged) == 0);
    must(wire_equal(whole(&again), merged));
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_cursor_t in = wire_cursor((wire_bytes_t){data, size});
    wire_bytes_t base, options = {NULL, 0};
    buf_t out;

    if (wire_get_raw_map(&in, &base) < 0 ||
        (!wire_at_end(&in) && wire_get_raw_map(&in, &options) < 0)) {
        return 0;
    }
    buf_init(&out, ROOM);
    must(wire_put_text(&out, "before") == 0);
    size_t before = out.len;
    int rc = context_merge(&out, base, options);
    must(rc == 0 || rc == -EPROTO || rc == -ENOBUFS);
    must(rc == 0 || out.len == before);
    out.len = rc == 0 ? 0 : out.len;
    if (rc == 0) {
        must(context_merge(&out, base, options) == 0);
        check_merged(&out, base, options);
    }
    buf_fini(&out);
    return 0;
}
