/* SPDX-License-Identifier: MIT
 *
 * hoist_run: one DEALER for each broker around its link, one thread, one loop.
 * A turn:
 *
 *   wait    for frames, for room to send, for a stop, for the next timer
 *   read    a bounded batch of frames from each broker, running handlers
 *   resume  requests that were kept while too much waited to be sent
 *   tick    timers; behind reading, for what was said while a handler ran
 *           long is no silence
 *   flush   one frame to each broker
 *   follow  the brokers' names: a line for each address that is new
 *   tasks   timers that are due, and what other threads have posted
 *   leave   when stopping and all is done
 */
#include "base/clock.h"
#include "base/rand.h"
#include "base/resolver.h"
#include "base/xalloc.h"
#include "workers/c/line.h"
#include "workers/c/prober.h"
#include "workers/c/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <unistd.h>

#include <zmq.h>

#define POSTS_PER_TURN 256
#define WAIT_MAX_MS    1000
#define PATIENCE_MS    1000 /* a terminal and a supervisor may both signal */

/* What is polled before the lines. */
enum { ITEM_STOP, ITEM_ANSWERS, ITEM_POSTS, ITEM_LINES };

_Static_assert(BROKERS_MAX <= ROSTER_MAX, "a slot for each broker");

typedef struct {
    hoist_app *app; /* borrowed */
    core_t core;
    void *zmq; /* owned: context */
    roster_t roster;
    resolver_t *resolver;       /* owned; NULL: no broker is a name */
    prober_t *prober;           /* owned; NULL: nobody can ask */
    line_t *lines[BROKERS_MAX]; /* owned: one for each broker */
    size_t count;
    line_t *voice;   /* borrowed: whom tasks speak to; NULL: none yet */
    uint32_t losses; /* of lines that were closed */
    zmq_pollitem_t items[ITEM_LINES + BROKERS_MAX];
    char boot[RAND_HEX_LEN + 1];
    const char *name; /* borrowed */
    bool draining;
    bool impatient;   /* another stop came later */
    int64_t drain_ms; /* when draining began */
    int64_t leave_ms; /* when it ends at the latest */
} loop_t;

/* --- lines ------------------------------------------------------------- */

static void close_line(loop_t *self, size_t at)
{
    line_t *line = self->lines[at];

    /* Whoever is welcomed after us is not to be taken for us. */
    if (line->link.losses >= self->losses) {
        self->losses = line->link.losses + 1;
    }
    if (self->voice == line) {
        self->voice = NULL;
    }
    line_destroy(&line);
    self->lines[at] = self->lines[--self->count];
}

/* A broker's share of a window; each gets at least one. */
static uint64_t share(uint64_t window, size_t brokers)
{
    return window > brokers ? window / brokers : 1;
}

static int open_line(loop_t *self, size_t slot, int64_t now_ms)
{
    const settings_t *settings = &self->app->settings;
    size_t brokers = roster_count(&self->roster);
    const link_options_t options = {
        .core = &self->core,
        .endpoint = roster_endpoint(&self->roster, slot),
        .boot = self->boot,
        .name = self->name,
        .window = share(settings->window, brokers),
        .window_bytes = share(settings->window_bytes, brokers),
        .losses = self->losses,
    };
    line_t *line = line_new(&options, slot, now_ms);
    self->lines[self->count++] = line;
    int rc = line_connect(line, self->zmq, settings);
    if (rc < 0) {
        log_err("WORKER-CONNECT", "broker=%s error=\"%s\"", line->endpoint,
                zmq_strerror(-rc));
        close_line(self, self->count - 1);
    }
    return rc;
}

/* --- which brokers ------------------------------------------------------- */

static bool has_line(const loop_t *self, size_t slot)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->lines[i]->slot == slot) {
            return true;
        }
    }
    return false;
}

static int open_new(loop_t *self, int64_t now_ms)
{
    int rc = 0;

    for (size_t slot = 0; rc == 0 && slot < BROKERS_MAX; slot++) {
        if (roster_endpoint(&self->roster, slot) != NULL &&
            !has_line(self, slot)) {
            rc = open_line(self, slot, now_ms);
        }
    }
    return rc;
}

static void close_spent(loop_t *self, int64_t now_ms)
{
    for (size_t i = self->count; i-- > 0;) {
        size_t slot = self->lines[i]->slot;
        if (!roster_wants(&self->roster, slot) &&
            link_is_spent(&self->lines[i]->link, now_ms)) {
            close_line(self, i);
            roster_release(&self->roster, slot);
        }
    }
}

