/* SPDX-License-Identifier: MIT */
#include "proto/context.h"

#include "base/utf8.h"
#include "proto/message.h"

#include <errno.h>

/* The four that a worker sets, as raw elements; empty when absent. */
typedef struct {
    wire_bytes_t user, tenant, attributes, ttl;
} identity_t;

static int get_text(wire_bytes_t options, const char *key, size_t max,
                    wire_bytes_t *raw)
{
    wire_cursor_t value;
    wire_bytes_t text;

    *raw = (wire_bytes_t){NULL, 0};
    if (!wire_map_find(options, key, &value)) {
        return 0;
    }
    const uint8_t *start = value.at;
    if (wire_get_nil(&value) == 0) {
        return 0;
    }
    int rc = wire_get_str_max(&value, max, &text);
    if (rc == 0 && !utf8_is_valid(text.data, text.len)) {
        rc = -EPROTO;
    }
    if (rc == 0) {
        *raw = (wire_bytes_t){start, (size_t)(value.at - start)};
    }
    return rc;
}

static int get_ttl(wire_bytes_t options, wire_bytes_t *raw)
{
    wire_cursor_t value;
    uint64_t seconds;

    *raw = (wire_bytes_t){NULL, 0};
    if (!wire_map_find(options, "ttl", &value) || wire_get_nil(&value) == 0) {
        return 0;
    }
    const uint8_t *start = value.at;
    if (wire_get_uint(&value, &seconds) < 0) {
        return -EPROTO;
    }
    *raw = (wire_bytes_t){start, (size_t)(value.at - start)};
    return 0;
}

int context_groups(wire_bytes_t options, wire_cursor_t *groups, uint32_t *count)
{
    wire_bytes_t name;

    *count = 0;
    if (!wire_map_find(options, "groups", groups) ||
        wire_get_nil(groups) == 0) {
        return 0;
    }
    if (wire_get_array(groups, count) < 0 || *count > GROUPS_MAX) {
        return -EPROTO;
    }
    wire_cursor_t in = *groups;
    for (uint32_t i = 0; i < *count; i++) {
        if (wire_get_str_max(&in, GROUP_MAX, &name) < 0 || name.len == 0 ||
            !utf8_is_valid(name.data, name.len)) {
            return -EPROTO;
        }
    }
    return 0;
}

static int get_identity(wire_bytes_t options, identity_t *identity)
{
    wire_cursor_t value;
    uint32_t groups;

    if (context_groups(options, &value, &groups) < 0 ||
        get_text(options, "user", USER_MAX, &identity->user) < 0 ||
        get_text(options, "tenant", TENANT_MAX, &identity->tenant) < 0) {
        return -EPROTO;
    }
    if (get_ttl(options, &identity->ttl) < 0) {
        return -EPROTO;
    }
    identity->attributes = (wire_bytes_t){NULL, 0};
    if (!wire_map_find(options, "attributes", &value) ||
        wire_get_nil(&value) == 0) {
        return 0;
    }
    int rc = wire_get_raw_map(&value, &identity->attributes);
    return rc == 0 && identity->attributes.len > ATTRIBUTES_MAX ? -EPROTO : rc;
}

static bool is_identity(wire_bytes_t key)
{
    return wire_is(key, "user") || wire_is(key, "tenant") ||
           wire_is(key, "attributes") || wire_is(key, "ttl");
}

static int put_entry(buf_t *out, const char *key, wire_bytes_t raw)
{
    if (raw.len == 0) {
        return 0;
    }
    int rc = wire_put_text(out, key);
    return rc < 0 ? rc : wire_put_raw(out, raw);
}

/* Copy the entries of base that a worker may not set; count them first. */
static int put_base(buf_t *out, wire_bytes_t base, uint32_t *kept)
{
    wire_cursor_t in = wire_cursor(base);
    wire_bytes_t key, entry;
    uint32_t count = 0;

    *kept = 0;
    if (base.len > 0 && wire_get_map(&in, &count) < 0) {
        return -EPROTO;
    }
    while (count-- > 0) {
        const uint8_t *start = in.at;
        if (wire_get_str(&in, &key) < 0 || wire_get_raw(&in, &entry) < 0) {
            return -EPROTO;
        }
        if (is_identity(key)) {
            continue;
        }
        (*kept)++;
        wire_bytes_t both = {start, (size_t)(in.at - start)};
        int rc = out != NULL ? wire_put_raw(out, both) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int context_merge(buf_t *out, wire_bytes_t base, wire_bytes_t options)
{
    size_t start = out->len;
    identity_t identity;
    uint32_t kept;

    int rc = get_identity(options, &identity);
    if (rc < 0 || (rc = put_base(NULL, base, &kept)) < 0) {
        return rc;
    }
    uint32_t own = (identity.user.len > 0 ? 1u : 0u) +
                   (identity.tenant.len > 0 ? 1u : 0u) +
                   (identity.attributes.len > 0 ? 1u : 0u) +
                   (identity.ttl.len > 0 ? 1u : 0u);
    if ((rc = wire_put_map(out, kept + own)) == 0 &&
        (rc = put_entry(out, "user", identity.user)) == 0 &&
        (rc = put_entry(out, "tenant", identity.tenant)) == 0 &&
        (rc = put_entry(out, "attributes", identity.attributes)) == 0 &&
        (rc = put_entry(out, "ttl", identity.ttl)) == 0) {
        rc = put_base(out, base, &kept);
    }
    if (rc == 0 && out->len - start > CONTEXT_MAX) {
        rc = -EPROTO;
    }
    if (rc < 0) {
        out->len = start;
    }
    return rc;
}
