/* SPDX-License-Identifier: MIT */
#include "workers/c/link.h"

#include "base/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define FIRST_HEARTBEAT_MS 1000 /* until a WELCOME says better */
#define FIRST_LIVENESS_MS  10000
#define BUSY_MAX           (OUTBOX_HARD_MAX / 2) /* output that stops new requests */
#define FRAME_MAX_         ((size_t)64 << 20) /* one request may be that large */

/* --- greeting ---------------------------------------------------------- */

/* A str, or [str, terms] where the route has some. */
static int put_route(buf_t *out, const route_t *route)
{
    if (route->redeliver == 0 && !route->is_unordered) {
        return wire_put_text(out, route->key);
    }
    int rc = wire_put_array(out, 2);
    if (rc == 0 && (rc = wire_put_text(out, route->key)) == 0 &&
        (rc = wire_put_map(out, 2)) == 0 &&
        (rc = wire_put_text(out, "redeliver")) == 0 &&
        (rc = wire_put_uint(out, route->redeliver)) == 0 &&
        (rc = wire_put_text(out, "unordered")) == 0) {
        rc = wire_put_bool(out, route->is_unordered);
    }
    return rc;
}

/* The routes of READY. */
static int put_routes(buf_t *out, const routes_t *routes)
{
    int rc = wire_put_array(out, (uint32_t)routes->count);

    for (size_t i = 0; rc == 0 && i < routes->count; i++) {
        rc = put_route(out, &routes->routes[i]);
    }
    return rc;
}

/* What was dropped unasked is to have its outcome: a new boot id says so. */
static void format_boot(const link_t *self, char boot[BOOT_ID_MAX + 1])
{
    if (self->losses > 0) {
        snprintf(boot, BOOT_ID_MAX + 1, "%.20s.%u", self->boot, self->losses);
    } else {
        snprintf(boot, BOOT_ID_MAX + 1, "%s", self->boot);
    }
}

/* The options of HELLO. */
static int put_options(const link_t *self, buf_t *out)
{
    int64_t liveness_ms = self->core->ctx.app->settings.liveness_ms;
    int rc = wire_put_map(out, 1 + (liveness_ms > 0));

    if (rc == 0 && liveness_ms > 0) {
        rc = wire_put_entry_uint(out, "liveness", (uint64_t)liveness_ms);
    }
    if (rc == 0) {
        rc = wire_put_entry_str(out, "process", wire_bytes(self->process));
    }
    return rc;
}

static int put_hello(link_t *self, buf_t *scratch)
{
    char boot[BOOT_ID_MAX + 1];
    message_hello_t hello = {
        .version = PROTOCOL_VERSION,
        .role = wire_bytes("worker"),
        .name = wire_bytes(self->name),
    };

    format_boot(self, boot);
    hello.boot = wire_bytes(boot);
    scratch->len = 0;
    must(put_options(self, scratch) == 0);
    hello.options = (wire_bytes_t){scratch->data, scratch->len};
    return message_put_hello(&self->outbox.ready, &hello);
}

static int put_ready(link_t *self, buf_t *scratch)
{
    scratch->len = 0;
    int rc = put_routes(scratch, &self->core->ctx.app->routes);
    if (rc < 0) {
        return rc;
    }
    message_ready_t ready = {
        .routes = {scratch->data, scratch->len},
        .window = self->window,
        .window_bytes = self->window_bytes,
    };
    return outbox_ready(&self->outbox, &ready);
}

/* --- events that wait for an answer ------------------------------------ */

/* An event that has ended lets its connection's next ones be handled. */
static void answer(link_t *self, query_t *query, hoist_answer *answer)
{
    bool holds = query->holds;
    char conn[CONN_ID_TEXT];

    if (holds) {
        memcpy(conn, query->request.conn.data, sizeof conn);
    }
    query->holds = false;
    if (core_answer(self->core, query, answer)) {
        query->holds = holds; /* it is under way again */
    } else if (holds) {
        mail_release(&self->mail,
                     (wire_bytes_t){(const uint8_t *)conn, sizeof conn});
    }
}

/* An answer of our own. */
static void answer_status(link_t *self, query_t *query, unsigned status)
{
    message_result_t result = {.status = status};
    hoist_answer own = answer_of(&result);

    answer(self, query, &own);
}

