/* SPDX-License-Identifier: MIT
 *
 * A link as a worker has it (link.h), with a test where its socket would be: it
 * is fed frames of made-up events, and what it says is taken out of its outbox.
 * The one thing that is put in is a layer around all others, by which an
 * event's failure is seen as the program worded it.  While the program's own
 * code runs (`is_inside`), the clock of this thread is the test's.
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/c/call.h"
#include "workers/c/later.h"
#include "workers/c/link.h"
#include "workers/c/testing/made.h"
#include "workers/c/testing/said.h"

#include <errno.h>
#include <stdlib.h>

#include <strings.h>

#define START_US UINT64_C(3600000000) /* not 0, which is no time */
#define SILENCE  DURATION_MAX         /* ms between two PINGs */

/* An event that was sent, and what became of it. */
typedef struct {
    list_t link;
    hoist_test_outcome outcome; /* lends from what follows */
    uint64_t id;                /* of its REQUEST */
    uint8_t *reply;             /* owned: the REPLY, or NULL */
    failure_t failure;
} sent_t;

struct hoist_test {
    hoist_app *app; /* borrowed */
    core_t core;
    link_t link;
    int64_t now_us;
    bool is_inside; /* of the app: a handler runs, or a task */
    buf_t in;       /* owned: what the broker says next */
    list_t sent;    /* sent_t */
    list_t said;    /* said_t */
    list_t *looked; /* borrowed: in said, the last that was looked at; or said
                       itself */
    uint64_t last_id;
};

static int64_t now_ms(const hoist_test *self)
{
    return self->now_us / 1000;
}

/* --- outcomes ------------------------------------------------------------ */

static sent_t *find_sent(const hoist_test *self, uint64_t id)
{
    list_foreach(node, &self->sent) {
        sent_t *sent = list_entry(node, sent_t, link);
        if (sent->id == id) {
            return sent;
        }
    }
    return NULL;
}

/* Its texts are of the context, which is used again. */
static void note_failure(hoist_ctx *ctx, void *state)
{
    sent_t *sent = find_sent(state, ctx->request->id);
    const failure_t *failure = &sent->failure;

    sent->failure = ctx->failure;
    sent->outcome.is_over = true;
    sent->outcome.error = (hoist_error){
        .status = failure->result != 0 ? failure_status(failure) : 0,
        .code = hoist_str(failure->code),
        .message = hoist_str(failure->message),
        .details = hoist_str(failure->details),
    };
}

/* What a handler calls (hoist_call) has an outcome for it alone. */
static int watch(hoist_ctx *ctx, void *state)
{
    if (ctx->call_of == NULL) {
        values_watch(&ctx->values, &(finally_t){note_failure, state});
    }
    return hoist_next(ctx);
}

/* The app's middleware, and around it ours. */
static void freeze(hoist_test *self)
{
    const chain_t *around = &self->app->around;
    layer_t layers[MIDDLEWARE_MAX + 1] = {{.run = watch, .state = self}};

    if (around->count > 0) {
        memcpy(layers + 1, around->layers, around->count * sizeof *layers);
    }
    routes_freeze(&self->app->routes, &(chain_t){layers, around->count + 1});
}

static void take_reply(hoist_test *self, wire_bytes_t raw)
{
    uint8_t *bytes = xcalloc(1, raw.len);
    wire_cursor_t at = wire_cursor((wire_bytes_t){bytes, raw.len});
    message_t message;

    memcpy(bytes, raw.data, raw.len);
    must(message_decode(&at, &message) == 1); /* the library encoded it */
    const message_reply_t *reply = &message.reply;
    sent_t *sent = find_sent(self, reply->id);
    hoist_test_outcome *outcome = &sent->outcome;
    sent->reply = bytes;
    outcome->is_over = true;
    outcome->status = (int)reply->status;
    outcome->type = (hoist_type)reply->body.type;
    outcome->body = lend(reply->body.bytes);
    outcome->user = lend(wire_map_str(reply->options, "user"));
    outcome->tenant = lend(wire_map_str(reply->options, "tenant"));
    outcome->subprotocol = lend(wire_map_str(reply->options, "subprotocol"));
    outcome->ttl_s = (unsigned)wire_map_uint(reply->options, "ttl", 0);
    outcome->options = lend(reply->options);
}