/* A line for each broker of the roster; those that are not wanted any more stay
 * until they are spent.  Returns 0, or why one could not be opened. */
static int follow_roster(loop_t *self, int64_t now_ms)
{
    const settings_t *settings = &self->app->settings;

    close_spent(self, now_ms);
    int rc = open_new(self, now_ms);
    for (size_t i = 0; i < self->count; i++) {
        link_set_window(&self->lines[i]->link,
                        share(settings->window, self->count),
                        share(settings->window_bytes, self->count));
    }
    return rc;
}

/* What cannot be opened now is tried again at the next answer. */
static void take_answers(loop_t *self, int64_t now_ms)
{
    answer_t answer;

    while (resolver_next(self->resolver, &answer)) {
        roster_answer(&self->roster, &answer);
    }
    if (!self->draining) {
        (void)follow_roster(self, now_ms);
    }
}

/* --- start and end ----------------------------------------------------- */

static int open_brokers(loop_t *self)
{
    const settings_t *settings = &self->app->settings;

    must(roster_init(&self->roster, settings->brokers, BROKERS_MAX) == 0);
    int rc = follow_roster(self, clock_mono_ms());
    if (rc < 0) {
        return rc;
    }
    return resolver_new(&self->resolver, &self->roster, settings->resolve_ms,
                        resolver_lookup);
}

static int open_loop(loop_t *self, hoist_app *app)
{
    const settings_t *settings = &app->settings;

    *self = (loop_t){.app = app};
    core_init(&self->core, app);
    rand_hex(self->boot);
    self->name = *settings->name != '\0' ? settings->name
                                         : program_invocation_short_name;
    self->zmq = zmq_ctx_new();
    if (self->zmq == NULL) {
        return -zmq_errno();
    }
    return open_brokers(self);
}

/* What was posted until now is run, though it can reach nobody any more. */
static void run_last_posts(loop_t *self)
{
    const posts_t *posts = &self->app->posts;
    task_t task;

    for (size_t left = posts_count(posts); left > 0; left--) {
        if (!posts_take(posts, &task)) {
            break;
        }
        core_run(&self->core, &task, NULL, NULL);
    }
}

static void close_loop(loop_t *self)
{
    prober_destroy(&self->prober);
    resolver_destroy(&self->resolver);
    while (self->count > 0) {
        close_line(self, self->count - 1);
    }
    run_last_posts(self);
    if (self->zmq != NULL) {
        while (zmq_ctx_term(self->zmq) < 0 && zmq_errno() == EINTR) {
        }
    }
    roster_fini(&self->roster);
    core_fini(&self->core);
}

/* --- whom tasks speak to ------------------------------------------------- */

/*
 * The same broker as long as it is up, so that what they push keeps its order.
 * Each worker begins somewhere else.
 */
static line_t *find_voice(loop_t *self)
{
    line_t *voice = self->voice;

    if (voice != NULL && voice->link.state == LINK_UP) {
        return voice;
    }
    self->voice = NULL;
    for (size_t i = 0; i < self->count; i++) {
        size_t at = ((size_t)self->boot[0] + i) % self->count;
        if (self->lines[at]->link.state == LINK_UP) {
            self->voice = self->lines[at];
            break;
        }
    }
    return self->voice;
}

/* While their broker takes no more, posts wait, and at last whoever posts. */
static bool takes_posts(loop_t *self)
{
    const line_t *voice = find_voice(self);

    return voice == NULL || !link_is_busy(&voice->link);
}

/* --- who asks how it does ------------------------------------------------ */

static void tell_health(loop_t *self, int64_t now_ms)
{
    size_t up = 0;

    for (size_t i = 0; i < self->count; i++) {
        up += self->lines[i]->link.state == LINK_UP;
    }
    health_tell(&self->app->health, now_ms, roster_count(&self->roster), up,
                self->draining);
}

static int open_prober(loop_t *self)
{
    const char *listen = self->app->settings.metrics;
    char error[256];

    if (*listen == '\0') {
        return 0;
    }
    int rc = prober_new(&self->prober, self->app, listen, error, sizeof error);
    if (rc < 0) {
        log_err("WORKER-METRICS", "error=\"%s\"", error);
    } else {
        log_info("WORKER-LISTENING", "metrics=%s",
                 prober_address(self->prober));
    }
    return rc;
}

/* --- the turn ---------------------------------------------------------- */

static int64_t timers_due(const loop_t *self)
{
    return self->draining ? INT64_MAX : timers_due_ms(&self->app->timers);
}

