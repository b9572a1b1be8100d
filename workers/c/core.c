/* SPDX-License-Identifier: MIT */
#include "workers/c/core.h"

#include <errno.h>

/* A PUSH to TARGETS_MAX ids of 18 encoded bytes is the largest thing in it. */
#define SCRATCH_MAX ((size_t)2 << 20)

void core_init(core_t *self, hoist_app *app)
{
    *self = (core_t){.ctx = {.app = app}};
    self->ctx.ws.ctx = &self->ctx;
    self->ctx.head.ws = &self->ctx.ws;
    /* Twice: a value and the one that it takes the place of. */
    buf_init(&self->ctx.accept.attributes, (size_t)2 * ATTRIBUTES_MAX);
    buf_init(&self->ctx.accept.headers, HEADERS_MAX);
    buf_init(&self->ctx.scratch, SCRATCH_MAX);
    routes_freeze(&app->routes);
}

void core_fini(core_t *self)
{
    buf_fini(&self->ctx.accept.attributes);
    buf_fini(&self->ctx.accept.headers);
    buf_fini(&self->ctx.scratch);
}

hoist_handler *core_route(const hoist_app *app,
                          const message_request_t *request)
{
    hoist_handler *handler =
        routes_find(&app->routes, request->route.data, request->route.len);

    if (handler == NULL && request->event == EVENT_MESSAGE) {
        handler = routes_default(&app->routes);
    }
    return handler;
}

static void forget_failure(hoist_ctx *ctx)
{
    ctx->error_status = 0;
    ctx->error_code[0] = '\0';
    ctx->error_message[0] = '\0';
}

/* Make the context that of this event; what is set only by CONNECT or by a
 * failure was cleaned after the one that set it. */
static void begin(hoist_ctx *ctx, const message_request_t *request,
                  int64_t now_ms, outbox_t *out)
{
    ctx->outbox = out;
    ctx->request = request;
    ctx->due_ms = now_ms + (int64_t)request->deadline_ms;
    ctx->layer = 0;
    ctx->status = 0;
    forget_failure(ctx);
    ctx->key_count = 0;
    if (request->event == EVENT_CONNECT) {
        accept_reset(&ctx->accept);
    }
}

void core_handle(core_t *self, const message_request_t *request, int64_t now_ms,
                 outbox_t *out)
{
    hoist_ctx *ctx = &self->ctx;

    begin(ctx, request, now_ms, out);
    ctx->handler = core_route(ctx->app, request);
    int rc = 0;
    if (ctx->handler != NULL) {
        rc = hoist_next(ctx);
    } else if (request->event != EVENT_DISCONNECT) {
        /* A broker sends only what was announced; refuse the rest. */
        rc = -EACCES;
    }
    if (rc >= 0 && ctx->status == 0) {
        /* A failure stays one, even if a middleware dropped the result. */
        rc = ctx->error_status != 0 ? -ECANCELED : hoist_reply_status(ctx, 200);
    }
    if (rc < 0) {
        reply_failure(ctx, rc);
    }
}

int hoist_next(hoist_ctx *ctx)
{
    int rc;

    forget_failure(ctx); /* a retry starts without the former one */
    if (ctx->layer == ctx->app->layer_count) {
        rc = ctx->handler(ctx);
    } else {
        const layer_t *layer = &ctx->app->layers[ctx->layer++];
        rc = layer->run(ctx, layer->config);
        ctx->layer--;
    }
    if (rc < 0 && ctx->status != 0) {
        reply_withdraw(ctx); /* success that turned out to be none */
    }
    return rc;
}

int hoist_set(hoist_ctx *ctx, const void *key, void *value)
{
    for (size_t i = 0; i < ctx->key_count; i++) {
        if (ctx->keys[i].key == key) {
            ctx->keys[i].value = value;
            return 0;
        }
    }
    if (ctx->key_count == KEYS_MAX) {
        return -ENOBUFS;
    }
    ctx->keys[ctx->key_count].key = key;
    ctx->keys[ctx->key_count++].value = value;
    return 0;
}

void *hoist_get(const hoist_ctx *ctx, const void *key)
{
    for (size_t i = 0; i < ctx->key_count; i++) {
        if (ctx->keys[i].key == key) {
            return ctx->keys[i].value;
        }
    }
    return NULL;
}
