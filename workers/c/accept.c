/* SPDX-License-Identifier: MIT
 *
 * What an accepted connection carries: set by handlers of CONNECT, sent with
 * their reply.
 */
#include "base/xalloc.h"
#include "workers/c/core.h"

#include <errno.h>

#define TTL_MIN        60         /* s; PROTOCOL.md section 6 */
#define TTL_MAX        2147483647 /* s */

#define PAIR_HEADS_MAX 10 /* bytes before two encoded texts */

void accept_reset(accept_t *self)
{
    self->user.is_set = false;
    self->tenant.is_set = false;
    self->subprotocol = (wire_bytes_t){NULL, 0};
    self->attributes.len = 0;
    self->headers.len = 0;
    self->groups.len = 0;
    self->refusal.len = 0;
    self->attribute_count = 0;
    self->header_count = 0;
    self->group_count = 0;
    self->refusal_count = 0;
    self->ttl_s = 0;
}

void accept_move(hoist_ctx *from, hoist_ctx *to)
{
    accept_t clean = to->accept;
    wire_bytes_t *chosen = &from->accept.subprotocol;

    if (chosen->len > 0) { /* it lies in the REQUEST, at the same place */
        const uint8_t *details = from->request->details.data;
        chosen->data = to->request->details.data + (chosen->data - details);
    }
    to->accept = from->accept;
    from->accept = clean;
}

/* 0 when the event is a CONNECT that has no reply yet. */
static int may_accept(const hoist_ctx *ctx)
{
    if (ctx->request->event != EVENT_CONNECT) {
        return -EINVAL;
    }
    return ctx_may_reply(ctx);
}

static int accept_name(hoist_ctx *ctx, accept_name_t *name, hoist_text text)
{
    int rc = may_accept(ctx);

    if (rc < 0) {
        return rc;
    }
    if (text.len > sizeof name->text) {
        return -EMSGSIZE;
    }
    if (!is_utf8(text)) {
        return -EILSEQ;
    }
    if (text.len > 0) {
        memmove(name->text, text.data, text.len); /* it may be part of it */
    }
    name->len = text.len;
    name->is_set = true;
    return 0;
}

int hoist_accept_user(hoist_ctx *ctx, hoist_text user)
{
    return accept_name(ctx, &ctx->accept.user, user);
}

int hoist_accept_tenant(hoist_ctx *ctx, hoist_text tenant)
{
    return accept_name(ctx, &ctx->accept.tenant, tenant);
}

/* Two texts behind each other; all or nothing. */
static int put_texts(buf_t *out, hoist_text first, hoist_text second)
{
    size_t start = out->len;
    int rc = wire_put_str(out, wire_of(first));

    if (rc == 0) {
        rc = wire_put_str(out, wire_of(second));
    }
    if (rc < 0) {
        out->len = start;
    }
    return rc == -ENOBUFS ? -EMSGSIZE : rc;
}

/* The encoded pair of that name, of which there is at most one, or none. */
static wire_bytes_t find_attribute(const accept_t *accept, hoist_text name)
{
    wire_bytes_t all = {accept->attributes.data, accept->attributes.len};
    wire_cursor_t at = wire_cursor(all);

    while (!wire_at_end(&at)) {
        const uint8_t *start = at.at;
        wire_bytes_t found, value;
        must(wire_get_str(&at, &found) == 0 && wire_get_str(&at, &value) == 0);
        if (wire_equal(found, wire_of(name))) {
            return (wire_bytes_t){start, (size_t)(at.at - start)};
        }
    }
    return (wire_bytes_t){NULL, 0};
}

hoist_text accept_attribute(const accept_t *accept, const char *name)
{
    wire_cursor_t at = wire_cursor(find_attribute(accept, hoist_str(name)));
    wire_bytes_t value = {NULL, 0};

    if (!wire_at_end(&at)) {
        must(wire_get_str(&at, &value) == 0 && wire_get_str(&at, &value) == 0);
    }
    return lend(value);
}