/* --- the broker's part --------------------------------------------------- */

static void put_welcome(hoist_test *self)
{
    const message_welcome_t welcome = {
        .version = PROTOCOL_VERSION,
        .boot = wire_bytes("hoist_test"),
        .heartbeat_ms = SILENCE,
        .liveness_ms = SILENCE,
    };

    must(message_put_welcome(&self->in, &welcome) == 0);
}

static void take(hoist_test *self, const message_t *message, wire_bytes_t raw)
{
    switch (message->kind) {
    case KIND_HELLO:
        put_welcome(self);
        break;
    case KIND_PING:
        must(message_put_bare(&self->in, KIND_PONG) == 0);
        break;
    case KIND_REPLY:
        take_reply(self, raw);
        break;
    case KIND_PUSH:
    case KIND_JOIN:
    case KIND_LEAVE:
    case KIND_CLOSE:
    case KIND_QUERY:
        list_append(&self->said, &said_new(raw)->link);
        break;
    default: /* READY */
        break;
    }
}

static void take_words(hoist_test *self)
{
    const buf_t *ready = &self->link.outbox.ready;
    wire_cursor_t at = wire_cursor((wire_bytes_t){ready->data, ready->len});
    message_t message;

    while (message_decode(&at, &message) == 1) {
        take(self, &message,
             (wire_bytes_t){at.at - message.size, message.size});
    }
    link_sent(&self->link, ready->len, now_ms(self));
}

static void enter(hoist_test *self)
{
    must(!self->is_inside); /* as hoist_test.h demands */
    self->is_inside = true;
    clock_drive(&self->now_us);
}

static void leave(hoist_test *self)
{
    clock_drive(NULL);
    self->is_inside = false;
}

static void feed(hoist_test *self)
{
    link_t *link = &self->link;

    enter(self);
    link_feed(link, (wire_bytes_t){self->in.data, self->in.len}, now_ms(self));
    while (link_step(link, now_ms(self))) {
    }
    self->in.len = 0;
    while (link_resume(link)) {
    }
    link_tick(link, now_ms(self));
    leave(self);
}

/* The worker hears what there is and says what it has to, in turns. */
static void talk(hoist_test *self)
{
    do {
        feed(self);
        take_words(self);
    } while (self->in.len > 0 || link_can_resume(&self->link));
}

/* --- start and end ------------------------------------------------------- */

static int check(hoist_app *app)
{
    if (app->running) {
        return -EBUSY;
    }
    return app->refusal.rc < 0      ? app->refusal.rc
           : app->routes.count == 0 ? -EINVAL
                                    : app_run_checks(app);
}

int hoist_test_new(hoist_app *app, hoist_test **test)
{
    int rc = check(app);

    *test = NULL;
    if (rc < 0) {
        return rc;
    }
    hoist_test *self = xcalloc(1, sizeof *self);
    self->app = app;
    self->now_us = START_US;
    list_init(&self->sent);
    list_init(&self->said);
    self->looked = &self->said;
    buf_init(&self->in, FRAME_MAX);
    app->running = true;
    freeze(self);
    core_init(&self->core, app);
    timers_start(&app->timers, now_ms(self));
    link_init(&self->link,
              &(link_options_t){.core = &self->core,
                                .endpoint = "hoist_test",
                                .boot = "test",
                                .process = "test",
                                .name = "test",
                                .window = app->settings.window,
                                .window_bytes = app->settings.window_bytes},
              now_ms(self));
    take_words(self); /* the greeting */
    talk(self);
    must(self->link.state == LINK_UP);
    *test = self;
    return 0;
}

static void free_lists(hoist_test *self)
{
    list_foreach_safe(node, &self->said) {
        said_t *said = list_entry(node, said_t, link);
        said_destroy(&said);
    }
    list_foreach_safe(node, &self->sent) {
        sent_t *sent = list_entry(node, sent_t, link);
        free(sent->reply);
        free(sent);
    }
}