static void take_result(link_t *self, const message_result_t *result)
{
    query_t *query = asked_take_answered(&self->asked, result->id);
    hoist_answer theirs = answer_of(result);

    if (query != NULL) {
        answer(self, query, &theirs);
    }
}

/* --- what became of pushes ----------------------------------------------- */

static void tell_pushed(link_t *self, const receipt_t *receipt,
                        const hoist_pushed *pushed)
{
    hoist_answer own = {.status = pushed->status, .pushed = *pushed};

    if (receipt->query != NULL) {
        answer(self, asked_take_pushed(&self->asked, receipt->query), &own);
    } else {
        core_pushed(self->core, receipt, pushed, &self->outbox, &self->asked);
    }
}

/* One that nobody waits for is of an earlier life, late, or made up. */
static void take_pushed(link_t *self, const message_pushed_t *message)
{
    const hoist_pushed pushed = {.status = 200,
                                 .delivered = message->delivered,
                                 .gone = message->gone,
                                 .refused = message->refused};
    receipt_t receipt;

    if (receipts_take(&self->asked.receipts, message->id, &receipt)) {
        tell_pushed(self, &receipt, &pushed);
    }
}

/* Behind those whose tickets came before, if output has to drain for them. */
bool link_go_on(link_t *self, uint64_t ticket, const task_t *task)
{
    if (!asked_resume(&self->asked, ticket, task)) {
        return false;
    }
    if (!link_is_busy(self)) {
        answer_status(self, asked_take_resumed(&self->asked), 200);
    }
    return true;
}

/* The event is over.  If its ticket has come, what it was to go on with has
 * come too late: it is a task, which speaks to whom out and asked are of. */
static void end_event(link_t *self, query_t *query, unsigned status,
                      outbox_t *out, asked_t *asked)
{
    const task_t task = query->resumed;

    query->resumed = (task_t){NULL, NULL};
    answer_status(self, query, status);
    if (task.run != NULL) {
        core_run(self->core, &task, out, asked);
    }
}

static void tick_queries(link_t *self, int64_t now_ms)
{
    const hoist_pushed late = {.status = 504};
    receipt_t receipt;
    query_t *query;

    while ((query = asked_take_late(&self->asked, now_ms)) != NULL) {
        end_event(self, query, 504, &self->outbox, &self->asked);
    }
    while (receipts_take_late(&self->asked.receipts, now_ms, &receipt)) {
        tell_pushed(self, &receipt, &late);
    }
    asked_tick(&self->asked, now_ms);
}

/* The broker has ended the events that wait for answers, and those behind them;
 * the programs' part of them ends here. */
static void lose_queries(link_t *self)
{
    const hoist_pushed lost = {.status = 503};
    receipt_t receipt;
    query_t *query;

    while ((query = asked_take(&self->asked)) != NULL) {
        query->ctx.over = -ENOTCONN;
        end_event(self, query, 503, NULL, NULL);
    }
    while (receipts_take_any(&self->asked.receipts, &receipt)) {
        core_pushed(self->core, &receipt, &lost, NULL, NULL);
    }
    mail_reset(&self->mail);
}

/* The broker has ended all that it gave us. */
static void drop_requests(link_t *self)
{
    lose_queries(self);
    kept_reset(&self->inbox);
}

/* The broker knows nothing of us any more, nor we of what it sent. */
static void forget(link_t *self)
{
    drop_requests(self);
    asked_forget(&self->asked);
    outbox_reset(&self->outbox, UINT64_MAX, UINT64_MAX);
    self->fence = 0;
}

/* --- a broker that is not there ---------------------------------------- */

static int64_t say_due_ms(const link_t *self)
{
    return self->draining ? INT64_MAX : missing_due_ms(&self->missing);
}

static void say_missing(link_t *self, int64_t now_ms)
{
    const char *reason = missing_reason(&self->missing);

    log_warn("WORKER-BROKER-MISSING", "broker=%s ms=%" PRId64 " reason=\"%s\"",
             self->endpoint, missing_said(&self->missing, now_ms), reason);
}

/* --- greeting, again and again ----------------------------------------- */

