/* SPDX-License-Identifier: MIT
 *
 * What an event costs inside a process, without sockets: the rows of the
 * table that the project was created from, each with time, bytes and
 * allocations an operation.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "bench/allocations.h"
#include "bench/clocks.h"
#include "bench/numbers.h"
#include "bench/usage.h"
#include "gateway/throttle.h"
#include "proto/message.h"
#include "proto/route_expr.h"
#include "store/memory.h"
#include "workers/c/asked.h"
#include "workers/c/hoist_middleware.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <err.h>

#define ROUNDS   15     /* the median counts */
#define OPS      200000 /* in a round */
#define WARM_OPS 20000
#define OUT_KEEP (1 << 20) /* bytes of the reply buffer that stay allocated */

static const char help[] =
    "usage: inproc [KEY OPS]\n"
    "\n"
    "What an event costs inside a process, without sockets.  Prints a line of\n"
    "JSON for each row: CPU time, bytes and allocations an operation.  With the\n"
    "key of a row it runs that alone, so many times, for a profiler.\n";

/* --- what is measured ---------------------------------------------------- */

/* A worker without sockets, and one event for it. */
typedef struct {
    hoist_app *app;
    core_t core;
    outbox_t out;
    asked_t asked;
    buf_t frame; /* the event: an encoded REQUEST */
    message_request_t request;
    int64_t came_ms; /* the event */
    route_expr_t *expr;
    store_options_t store_options;
    store_t *store;
    record_t *record; /* of the event's connection; one reference */
    conn_id_t id;
} worker_t;

static const char body[] =
    "{\"action\":\"echo\",\"n\":\"00000001\",\"pad\":\"xxxxxxxxxxxxxxxxx\"}";
static volatile uintptr_t sink; /* keeps results from being optimised away */

static int echo(hoist_ctx *ctx)
{
    return hoist_reply(ctx, 200, hoist_body_type(ctx), hoist_body(ctx));
}

static int told(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    (void)ctx;
    (void)pushed;
    (void)data;
    return 0;
}

/* To a group, less the sender, which is told of. */
static int push(hoist_ctx *ctx)
{
    const hoist_text self = hoist_connection(ctx);
    const hoist_push_options others = {
        .except = &self, .except_count = 1, .told = told};

    return hoist_push_to(ctx, hoist_to_group(hoist_str("lobby")), HOIST_TEXT,
                         hoist_body(ctx), &others);
}

static int pass_on(hoist_ctx *ctx, void *config)
{
    (void)config;
    return hoist_next(ctx);
}

static void decode(worker_t *self, message_t *message)
{
    wire_cursor_t cursor =
        wire_cursor((wire_bytes_t){self->frame.data, self->frame.len});

    must(message_decode(&cursor, message) == 1);
}

static void route_event(worker_t *self)
{
    sink = (uintptr_t)core_route(self->app, &self->request);
}

static void select_route(worker_t *self)
{
    char key[ROUTE_KEY_MAX];
    size_t len;

    must(route_expr_eval(self->expr, self->request.body.bytes, key, &len) == 0);
    sink = len;
}

/* Bytes of a REQUEST in, bytes of its REPLY out. */
static void handle(worker_t *self)
{
    message_t message;

    decode(self, &message);
    core_handle(&self->core, &message.request, self->came_ms, &self->out, NULL);
    sink = self->out.ready.len;
    buf_reset(&self->out.ready, OUT_KEEP);
}

/* {"ip":"127.0.0.1"}, and of a user beside {"roles":"reviewer","scopes":…}. */
static void put_context(buf_t *out, bool is_member)
{
    must(wire_put_map(out, is_member ? 3 : 1) == 0 &&
         wire_put_text(out, "ip") == 0 && wire_put_text(out, "127.0.0.1") == 0);
    if (is_member) {
        must(wire_put_text(out, "user") == 0 && wire_put_text(out, "ada") == 0);
        must(wire_put_text(out, "attributes") == 0 &&
             wire_put_map(out, 2) == 0 && wire_put_text(out, "roles") == 0 &&
             wire_put_text(out, "reviewer") == 0 &&
             wire_put_text(out, "scopes") == 0 &&
             wire_put_text(out, "read write") == 0);
    }
}