/* For a pair, whose value may be one of those that lie there. */
static int make_room(buf_t *buf, size_t name_len, hoist_text *value)
{
    uintptr_t at = (uintptr_t)value->data, start = (uintptr_t)buf->data;
    bool is_ours = at >= start && at < start + buf->len;
    int rc = buf_reserve(buf, name_len + value->len + PAIR_HEADS_MAX);

    if (rc == 0 && is_ours) {
        value->data = (const char *)buf->data + (at - start);
    }
    return rc == -ENOBUFS ? -EMSGSIZE : rc;
}

/* Remove len encoded bytes at that offset. */
static void cut_attribute(buf_t *buf, size_t offset, size_t len)
{
    uint8_t *start = buf->data + offset;

    memmove(start, start + len, buf->len - offset - len);
    buf->len -= len;
}

int hoist_accept_attribute(hoist_ctx *ctx, const char *name, hoist_text value)
{
    accept_t *accept = &ctx->accept;
    buf_t *buf = &accept->attributes;
    int rc = may_accept(ctx);

    if (rc == 0 && (name == NULL || *name == '\0')) {
        rc = -EINVAL;
    }
    if (rc == 0 && (!is_utf8(hoist_str(name)) || !is_utf8(value))) {
        rc = -EILSEQ;
    }
    if (rc < 0) {
        return rc;
    }
    wire_bytes_t old = find_attribute(accept, hoist_str(name));
    size_t offset = old.len > 0 ? (size_t)(old.data - buf->data) : 0;
    /* The map's own head counts too: 3 bytes at most at this size. */
    if (buf->len - old.len + strlen(name) + value.len + 13 > ATTRIBUTES_MAX) {
        return -EMSGSIZE;
    }
    rc = make_room(buf, strlen(name), &value);
    if (rc < 0) {
        return rc;
    }
    /* The old value goes last: it stands when the new one does not. */
    rc = put_texts(buf, hoist_str(name), value);
    if (rc < 0) {
        return rc;
    }
    if (old.len > 0) {
        cut_attribute(buf, offset, old.len);
    } else {
        accept->attribute_count++;
    }
    return 0;
}

/* Is the group among those that the connection joins? */
static bool has_group(const accept_t *accept, hoist_text group)
{
    wire_bytes_t all = {accept->groups.data, accept->groups.len};
    wire_cursor_t at = wire_cursor(all);
    wire_bytes_t found;

    while (!wire_at_end(&at)) {
        must(wire_get_str(&at, &found) == 0); /* we wrote it */
        if (wire_equal(found, wire_of(group))) {
            return true;
        }
    }
    return false;
}

int hoist_accept_group(hoist_ctx *ctx, hoist_text group)
{
    accept_t *accept = &ctx->accept;
    int rc = may_accept(ctx);

    if (rc == 0) {
        rc = check_name(group, GROUP_MAX);
    }
    if (rc < 0 || has_group(accept, group)) {
        return rc;
    }
    if (accept->group_count == GROUPS_MAX) {
        return -ENOSPC;
    }
    rc = wire_put_str(&accept->groups, wire_of(group));
    if (rc == 0) {
        accept->group_count++;
    }
    return rc;
}

int hoist_accept_ttl(hoist_ctx *ctx, unsigned seconds)
{
    int rc = may_accept(ctx);

    if (rc == 0 && (seconds < TTL_MIN || seconds > TTL_MAX)) {
        rc = -EINVAL;
    }
    if (rc == 0) {
        ctx->accept.ttl_s = seconds;
    }
    return rc;
}

int hoist_accept_subprotocol(hoist_ctx *ctx, hoist_text subprotocol)
{
    int rc = may_accept(ctx);

    for (size_t i = 0; rc == 0; i++) {
        hoist_text offered = hoist_subprotocol(ctx, i);
        if (offered.data == NULL) {
            return -EINVAL;
        }
        if (hoist_equal(offered, subprotocol)) {
            ctx->accept.subprotocol = wire_of(offered);
            break;
        }
    }
    return rc;
}