static void greet(link_t *self, int64_t now_ms)
{
    buf_t *scratch = &self->core->ctx.scratch;

    missing_begin(&self->missing, now_ms);
    forget(self);
    self->state = LINK_GREETING;
    self->greeted_ms = now_ms;
    self->owes_ready = false;
    self->owed_pong = 0;
    /* The outbox was emptied just now, so only memory can be missing. */
    must(put_hello(self, scratch) == 0 && put_ready(self, scratch) == 0);
}

static void log_lost(const link_t *self, const char *why)
{
    log_warn("WORKER-BROKER-LOST", "broker=%s reason=\"%s\"", self->endpoint,
             why);
}

/* The broker has given us up, or is another one: our own silence is the likely
 * reason, if there was one. */
static void log_given_up(const link_t *self, const char *otherwise)
{
    const silence_t *silence = &self->silence;
    char why[128 + ROUTE_KEY_MAX];

    (void)snprintf(why, sizeof why,
                   "given up: nothing was said for %" PRId64 " ms%s%s",
                   silence->ms, silence->route != NULL ? ", route=" : "",
                   silence->route != NULL ? silence->route : "");
    log_lost(self, silence->ms > 0 ? why : otherwise);
}

static void part(link_t *self, int64_t now_ms)
{
    missing_begin(&self->missing, now_ms);
    forget(self);
    self->losses++;
    self->state = LINK_LOST;
}

static void lose(link_t *self, const char *why, int64_t now_ms)
{
    log_lost(self, why);
    part(self, now_ms);
}

static size_t inbox_limit(uint64_t window_bytes)
{
    return window_bytes * 2 + FRAME_MAX_;
}

void link_init(link_t *self, const link_options_t *options, int64_t now_ms)
{
    *self = (link_t){
        .core = options->core,
        .endpoint = options->endpoint,
        .boot = options->boot,
        .process = options->process,
        .name = options->name,
        .window = options->window,
        .window_bytes = options->window_bytes,
        .losses = options->losses,
        .heartbeat_ms = FIRST_HEARTBEAT_MS,
        .liveness_ms = FIRST_LIVENESS_MS,
        .heard_ms = now_ms,
        .sent_ms = now_ms,
        .pinged_ms = now_ms,
    };
    outbox_init(&self->outbox);
    kept_init(&self->inbox, inbox_limit(options->window_bytes));
    asked_init(&self->asked, &self->outbox);
    self->asked.thread = options->core->thread;
    mail_init(&self->mail, inbox_limit(options->window_bytes));
    greet(self, now_ms);
}

void link_fini(link_t *self)
{
    lose_queries(self);
    asked_fini(&self->asked);
    mail_fini(&self->mail);
    outbox_fini(&self->outbox);
    kept_fini(&self->inbox);
}

/* --- requests ---------------------------------------------------------- */

bool link_is_busy(const link_t *self)
{
    size_t waiting = outbox_waiting(&self->outbox);

    return waiting > BUSY_MAX || waiting > self->window_bytes;
}

static void refuse(link_t *self, const message_request_t *request)
{
    message_reply_t reply = {.id = request->id, .status = 503};
    outbox_mark_t mark;

    /* The hard bound of the outbox lies far behind what makes us busy. */
    (void)outbox_reply(&self->outbox, &reply, &mark);
    log_braked(&self->brake, LEVEL_WARN, "WORKER-OVERRUN",
               "broker=%s window_bytes=%" PRIu64, self->endpoint,
               self->window_bytes);
}

static bool is_unordered(const link_t *self, const message_request_t *request)
{
    const route_t *route = core_route(self->core->ctx.app, request);

    return request->event == EVENT_MESSAGE && route != NULL &&
           route->is_unordered;
}

/* Has an event of its connection not ended, or what came behind that? */
static bool is_behind(const link_t *self, const message_request_t *request)
{
    return mail_has_box(&self->mail, request->conn) &&
           !is_unordered(self, request);
}

/* Run an event's handler; when it asks, the next of its connection wait. */
static void run(link_t *self, const message_request_t *request, int64_t came_ms)
{
    query_t *query =
        core_handle(self->core, request, came_ms, &self->outbox, &self->asked);

    if (query != NULL && !is_unordered(self, request)) {
        query->holds = true;
        mail_hold(&self->mail, query->request.conn);
    }
}

/* What is ready does not wait for a handler that may take long.  The second
 * time it has left, or cannot. */