static long wait_ms(const loop_t *self, int64_t now_ms)
{
    int64_t due_ms = now_ms + WAIT_MAX_MS;

    for (size_t i = 0; i < self->count; i++) {
        int64_t line_ms = line_due_ms(self->lines[i], now_ms);
        if (link_can_resume(&self->lines[i]->link)) {
            return 0;
        }
        due_ms = line_ms < due_ms ? line_ms : due_ms;
    }
    if (self->draining && self->leave_ms < due_ms) {
        due_ms = self->leave_ms;
    }
    if (timers_due(self) < due_ms) {
        due_ms = timers_due(self);
    }
    return due_ms > now_ms ? (long)(due_ms - now_ms) : 0;
}

static size_t gather_items(loop_t *self)
{
    self->items[ITEM_STOP] =
        (zmq_pollitem_t){.fd = self->app->stop_fd, .events = ZMQ_POLLIN};
    self->items[ITEM_ANSWERS] = (zmq_pollitem_t){
        .fd = self->resolver != NULL ? resolver_fd(self->resolver) : -1,
        .events = ZMQ_POLLIN};
    self->items[ITEM_POSTS] = (zmq_pollitem_t){
        .fd = takes_posts(self) ? self->app->posts.read_fd : -1,
        .events = ZMQ_POLLIN};
    for (size_t i = 0; i < self->count; i++) {
        short events = ZMQ_POLLIN;
        if (self->lines[i]->blocked) {
            events |= ZMQ_POLLOUT;
        }
        self->items[ITEM_LINES + i] = (zmq_pollitem_t){
            .socket = self->lines[i]->socket, .events = events};
    }
    return ITEM_LINES + self->count;
}

static int wait_for_work(loop_t *self, int64_t now_ms)
{
    size_t count = gather_items(self);
    int rc = zmq_poll(self->items, (int)count, wait_ms(self, now_ms));

    if (rc < 0 && zmq_errno() != EINTR) {
        return -zmq_errno();
    }
    if (rc <= 0) {
        for (size_t i = 0; i < count; i++) {
            self->items[i].revents = 0;
        }
    }
    return 0;
}

/* --- leaving ----------------------------------------------------------- */

static void take_stop(loop_t *self, int64_t now_ms)
{
    uint64_t times = 0;

    if (read(self->app->stop_fd, &times, sizeof times) < 0) {
        return;
    }
    if (self->draining) {
        self->impatient = now_ms >= self->drain_ms + PATIENCE_MS;
        return;
    }
    self->drain_ms = now_ms;
    self->draining = true;
    self->leave_ms = now_ms + self->app->settings.drain_ms;
    log_info("WORKER-DRAINING", "drain_ms=%" PRId64,
             self->app->settings.drain_ms);
    for (size_t i = 0; i < self->count; i++) {
        link_drain(&self->lines[i]->link, now_ms);
    }
}

static bool may_leave(const loop_t *self, int64_t now_ms)
{
    if (!self->draining) {
        return false;
    }
    if (self->impatient || now_ms >= self->leave_ms) {
        log_warn("WORKER-DRAIN-CUT", "after_ms=%" PRId64,
                 now_ms - self->drain_ms);
        return true;
    }
    for (size_t i = 0; i < self->count; i++) {
        if (!link_is_drained(&self->lines[i]->link)) {
            return false;
        }
    }
    return true;
}

static int flush_all(loop_t *self, int64_t now_ms)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < self->count; i++) {
        rc = line_flush(self->lines[i], now_ms);
    }
    return rc;
}

static int say_bye(loop_t *self, int64_t now_ms)
{
    for (size_t i = 0; i < self->count; i++) {
        link_bye(&self->lines[i]->link);
    }
    return flush_all(self, now_ms);
}

/* Of names and of a stop.  What there is to say to brokers leaves at once: the
 * next turn may come late. */
static int take_news(loop_t *self, int64_t now_ms)
{
    bool has_answers = self->items[ITEM_ANSWERS].revents != 0;
    bool is_asked_to_stop = self->items[ITEM_STOP].revents != 0;

    if (has_answers) {
        take_answers(self, now_ms);
    }
    if (is_asked_to_stop) {
        take_stop(self, now_ms);
    }
    return has_answers || is_asked_to_stop ? flush_all(self, now_ms) : 0;
}

/* --- tasks --------------------------------------------------------------- */