/* The worker's event, but this one and of whom. */
static void handle_of(worker_t *self, event_t event, const buf_t *context)
{
    message_request_t request = self->request;

    request.event = event;
    request.context = (wire_bytes_t){context->data, context->len};
    if (event == EVENT_CONNECT) {
        request.route = wire_bytes("$connect");
        request.body = (body_t){.type = BODY_NONE};
    }
    core_handle(&self->core, &request, 0, &self->out, NULL);
    must(self->core.ctx.status == 200);
    sink = self->out.ready.len;
    buf_reset(&self->out.ready, OUT_KEEP);
}

static void handle_member(worker_t *self)
{
    static buf_t context;

    if (context.limit == 0) {
        buf_init(&context, 1000);
        put_context(&context, true);
    }
    handle_of(self, EVENT_MESSAGE, &context);
}

static void handle_visit(worker_t *self)
{
    static buf_t context;

    if (context.limit == 0) {
        buf_init(&context, 1000);
        put_context(&context, false);
    }
    handle_of(self, EVENT_CONNECT, &context);
}

/* Everything is sent and credited: only the handler's push is counted. */
static void handle_push(worker_t *self)
{
    const message_credit_t credit = {1, 1 << 20};
    message_t message;

    decode(self, &message);
    core_handle(&self->core, &message.request, self->came_ms, &self->out,
                &self->asked);
    sink = self->out.ready.len;
    buf_reset(&self->out.ready, OUT_KEEP);
    outbox_credit(&self->out, &credit);
    for (receipt_t told; receipts_take_any(&self->asked.receipts, &told);) {
    }
}

static void saved(store_op_t *op, int rc, const store_result_t *result)
{
    (void)op;
    (void)result;
    must(rc == 0);
}

static void put_row(worker_t *self, store_verb_t verb, record_t *record)
{
    store_op_t op = {.verb = verb, .record = record, .done = saved};

    store_submit(self->store, &op);
}

/* The event's connection stands: its row has another time to live, as brokers
 * see to it now and then. */
static void handle_and_keep(worker_t *self)
{
    put_row(self, STORE_SAVE, self->record);
    handle(self);
}

/* It comes and goes: all that is kept of it, and nothing of its events. */
static void come_and_go(worker_t *self)
{
    record_t *record = record_new(&self->id, self->request.context, 0);

    must(record != NULL);
    put_row(self, STORE_SAVE, record);
    put_row(self, STORE_REMOVE, record);
    record_drop(record);
}

/* What a gateway does beside for a message of a read of its own; a message a
 * millisecond is within each rate. */
static void throttle(session_t *session)
{
    session->hub->now_ms++;
    sink = throttle_allows(session);
    throttle_spend_frame(session);
    throttle_spend_bytes(session, sizeof body);
}

static void throttle_off(worker_t *self)
{
    static hub_t hub;
    static session_t session = {.hub = &hub};
    (void)self;

    throttle(&session);
}

static void throttle_on(worker_t *self)
{
    static hub_t hub;
    static session_t session = {.hub = &hub};
    (void)self;

    if (hub.now_ms == 0) {
        hub.message_rate = rate_of(2000, 0);
        hub.byte_rate = rate_of(1000000, 0);
    }
    throttle(&session);
}

static void do_nothing(worker_t *self)
{
    sink = (uintptr_t)self;
}

static void convert(worker_t *self)
{
    sink = (uintptr_t)hoist_ws(&self->core.ctx);
}

/* --- setting up ---------------------------------------------------------- */