static bool flushes_first(link_t *self, const message_request_t *request)
{
    self->flush_first = !self->flush_first && self->outbox.ready.len > 0 &&
                        core_may_be_slow(self->core, request);
    return self->flush_first;
}

/* Run an event, or put it behind the one that its connection has. */
static void begin(link_t *self, const message_request_t *request,
                  wire_bytes_t raw, int64_t came_ms)
{
    if (!is_behind(self, request)) {
        run(self, request, came_ms);
    } else if (mail_put(&self->mail, request->conn, raw, came_ms) < 0) {
        refuse(self, request);
    }
}

static void take_request(link_t *self, const message_t *message, int64_t now_ms)
{
    wire_bytes_t raw = {self->frame.at - message->size, message->size};

    if (self->state != LINK_UP) {
        return; /* of an earlier life: its outcome is settled */
    }
    if (self->inbox.count == 0 && !link_is_busy(self)) {
        begin(self, &message->request, raw, now_ms);
    } else if (kept_put(&self->inbox, raw, now_ms) < 0) {
        refuse(self, &message->request);
    }
}

bool link_can_resume(const link_t *self)
{
    return (asked_has_resumed(&self->asked) || self->inbox.count > 0 ||
            mail_is_runnable(&self->mail)) &&
           !link_is_busy(self);
}

static void resume_mail(link_t *self)
{
    mail_request_t next;

    if (mail_next(&self->mail, &next) &&
        !flushes_first(self, &next.kept.request)) {
        run(self, &next.kept.request, next.kept.came_ms);
        mail_done(&self->mail, &next);
    }
}

static void resume_inbox(link_t *self)
{
    kept_request_t next;

    kept_next(&self->inbox, &next);
    if (flushes_first(self, &next.request)) {
        return;
    }
    begin(self, &next.request, next.raw, next.came_ms);
    kept_done(&self->inbox, &next);
}

/* What is in a mailbox came before what its connection has in the inbox. */
bool link_resume(link_t *self)
{
    if (!link_can_resume(self)) {
        return false;
    }
    if (asked_has_resumed(&self->asked)) {
        answer_status(self, asked_take_resumed(&self->asked), 200);
    } else if (mail_is_runnable(&self->mail)) {
        resume_mail(self);
    } else {
        resume_inbox(self);
    }
    return true;
}

void link_run(link_t *self, const task_t *task)
{
    must(self->state == LINK_UP);
    core_run(self->core, task, &self->outbox, &self->asked);
}

/* --- what a broker says ------------------------------------------------ */

static void put_bare(link_t *self, message_kind_t kind)
{
    /* The reserve of the outbox has room for the few bytes of these. */
    must(message_put_bare(&self->outbox.ready, kind) == 0);
}

/* How long the oldest request without a reply is here. */
static int64_t oldest_ms(const link_t *self, int64_t now_ms)
{
    int64_t inbox_ms = kept_oldest_ms(&self->inbox);
    int64_t asked_ms = asked_oldest_ms(&self->asked);
    int64_t came_ms = inbox_ms < asked_ms ? inbox_ms : asked_ms;

    return came_ms < now_ms ? now_ms - came_ms : 0;
}

static void ping(link_t *self, int64_t now_ms)
{
    message_ping_t ping = {
        .in_flight = self->inbox.count + self->mail.count + self->asked.events,
        .oldest_ms = (uint64_t)oldest_ms(self, now_ms),
        .number = ++self->pings,
    };

    must(message_put_ping(&self->outbox.ready, &ping) == 0);
}

/*
 * DRAIN, and a PING behind it: the broker answers in order, so once the PONG
 * is here, so is every request that it sent before it saw the DRAIN.
 */
static void put_drain(link_t *self, int64_t now_ms)
{
    put_bare(self, KIND_DRAIN);
    ping(self, now_ms);
    self->fence = self->pings;
}

/* Where there is no room for it now, the next tick has it. */
static void pay_ready(link_t *self)
{
    if (self->owes_ready && self->state == LINK_UP && !self->draining &&
        put_ready(self, &self->core->ctx.scratch) == 0) {
        self->owes_ready = false;
    }
}

static void pay_pong(link_t *self)
{
    const message_pong_t pong = {.number = self->owed_pong};

    if (self->owed_pong != 0 && outbox_pong(&self->outbox, &pong) == 0) {
        self->owed_pong = 0;
    }
}

