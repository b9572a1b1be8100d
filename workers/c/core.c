/* SPDX-License-Identifier: MIT */
#include "workers/c/asked.h"

#include <errno.h>
#include <string.h>

/* All groups of a connection, encoded. */
#define GROUPS_BYTES_MAX ((size_t)GROUPS_MAX * (GROUP_MAX + 2))

/* A PUSH to TARGETS_MAX ids of 18 encoded bytes is the largest thing in it. */
#define SCRATCH_MAX ((size_t)2 << 20)

/* What a task has for an event. */
static const message_request_t no_event = {.event = HOIST_TASK};

void ctx_init(hoist_ctx *self, hoist_app *app)
{
    *self = (hoist_ctx){.app = app, .request = &no_event};
    self->ws.ctx = self;
    self->head.ws = &self->ws;
    /* Twice: a value and the one that it takes the place of. */
    buf_init(&self->accept.attributes, (size_t)2 * ATTRIBUTES_MAX);
    buf_init(&self->accept.headers, HEADERS_MAX);
    buf_init(&self->accept.groups, GROUPS_BYTES_MAX);
    buf_init(&self->scratch, SCRATCH_MAX);
}

void ctx_fini(hoist_ctx *self)
{
    buf_fini(&self->accept.attributes);
    buf_fini(&self->accept.headers);
    buf_fini(&self->accept.groups);
    buf_fini(&self->scratch);
}

void core_init(core_t *self, hoist_app *app)
{
    *self = (core_t){0};
    ctx_init(&self->ctx, app);
    ctx_init(&self->task, app);
    self->task.head.ws = NULL;
    routes_freeze(&app->routes);
}

void core_fini(core_t *self)
{
    ctx_fini(&self->ctx);
    ctx_fini(&self->task);
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
    } else if (event_is_counted(request->event)) {
        /* A broker sends only what was announced; refuse the rest. */
        rc = -EACCES;
    }
    return conclude(ctx, rc);
}

/* --- what is no event ---------------------------------------------------- */

static void begin_task(hoist_ctx *ctx, outbox_t *out, asked_t *asked)
{
    ctx->outbox = out;
    ctx->asked = asked;
    ctx->over = out == NULL ? -ENOTCONN : 0;
    ctx->due_ms = INT64_MAX;
    ctx->query = NULL;
    ctx->key_count = 0;
    forget_failure(ctx);
}

/* Nobody is answered, so a failure is told to people; what was asked is
 * answered all the same.  The query that it waits for, or NULL. */
static query_t *conclude_task(core_t *self, hoist_ctx *ctx, int rc)
{
    if (rc < 0) {
        log_braked(&self->brake, LEVEL_WARN, "WORKER-TASK-FAILED",
                   "error=\"%s\" code=%s", strerror(-rc), ctx->error_code);
    }
    return ctx->query != NULL ? hand_over(ctx) : NULL;
}

void core_run(core_t *self, const task_t *task, outbox_t *out, asked_t *asked)
{
    begin_task(&self->task, out, asked);
    (void)conclude_task(self, &self->task, task->run(&self->task, task->data));
}

void core_pushed(core_t *self, const receipt_t *receipt,
                 const hoist_pushed *pushed, outbox_t *out, asked_t *asked)
{
    begin_task(&self->task, out, asked);
    int rc = receipt->handler(&self->task, pushed, receipt->data);
    (void)conclude_task(self, &self->task, rc);
}

/* --- answers ------------------------------------------------------------- */

static int tell(query_t *query, hoist_answer *answer)
{
    if (query->pushed == NULL) {
        return query->handler(&query->ctx, answer, query->data);
    }
    hoist_pushed pushed = answer->pushed;
    pushed.status = answer->status;
    return query->pushed(&query->ctx, &pushed, query->data);
}

bool core_answer(core_t *self, query_t *query, hoist_answer *answer)
{
    hoist_ctx *ctx = &query->ctx;
    bool goes_on = false;

    forget_failure(ctx);
    ctx->query = NULL;
    ctx->key_count = 0;
    ctx->status = 0; /* a reply of before has left, if there was one */
    int rc = tell(query, answer);
    if (ctx_is_task(ctx)) {
        goes_on = conclude_task(self, ctx, rc) != NULL;
    } else if (ctx->over == 0) {
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

    if (ctx->home != NULL || ctx_is_task(ctx)) {
        return -EINVAL; /* it has come to its end before, or there is none */
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