void hoist_test_destroy(hoist_test **test)
{
    hoist_test *self = *test;

    if (self == NULL) {
        return;
    }
    enter(self);
    link_fini(&self->link);
    leave(self);
    core_fini(&self->core);
    routes_freeze(&self->app->routes, &self->app->around); /* ours has gone */
    self->app->running = false;
    free_lists(self);
    buf_fini(&self->in);
    free(self);
    *test = NULL;
}

hoist_app *hoist_test_app(const hoist_test *test)
{
    return test->app;
}

/* --- events -------------------------------------------------------------- */

static const char *route_of(const hoist_test_event *event)
{
    switch (event->event) {
    case HOIST_CONNECT:
        return "$connect";
    case HOIST_DISCONNECT:
        return "$disconnect";
    case HOIST_PRESENCE:
        return "$presence";
    default:
        return event->route != NULL ? event->route : "$default";
    }
}

/* The route that a broker gives it to; NULL: there is none. */
static const char *find_route(const hoist_test *self,
                              const hoist_test_event *event)
{
    const char *key = route_of(event);
    const message_request_t request = {
        .event = event->event != HOIST_TASK ? event->event : HOIST_MESSAGE,
        .route = wire_bytes(key)};
    const route_t *route = core_route(self->app, &request);

    return route != NULL ? route->key : NULL;
}

static bool is_message(const hoist_test_event *event)
{
    return event->event == HOIST_TASK || event->event == HOIST_MESSAGE;
}

/* What a broker says that has no worker for it. */
static void end_unserved(hoist_test_outcome *outcome,
                         const hoist_test_event *event)
{
    outcome->is_over = true;
    outcome->status = is_message(event) ? 403 : 200;
}

static void ask(hoist_test *self, const sent_t *sent,
                const hoist_test_event *event, const char *route)
{
    message_t message;

    made_request(&self->in, event, route, sent->id);
    wire_cursor_t at = wire_cursor((wire_bytes_t){self->in.data, self->in.len});
    must(message_decode(&at, &message) == 1); /* as hoist_test.h demands */
    talk(self);
}

const hoist_test_outcome *hoist_test_send(hoist_test *test,
                                          const hoist_test_event *event)
{
    const char *route = find_route(test, event);
    sent_t *sent = xcalloc(1, sizeof *sent);

    sent->id = ++test->last_id;
    sent->outcome.is_served = route != NULL;
    list_append(&test->sent, &sent->link);
    if (route != NULL) {
        ask(test, sent, event, route);
    } else {
        end_unserved(&sent->outcome, event);
    }
    return &sent->outcome;
}

static wire_bytes_t options_of(const hoist_test_outcome *outcome)
{
    return wire_of(outcome->options);
}

hoist_text hoist_test_attribute(const hoist_test_outcome *outcome,
                                const char *name)
{
    return lend(context_attribute(options_of(outcome), name));
}

hoist_text hoist_test_header(const hoist_test_outcome *outcome,
                             const char *name)
{
    wire_cursor_t at;
    wire_bytes_t key, value;
    uint32_t count, two;

    if (!wire_map_find(options_of(outcome), "headers", &at) ||
        wire_get_array(&at, &count) < 0) {
        return hoist_str(NULL);
    }
    for (; count > 0; count--) {
        must(wire_get_array(&at, &two) == 0 && wire_get_str(&at, &key) == 0 &&
             wire_get_str(&at, &value) == 0);
        if (key.len == strlen(name) &&
            strncasecmp((const char *)key.data, name, key.len) == 0) {
            return lend(value);
        }
    }
    return hoist_str(NULL);
}

bool hoist_test_in_group(const hoist_test_outcome *outcome, const char *group)
{
    wire_cursor_t at;
    wire_bytes_t name;
    uint32_t count;

    if (!wire_map_find(options_of(outcome), "groups", &at) ||
        wire_get_array(&at, &count) < 0) {
        return false;
    }
    for (; count > 0; count--) {
        must(wire_get_str(&at, &name) == 0);
        if (wire_is(name, group)) {
            return true;
        }
    }
    return false;
}

/* --- what was said, and its answers -------------------------------------- */