void link_set_window(link_t *self, uint64_t window, uint64_t window_bytes)
{
    size_t limit = inbox_limit(window_bytes);

    if (window == self->window && window_bytes == self->window_bytes) {
        return;
    }
    self->window = window;
    self->window_bytes = window_bytes;
    if (limit > self->mail.limit) { /* there may be more than a lower one has */
        self->inbox.bytes.limit = limit;
        self->mail.limit = limit;
    }
    self->owes_ready = true;
    pay_ready(self);
}

static bool is_for_us(const link_t *self, const message_welcome_t *welcome)
{
    wire_bytes_t peer = wire_map_str(welcome->options, "peer");
    char boot[BOOT_ID_MAX + 1];

    format_boot(self, boot);
    return peer.len == 0 || wire_is(peer, boot);
}

void link_bad_frame(link_t *self, int error)
{
    log_braked(&self->brake, LEVEL_WARN, "WORKER-BAD-FRAME",
               "broker=%s error=%d", self->endpoint, error);
}

static bool is_old_session(const link_t *self, const message_welcome_t *welcome)
{
    return self->session == wire_map_uint(welcome->options, "session", 0) &&
           wire_is(welcome->boot, self->broker);
}

static void remember_session(link_t *self, const message_welcome_t *welcome)
{
    self->session = wire_map_uint(welcome->options, "session", 0);
    (void)snprintf(self->broker, sizeof self->broker, "%.*s",
                   (int)welcome->boot.len, (const char *)welcome->boot.data);
}

/*
 * A greeting that was said twice is answered twice, and between the two the
 * broker may have given us up.  What we hold is over then: another boot id
 * makes an end of it.  Who drains does not greet any more, and need not: what
 * we have said since the first WELCOME came behind the second greeting, so the
 * new session has the DRAIN, and what it gave before that is to be answered.
 */
static void see_session(link_t *self, const message_welcome_t *welcome,
                        int64_t now_ms)
{
    if (is_old_session(self, welcome)) {
        return;
    }
    log_given_up(self, "given up");
    if (self->draining) {
        drop_requests(self);
        remember_session(self, welcome);
    } else {
        part(self, now_ms);
        greet(self, now_ms);
    }
}

static void take_welcome(link_t *self, const message_welcome_t *welcome,
                         int64_t now_ms)
{
    if (self->state == LINK_LOST || !is_for_us(self, welcome)) {
        return; /* the answer to a greeting of a life before */
    }
    if (welcome->version != PROTOCOL_VERSION) {
        link_bad_frame(self, EPROTONOSUPPORT);
        return;
    }
    if (self->state == LINK_UP) {
        see_session(self, welcome, now_ms);
        return;
    }
    remember_session(self, welcome);
    if (welcome->heartbeat_ms > 0) {
        self->heartbeat_ms = (int64_t)welcome->heartbeat_ms;
    }
    if (welcome->liveness_ms > 0) {
        self->liveness_ms = (int64_t)welcome->liveness_ms;
    }
    self->outbox.window =
        wire_map_uint(welcome->options, "push_window", UINT64_MAX);
    self->outbox.window_bytes =
        wire_map_uint(welcome->options, "push_window_bytes", UINT64_MAX);
    self->state = LINK_UP;
    self->silence.ms = 0;
    missing_end(&self->missing);
    self->pongs = self->pings; /* those to an earlier life do not count */
    log_info("WORKER-BROKER-UP", "broker=%s name=%.*s", self->endpoint,
             (int)welcome->name.len, (const char *)welcome->name.data);
    if (self->draining) {
        put_drain(self, now_ms);
    }
    pay_ready(self);
}

/*
 * The broker does not know us.  It says so once for each thing that it heard
 * before our greeting, so only the first WHO is news.
 */
static void take_who(link_t *self, int64_t now_ms)
{
    bool is_echo = self->state == LINK_GREETING &&
                   now_ms - self->greeted_ms < self->heartbeat_ms;

    if (is_echo) {
        return;
    }
    if (self->draining || self->state == LINK_UP) {
        log_given_up(self, "unknown");
    }
    if (self->draining) {
        part(self, now_ms); /* whatever we held has had its outcome */
        return;
    }
    greet(self, now_ms);
}

