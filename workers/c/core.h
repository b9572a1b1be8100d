/* SPDX-License-Identifier: MIT
 *
 * From a decoded REQUEST to the bytes of its REPLY: the context, the chain of
 * middleware and handler, and the outcome.  No sockets, no clock, no
 * allocation once the buffers have their working size: it can be tested and
 * measured in process.
 *
 *     routes_freeze(&app->routes, &app->around);
 *     core_init(&core, app);
 *     while (message_decode(&frame, &message) == 1)
 *         core_handle(&core, &message.request, now_ms, &outbox, &asked);
 *     … outbox.ready holds the bytes to send …
 *
 * One core runs one handler at a time; another thread would have its own.  An
 * event whose handler has asked its broker something has no REPLY yet: it goes
 * on in a context of its own, with core_answer.  What is no event runs as a
 * task: nothing is replied to.
 */
#ifndef WORKERS_C_CORE_H
#define WORKERS_C_CORE_H

#include "base/log.h"
#include "base/utf8.h"
#include "proto/request_id.h"
#include "workers/c/again.h"
#include "workers/c/app.h"
#include "workers/c/brake.h"
#include "workers/c/bytes.h"
#include "workers/c/outbox.h"
#include "workers/c/receipts.h"
#include "workers/c/values.h"

#include <errno.h>

#define ERROR_CODE_MAX    64   /* bytes of hoist_fail's code */
#define ERROR_MESSAGE_MAX 256  /* bytes of hoist_fail's message */
#define ERROR_DETAILS_MAX 1024 /* bytes of an error's details */
#define HEADERS_MAX                                                            \
    8192 /* bytes of encoded hoist_accept_header, and of                       \
            hoist_refuse_header */

/* A question of an event, and all of its broker (asked.h). */
typedef struct asked asked_t;

/* A route that a handler calls (call.h). */
typedef struct call call_t;

struct hoist_websocket {
    hoist_ctx *ctx; /* borrowed: whose view this is */
};

/* Whose connection it is. */
typedef struct {
    char text[USER_MAX];
    size_t len;
    bool is_set; /* "" is a value too */
} accept_name_t;

_Static_assert(USER_MAX == TENANT_MAX, "a name holds either");

/* What a CONNECT's reply will carry; each empty when not set. */
struct accept {
    accept_name_t user, tenant;
    wire_bytes_t subprotocol;  /* borrowed: one of the request's offers */
    buf_t attributes, headers; /* owned: encoded pairs */
    buf_t groups;              /* owned: encoded names */
    buf_t refusal; /* owned: encoded pairs, for a response that refuses */
    uint32_t attribute_count, header_count, group_count, refusal_count;
    uint32_t ttl_s; /* 0: not set */
};

/* That the event has failed, and how. */
typedef struct {
    int result;   /* negative; 0: it has not */
    bool is_told; /* it is the event's outcome, in its own words */
    bool is_ours; /* the layer that runs has it from hoist_next, and may reply
                     to it or try again; else it stands */
    int status;   /* of hoist_fail, or 0 */
    char code[ERROR_CODE_MAX + 1];
    char message[ERROR_MESSAGE_MAX + 1];
    char details[ERROR_DETAILS_MAX + 1];
} failure_t;

struct hoist_answer {
    int status;
    wire_cursor_t rows;   /* borrowed: of the RESULT; what is left of them */
    uint32_t left;        /* rows */
    wire_bytes_t options; /* borrowed: of the RESULT */
    hoist_pushed pushed;  /* of a PUSHED; without its status */
};

struct hoist_ctx {
    struct hoist_ctx_head head; /* first: hoist_ws reads it */
    hoist_websocket ws;
    hoist_app *app;     /* borrowed */
    outbox_t *outbox;   /* borrowed: of the event's broker; of a task that has
                           none, NULL, and over says so */
    asked_t *asked;     /* the same; NULL: nothing can be asked */
    query_t *home;      /* borrowed: that it is part of, or NULL */
    query_t *query;     /* borrowed: under way, or NULL */
    query_t *abandoned; /* borrowed: the last whose answer comes although the
                           event has failed, home maybe; or NULL */
    call_t *call_of;    /* borrowed: whose reply this is; NULL: the broker's */
    call_t *call;       /* owned: that it makes; NULL: it never made one */
    int misuse;         /* what a call of this library last returned for its
                           arguments, or 0 */
    int over;           /* why no reply counts any more, or 0 */
    const message_request_t *request; /* borrowed: the event; of a task, one
                                         that is none */
    const route_t *route;   /* borrowed: that matched; NULL: none, and no
                               layer runs */
    hoist_handler *handler; /* borrowed: of the route */
    int64_t came_ms;        /* monotonic: when the request was read */
    int64_t due_ms;         /* the same: its deadline */
    bool is_hurried;      /* a layer has set that, and answers come within it */
    const layer_t *layer; /* borrowed: the next to run; inmost: the handler,
                             behind it: nothing; NULL: none runs here, since
                             it is a task's, or waits (home) */
    const layer_t *inmost; /* borrowed: the end of the route's stack */
    again_t *again;        /* borrowed: of the core; NULL: no layer runs here */
    again_mark_t *mark;    /* borrowed: in it, of the next to run */
    int status;            /* of the reply given, or 0 */
    outbox_mark_t reply;   /* where it is; of len 0: nowhere */
    failure_t failure;
    values_t values;
    char request_id[REQUEST_ID_TEXT]; /* when it was asked for */
    accept_t accept;                  /* clean unless the event is a CONNECT */
    buf_t options;                    /* owned: of the reply to a CONNECT */
    buf_t scratch; /* owned: options of pushes, targets and error bodies */
};