static void make_request(worker_t *self)
{
    static const uint8_t context[] = {0x81, 0xa2, 'i', 'p', 0xa9, '1', '2',
                                      '7',  '.',  '0', '.', '0',  '.', '1'};
    static char conn[CONN_ID_TEXT];
    message_t message;

    self->id = (conn_id_t){.loop = 1, .slot = 2, .random = 3};
    conn_id_format(&self->id, conn);
    buf_init(&self->frame, 1 << 16);
    message_request_t request = {
        .id = 1000000,
        .event = EVENT_MESSAGE,
        .conn = {(const uint8_t *)conn, sizeof conn},
        .route = wire_bytes("echo"),
        .body = {BODY_TEXT, wire_bytes(body)},
        .deadline_ms = 29000,
        .context = {context, sizeof context},
        .number = 42,
    };
    must(message_put_request(&self->frame, &request) == 0);
    decode(self, &message);
    self->request = message.request;
}

typedef struct {
    const char *key, *name;
    void (*run)(worker_t *worker);
    hoist_handler *handler;
    int layers;
    bool is_legacy;
    void (*use)(hoist_app *app); /* middleware, or NULL */
} row_t;

/* One of three roles and both scopes, in a table of four routes. */
static void use_authorize(hoist_app *app)
{
    static const hoist_authorize_rule rules[] = {
        {.route = "delete", .roles = "admin"},
        {.route = "echo",
         .roles = "admin editor reviewer",
         .scopes = "read write"},
        {.route = "help", .anyone = true},
        {.route = "list", .scopes = "read"},
    };
    const hoist_authorize_config config = {.rules = rules, .rule_count = 4};

    must(hoist_use(app, hoist_authorize, &config) == 0);
}