static void take_bye(link_t *self, int64_t now_ms)
{
    if (self->state != LINK_LOST) {
        log_info("WORKER-BROKER-LEFT", "broker=%s", self->endpoint);
        part(self, now_ms);
    }
}

static void take_gone(link_t *self, const message_gone_t *gone)
{
    hoist_app *app = self->core->ctx.app;

    if (app->gone != NULL) {
        app->gone(app, lend(gone->conn));
    }
}

static void take_pong(link_t *self, const message_pong_t *pong)
{
    self->pongs = message_pong_answers(pong, self->pongs);
    if (self->pongs >= self->silence.pings) {
        self->silence.ms = 0; /* the broker has borne it */
    }
}

/* Of several questions the last one counts. */
static void take_ping(link_t *self, const message_ping_t *ping)
{
    if (self->state == LINK_UP) {
        self->owed_pong = ping->number;
    }
}

static void take_error(link_t *self, const message_error_t *error)
{
    log_braked(&self->brake, LEVEL_WARN, "WORKER-BROKER-ERROR",
               "broker=%s code=%.*s text=\"%.*s\"", self->endpoint,
               (int)error->code.len, (const char *)error->code.data,
               (int)error->text.len, (const char *)error->text.data);
}

static void take(link_t *self, const message_t *message, int64_t now_ms)
{
    switch (message->kind) {
    case KIND_REQUEST:
        take_request(self, message, now_ms);
        break;
    case KIND_WELCOME:
        take_welcome(self, &message->welcome, now_ms);
        break;
    case KIND_RESULT:
        take_result(self, &message->result);
        break;
    case KIND_PUSHED:
        take_pushed(self, &message->pushed);
        break;
    case KIND_CREDIT:
        outbox_credit(&self->outbox, &message->credit);
        break;
    case KIND_GONE:
        take_gone(self, &message->gone);
        break;
    case KIND_PONG:
        take_pong(self, &message->pong);
        break;
    case KIND_PING:
        take_ping(self, &message->ping);
        break;
    case KIND_WHO:
        take_who(self, now_ms);
        break;
    case KIND_BYE:
        take_bye(self, now_ms);
        break;
    case KIND_ERROR:
        take_error(self, &message->error);
        break;
    default:
        log_braked(&self->brake, LEVEL_WARN, "WORKER-UNEXPECTED",
                   "broker=%s kind=%s", self->endpoint,
                   message_kind_name(message->kind));
        break;
    }
}

void link_feed(link_t *self, wire_bytes_t frame, int64_t now_ms)
{
    self->frame = wire_cursor(frame);
    self->heard_ms = now_ms;
    self->asked_ms = 0;
    self->missing.has_heard |= frame.len > 0;
    /* An empty frame only asks the transport whether we are there. */
    if (self->state == LINK_LOST && frame.len > 0 && !self->draining) {
        greet(self, now_ms);
    }
}

bool link_step(link_t *self, int64_t now_ms)
{
    const wire_cursor_t start = self->frame;
    message_t message;
    int rc = message_decode(&self->frame, &message);

    if (rc == 1 && message.kind == KIND_REQUEST &&
        flushes_first(self, &message.request)) {
        self->frame = start;
    } else if (rc == 1) {
        take(self, &message, now_ms);
    } else if (rc < 0 && rc != -ENOTSUP) { /* a kind of a later release */
        link_bad_frame(self, -rc);
    }
    return rc != 0;
}

/* --- time -------------------------------------------------------------- */

/*
 * A quarter early, so that a late turn is still in time.  Hearing nothing is
 * a reason to ask as well: only an answer shows that the broker lives.
 */
static int64_t ping_due_ms(const link_t *self)
{
    int64_t quiet_ms =
        self->sent_ms < self->heard_ms ? self->sent_ms : self->heard_ms;

    if (quiet_ms < self->pinged_ms) {
        quiet_ms = self->pinged_ms;
    }
    return quiet_ms + self->heartbeat_ms * 3 / 4;
}

/* Silence counts from the first question that was not answered: a handler
 * that took long is no silence of the broker's. */
static int64_t lost_due_ms(const link_t *self)
{
    return self->asked_ms > 0 ? self->asked_ms + self->liveness_ms : INT64_MAX;
}

