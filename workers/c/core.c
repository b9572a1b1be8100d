/* SPDX-License-Identifier: MIT */
#include "workers/c/asked.h"
#include "workers/c/call.h"

#include <errno.h>
#include <string.h>

/* All groups of a connection, encoded. */
#define GROUPS_BYTES_MAX ((size_t)GROUPS_MAX * (GROUP_MAX + 2))

/* A PUSH to TARGETS_MAX ids of 18 encoded bytes is the largest thing in it. */
#define SCRATCH_MAX ((size_t)2 << 20)

/* Ticks of a clock of milliseconds.  Fewer may be what is quick, and ran when
 * it ticked. */
#define SLOW_MS 2

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
    buf_init(&self->accept.refusal, HEADERS_MAX);
    buf_init(&self->options, OPTIONS_MAX);
    buf_init(&self->scratch, SCRATCH_MAX);
}

void ctx_fini(hoist_ctx *self)
{
    buf_fini(&self->accept.attributes);
    buf_fini(&self->accept.headers);
    buf_fini(&self->accept.groups);
    buf_fini(&self->accept.refusal);
    buf_fini(&self->options);
    buf_fini(&self->scratch);
    values_fini(&self->values);
    call_destroy(&self->call);
}

void core_init(core_t *self, hoist_app *app)
{
    *self = (core_t){0};
    ctx_init(&self->ctx, app);
    again_init(&self->again);
    self->ctx.again = &self->again;
    ctx_init(&self->task, app);
    self->task.head.ws = NULL;
}