typedef struct {
    hoist_ctx ctx;       /* of events */
    hoist_ctx task;      /* of what is no event */
    unsigned thread;     /* of the app */
    again_t again;       /* of ctx */
    log_brake_t brake;   /* of tasks that fail */
    const char *ran;     /* borrowed from the app: the route whose code was the
                            last to run in this turn; NULL: none was */
    const route_t *last; /* borrowed: of the event that ran last; or NULL */
    bool is_untold;      /* the time that it took */
    bool is_quick[ROUTES_MAX]; /* a route's last run was, by its place */
} core_t;

/* Ready for events of the app, whose routes are frozen by then.  app outlives
 * it. */
void core_init(core_t *self, hoist_app *app);
void core_fini(core_t *self);

/*
 * Run the event through middleware and handler.  Exactly one REPLY is
 * appended to out, among what the handlers pushed, unless a handler asked.
 *
 * now_ms  monotonic, when the request came.
 * asked   of the broker that out is for, or NULL.
 * Returns NULL, or the query whose answer the event waits for.
 */
query_t *core_handle(core_t *self, const message_request_t *request,
                     int64_t now_ms, outbox_t *out, asked_t *asked);

/*
 * May the event's handler take long, so that nobody else should wait for it?
 * That of a route may whose last run did, or that never ran here: nothing else
 * is known of it.
 */
bool core_may_be_slow(const core_t *self, const message_request_t *request);

/* The event that ran last, if its time was not told before, took so long. */
void core_took(core_t *self, int64_t ms);

/*
 * Go on with the event of a query that was taken out of `asked`.  Its REPLY is
 * appended, unless the event asks again, or has ended (ctx.over).
 *
 * query  moved: freed, or in `asked` again.
 * Returns whether the event goes on: query is under way again.
 */
bool core_answer(core_t *self, query_t *query, hoist_answer *answer);

/*
 * Run a task, which speaks to the broker that out and asked are of; both NULL:
 * to none.
 */
void core_run(core_t *self, const task_t *task, outbox_t *out, asked_t *asked);

/* Tell a handler that no event waits for what became of a push; likewise. */
void core_pushed(core_t *self, const receipt_t *receipt,
                 const hoist_pushed *pushed, outbox_t *out, asked_t *asked);

/*
 * The route of an event: its own, or "$default" for a MESSAGE; NULL when there
 * is none.
 */
const route_t *core_route(const hoist_app *app,
                          const message_request_t *request);

/* --- between the SDK's files ------------------------------------------- */

/* A context without an event, and what it owns. */
void ctx_init(hoist_ctx *self, hoist_app *app);
void ctx_fini(hoist_ctx *self);

static inline bool ctx_is_task(const hoist_ctx *self)
{
    return self->request->event == HOIST_TASK;
}

/* 0 when something is still to be said of this event or task: it has no reply
 * and waits for no answer; -EALREADY; -ENOTCONN.  And so that a reply may be
 * given; -EINVAL for a task (reply.c). */
int ctx_may_go_on(const hoist_ctx *self);
int ctx_may_reply(const hoist_ctx *self);

/* 0 when an event or task may ask its broker something now, and wait;
 * -EALREADY; -ENOTCONN; -EDEADLK when it is a call (query.c). */
int ctx_may_ask(const hoist_ctx *self);

/* How long an answer may take where so long is wanted (query.c). */
int64_t ctx_time_for(const hoist_ctx *self, int64_t wanted_ms);

/* The event, or task, of this context as it is told to go on later, in no
 * table yet; NULL without memory (query.c). */
query_t *query_new(const hoist_ctx *ctx);

/* Free a query that is not in `asked`; NULL is harmless (query.c). */
void query_destroy(query_t **query_p);

/* A RESULT as the answer's handler reads it; lent (query.c). */
hoist_answer answer_of(const message_result_t *result);

/* The attribute of that name in a context (context.c). */
wire_bytes_t context_attribute(wire_bytes_t context, const char *name);

/* 0 when it may be the name of connections, of 1 to max bytes; -EINVAL for
 * none, -EMSGSIZE, -EILSEQ (push.c). */
int check_name(hoist_text name, size_t max);

/* The event stands before the middleware of its route: hoist_next runs it. */
static inline void ctx_enter(hoist_ctx *ctx, const route_t *route)
{
    ctx->route = route;
    ctx->handler = route->handler;
    ctx->layer = route->stack;
    ctx->inmost = route->inmost;
    ctx->mark = ctx->again->marks;
}

