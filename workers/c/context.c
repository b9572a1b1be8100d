/* SPDX-License-Identifier: MIT
 *
 * What a handler may ask its context.  Nothing is looked up before it is
 * asked for: context and details stay as they came and are scanned in place.
 */
#include "base/clock.h"
#include "proto/traceparent.h"
#include "workers/c/core.h"

#include <limits.h>

#include <strings.h>

hoist_event hoist_event_of(const hoist_ctx *ctx)
{
    return (hoist_event)ctx->request->event;
}

hoist_text hoist_route(const hoist_ctx *ctx)
{
    const route_t *route = ctx->route;

    return route != NULL ? hoist_bytes(route->key, route->len)
                         : hoist_str(NULL);
}

hoist_type hoist_body_type(const hoist_ctx *ctx)
{
    return (hoist_type)ctx->request->body.type;
}

hoist_text hoist_body(const hoist_ctx *ctx)
{
    return lend(ctx->request->body.bytes);
}

uint64_t hoist_request_number(const hoist_ctx *ctx)
{
    return ctx->request->number;
}

hoist_text hoist_request_id_of(hoist_ctx *ctx)
{
    if (ctx->values.size.has_request_id) {
        return ctx->values.request_id;
    }
    request_id_format(ctx->request->number, ctx->request_id);
    return hoist_bytes(ctx->request_id, sizeof ctx->request_id);
}

hoist_text hoist_traceparent(const hoist_ctx *ctx)
{
    wire_bytes_t text = ctx->request->traceparent;
    trace_place_t place;

    return text.len > 0 && traceparent_parse(text, &place) == 0
               ? lend(text)
               : hoist_str(NULL);
}

unsigned hoist_attempt(const hoist_ctx *ctx)
{
    uint64_t attempt = ctx->request->attempt;

    return attempt < 1 ? 1 : attempt < UINT_MAX ? (unsigned)attempt : UINT_MAX;
}

int64_t hoist_deadline_left_ms(const hoist_ctx *ctx)
{
    return ctx->due_ms - clock_mono_ms();
}

int64_t hoist_now_us(const hoist_ctx *ctx)
{
    (void)ctx;
    return clock_mono_us();
}

hoist_app *hoist_ctx_app(const hoist_ctx *ctx)
{
    return ctx->app;
}

/* --- who it is --------------------------------------------------------- */

hoist_text hoist_connection(const hoist_ctx *ctx)
{
    return lend(ctx->request->conn);
}

static hoist_text context_str(const hoist_ctx *ctx, const char *key)
{
    return lend(wire_map_str(ctx->request->context, key));
}

/* A CONNECT has what it was given so far. */
static hoist_text name_of(const hoist_ctx *ctx, const accept_name_t *accepted,
                          const char *key)
{
    return accepted != NULL && accepted->is_set
               ? hoist_bytes(accepted->text, accepted->len)
               : context_str(ctx, key);
}

hoist_text hoist_user(const hoist_ctx *ctx)
{
    const accept_t *accepted = ctx_accepted(ctx);

    return name_of(ctx, accepted != NULL ? &accepted->user : NULL, "user");
}

hoist_text hoist_tenant(const hoist_ctx *ctx)
{
    const accept_t *accepted = ctx_accepted(ctx);

    return name_of(ctx, accepted != NULL ? &accepted->tenant : NULL, "tenant");
}

hoist_text hoist_ip(const hoist_ctx *ctx)
{
    return context_str(ctx, "ip");
}

wire_bytes_t context_attribute(wire_bytes_t context, const char *name)
{
    wire_cursor_t value;
    wire_bytes_t attributes;

    if (!wire_map_find(context, "attributes", &value) ||
        wire_get_raw_map(&value, &attributes) < 0) {
        return (wire_bytes_t){NULL, 0};
    }
    return wire_map_str(attributes, name);
}

hoist_text hoist_attribute(const hoist_ctx *ctx, const char *name)
{
    const accept_t *accepted = ctx_accepted(ctx);

    return accepted != NULL
               ? accept_attribute(accepted, name)
               : lend(context_attribute(ctx->request->context, name));
}