void core_fini(core_t *self)
{
    ctx_fini(&self->ctx);
    ctx_fini(&self->task);
    again_fini(&self->again);
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

/* As core_route: most often it is that of the event before. */
static const route_t *route_of(const core_t *self,
                               const message_request_t *request)
{
    const route_t *last = self->last;
    wire_bytes_t key = request->route;

    return last != NULL && route_is(last, key.data, key.len)
               ? last
               : core_route(self->ctx.app, request);
}

/* Make the context that of this event; what is set only by CONNECT or by a
 * failure was cleaned after the one that set it. */
static void begin(hoist_ctx *ctx, const message_request_t *request,
                  int64_t now_ms, outbox_t *out)
{
    ctx->outbox = out;
    ctx->request = request;
    ctx->route = NULL;
    ctx->came_ms = now_ms;
    ctx->due_ms = now_ms + (int64_t)request->deadline_ms;
    ctx->abandoned = NULL;
    ctx->misuse = 0;
    ctx->status = 0;
    ctx->reply.len = 0;
    failure_forget(&ctx->failure);
    values_reset(&ctx->values);
    if (request->event == EVENT_CONNECT) {
        accept_reset(&ctx->accept);
        again_reset(ctx->again);
    }
}

/* The event goes on in the query's own context. */
static query_t *hand_over(hoist_ctx *ctx)
{
    query_t *query = ctx->query;

    if (ctx->home == NULL) {
        accept_move(ctx, &query->ctx);
        values_move(&ctx->values, &query->ctx.values);
        ctx->query = NULL;
    }
    return query;
}

void ctx_run_finally(hoist_ctx *ctx, size_t kept)
{
    int over = ctx->over;
    finally_t taken[FINALLY_ALL];
    size_t count = values_take_finally(&ctx->values, kept, taken);

    while (count > 0) {
        count--;
        ctx->over = over != 0 ? over : -EALREADY;
        taken[count].run(ctx, taken[count].data);
    }
    ctx->over = over;
}

/* The handler has returned, and so reads no reply of a call any more. */
static void end_call(hoist_ctx *ctx)
{
    if (ctx->call != NULL) {
        call_end(ctx->call);
    }
}

/* It failed with what a call of ours returned for its arguments. */
static bool is_misuse(const hoist_ctx *ctx)
{
    const failure_t *failure = &ctx->failure;

    return ctx->misuse != 0 && failure->status == 0 &&
           failure->result == ctx->misuse;
}

/* No layer has made a reply of it, so none has told of it: what the client
 * cannot help the program's people should know. */
static void tell_failure(hoist_ctx *ctx)
{
    if (ctx->status >= 500 || is_misuse(ctx)) {
        failure_log(ctx, &ctx->app->failures);
    }
}

query_t *ctx_conclude(hoist_ctx *ctx, int rc)
{
    rc = ctx_settle(ctx, rc);
    if (rc >= 0 && ctx->query != NULL) {
        end_call(ctx);
        return hand_over(ctx);
    }
    if (rc >= 0 && ctx->status == 0) {
        (void)ctx_settle(ctx, hoist_reply_status(ctx, 200));
    }
    if (ctx->status == 0) {
        reply_failure(ctx);
        tell_failure(ctx);
    }
    if (ctx->values.size.finally > 0) {
        ctx_run_finally(ctx, 0);
    }
    end_call(ctx);
    return NULL;
}

query_t *core_handle(core_t *self, const message_request_t *request,
                     int64_t now_ms, outbox_t *out, asked_t *asked)
{
    hoist_ctx *ctx = &self->ctx;

    begin(ctx, request, now_ms, out);
    ctx->asked = asked;
    const route_t *route = route_of(self, request);
    int rc = 0;
    self->last = route;
    self->is_untold = route != NULL;
    if (route != NULL) {
        self->ran = route->key;
        ctx_enter(ctx, route);
        rc = hoist_next(ctx);
    } else if (event_is_counted(request->event)) {
        /* A broker sends only what was announced; refuse the rest. */
        rc = -EACCES;
    }
    return ctx_conclude(ctx, rc);
}

/* --- how long it takes --------------------------------------------------- */

static size_t place_of(const core_t *self, const route_t *route)
{
    return (size_t)(route - self->ctx.app->routes.routes);
}

bool core_may_be_slow(const core_t *self, const message_request_t *request)
{
    const route_t *route = route_of(self, request);

    return route != NULL && !self->is_quick[place_of(self, route)];
}

void core_took(core_t *self, int64_t ms)
{
    if (self->is_untold) {
        self->is_quick[place_of(self, self->last)] = ms < SLOW_MS;
        self->is_untold = false;
    }
}

/* --- what is no event ---------------------------------------------------- */

static void begin_task(hoist_ctx *ctx, outbox_t *out, asked_t *asked)
{
    ctx->outbox = out;
    ctx->asked = asked;
    ctx->over = out == NULL ? -ENOTCONN : 0;
    ctx->came_ms = INT64_MAX;
    ctx->due_ms = INT64_MAX;
    ctx->query = NULL;
    values_reset(&ctx->values);
    failure_forget(&ctx->failure);
}

/* Nobody is answered, so a failure is told to people; what was asked is
 * answered all the same.  The query that it waits for, or NULL. */
static query_t *conclude_task(core_t *self, hoist_ctx *ctx, int rc)
{
    rc = program_result(rc);
    if (rc < 0) {
        log_braked(&self->brake, LEVEL_WARN, "WORKER-TASK-FAILED",
                   "error=\"%s\" code=%s", failure_reason(&ctx->failure, rc),
                   ctx->failure.code);
    }
    return ctx->query != NULL ? hand_over(ctx) : NULL;
}

void core_run(core_t *self, const task_t *task, outbox_t *out, asked_t *asked)
{
    self->ran = NULL;
    begin_task(&self->task, out, asked);
    (void)conclude_task(self, &self->task, task->run(&self->task, task->data));
}

void core_pushed(core_t *self, const receipt_t *receipt,
                 const hoist_pushed *pushed, outbox_t *out, asked_t *asked)
{
    self->ran = NULL;
    begin_task(&self->task, out, asked);
    int rc = receipt->handler(&self->task, pushed, receipt->data);
    (void)conclude_task(self, &self->task, rc);
}

/* --- answers ------------------------------------------------------------- */

static int tell(query_t *query, hoist_answer *answer)
{
    if (query->resumed.run != NULL) {
        return query->resumed.run(&query->ctx, query->resumed.data);
    }
    if (query->handler == NULL && query->pushed == NULL) {
        return -ETIMEDOUT; /* it was parked, and nobody came */
    }
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

    failure_forget(&ctx->failure);
    ctx->query = NULL;
    ctx->abandoned = NULL;
    ctx->misuse = 0;
    ctx->status = 0; /* a reply of before has left, if there was one */
    ctx->reply.len = 0;
    self->ran = ctx->route != NULL ? ctx->route->key : NULL;
    int rc = tell(query, answer);
    if (ctx_is_task(ctx)) {
        goes_on = conclude_task(self, ctx, rc) != NULL;
    } else if (ctx->over == 0) {
        goes_on = ctx_conclude(ctx, rc) != NULL;
    } else {
        ctx_run_finally(ctx, 0);
    }
    if (list_is_empty(&query->link)) {
        query_destroy(&query);
    }
    return goes_on;
}

/* --- layers --------------------------------------------------------------- */

/* It has a reply, it waits for an answer, or the layer that runs has failed it:
 * there is nothing left for what stands inside. */
static bool is_decided(const hoist_ctx *ctx)
{
    return ctx->status != 0 || ctx->query != NULL ||
           (ctx->failure.result != 0 && !ctx->failure.is_ours);
}

int hoist_next(hoist_ctx *ctx)
{
    const layer_t *layer = ctx->layer;

    if (layer == NULL || layer > ctx->inmost) {
        return -EINVAL; /* there is none, or it has come to its end before */
    }
    if (is_decided(ctx)) {
        return ctx->status != 0 ? 0 : ctx->failure.result;
    }
    int rc = ctx->failure.result == 0 ? again_keep(ctx) : again_return(ctx);
    if (rc < 0) {
        return ctx_settle(ctx, rc);
    }
    ctx->layer++;
    ctx->mark++;
    rc = layer->run != NULL ? layer->run(ctx, layer->state) : ctx->handler(ctx);
    ctx->layer = layer;
    ctx->mark--;
    return ctx_settle(ctx, rc);
}

/* --- what middleware keeps ------------------------------------------------ */

int hoist_set(hoist_ctx *ctx, const void *key, void *value)
{
    return values_set(&ctx->values, key, value);
}

void *hoist_get(const hoist_ctx *ctx, const void *key)
{
    return values_get(&ctx->values, key);
}

void *hoist_alloc(hoist_ctx *ctx, size_t size)
{
    return values_alloc(&ctx->values, size);
}

int hoist_finally(hoist_ctx *ctx, hoist_finally_handler *handler, void *data)
{
    if (handler == NULL || ctx_is_task(ctx)) {
        return -EINVAL;
    }
    return ctx->over != 0
               ? ctx->over
               : values_finally(&ctx->values, &(finally_t){handler, data});
}
