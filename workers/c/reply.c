/* SPDX-License-Identifier: MIT
 *
 * The reply to an event: one, or none yet.
 */
#include "base/xalloc.h"
#include "workers/c/call.h"

#include <errno.h>

int ctx_may_go_on(const hoist_ctx *self)
{
    if (self->over != 0) {
        return self->over;
    }
    bool is_decided =
        self->status != 0 || self->query != NULL || self->failure.result != 0;
    return is_decided ? -EALREADY : 0;
}

int ctx_may_reply(const hoist_ctx *self)
{
    return ctx_is_task(self) ? -EINVAL : ctx_may_go_on(self);
}

/* What a CONNECT's reply carries beside its body. */
static int put_options(hoist_ctx *ctx, int status)
{
    ctx->options.len = 0;
    return status / 100 == 2 ? accept_put(&ctx->accept, &ctx->options)
                             : accept_put_refusal(&ctx->accept, &ctx->options);
}

typedef int put_reply_t(outbox_t *outbox, const message_reply_t *reply,
                        outbox_mark_t *mark);

static int send(hoist_ctx *ctx, int status, body_t body, put_reply_t *put)
{
    message_reply_t reply = {
        .id = ctx->request->id,
        .status = (uint64_t)status,
        .body = body,
    };

    if (ctx->request->event == EVENT_CONNECT) {
        int rc = put_options(ctx, status);
        if (rc < 0) {
            return rc;
        }
        reply.options = (wire_bytes_t){ctx->options.data, ctx->options.len};
    }
    int rc = ctx->call_of != NULL ? call_keep_reply(ctx->call_of, &body)
                                  : put(ctx->outbox, &reply, &ctx->reply);
    if (rc == 0) {
        ctx->status = status;
    }
    return rc;
}

int reply_send(hoist_ctx *ctx, int status, body_t body)
{
    return send(ctx, status, body, outbox_reply);
}

int reply_send_failure(hoist_ctx *ctx, int status, body_t body)
{
    return send(ctx, status, body, outbox_reply_failure);
}

/* What has failed inside can be told in other words, but it stays refused. */
static int may_reply(const hoist_ctx *ctx, int status)
{
    int rc = ctx_may_reply(ctx);

    if (rc == -EALREADY && ctx->status == 0 && ctx->failure.is_ours) {
        return ctx_refuses(ctx, status) ? 0 : -EACCES;
    }
    return rc;
}

int hoist_reply(hoist_ctx *ctx, int status, hoist_type type, hoist_text body)
{
    int rc = may_reply(ctx, status);

    if (rc < 0) {
        return rc;
    }
    if (status < 100 || status > 599) {
        return -EINVAL;
    }
    if (type == HOIST_TEXT && !is_utf8(body)) {
        return ctx_noted(ctx, -EILSEQ);
    }
    switch (type) {
    case HOIST_NONE:
        return reply_send(ctx, status, (body_t){.type = BODY_NONE});
    case HOIST_TEXT:
    case HOIST_BINARY:
        return reply_send(ctx, status,
                          (body_t){(body_type_t)type, wire_of(body)});
    }
    return -EINVAL;
}

int hoist_reply_text(hoist_ctx *ctx, const char *text)
{
    return hoist_reply(ctx, 200, HOIST_TEXT, hoist_str(text));
}

int hoist_reply_binary(hoist_ctx *ctx, const void *bytes, size_t len)
{
    return hoist_reply(ctx, 200, HOIST_BINARY, hoist_bytes(bytes, len));
}

int hoist_reply_json(hoist_ctx *ctx, const char *json)
{
    return hoist_reply(ctx, 200, HOIST_TEXT, hoist_str(json));
}

int hoist_reply_status(hoist_ctx *ctx, int status)
{
    return hoist_reply(ctx, status, HOIST_NONE, hoist_str(NULL));
}

int hoist_replied(const hoist_ctx *ctx)
{
    return ctx->status;
}

void reply_withdraw(hoist_ctx *ctx)
{
    if (ctx->call_of != NULL) {
        call_forget_reply(ctx->call_of);
    } else {
        outbox_take_back(ctx->outbox, &ctx->reply);
    }
    ctx->reply.len = 0;
    ctx->status = 0;
}

bool reply_peek(const hoist_ctx *ctx, body_t *body)
{
    const outbox_mark_t *mark = &ctx->reply;
    message_t message;

    if (ctx->call_of != NULL) {
        *body = call_reply(ctx->call_of);
        return ctx->call_of->has_reply;
    }
    if (ctx->status == 0 || mark->len == 0) {
        return false;
    }
    const buf_t *in = mark->held ? &ctx->outbox->held : &ctx->outbox->ready;
    wire_cursor_t at =
        wire_cursor((wire_bytes_t){in->data + mark->at, mark->len});
    must(message_decode(&at, &message) == 1); /* we encoded it */
    *body = message.reply.body;
    return true;
}