/* A header that could end its line would let a value forge others. */
static bool is_one_line(hoist_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\r' || c == '\n' || c == '\0') {
            return false;
        }
    }
    return true;
}

/* Append a header to encoded ones, count of them. */
static int add_header(hoist_ctx *ctx, buf_t *headers, uint32_t *count,
                      const char *name, hoist_text value)
{
    int rc = may_accept(ctx);

    if (rc == 0 && (name == NULL || *name == '\0' ||
                    !is_one_line(hoist_str(name)) || !is_one_line(value))) {
        rc = -EINVAL;
    }
    if (rc < 0) {
        return rc;
    }
    size_t start = headers->len;
    rc = wire_put_array(headers, 2);
    if (rc == 0) {
        rc = put_texts(headers, hoist_str(name), value);
    }
    if (rc < 0) {
        headers->len = start;
        return rc == -ENOBUFS ? -EMSGSIZE : rc;
    }
    ++*count;
    return 0;
}

int hoist_accept_header(hoist_ctx *ctx, const char *name, hoist_text value)
{
    accept_t *accept = &ctx->accept;

    return add_header(ctx, &accept->headers, &accept->header_count, name,
                      value);
}

int hoist_refuse_header(hoist_ctx *ctx, const char *name, hoist_text value)
{
    accept_t *accept = &ctx->accept;

    return add_header(ctx, &accept->refusal, &accept->refusal_count, name,
                      value);
}

static int put_entry(buf_t *out, const char *key, wire_bytes_t text)
{
    int rc = wire_put_text(out, key);
    return rc < 0 ? rc : wire_put_str(out, text);
}

static int put_name(buf_t *out, const char *key, const accept_name_t *name)
{
    wire_bytes_t text = {(const uint8_t *)name->text, name->len};

    return name->is_set ? put_entry(out, key, text) : 0;
}

/* A map or array of what was encoded before; nothing where that is none. */
static int put_many(buf_t *out, const char *key,
                    int (*put_head)(buf_t *out, uint32_t count), uint32_t count,
                    const buf_t *encoded)
{
    wire_bytes_t all = {encoded->data, encoded->len};
    int rc = count > 0 ? wire_put_text(out, key) : 0;

    if (rc == 0 && count > 0) {
        rc = put_head(out, count);
    }
    return rc < 0 ? rc : wire_put_raw(out, all);
}

int accept_put(const accept_t *accept, buf_t *out)
{
    bool chosen = accept->subprotocol.len > 0;
    uint32_t entries = (uint32_t)accept->user.is_set + accept->tenant.is_set +
                       chosen + (accept->attribute_count > 0) +
                       (accept->header_count > 0) + (accept->group_count > 0) +
                       (accept->ttl_s > 0);
    int rc = entries > 0 ? wire_put_map(out, entries) : 0;

    if (rc == 0) {
        rc = put_name(out, "user", &accept->user);
    }
    if (rc == 0) {
        rc = put_name(out, "tenant", &accept->tenant);
    }
    if (rc == 0 && chosen) {
        rc = put_entry(out, "subprotocol", accept->subprotocol);
    }
    if (rc == 0) {
        rc = put_many(out, "attributes", wire_put_map, accept->attribute_count,
                      &accept->attributes);
    }
    if (rc == 0) {
        rc = put_many(out, "headers", wire_put_array, accept->header_count,
                      &accept->headers);
    }
    if (rc == 0) {
        rc = put_many(out, "groups", wire_put_array, accept->group_count,
                      &accept->groups);
    }
    if (rc == 0 && accept->ttl_s > 0 && (rc = wire_put_text(out, "ttl")) == 0) {
        rc = wire_put_uint(out, accept->ttl_s);
    }
    return rc;
}

int accept_put_refusal(const accept_t *accept, buf_t *out)
{
    int rc = accept->refusal_count > 0 ? wire_put_map(out, 1) : 0;

    return rc < 0 ? rc
                  : put_many(out, "headers", wire_put_array,
                             accept->refusal_count, &accept->refusal);
}