static int welcome(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static void use_welcome(hoist_app *app)
{
    must(hoist_on(app, "$connect", welcome) == 0);
}

static void use_ip_filter(hoist_app *app)
{
    const hoist_ip_filter_config config = {
        .allow = "10.0.0.0/8,192.168.0.0/16,127.0.0.0/8,2001:db8::/32",
        .deny = "198.51.100.0/24,203.0.113.7"};

    use_welcome(app);
    must(hoist_use(app, hoist_ip_filter, &config) == 0);
}

/* Each by itself, as it is by default, but that all events of a run have come
 * when it began, which is not too long ago. */
static void use_metrics(hoist_app *app)
{
    must(hoist_use(app, hoist_metrics, NULL) == 0);
}

static void use_timeout(hoist_app *app)
{
    must(hoist_use(app, hoist_timeout, NULL) == 0);
}

static void use_bulkhead(hoist_app *app)
{
    must(hoist_use(app, hoist_bulkhead, NULL) == 0);
}

static void use_breaker(hoist_app *app)
{
    must(hoist_use(app, hoist_breaker, NULL) == 0);
}

static void use_shed(hoist_app *app)
{
    const hoist_shed_config patient = {.target_ms = 60000};

    must(hoist_use(app, hoist_shed, &patient) == 0);
}

static void use_retry(hoist_app *app)
{
    must(hoist_use(app, hoist_retry, NULL) == 0);
}

/* The middleware that comes with the library; no event is slow. */
static void use_builtins(hoist_app *app)
{
    const hoist_logger_config quiet = {.slow_ms = 60000};

    must(hoist_use(app, hoist_request_id, NULL) == 0);
    must(hoist_use(app, hoist_logger, &quiet) == 0);
    must(hoist_use(app, hoist_recover, NULL) == 0);
}

/* One of 64, each of whom has a token for each of its events. */
static hoist_text next_caller(hoist_ctx *ctx, void *data)
{
    static char name[] = "caller-?";
    static unsigned next;
    (void)ctx;
    (void)data;

    name[sizeof name - 2] = (char)('0' + next++ % 64);
    return hoist_str(name);
}

static void use_rate_limit(hoist_app *app)
{
    const hoist_rate_limit_config config = {.rate = 100000, .key = next_caller};

    must(hoist_use(app, hoist_rate_limit, &config) == 0);
}

/* Another for each event. */
static hoist_text next_key(hoist_ctx *ctx, void *data)
{
    static uint64_t next;
    (void)ctx;
    (void)data;

    next++;
    return hoist_bytes(&next, sizeof next);
}

static void use_idempotency(hoist_app *app)
{
    const hoist_idempotency_config config = {.key = next_key, .keys = 1000};

    must(hoist_use(app, hoist_idempotency, &config) == 0);
}

static void use_validation(hoist_app *app)
{
    static const char *const actions[] = {"echo", "order", NULL};
    static const hoist_rule members[] = {
        {.name = "action", .type = HOIST_JSON_STRING, .choices = actions},
        {.name = "n", .type = HOIST_JSON_STRING, .min = 8, .max = 8},
        {.name = "pad", .type = HOIST_JSON_STRING, .max = 100},
        {.name = NULL},
    };
    static const hoist_rule rule = {.type = HOIST_JSON_OBJECT,
                                    .members = members};

    must(hoist_use(app, hoist_validate,
                   &(hoist_validate_config){.body = &rule}) == 0);
}

static void worker_init(worker_t *self, const row_t *row)
{
    char error[128];

    *self = (worker_t){.app = hoist_app_new(), .came_ms = clock_mono_ms()};
    if (row->is_legacy) {
        must(hoist_handle(self->app, "MESSAGE", "/echo", row->handler) == 0);
    } else {
        must(hoist_on(self->app, "echo", row->handler) == 0);
    }
    for (int i = 0; i < row->layers; i++) {
        must(hoist_wrap(self->app, pass_on, NULL) == 0);
    }
    if (row->use != NULL) {
        row->use(self->app);
    }
    routes_freeze(&self->app->routes, &self->app->around);
    core_init(&self->core, self->app);
    outbox_init(&self->out);
    asked_init(&self->asked, &self->out);
    make_request(self);
    must(route_expr_compile("$request.body.action", &self->expr, error,
                            sizeof error) == 0);
    store_options_init(&self->store_options);
    self->store = store_memory_new(&self->store_options);
    self->record = record_new(&self->id, self->request.context, 0);
    must(self->record != NULL);
    handle(self); /* the context is one of an event */
}

static void worker_fini(worker_t *self)
{
    store_destroy(&self->store);
    record_drop(self->record);
    route_expr_destroy(&self->expr);
    buf_fini(&self->frame);
    asked_fini(&self->asked);
    outbox_fini(&self->out);
    core_fini(&self->core);
    hoist_app_destroy(&self->app);
}

/* --- measuring ----------------------------------------------------------- */

static const row_t rows[] = {
    {"routing", "routing: route key to handler", route_event, echo, 0, false,
     NULL},
    {"selection", "route selection: body to route key", select_route, echo, 0,
     false, NULL},
    {"handler", "handler execution: frame to frame", handle, echo, 0, false,
     NULL},
    {"connection", "… with connection management", handle_and_keep, echo, 0,
     false, NULL},
    {"row", "a connection's row, from its coming to its going", come_and_go,
     echo, 0, false, NULL},
    {"nothing", "nothing: what the loop costs", do_nothing, echo, 0, false,
     NULL},
    {"conversion", "context conversion", convert, echo, 0, false, NULL},
    {"middleware", "… with 5 layers of middleware", handle, echo, 5, false,
     NULL},
    {"builtins", "… with request id, logger and recover", handle, echo, 0,
     false, use_builtins},
    {"rate limit", "… with a rate limit in memory", handle, echo, 0, false,
     use_rate_limit},
    {"idempotency", "… done once, each with a new key", handle, echo, 0, false,
     use_idempotency},
    {"validation", "… with rules for its body", handle, echo, 0, false,
     use_validation},
    {"legacy", "… registered the HTTP way", handle, echo, 0, true, NULL},
    {"unlimited", "rates of a message, off", throttle_off, echo, 0, false,
     NULL},
    {"limited", "rates of a message, both", throttle_on, echo, 0, false, NULL},
    {"push", "push to a group, told of: frame to frame", handle_push, push, 0,
     false, NULL},
    {"member", "a message of a user with roles", handle_member, echo, 0, false,
     NULL},
    {"authorize", "… who may, by role and scope", handle_member, echo, 0, false,
     use_authorize},
    {"connect", "a connection: event to frame", handle_visit, echo, 0, false,
     use_welcome},
    {"ip filter", "… from where one may", handle_visit, echo, 0, false,
     use_ip_filter},
    {"metrics", "… counted and timed", handle, echo, 0, false, use_metrics},
    {"timeout", "… within a time", handle, echo, 0, false, use_timeout},
    {"bulkhead", "… so many at once", handle, echo, 0, false, use_bulkhead},
    {"breaker", "… behind a circuit breaker", handle, echo, 0, false,
     use_breaker},
    {"shed", "… unless it has waited too long", handle, echo, 0, false,
     use_shed},
    {"retry", "… again where it fails", handle, echo, 0, false, use_retry},
};

#define ROWS (sizeof rows / sizeof rows[0])

/* Of a row. */
typedef struct {
    worker_t worker;
    double took[ROUNDS]; /* ns an operation */
    allocations_t spent; /* in all rounds */
} measured_t;

static void start(measured_t *self, const row_t *row)
{
    worker_init(&self->worker, row);
    for (int i = 0; i < WARM_OPS; i++) {
        row->run(&self->worker);
    }
}

static void run_round(measured_t *self, const row_t *row, int round)
{
    self->worker.came_ms = clock_mono_ms();
    allocations_t before = allocations_so_far();
    uint64_t start_ns = clocks_thread_ns();

    for (int i = 0; i < OPS; i++) {
        row->run(&self->worker);
    }
    self->took[round] = (double)(clocks_thread_ns() - start_ns) / OPS;
    allocations_t after = allocations_so_far();
    self->spent.calls += after.calls - before.calls;
    self->spent.bytes += after.bytes - before.bytes;
}

static void tell(measured_t *self, const row_t *row)
{
    double ops = (double)OPS * ROUNDS;

    numbers_sort(self->took, ROUNDS);
    printf("{\"key\":\"%s\",\"name\":\"%s\",\"ns\":%.2f,"
           "\"bytes\":%.2f,\"allocations\":%.3f}\n",
           row->key, row->name, self->took[ROUNDS / 2],
           (double)self->spent.bytes / ops, (double)self->spent.calls / ops);
    worker_fini(&self->worker);
}

/* In turns, since rows are compared: what else the machine does changes. */
static void run_all(void)
{
    static measured_t all[ROWS];

    for (size_t i = 0; i < ROWS; i++) {
        start(&all[i], &rows[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < ROWS; i++) {
            run_round(&all[i], &rows[i], round);
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        tell(&all[i], &rows[i]);
    }
}

static const row_t *find_row(const char *key)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].key, key) == 0) {
            return &rows[i];
        }
    }
    errx(2, "no such row: %s", key);
}

static void run_one(const row_t *row, uint64_t ops)
{
    static worker_t worker;

    worker_init(&worker, row);
    for (uint64_t i = 0; i < ops; i++) {
        row->run(&worker);
    }
    worker_fini(&worker);
}

/*
 *     inproc             measure all rows: a line of JSON each
 *     inproc KEY OPS     run one so often, for who counts instructions
 */
int main(int argc, char **argv)
{
    usage_read(argc, argv, 0, 2, help);
    if (argc == 1) {
        run_all();
    } else if (argc == 3) {
        run_one(find_row(argv[1]),
                (uint64_t)numbers_read("OPS", argv[2], 1, 1e12));
    } else {
        usage_fail(help);
    }
    return 0;
}
