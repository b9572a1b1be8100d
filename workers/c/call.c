/* SPDX-License-Identifier: MIT */
#include "workers/c/call.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

const accept_t *ctx_accepted(const hoist_ctx *ctx)
{
    if (ctx->request->event == EVENT_CONNECT) {
        return &ctx->accept;
    }
    return ctx->call_of != NULL ? ctx->call_of->accepted : NULL;
}

#define KEEP ((size_t)64 << 10) /* memory that stays for the next reply */

/* --- a call -------------------------------------------------------------- */

static call_t *new_call(hoist_app *app, unsigned depth)
{
    call_t *self = calloc(1, sizeof *self);

    if (self != NULL) {
        self->depth = depth;
        ctx_init(&self->ctx, app);
        again_init(&self->again);
        buf_init(&self->body, OUTBOX_BODY_MAX);
        buf_init(&self->former, OUTBOX_BODY_MAX);
        self->ctx.again = &self->again;
        self->ctx.call_of = self;
    }
    return self;
}

void call_destroy(call_t **self_p)
{
    call_t *self = *self_p;

    if (self != NULL) {
        ctx_fini(&self->ctx);
        again_fini(&self->again);
        buf_fini(&self->body);
        buf_fini(&self->former);
        free(self);
        *self_p = NULL;
    }
}

int call_keep_reply(call_t *self, const body_t *body)
{
    call_forget_reply(self);
    int rc = buf_put(&self->body, body->bytes.data, body->bytes.len);
    if (rc < 0) {
        return rc == -ENOBUFS ? -EMSGSIZE : rc;
    }
    self->type = body->type;
    self->has_reply = true;
    return 0;
}

void call_forget_reply(call_t *self)
{
    self->has_reply = false;
    self->body.len = 0;
    self->type = BODY_NONE;
}

void call_end(call_t *self)
{
    call_forget_reply(self);
    buf_reset(&self->body, KEEP);
    buf_reset(&self->former, KEEP);
}

body_t call_reply(const call_t *self)
{
    return (body_t){self->type, {self->body.data, self->body.len}};
}

/* The caller's call, which it keeps for the next time: 0; -ELOOP, -ENOMEM. */
static int open_call(hoist_ctx *ctx)
{
    unsigned depth = ctx->call_of != NULL ? ctx->call_of->depth + 1 : 1;

    if (depth > CALLS_MAX) {
        return -ELOOP;
    }
    if (ctx->call == NULL) {
        ctx->call = new_call(ctx->app, depth);
    }
    return ctx->call != NULL ? 0 : -ENOMEM;
}

/* The reply before stands until the next call has replied. */
static void put_by(call_t *self)
{
    buf_t body = self->body;

    self->body = self->former;
    self->former = body;
    call_forget_reply(self);
}

/* A message of the caller's connection, in what is left of its time.  Nothing
 * is left of the call before, which was of another event, perhaps of another
 * connection. */
static void begin(call_t *self, const hoist_ctx *caller, const route_t *route,
                  const body_t *body)
{
    hoist_ctx *ctx = &self->ctx;

    self->request = *caller->request;
    self->request.event = EVENT_MESSAGE;
    self->request.route =
        (wire_bytes_t){(const uint8_t *)route->key, route->len};
    self->request.body = *body;
    self->request.details = (wire_bytes_t){NULL, 0};
    self->accepted = ctx_accepted(caller);
    ctx->request = &self->request;
    ctx->outbox = caller->outbox;
    ctx->asked = caller->asked;
    ctx->came_ms = caller->came_ms;
    ctx->due_ms = caller->due_ms;
    ctx->is_hurried = caller->is_hurried;
    ctx->misuse = 0;
    ctx->status = 0;
    put_by(self);
    failure_forget(&ctx->failure);
    values_reset(&ctx->values);
    ctx_enter(ctx, route);
}

/* --- hoist_call ---------------------------------------------------------- */

/* Its own route, or that of "$default"; NULL for what takes no messages. */
static const route_t *find_route(const hoist_app *app, const char *key)
{
    const char *name = key != NULL ? key : "";
    bool is_plain = *name != '$' || strcmp(name, "$default") == 0;

    return is_plain ? routes_find(&app->routes, name, strlen(name)) : NULL;
}

static int check(const hoist_ctx *ctx, hoist_type type, hoist_text body)
{
    if (ctx_is_task(ctx) || type < HOIST_NONE || type > HOIST_BINARY) {
        return -EINVAL;
    }
    if (type == HOIST_TEXT && !is_utf8(body)) {
        return -EILSEQ;
    }
    return ctx->over;
}

int hoist_call(hoist_ctx *ctx, const char *route, hoist_type type,
               hoist_text body, hoist_called *called)
{
    const route_t *entry = find_route(ctx->app, route);
    const body_t message = {(body_type_t)type, type == HOIST_NONE
                                                   ? wire_of(hoist_str(NULL))
                                                   : wire_of(body)};
    int rc = check(ctx, type, body);

    if (rc == 0) {
        rc = entry == NULL ? -ENOENT : open_call(ctx);
    }
    if (rc < 0) {
        return ctx_noted(ctx, rc);
    }
    call_t *call = ctx->call;
    begin(call, ctx, entry, &message);
    query_t *query = ctx_conclude(&call->ctx, hoist_next(&call->ctx));
    must(query == NULL); /* it could not wait */
    const body_t reply = call_reply(call);
    *called = (hoist_called){
        .status = call->ctx.status,
        .type = (hoist_type)reply.type,
        .body = lend(reply.bytes),
        .error = hoist_error_of(&call->ctx),
    };
    return 0;
}