/* Make an outcome of what that returned, or return the query that the event
 * waits for (core.c). */
query_t *ctx_conclude(hoist_ctx *ctx, int rc);

/* Who wanted to know of the outcome is told, but for the first `kept` of them;
 * nothing can be said to the event then.  Who wants to know meanwhile is told
 * the next time: where an answer is still to come, when that has (core.c). */
void ctx_run_finally(hoist_ctx *ctx, size_t kept);

/* The attribute of that name among those accepted so far, or absent; lent until
 * the next is accepted (accept.c). */
hoist_text accept_attribute(const accept_t *accept, const char *name);

/* What the event's connection was accepted with so far, where that is a
 * CONNECT, or a call that one makes; else NULL: its context has it (call.c). */
const accept_t *ctx_accepted(const hoist_ctx *ctx);

/* Empty what a CONNECT's reply will carry (accept.c). */
void accept_reset(accept_t *self);

/* Append it to out as the options of that REPLY, or those of one that refuses;
 * nothing where nothing is set.
 * Return 0; -ENOBUFS, -ENOMEM (accept.c). */
int accept_put(const accept_t *accept, buf_t *out);
int accept_put_refusal(const accept_t *accept, buf_t *out);

/* The same event's reply will be given by another context, which has a copy of
 * its REQUEST (accept.c). */
void accept_move(hoist_ctx *from, hoist_ctx *to);

/* A failure stays one, and takes a reply of success back; a positive result is
 * one.  Returns its result, or 0 when it was replied to (failure.c). */
int ctx_settle_failure(hoist_ctx *ctx, int rc);

/* Settle what a layer or handler has returned.  Returns the result. */
static inline int ctx_settle(hoist_ctx *ctx, int rc)
{
    return rc == 0 && ctx->failure.result == 0 ? 0
                                               : ctx_settle_failure(ctx, rc);
}

/* A layer runs what is inside of it for the first time: remember what stands.
 * It runs it again, since it has failed: go back to that; whoever in there
 * wanted to know of the outcome is told that it was this.
 * Return 0; -ENOMEM (again.c). */
int again_return(hoist_ctx *ctx);

static inline int again_keep(hoist_ctx *ctx)
{
    again_mark_t *mark = ctx->mark;

    values_mark(&ctx->values, &mark->values);
    return ctx->request->event == EVENT_CONNECT
               ? again_keep_accept(ctx->again, &mark->accept, &ctx->accept)
               : 0;
}

/* Take the event's reply back: it has none now (reply.c). */
void reply_withdraw(hoist_ctx *ctx);

/* The body of the event's reply, lent until something is sent; false: none lies
 * here, since it has none, or is tried again (reply.c). */
bool reply_peek(const hoist_ctx *ctx, body_t *body);

/* Reply to an event that has no reply (reply.c): 0 or as hoist_reply. */
int reply_send(hoist_ctx *ctx, int status, body_t body);

/* The same of one that failed, which the outbox has room for when it has none
 * for others (reply.c): 0; -ENOMEM. */
int reply_send_failure(hoist_ctx *ctx, int status, body_t body);

/* It has not failed, or is tried again.  What has no result has no words. */
static inline void failure_forget(failure_t *self)
{
    if (self->result != 0) {
        *self = (failure_t){.result = 0};
    }
}

/* The HTTP status of what has failed (failure.c). */
int failure_status(const failure_t *self);

/* What a log says of a failure, or of a task, that returned rc: the words of
 * hoist_fail, else those of the errno; "" for none (failure.c). */
const char *failure_reason(const failure_t *self, int rc);

/* The code that the event's client was told, or would be; "": none
 * (failure.c). */
const char *failure_code(const hoist_ctx *ctx);

/* The usual word for a status that refuses (failure.c). */
const char *failure_word(int status);

/* Does a reply of this status say no? */
static inline bool ctx_refuses(const hoist_ctx *self, int status)
{
    return self->request->event == EVENT_CONNECT ? status / 100 != 2
                                                 : status >= 400;
}

/* What a call returned is told to people, if it is for its arguments and the
 * event fails with it: to the client it looks like its own mistake.  Returns
 * rc. */
static inline int ctx_noted(hoist_ctx *ctx, int rc)
{
    if (rc == -EINVAL || rc == -EILSEQ || rc == -ENOENT) {
        ctx->misuse = rc;
    }
    return rc;
}

/* A line of the log, where the brake lets it pass: that the event has failed
 * (failure.c). */
void failure_log(hoist_ctx *ctx, brake_t *brake);

/* Reply to an event that has no reply what its failure means (failure.c). */
void reply_failure(hoist_ctx *ctx);

/* May it go out as a text frame? */
static inline bool is_utf8(hoist_text text)
{
    wire_bytes_t bytes = wire_of(text);
    return utf8_is_valid(bytes.data, bytes.len);
}

#endif