/* Tasks take their time as handlers do: see line_turn. */
static int run_task(loop_t *self, const task_t *task, int64_t *now_ms)
{
    line_t *voice = find_voice(self);
    int64_t then_ms = *now_ms;

    if (voice != NULL) {
        link_run(&voice->link, task);
    } else {
        core_run(&self->core, task, NULL, NULL);
    }
    *now_ms = clock_mono_ms();
    if (*now_ms == then_ms) {
        return 0;
    }
    for (size_t i = 0; i < self->count; i++) {
        link_keep_alive(&self->lines[i]->link, *now_ms);
    }
    return flush_all(self, *now_ms);
}

/* Each that is due by now, once. */
static int run_timers(loop_t *self, int64_t *now_ms)
{
    const int64_t due_ms = *now_ms;
    task_t task;
    int rc = 0;

    while (rc == 0 && timers_take(&self->app->timers, due_ms, &task)) {
        rc = run_task(self, &task, now_ms);
    }
    return rc;
}

static int run_posts(loop_t *self, int64_t *now_ms)
{
    task_t task;
    int rc = 0;

    for (int i = 0; rc == 0 && i < POSTS_PER_TURN && takes_posts(self); i++) {
        if (!posts_take(&self->app->posts, &task)) {
            break;
        }
        rc = run_task(self, &task, now_ms);
    }
    return rc;
}

static int run_tasks(loop_t *self, int64_t *now_ms)
{
    bool is_due = timers_due(self) <= *now_ms;
    bool is_posted = self->items[ITEM_POSTS].revents != 0;
    int rc = is_due ? run_timers(self, now_ms) : 0;

    if (rc == 0 && is_posted) {
        rc = run_posts(self, now_ms);
    }
    return rc == 0 && (is_due || is_posted) ? flush_all(self, *now_ms) : rc;
}

static int turns(loop_t *self)
{
    int64_t now_ms = clock_mono_ms();
    int rc = flush_all(self, now_ms); /* the greetings */

    timers_start(&self->app->timers, now_ms);
    while (rc == 0 && !may_leave(self, now_ms)) {
        rc = wait_for_work(self, now_ms);
        now_ms = clock_mono_ms();
        for (size_t i = 0; rc == 0 && i < self->count; i++) {
            rc = line_turn(self->lines[i], self->items[ITEM_LINES + i].revents,
                           &now_ms);
        }
        if (rc == 0) {
            rc = take_news(self, now_ms);
        }
        if (rc == 0) {
            rc = run_tasks(self, &now_ms);
        }
        tell_health(self, now_ms);
    }
    return rc == 0 ? say_bye(self, now_ms) : rc;
}

/* --- run --------------------------------------------------------------- */

static void log_started(const loop_t *loop)
{
    /* As many brokers as a line of the log has room for. */
    log_info("WORKER-STARTED", "name=%s boot=%s routes=%zu brokers=%.1000s",
             loop->name, loop->boot, loop->app->routes.count,
             loop->app->settings.brokers);
}

static int check(const hoist_app *app)
{
    if (app->first_error < 0) {
        log_err("WORKER-REGISTRATION", "error=\"%s\"",
                strerror(-app->first_error));
        return app->first_error;
    }
    const curve_peer_t *curve = &app->settings.curve;
    if ((curve->secret[0] == '\0') != (curve->broker[0] == '\0')) {
        log_err("WORKER-REGISTRATION",
                "error=\"curve-key and curve-broker need each other\"");
        return -EINVAL;
    }
    if (app->routes.count == 0) {
        log_err("WORKER-REGISTRATION", "error=\"no route is registered\"");
        return -EINVAL;
    }
    return 0;
}

static int run(hoist_app *app)
{
    loop_t loop;
    int rc = open_loop(&loop, app);

    if (rc == 0) {
        tell_health(&loop, clock_mono_ms());
        rc = open_prober(&loop);
    }
    if (rc == 0) {
        log_started(&loop);
        rc = turns(&loop);
    }
    close_loop(&loop);
    if (rc < 0) {
        log_err("WORKER-FAILED", "error=\"%s\"", zmq_strerror(-rc));
    } else {
        log_info("WORKER-STOPPED", "boot=%s", loop.boot);
    }
    return rc;
}

int hoist_run(hoist_app *app)
{
    log_set_format(app->settings.log_format);
    int rc = check(app);

    if (rc == 0 && app->running) {
        rc = -EBUSY;
    }
    if (rc == 0 && app->settings.signals) {
        rc = signals_watch(app->stop_fd);
    }
    if (rc < 0) {
        return rc;
    }
    app->running = true;
    rc = run(app);
    app->running = false;
    if (app->settings.signals) {
        signals_unwatch(app->stop_fd);
    }
    return rc;
}
