/* SPDX-License-Identifier: MIT */
#include "tests/simulation/worker_node.h"

#include "base/buf.h"
#include "base/xalloc.h"
#include "tests/simulation/truth.h"
#include "tests/simulation/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS      50
#define HEARTBEAT_MS 200 /* until a WELCOME says better */
#define LIVENESS_MS  1000
#define QUICK_MS     4 /* of most handlers, at most */
#define SLOW         25
#define SLOW_MS      300
#define DRAG_MS      4000 /* longer than a request's deadline */
#define FAIL         12   /* one reply in so many is a failure */
#define AGAIN        100  /* one reply in so many is said twice … */
#define AGAIN_MS     400  /* … within so long */
#define FRAME_MAX_   ((size_t)1 << 20)
#define MARGIN_MS    350 /* of a broker's judgement: travel, a PING not sent */

typedef struct {
    list_t link;
    worker_node_t *worker;
    uint64_t id;
    event_t event;
    char conn[CONN_ID_TEXT];
    uint32_t attempt, n;
    uint64_t size;   /* its share of the window, bytes */
    uint64_t status; /* that it replied */
    bool is_begun;
    bool has_user; /* its context says so */
    bool is_old;   /* the broker has ended it, and knows nothing of it */
    bool is_made;  /* by the broker: its gateway is lost */
    uint32_t joined, left; /* of a PRESENCE: groups, in bits */
    place_t place;
} work_t;

static uint32_t starts; /* of all workers, in this run */

void worker_node_begin(void)
{
    starts = 0;
}

static int64_t stopped_until_ms(void *owner)
{
    const worker_node_t *self = owner;
    return self->stopped_until_ms;
}

/* --- speaking ------------------------------------------------------------ */

static void send_buf(worker_node_t *self, buf_t *out)
{
    if (wire_send(&self->wire, out->data, out->len)) {
        self->sent_ms = world_now_ms();
    }
    buf_fini(out);
}

static void say_bare(worker_node_t *self, message_kind_t kind)
{
    buf_t out;

    buf_init(&out, FRAME_MAX_);
    must(message_put_bare(&out, kind) == 0);
    send_buf(self, &out);
}

static void say_ping(worker_node_t *self)
{
    message_ping_t ping = {.in_flight = self->held_count};
    buf_t out;

    buf_init(&out, FRAME_MAX_);
    must(message_put_ping(&out, &ping) == 0);
    self->pings++;
    if (self->is_doubtful && self->doubt_fence == 0 &&
        world_now_ms() >= self->doubt_until_ms) {
        self->doubt_fence = self->pings;
    }
    send_buf(self, &out);
}

static void say_pong(worker_node_t *self, const message_ping_t *ping)
{
    const message_pong_t pong = {.number = ping->number};
    buf_t out;

    buf_init(&out, FRAME_MAX_);
    must(message_put_pong(&out, &pong) == 0);
    send_buf(self, &out);
}

static void put_route(buf_t *out, const char *route)
{
    bool is_again = strcmp(route, ROUTE_AGAIN) == 0;
    bool is_loose = strcmp(route, ROUTE_LOOSE) == 0;

    if (is_again || is_loose) {
        must(wire_put_array(out, 2) == 0);
    }
    must(wire_put_text(out, route) == 0);
    if (is_again) {
        must(wire_put_map(out, 1) == 0 &&
             wire_put_text(out, "redeliver") == 0 &&
             wire_put_uint(out, REDELIVER) == 0);
    } else if (is_loose) {
        must(wire_put_map(out, 1) == 0 &&
             wire_put_text(out, "unordered") == 0 &&
             wire_put_bool(out, true) == 0);
    }
}