hoist_text hoist_path(const hoist_ctx *ctx)
{
    return lend(wire_map_str(ctx->request->details, "path"));
}

typedef bool same_name_t(wire_bytes_t name, const char *wanted);

static bool same_name_without_case(wire_bytes_t name, const char *wanted)
{
    return name.len == strlen(wanted) &&
           strncasecmp((const char *)name.data, wanted, name.len) == 0;
}

/* The value of the first pair [name, value] under key of the details. */
static hoist_text find_pair(const hoist_ctx *ctx, const char *key,
                            const char *wanted, same_name_t *same)
{
    wire_cursor_t at;
    uint32_t pairs, fields;

    if (!wire_map_find(ctx->request->details, key, &at) ||
        wire_get_array(&at, &pairs) < 0) {
        return hoist_str(NULL);
    }
    while (pairs-- > 0) {
        wire_bytes_t name, value;
        if (wire_get_array(&at, &fields) < 0 || fields != 2 ||
            wire_get_str(&at, &name) < 0 || wire_get_str(&at, &value) < 0) {
            break;
        }
        if (same(name, wanted)) {
            return lend(value);
        }
    }
    return hoist_str(NULL);
}

hoist_text hoist_header(const hoist_ctx *ctx, const char *name)
{
    return find_pair(ctx, "headers", name, same_name_without_case);
}

hoist_text hoist_query(const hoist_ctx *ctx, const char *name)
{
    hoist_text exact = find_pair(ctx, "query", name, wire_is);

    return exact.data != NULL
               ? exact
               : find_pair(ctx, "query", name, same_name_without_case);
}

/* The index-th text of the array under key of the details. */
static hoist_text find_text(const hoist_ctx *ctx, const char *key, size_t index)
{
    wire_cursor_t at;
    wire_bytes_t text = {NULL, 0};
    uint32_t count;

    if (!wire_map_find(ctx->request->details, key, &at) ||
        wire_get_array(&at, &count) < 0 || index >= count) {
        return hoist_str(NULL);
    }
    for (size_t i = 0; i <= index; i++) {
        if (wire_get_str(&at, &text) < 0) {
            return hoist_str(NULL);
        }
    }
    return lend(text);
}

hoist_text hoist_subprotocol(const hoist_ctx *ctx, size_t index)
{
    return find_text(ctx, "subprotocols", index);
}

hoist_text hoist_joined(const hoist_ctx *ctx, size_t index)
{
    return find_text(ctx, "joined", index);
}

hoist_text hoist_left(const hoist_ctx *ctx, size_t index)
{
    return find_text(ctx, "left", index);
}

unsigned hoist_close_code(const hoist_ctx *ctx)
{
    return (unsigned)wire_map_uint(ctx->request->details, "code", 0);
}

hoist_text hoist_close_reason(const hoist_ctx *ctx)
{
    return lend(wire_map_str(ctx->request->details, "reason"));
}

/* --- the WebSocket view ------------------------------------------------ */

hoist_text hoist_ws_connection(const hoist_websocket *ws)
{
    return hoist_connection(ws->ctx);
}

hoist_text hoist_ws_user_agent(const hoist_websocket *ws)
{
    return context_str(ws->ctx, "user_agent");
}

hoist_text hoist_ws_domain(const hoist_websocket *ws)
{
    return context_str(ws->ctx, "domain");
}

hoist_text hoist_ws_stage(const hoist_websocket *ws)
{
    return context_str(ws->ctx, "stage");
}

int64_t hoist_ws_connected_at_ms(const hoist_websocket *ws)
{
    return (int64_t)wire_map_uint(ws->ctx->request->context, "connected_at", 0);
}

int hoist_ws_push(hoist_websocket *ws, hoist_type type, hoist_text body)
{
    return hoist_push_one(ws->ctx, hoist_ws_connection(ws), type, body);
}

int hoist_ws_close(hoist_websocket *ws, unsigned code, const char *reason)
{
    return hoist_close(ws->ctx, hoist_ws_connection(ws), code, reason);
}
