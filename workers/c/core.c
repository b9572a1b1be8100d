/* SPDX-License-Identifier: MIT */
#include "workers/c/asked.h"

#include <errno.h>

/* A PUSH to TARGETS_MAX ids of 18 encoded bytes is the largest thing in it. */
#define SCRATCH_MAX ((size_t)2 << 20)

void ctx_init(hoist_ctx *self, hoist_app *app)
{
    *self = (hoist_ctx){.app = app};
    self->ws.ctx = self;
    self->head.ws = &self->ws;
    /* Twice: a value and the one that it takes the place of. */
    buf_init(&self->accept.attributes, (size_t)2 * ATTRIBUTES_MAX);
    buf_init(&self->accept.headers, HEADERS_MAX);
    buf_init(&self->scratch, SCRATCH_MAX);
}

void ctx_fini(hoist_ctx *self)
{
    buf_fini(&self->accept.attributes);
    buf_fini(&self->accept.headers);
    buf_fini(&self->scratch);
}

void core_init(core_t *self, hoist_app *app)
{
    ctx_init(&self->ctx, app);
    routes_freeze(&app->routes);
}

void core_fini(core_t *self)
{
    ctx_fini(&self->ctx);
}

const route_t *core_route(const hoist_app *app,
                          const message_request_t *request)
{
    const route_t *route =
        routes_find(&app->routes, request->route.data, request->route.len);

    if (route == NULL && request->event == EVENT_MESSAGE) {
        route = app->routes.orphan;
    }
    return route;
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

/* The event has failed: its answer is still to come, and changes nothing. */
static void abandon_query(hoist_ctx *ctx)
{
    if (ctx->query != NULL) {
        ctx->query->ctx.over = -EALREADY;
        ctx->query = NULL;
    }
}

/* The event goes on in the query's own context. */
static query_t *hand_over(hoist_ctx *ctx)
{
    query_t *query = ctx->query;

    if (ctx->home == NULL) {
        accept_move(ctx, &query->ctx);
        ctx->query = NULL;
    }
    return query;
}

/* The outcome of what a handler returned, or the query that it waits for. */
static query_t *conclude(hoist_ctx *ctx, int rc)
{
    if (rc >= 0 && ctx->status == 0 && ctx->error_status != 0) {
        rc = -ECANCELED; /* a failure stays one, even if its result was lost */
    }
    if (rc >= 0 && ctx->query != NULL) {
        return hand_over(ctx);
    }
    if (rc >= 0 && ctx->status == 0) {
        rc = hoist_reply_status(ctx, 200);
    }
    if (rc < 0) {
        abandon_query(ctx);
        reply_failure(ctx, rc);
    }
    return NULL;
}

query_t *core_handle(core_t *self, const message_request_t *request,
                     int64_t now_ms, outbox_t *out, asked_t *asked)
{
    hoist_ctx *ctx = &self->ctx;

    begin(ctx, request, now_ms, out);
    ctx->asked = asked;
    const route_t *route = core_route(ctx->app, request);
    int rc = 0;
    if (route != NULL) {
        ctx->handler = route->handler;
        rc = hoist_next(ctx);
    } else if (request->event != EVENT_DISCONNECT) {
        /* A broker sends only what was announced; refuse the rest. */
        rc = -EACCES;
    }
    return conclude(ctx, rc);
}

bool core_answer(core_t *self, query_t *query, hoist_answer *answer)
{
    hoist_ctx *ctx = &query->ctx;
    bool goes_on = false;
    (void)self;

    forget_failure(ctx);
    ctx->query = NULL;
    ctx->key_count = 0;
    ctx->status = 0; /* a reply of before has left, if there was one */
    int rc = query->handler(ctx, answer, query->data);
    if (ctx->over == 0) {
        goes_on = conclude(ctx, rc) != NULL;
    }
    if (list_is_empty(&query->link)) {
        query_destroy(&query);
    }
    return goes_on;
}

int hoist_next(hoist_ctx *ctx)
{
    int rc;

    if (ctx->home != NULL) {
        return -EINVAL; /* the chain has come to its end before */
    }
    forget_failure(ctx); /* a retry starts without the former one */
    if (ctx->layer == ctx->app->layer_count) {
        rc = ctx->handler(ctx);
    } else {
        const layer_t *layer = &ctx->app->layers[ctx->layer++];
        rc = layer->run(ctx, layer->config);
        ctx->layer--;
    }
    if (rc < 0) {
        abandon_query(ctx);
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
