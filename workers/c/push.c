/* SPDX-License-Identifier: MIT
 *
 * What handlers send to connections besides replies.
 */
#include "workers/c/core.h"

#include <errno.h>

/* The target of a PUSH into scratch: ["connection", id, …]. */
static int put_target(buf_t *scratch, const hoist_text *connections,
                      size_t count)
{
    scratch->len = 0;
    int rc = wire_put_array(scratch, (uint32_t)count + 1);
    if (rc == 0) {
        rc = wire_put_text(scratch, "connection");
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (connections[i].len != CONN_ID_TEXT) {
            return -EINVAL;
        }
        rc = wire_put_str(scratch, wire_of(connections[i]));
    }
    return rc;
}

int hoist_push(hoist_ctx *ctx, const hoist_text *connections, size_t count,
               hoist_type type, hoist_text body)
{
    if (count == 0 || count > TARGETS_MAX ||
        (type != HOIST_TEXT && type != HOIST_BINARY)) {
        return -EINVAL;
    }
    if (type == HOIST_TEXT && !is_utf8(body)) {
        return -EILSEQ;
    }
    if (ctx->over == -ENOTCONN) {
        return -ENOTCONN;
    }
    int rc = put_target(&ctx->scratch, connections, count);
    if (rc < 0) {
        return rc;
    }
    message_push_t push = {
        .target = {ctx->scratch.data, ctx->scratch.len},
        .body = {(body_type_t)type, wire_of(body)},
    };
    return outbox_push(ctx->outbox, &push);
}

int hoist_push_one(hoist_ctx *ctx, hoist_text connection, hoist_type type,
                   hoist_text body)
{
    return hoist_push(ctx, &connection, 1, type, body);
}

int hoist_close(hoist_ctx *ctx, hoist_text connection, unsigned code,
                const char *reason)
{
    message_close_t close = {
        .conn = wire_of(connection),
        .code = code,
        .reason = wire_bytes(reason != NULL ? reason : ""),
    };

    if (connection.len != CONN_ID_TEXT || !close_code_is_allowed(code) ||
        close.reason.len > REASON_MAX) {
        return -EINVAL;
    }
    if (!utf8_is_valid(close.reason.data, close.reason.len)) {
        return -EILSEQ;
    }
    if (ctx->over == -ENOTCONN) {
        return -ENOTCONN;
    }
    return outbox_close(ctx->outbox, &close);
}