/* When its state has something to do next. */
static int64_t state_due_ms(const link_t *self)
{
    switch (self->state) {
    case LINK_GREETING:
        return self->greeted_ms + self->heartbeat_ms;
    case LINK_UP:
        return ping_due_ms(self) < lost_due_ms(self) ? ping_due_ms(self)
                                                     : lost_due_ms(self);
    default:
        return self->pinged_ms + self->heartbeat_ms;
    }
}

int64_t link_due_ms(const link_t *self)
{
    int64_t state_ms = state_due_ms(self), missing_ms = say_due_ms(self);
    int64_t asked_ms = asked_due_ms(&self->asked);
    int64_t due_ms = state_ms < missing_ms ? state_ms : missing_ms;

    return asked_ms < due_ms ? asked_ms : due_ms;
}

/* PING, unless there is output that cannot leave: it asks the same. */
static void ask(link_t *self, int64_t now_ms)
{
    if (self->outbox.ready.len == 0) {
        ping(self, now_ms);
    }
    self->pinged_ms = now_ms;
}

void link_keep_alive(link_t *self, int64_t now_ms)
{
    if (self->state == LINK_UP && now_ms >= ping_due_ms(self)) {
        ask(self, now_ms);
    }
}

/* Greet again, since the answer is overdue; but never pile greetings up. */
static void tick_greeting(link_t *self, int64_t now_ms)
{
    if (self->outbox.ready.len > 0) {
        self->greeted_ms = now_ms; /* it has not even left */
    } else if (self->draining) {
        lose(self, "silent", now_ms);
    } else {
        greet(self, now_ms);
    }
}

void link_tick(link_t *self, int64_t now_ms)
{
    pay_ready(self);
    pay_pong(self);
    if (now_ms >= say_due_ms(self)) {
        say_missing(self, now_ms);
    }
    tick_queries(self, now_ms);
    if (now_ms < state_due_ms(self)) {
        return;
    }
    if (self->state == LINK_GREETING) {
        tick_greeting(self, now_ms);
        return;
    }
    if (self->state == LINK_UP && now_ms >= lost_due_ms(self)) {
        lose(self, "silent", now_ms);
    }
    ask(self, now_ms);
    if (self->asked_ms == 0) {
        self->asked_ms = now_ms;
    }
}

/* How long the broker bears it. */
static int64_t borne_ms(const link_t *self)
{
    int64_t own_ms = self->core->ctx.app->settings.liveness_ms;

    return own_ms > 0 ? own_ms : self->liveness_ms;
}

/* What ends it begins with a PING, which was due long ago. */
static void see_silence(link_t *self, int64_t now_ms)
{
    int64_t ms = now_ms - self->sent_ms;

    if (self->state == LINK_UP && ms >= borne_ms(self)) {
        self->silence = (silence_t){ms, self->core->ran, self->pings};
    }
}

void link_sent(link_t *self, size_t len, int64_t now_ms)
{
    see_silence(self, now_ms);
    outbox_sent(&self->outbox, len);
    self->missing.has_sent = true;
    self->sent_ms = now_ms;
}

void link_refused(link_t *self, const char *reason)
{
    self->missing.refusal = reason;
}

/* --- leaving ----------------------------------------------------------- */

void link_drain(link_t *self, int64_t now_ms)
{
    self->draining = true;
    if (self->state == LINK_UP) {
        put_drain(self, now_ms);
    }
}

bool link_is_spent(const link_t *self, int64_t now_ms)
{
    switch (self->state) {
    case LINK_UP:
        return false;
    case LINK_GREETING:
        return now_ms - self->missing.since_ms >= self->liveness_ms;
    default:
        return true;
    }
}

bool link_is_drained(const link_t *self)
{
    switch (self->state) {
    case LINK_UP:
        return self->fence > 0 && self->pongs >= self->fence &&
               self->inbox.count == 0 && self->asked.count == 0 &&
               self->asked.receipts.count == 0 && self->mail.count == 0 &&
               outbox_waiting(&self->outbox) == 0;
    case LINK_GREETING:
        /* A greeting that never left has told nobody that we are here. */
        return outbox_waiting(&self->outbox) > 0;
    default:
        return true;
    }
}

void link_bye(link_t *self)
{
    if (self->state == LINK_UP) {
        put_bare(self, KIND_BYE);
    }
}