static void put_ready(worker_node_t *self, buf_t *out)
{
    buf_t routes;
    uint32_t count = 0;

    while (self->options.routes[count] != NULL) {
        count++;
    }
    buf_init(&routes, FRAME_MAX_);
    must(wire_put_array(&routes, count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        put_route(&routes, self->options.routes[i]);
    }
    message_ready_t ready = {.routes = {routes.data, routes.len},
                             .window = self->options.window,
                             .window_bytes = self->options.window_bytes};
    must(message_put_ready(out, &ready) == 0);
    buf_fini(&routes);
}

static void format_boot(const worker_node_t *self, char boot[BOOT_ID_MAX + 1])
{
    snprintf(boot, BOOT_ID_MAX + 1, "worker-%u.%u", self->number, self->losses);
}

static void put_process(const worker_node_t *self, buf_t *options)
{
    const process_t *process = self->options.process;
    char name[BOOT_ID_MAX + 1];

    snprintf(name, sizeof name, "%u.%u", process->number, process->life);
    must(wire_put_map(options, 1) == 0 &&
         wire_put_entry_str(options, "process", wire_bytes(name)) == 0);
}

static void greet(worker_node_t *self)
{
    char boot[BOOT_ID_MAX + 1], name[24];
    buf_t out, options;

    snprintf(name, sizeof name, "worker-%u", self->number);
    format_boot(self, boot);
    message_hello_t hello = {.version = PROTOCOL_VERSION,
                             .role = wire_bytes("worker"),
                             .boot = wire_bytes(boot),
                             .name = wire_bytes(name)};
    buf_init(&options, FRAME_MAX_);
    put_process(self, &options);
    hello.options = (wire_bytes_t){options.data, options.len};
    buf_init(&out, FRAME_MAX_);
    must(message_put_hello(&out, &hello) == 0);
    buf_fini(&options);
    put_ready(self, &out);
    self->is_greeting = true;
    self->is_up = self->is_lost = false;
    self->greeted_ms = world_now_ms();
    send_buf(self, &out);
}

/* --- handlers ------------------------------------------------------------ */

static void end_work(void *subject, uint32_t life);

/* Is there work of the same connection before it? */
static bool is_first(const work_t *work)
{
    list_foreach(link, &work->worker->held) {
        const work_t *other = list_entry(link, work_t, link);
        if (other == work) {
            return true;
        }
        if (memcmp(other->conn, work->conn, CONN_ID_TEXT) == 0) {
            return false;
        }
    }
    return true;
}

static int64_t duration_ms(const worker_options_t *options)
{
    if (options->pace_ms > 0) {
        return options->pace_ms + world_between(0, QUICK_MS);
    }
    if (world_chance(options->drags)) {
        return world_between(0, DRAG_MS);
    }
    return world_between(0, world_chance(SLOW) ? SLOW_MS : QUICK_MS);
}

static void begin_work(work_t *work)
{
    worker_node_t *self = work->worker;
    bool hangs = world_chance(self->options.hangs);

    work->is_begun = true;
    truth_handler_begins(work->conn, work->event, work->attempt, work->n,
                         work->place);
    if (work->event == EVENT_PRESENCE) {
        truth_presence(work->conn, work->joined, work->left, work->is_made,
                       work->place);
    }
    if (!hangs) {
        world_after(duration_ms(&self->options), end_work, work, self->life);
    } else {
        world_trace("worker %u hangs in %.16s", self->number, work->conn);
    }
}

static void begin_next(worker_node_t *self, const char conn[CONN_ID_TEXT])
{
    list_foreach(link, &self->held) {
        work_t *work = list_entry(link, work_t, link);
        if (memcmp(work->conn, conn, CONN_ID_TEXT) == 0) {
            begin_work(work);
            return;
        }
    }
}

static bool may_push(const worker_node_t *self, size_t size)
{
    return self->pushes == 0 ||
           (self->pushes < self->push_window &&
            self->push_bytes + size <= self->push_window_bytes);
}

/* What the window has no room for is not said. */
static void put_push(worker_node_t *self, const work_t *work, buf_t *out)
{
    char text[64];
    buf_t target;

    snprintf(text, sizeof text, "push %u %u %u", work->attempt, self->number,
             ++self->words);
    buf_init(&target, FRAME_MAX_);
    must(wire_put_array(&target, 2) == 0 &&
         wire_put_text(&target, "connection") == 0 &&
         wire_put_str(&target, (wire_bytes_t){(const uint8_t *)work->conn,
                                              CONN_ID_TEXT}) == 0);
    message_push_t push = {.target = {target.data, target.len},
                           .body = {BODY_TEXT, wire_bytes(text)}};
    size_t size = push.target.len + push.body.bytes.len;
    if (may_push(self, size)) {
        must(message_put_push(out, &push) == 0);
        self->pushes++;
        self->push_bytes += size;
        truth_said(work->attempt);
    }
    buf_fini(&target);
}

/* --- groups -------------------------------------------------------------- */

static void put_join(worker_node_t *self, const work_t *work, buf_t *out)
{
    uint32_t group = (uint32_t)world_below(TRUTH_GROUPS);
    message_kind_t kind = world_chance(3) ? KIND_LEAVE : KIND_JOIN;
    char name[8];

    if (!may_push(self, 0)) {
        return;
    }
    snprintf(name, sizeof name, "g%u", group);
    message_join_t join = {.group = wire_bytes(name),
                           .conn = {(const uint8_t *)work->conn, CONN_ID_TEXT}};
    must(message_put_join(out, kind, &join) == 0);
    self->pushes++;
    truth_joined(work->attempt, group, kind == KIND_JOIN);
}

static void choose_name(const work_t *work, char name[8], const char **type)
{
    int64_t choice = world_between(0, 4);

    if (choice == 0) {
        *type = "all";
        snprintf(name, 8, "all");
    } else if (choice == 1 && work->has_user) {
        *type = "user";
        snprintf(name, 8, "u%u", work->attempt % TRUTH_USERS);
    } else {
        *type = "group";
        snprintf(name, 8, "g%u", (unsigned)world_below(TRUTH_GROUPS));
    }
}

static void put_cry(worker_node_t *self, const work_t *work, buf_t *out)
{
    char text[64], name[8];
    const char *type;
    buf_t target, options;

    choose_name(work, name, &type);
    snprintf(text, sizeof text, "cry %s %u %u", name, self->number,
             self->words + 1);
    buf_init(&target, FRAME_MAX_);
    buf_init(&options, FRAME_MAX_);
    bool is_all = strcmp(type, "all") == 0;
    must(wire_put_array(&target, is_all ? 1 : 2) == 0 &&
         wire_put_text(&target, type) == 0 &&
         (is_all || wire_put_text(&target, name) == 0));
    must(wire_put_map(&options, 1) == 0 &&
         wire_put_text(&options, "ack") == 0 &&
         wire_put_uint(&options, self->asked + 1) == 0);
    message_push_t push = {.target = {target.data, target.len},
                           .body = {BODY_TEXT, wire_bytes(text)},
                           .options = {options.data, options.len}};
    size_t size = push.target.len + push.body.bytes.len;
    if (may_push(self, size)) {
        must(message_put_push(out, &push) == 0);
        self->pushes++;
        self->push_bytes += size;
        self->words++;
        self->asked++;
        truth_cried(name, work->attempt, work->event == EVENT_MESSAGE,
                    self->number, self->words);
    }
    buf_fini(&target);
    buf_fini(&options);
}

static void put_user(const work_t *work, buf_t *options)
{
    char name[8];

    snprintf(name, sizeof name, "u%u", work->attempt % TRUTH_USERS);
    must(wire_put_map(options, 2) == 0 && wire_put_text(options, "user") == 0 &&
         wire_put_text(options, name) == 0 &&
         wire_put_text(options, "groups") == 0 &&
         wire_put_array(options, 1) == 0 && wire_put_text(options, "g0") == 0);
}

static void put_kick(const work_t *work, buf_t *out)
{
    truth_kicked(work->attempt);
    message_close_t close = {
        .conn = {(const uint8_t *)work->conn, CONN_ID_TEXT},
        .code = 4001,
        .reason = wire_bytes("kicked")};

    must(message_put_close(out, &close) == 0);
}

static uint64_t choose_status(const work_t *work)
{
    if (work->event == EVENT_CONNECT &&
        world_chance(work->worker->options.refuses)) {
        return 403;
    }
    bool may_fail =
        work->event == EVENT_MESSAGE || work->event == EVENT_PRESENCE;
    return may_fail && world_chance(FAIL) ? 500 : 200;
}

static void put_reply(worker_node_t *self, const work_t *work, buf_t *out)
{
    char text[64];
    buf_t options;
    message_reply_t reply = {.id = work->id, .status = work->status};

    if (work->event == EVENT_MESSAGE && work->status == 200) {
        snprintf(text, sizeof text, "re %u %u %u %u", work->attempt, work->n,
                 self->number, ++self->words);
        reply.body = (body_t){BODY_TEXT, wire_bytes(text)};
    }
    buf_init(&options, FRAME_MAX_);
    if (work->event == EVENT_CONNECT && work->status == 200) {
        put_user(work, &options);
        reply.options = (wire_bytes_t){options.data, options.len};
    }
    must(message_put_reply(out, &reply) == 0);
    buf_fini(&options);
}

/* A mistake of a worker, which its broker counts and drops. */
static void say_again(void *subject, uint32_t life)
{
    work_t *work = subject;
    worker_node_t *self = work->worker;
    buf_t out;

    if (life != self->life || world_now_ms() < self->stopped_until_ms) {
        return;
    }
    world_trace("worker %u says a reply again", self->number);
    buf_init(&out, FRAME_MAX_);
    put_reply(self, work, &out);
    send_buf(self, &out);
}

static void drop_work(worker_node_t *self, work_t *work)
{
    list_remove(&work->link);
    list_append(&self->buried, &work->link);
    self->held_count--;
    if (!work->is_old) {
        self->window_used--;
        self->window_bytes_used -= work->size;
    }
}

static void leave_when_done(worker_node_t *self)
{
    if (self->is_draining && self->held_count == 0 &&
        self->pongs >= self->fence) {
        say_bare(self, KIND_BYE);
        truth_lost(world_now_ms()); /* its last words may be, with its wire */
        worker_node_crash(self);
    }
}

/* Beside its reply. */
static void say_more(worker_node_t *self, const work_t *work, buf_t *out)
{
    if (!self->is_up) {
        return; /* the push window begins with the WELCOME */
    }
    if (world_chance(self->options.joins)) {
        put_join(self, work, out);
    }
    if (world_chance(self->options.cries)) {
        put_cry(self, work, out);
    }
    if (world_chance(self->options.pushes)) {
        put_push(self, work, out);
    }
}

static void end_work(void *subject, uint32_t life)
{
    work_t *work = subject;
    worker_node_t *self = work->worker;
    char conn[CONN_ID_TEXT];
    buf_t out;

    if (life != self->life) {
        return; /* it was cut off */
    }
    if (world_now_ms() < self->stopped_until_ms) {
        world_after(self->stopped_until_ms - world_now_ms(), end_work, work,
                    life);
        return;
    }
    buf_init(&out, FRAME_MAX_);
    bool has_client =
        work->event == EVENT_CONNECT || work->event == EVENT_MESSAGE;
    if (has_client) {
        say_more(self, work, &out);
    }
    if (has_client && world_chance(self->options.kicks)) {
        put_kick(work, &out);
    }
    work->status = choose_status(work);
    put_reply(self, work, &out);
    if (work->event == EVENT_CONNECT && work->status == 200) {
        truth_joined(work->attempt, 0, true);
    }
    if (work->event == EVENT_MESSAGE && work->status == 200) {
        truth_said(work->attempt);
    }
    truth_handler_ends(work->conn, work->event, work->status, work->place);
    memcpy(conn, work->conn, CONN_ID_TEXT);
    drop_work(self, work);
    send_buf(self, &out);
    if (world_chance(AGAIN)) {
        world_after(world_between(1, AGAIN_MS), say_again, work, life);
    }
    begin_next(self, conn);
    leave_when_done(self);
}

/* --- hearing ------------------------------------------------------------- */

/* The attempt that a CONNECT's query names. */
static uint32_t attempt_in(wire_bytes_t details)
{
    wire_cursor_t at;
    wire_bytes_t name, value = {NULL, 0};
    uint32_t pairs, parts;

    must(wire_map_find(details, "query", &at) &&
         wire_get_array(&at, &pairs) == 0 && pairs == 1 &&
         wire_get_array(&at, &parts) == 0 && wire_get_str(&at, &name) == 0 &&
         wire_get_str(&at, &value) == 0);
    return (uint32_t)strtoul((const char *)value.data, NULL, 10);
}

static void read_body(wire_bytes_t body, char action[16], uint32_t *attempt,
                      uint32_t *n)
{
    char text[126];

    must(body.len < sizeof text);
    memcpy(text, body.data, body.len);
    text[body.len] = '\0';
    must(sscanf(text, "{\"action\":\"%15[a-z]\",\"k\":%u,\"n\":%u}", action,
                attempt, n) == 3);
}

void worker_node_read(wire_bytes_t body, uint32_t *attempt, uint32_t *n)
{
    char action[16];

    read_body(body, action, attempt, n);
}

static void read_message(work_t *work, const message_request_t *request)
{
    char action[16];

    read_body(request->body.bytes, action, &work->attempt, &work->n);
    work->has_user = wire_map_str(request->context, "user").len > 0;
    work->place.is_loose = strcmp(action, ROUTE_LOOSE) == 0;
    uint64_t most = strcmp(action, ROUTE_AGAIN) == 0 ? 1 + REDELIVER : 1;
    if (request->attempt > most) {
        world_broken("%.16s: message %u (%s) is given for the %lluth time",
                     work->conn, work->n, action,
                     (unsigned long long)request->attempt);
    }
    truth_tries(work->attempt, work->n, request->attempt);
}

/* The groups of a PRESENCE under this key, in bits. */
static uint32_t groups_in(wire_bytes_t details, const char *key)
{
    uint32_t groups = 0, count;
    wire_cursor_t at;
    wire_bytes_t name;

    must(wire_map_find(details, key, &at) && wire_get_array(&at, &count) == 0);
    for (; count > 0; count--) {
        must(wire_get_str(&at, &name) == 0 && name.len == 2);
        groups |= 1u << (name.data[1] - '0');
    }
    return groups;
}

static bool serves(const worker_node_t *self, wire_bytes_t route)
{
    const char *const *routes = self->options.routes;

    while (*routes != NULL && !wire_is(route, *routes)) {
        routes++;
    }
    return *routes != NULL;
}

/* May this come here, now?  `size` is counted in bytes. */
static void check_request(worker_node_t *self, wire_bytes_t route,
                          uint64_t size)
{
    if (!serves(self, route)) {
        world_broken("worker %u is given a route of others: %.*s", self->number,
                     (int)route.len, (const char *)route.data);
    }
    if (self->is_draining && self->pongs >= self->fence) {
        world_broken("worker %u has drained, and is given work", self->number);
    }
    if (self->window_used >= self->options.window ||
        (self->window_used > 0 &&
         self->window_bytes_used + size > self->options.window_bytes)) {
        world_broken("worker %u is given more than its window", self->number);
    }
}

static void spend_window(worker_node_t *self, uint64_t size)
{
    self->window_used++;
    self->window_bytes_used += size;
    if (self->window_used > self->most_used) {
        self->most_used = self->window_used;
    }
    if (self->window_bytes_used > self->most_bytes_used) {
        self->most_bytes_used = self->window_bytes_used;
    }
}

/* First come, first served, of those that come to the broker in a probe. */
static void check_turn(worker_node_t *self, const work_t *work)
{
    uint32_t come = work->event == EVENT_MESSAGE
                        ? truth_came_as(work->attempt, work->n)
                        : 0;

    if (come == 0) {
        return;
    }
    if (come < self->last_come) {
        world_broken("attempt %u is served behind one that came later",
                     work->attempt);
    }
    self->last_come = come;
}

static void take_request(worker_node_t *self, const message_request_t *request,
                         uint64_t size)
{
    if (!self->is_up) {
        return; /* of a life before the greeting */
    }
    check_request(self, request->route, size);
    work_t *work = xcalloc(1, sizeof *work);
    work->worker = self;
    work->id = request->id;
    work->size = size;
    work->event = (event_t)request->event;
    work->place = (place_t){.worker = self->number,
                            .is_doubtful = self->is_doubtful,
                            .delivery = request->attempt};
    must(request->conn.len == CONN_ID_TEXT);
    memcpy(work->conn, request->conn.data, CONN_ID_TEXT);
    if (request->event == EVENT_CONNECT) {
        work->attempt = attempt_in(request->details);
    } else if (request->event == EVENT_MESSAGE) {
        read_message(work, request);
    } else if (request->event == EVENT_PRESENCE) {
        work->is_made = request->number == 0;
        work->joined = groups_in(request->details, "joined");
        work->left = groups_in(request->details, "left");
    }
    list_append(&self->held, &work->link);
    self->held_count++;
    spend_window(self, size);
    check_turn(self, work);
    if (is_first(work)) {
        begin_work(work);
    }
}

/* The broker has ended what we hold: drop it (handlers that run are cut). */
static void drop_all(worker_node_t *self)
{
    self->life++; /* no end_work of it comes any more */
    while (!list_is_empty(&self->held)) {
        work_t *work = list_entry(list_peek(&self->held), work_t, link);
        if (work->is_begun) {
            truth_handler_ends(work->conn, work->event, 0, work->place);
        }
        drop_work(self, work);
    }
}

static void tick(void *subject, uint32_t life);

/* What it held has no outcome yet at a broker that only stood still: the next
 * greeting is another peer's, so that it gets one. */
static void lose_broker(worker_node_t *self)
{
    world_trace("worker %u counts its broker lost", self->number);
    truth_lost(world_now_ms());
    drop_all(self);
    if (self->is_draining) {
        worker_node_crash(self); /* nothing is left to be lost */
        return;
    }
    self->is_up = false;
    self->is_lost = true;
    self->losses++;
    world_after(TICK_MS, tick, self, self->life);
}

/* The broker has ended what it holds.  Who is stubborn goes on with that, as it
 * may: its answers are nobody's. */
static void let_go_of_all(worker_node_t *self)
{
    truth_lost(world_now_ms());
    if (!self->options.is_stubborn) {
        drop_all(self);
        world_after(TICK_MS, tick, self, self->life);
        return;
    }
    list_foreach(link, &self->held) {
        work_t *work = list_entry(link, work_t, link);
        work->is_old = work->place.is_doubtful = true;
    }
    self->window_used = self->window_bytes_used = 0;
}

static void take_who(worker_node_t *self)
{
    if (self->is_greeting &&
        world_now_ms() - self->greeted_ms < self->heartbeat_ms) {
        return; /* the answer to what was said before the greeting */
    }
    let_go_of_all(self);
    if (self->is_draining) {
        worker_node_crash(self); /* whatever it held has had its outcome */
        return;
    }
    greet(self);
}

static void start_pushes(worker_node_t *self, wire_bytes_t options)
{
    self->push_window = wire_map_uint(options, "push_window", 0);
    self->push_window_bytes = wire_map_uint(options, "push_window_bytes", 0);
    self->pushes = self->push_bytes = 0;
    self->told = self->asked;
}

static void take_pushed(worker_node_t *self, const message_pushed_t *pushed)
{
    if (!self->is_up) {
        return; /* of a life before the greeting */
    }
    if (pushed->id > self->asked || ++self->told > self->asked) {
        world_broken("worker %u is told of a push that it did not make",
                     self->number);
    }
}

static void take_credit(worker_node_t *self, const message_credit_t *credit)
{
    if (!self->is_up) {
        return; /* of a life before the greeting */
    }
    if (credit->messages > self->pushes || credit->bytes > self->push_bytes) {
        world_broken("worker %u gets more credit than it has spent",
                     self->number);
    }
    self->pushes -= credit->messages;
    self->push_bytes -= credit->bytes;
}

/* Of two in a session, for a greeting that was said twice, the first counts. */
static bool is_known_session(const worker_node_t *self,
                             const message_welcome_t *welcome)
{
    return self->is_up && wire_is(welcome->boot, self->broker) &&
           self->session == wire_map_uint(welcome->options, "session", 0);
}

/* It was given up between two greetings: neither what it holds nor what it
 * counts can be told from what is of the next session. */
static void see_new_session(worker_node_t *self)
{
    world_trace("worker %u was given up between greetings", self->number);
    let_go_of_all(self);
    if (self->is_draining) {
        worker_node_crash(self); /* nobody waits for what it holds */
        return;
    }
    self->losses++;
    greet(self);
}

static void take_welcome(worker_node_t *self, const message_welcome_t *welcome)
{
    char boot[BOOT_ID_MAX + 1];

    format_boot(self, boot);
    if (!wire_is(wire_map_str(welcome->options, "peer"), boot) ||
        is_known_session(self, welcome)) {
        return; /* for a life before, or said already */
    }
    if (self->is_up) {
        see_new_session(self);
        return;
    }
    snprintf(self->broker, sizeof self->broker, "%.*s", (int)welcome->boot.len,
             (const char *)welcome->boot.data);
    self->session = wire_map_uint(welcome->options, "session", 0);
    self->pings = self->pongs = self->doubt_fence = 0;
    start_pushes(self, welcome->options);
    self->heartbeat_ms = (int64_t)welcome->heartbeat_ms;
    self->liveness_ms = (int64_t)welcome->liveness_ms;
    self->is_greeting = false;
    self->is_up = true;
}

static void take(worker_node_t *self, const message_t *message)
{
    switch (message->kind) {
    case KIND_WELCOME:
        take_welcome(self, &message->welcome);
        break;
    case KIND_REQUEST:
        take_request(self, &message->request, message->size);
        break;
    case KIND_CREDIT:
        take_credit(self, &message->credit);
        break;
    case KIND_PUSHED:
        take_pushed(self, &message->pushed);
        break;
    case KIND_PING:
        if (self->is_up) {
            say_pong(self, &message->ping);
        }
        break;
    case KIND_PONG:
        self->pongs++;
        if (self->doubt_fence > 0 && self->pongs >= self->doubt_fence) {
            self->is_doubtful = false;
            self->doubt_fence = 0;
        }
        leave_when_done(self);
        break;
    case KIND_WHO:
        take_who(self);
        break;
    case KIND_ERROR:
        world_broken("worker %u is told: %.*s %.*s", self->number,
                     (int)message->error.code.len, message->error.code.data,
                     (int)message->error.text.len, message->error.text.data);
        break;
    default:
        break;
    }
}

static void on_frame(void *owner, wire_t *wire, const uint8_t *bytes,
                     size_t len)
{
    worker_node_t *self = owner;
    wire_cursor_t in = wire_cursor((wire_bytes_t){bytes, len});
    message_t message;
    uint32_t number = self->number;
    (void)wire;

    if (!worker_node_is_running(self)) {
        return; /* its connection does not know yet that it is dead */
    }
    self->heard_ms = world_now_ms();
    if (self->is_lost && len > 0) {
        greet(self);
    }
    while (self->number == number && message_decode(&in, &message) == 1) {
        take(self, &message);
    }
}

/* Its broker may have given it up, and with it all that it holds. */
static void doubt(worker_node_t *self, int64_t ms)
{
    int64_t until_ms = world_now_ms() + ms;

    self->is_doubtful = true;
    self->doubt_fence = 0;
    if (until_ms > self->doubt_until_ms) {
        self->doubt_until_ms = until_ms;
    }
    truth_doubt_worker(self->number);
    truth_lost(until_ms);
    list_foreach(link, &self->held) {
        list_entry(link, work_t, link)->place.is_doubtful = true;
    }
}

/* A worker learns nothing of it but from the silence, or from a WHO. */
static void on_broken(void *owner, wire_t *wire)
{
    (void)wire;
    if (worker_node_is_running(owner)) {
        doubt(owner, 0);
    }
}

/* --- time ---------------------------------------------------------------- */

static void tick(void *subject, uint32_t life)
{
    worker_node_t *self = subject;
    int64_t now_ms = world_now_ms();

    if (life != self->life) {
        return;
    }
    if (now_ms < self->stopped_until_ms) {
        world_after(self->stopped_until_ms - now_ms, tick, self, life);
        return;
    }
    if (self->is_up && now_ms - self->heard_ms >= self->liveness_ms) {
        lose_broker(self);
        return;
    }
    if (self->is_greeting && now_ms - self->greeted_ms >= self->heartbeat_ms) {
        greet(self);
    } else if (!self->is_greeting &&
               now_ms - self->sent_ms >= self->heartbeat_ms / 2) {
        say_ping(self);
    }
    world_after(TICK_MS, tick, self, life);
}

/* --- life ---------------------------------------------------------------- */

void worker_node_init(worker_node_t *self, const worker_options_t *options,
                      router_t *broker)
{
    static const wire_ops_t ops = {.frame = on_frame,
                                   .stopped_until_ms = stopped_until_ms,
                                   .broken = on_broken};

    *self = (worker_node_t){.options = *options};
    list_init(&self->held);
    list_init(&self->buried);
    wire_init(&self->wire, SIDE_WORKERS, broker, self, &ops);
}

void worker_node_fini(worker_node_t *self)
{
    if (worker_node_is_running(self)) {
        worker_node_crash(self);
    }
    for (list_t *link; (link = list_take(&self->buried)) != NULL;) {
        free(list_entry(link, work_t, link));
    }
    wire_fini(&self->wire);
}

void worker_node_start(worker_node_t *self)
{
    self->life++;
    self->number = ++starts;
    self->is_draining = false;
    self->is_up = false;
    self->is_doubtful = self->is_lost = false;
    self->losses = 0;
    self->pings = self->pongs = self->fence = 0;
    self->heartbeat_ms = HEARTBEAT_MS;
    self->liveness_ms = LIVENESS_MS;
    self->stopped_until_ms = 0;
    self->silent_from_ms = self->silent_until_ms = 0;
    self->words = 0;
    self->asked = self->told = 0;
    world_trace("worker %u starts", self->number);
    if (self->wire.is_wanted) { /* by the life before */
        wire_close(&self->wire);
    }
    wire_open(&self->wire);
    greet(self);
    world_after(TICK_MS, tick, self, self->life);
}

void worker_node_probe(worker_node_t *self)
{
    self->most_used = self->most_bytes_used = 0;
    self->last_come = 0;
}

static void end(worker_node_t *self)
{
    world_trace("worker %u ends, holding %zu", self->number, self->held_count);
    drop_all(self);
    truth_doubt_worker(self->number);
    self->number = 0;
}

void worker_node_crash(worker_node_t *self)
{
    end(self);
    wire_close(&self->wire);
}

static void hang_up(void *subject, uint32_t life)
{
    worker_node_t *self = subject;

    if (life == self->life) {
        wire_close(&self->wire);
    }
}

void worker_node_die(worker_node_t *self, int64_t ms)
{
    end(self);
    world_after(ms, hang_up, self, self->life);
}

void worker_node_drain(worker_node_t *self)
{
    world_trace("worker %u drains", self->number);
    if (!self->is_up) {
        truth_lost(world_now_ms()); /* it may be given something by now */
        worker_node_crash(self);    /* it has not begun */
        return;
    }
    self->is_draining = true;
    say_bare(self, KIND_DRAIN);
    say_ping(self); /* its PONG comes behind all that was sent before */
    self->fence = self->pings;
}

/*
 * If it lasts, the broker gives up what is held here.  Silences that follow
 * each other closely are one: nothing may have been heard between them.
 */
static void fall_silent(worker_node_t *self, int64_t ms)
{
    int64_t now_ms = world_now_ms();

    if (now_ms > self->silent_until_ms + self->heartbeat_ms) {
        self->silent_from_ms = now_ms;
    }
    if (now_ms + ms > self->silent_until_ms) {
        self->silent_until_ms = now_ms + ms;
    }
    int64_t silence_ms = self->silent_until_ms - self->silent_from_ms;
    if (silence_ms + MARGIN_MS >= self->liveness_ms) {
        doubt(self, self->silent_until_ms - now_ms);
    }
}

void worker_node_stop(worker_node_t *self, int64_t ms)
{
    world_trace("worker %u stands still for %lld ms", self->number,
                (long long)ms);
    self->stopped_until_ms = world_now_ms() + ms;
    fall_silent(self, ms);
}

void worker_node_hole(worker_node_t *self, int64_t ms)
{
    world_trace("worker %u is cut off for %lld ms", self->number,
                (long long)ms);
    wire_hole(&self->wire, ms);
    fall_silent(self, ms);
}