const hoist_test_said *hoist_test_next(hoist_test *test)
{
    list_t *next = test->looked->next;

    if (next == &test->said) {
        return NULL;
    }
    test->looked = next;
    return &list_entry(next, said_t, link)->said;
}

/* The oldest of that kind that somebody waits for; NULL: there is none. */
static said_t *find_waiting(const hoist_test *self, hoist_test_kind kind)
{
    const asked_t *asked = &self->link.asked;

    list_foreach(node, &self->said) {
        said_t *said = list_entry(node, said_t, link);
        if (said->id == 0 || said->said.kind != kind) {
            continue;
        }
        if (kind == HOIST_TEST_FIND
                ? asked_has(asked, said->id)
                : receipts_has(&asked->receipts, said->id)) {
            return said;
        }
    }
    return NULL;
}

int hoist_test_tell(hoist_test *test, const hoist_test_answer *answer)
{
    const said_t *said = find_waiting(test, HOIST_TEST_FIND);

    if (said == NULL) {
        return -ENOENT;
    }
    made_result(&test->in, answer, said->id);
    talk(test);
    return 0;
}

int hoist_test_tell_pushed(hoist_test *test, uint64_t delivered, uint64_t gone,
                           uint64_t refused)
{
    const said_t *said = find_waiting(test, HOIST_TEST_PUSH);

    if (said == NULL) {
        return -ENOENT;
    }
    const message_pushed_t pushed = {said->id, delivered, gone, refused};
    must(message_put_pushed(&test->in, &pushed) == 0);
    talk(test);
    return 0;
}

void hoist_test_gone(hoist_test *test, const char *connection)
{
    const message_gone_t gone = {.conn = wire_bytes(connection)};

    must(message_put_gone(&test->in, &gone) == 0);
    talk(test);
}

/* Who was given up greets as soon as it hears anything. */
void hoist_test_lose_broker(hoist_test *test)
{
    must(message_put_bare(&test->in, KIND_BYE) == 0);
    talk(test);
    must(message_put_bare(&test->in, KIND_PONG) == 0);
    talk(test);
    must(test->link.state == LINK_UP);
}

/* --- time ---------------------------------------------------------------- */

/* Between handlers: a task, or what an event with that ticket goes on with. */
static void run(hoist_test *self, const task_t *task, uint64_t ticket)
{
    enter(self);
    if (ticket == 0 || !link_go_on(&self->link, ticket, task)) {
        link_run(&self->link, task);
    }
    leave(self);
}

static void run_posts(hoist_test *self, const posts_t *posts)
{
    task_t task;

    for (size_t left = posts_count(posts); left > 0; left--) {
        if (!posts_take(posts, &task)) {
            break;
        }
        uint64_t ticket = later_open(&task);
        if (task.run != NULL) {
            run(self, &task, ticket);
        }
    }
}

/* What is due by now, once, however long it takes. */
static void run_due(hoist_test *self)
{
    const int64_t due_ms = now_ms(self);
    task_t task;

    while (timers_take(&self->app->timers, due_ms, &task)) {
        run(self, &task, 0);
    }
    run_posts(self, &self->app->inlets[0].posts);
    run_posts(self, &self->app->inlets[0].resumptions);
    talk(self);
}

static int64_t next_due_ms(const hoist_test *self)
{
    int64_t link_ms = link_due_ms(&self->link);
    int64_t timers_ms = timers_due_ms(&self->app->timers);

    return link_ms < timers_ms ? link_ms : timers_ms;
}

/* What has run may have taken time itself: then it is later already. */
static void move_on(hoist_test *self, int64_t to_us)
{
    self->now_us = to_us > self->now_us ? to_us : self->now_us;
}

void hoist_test_pass(hoist_test *test, unsigned ms)
{
    const int64_t end_us = test->now_us + (int64_t)ms * 1000;

    if (test->is_inside) {
        test->now_us = end_us; /* its thread is busy: nothing else runs */
        return;
    }
    run_due(test);
    while (next_due_ms(test) <= end_us / 1000) {
        move_on(test, next_due_ms(test) * 1000);
        run_due(test);
    }
    move_on(test, end_us);
}
