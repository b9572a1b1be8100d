/* SPDX-License-Identifier: MIT
 *
 * One DEALER for each broker around its link, in one loop.  A turn:
 *
 *   wait    for frames, for room to send, for a stop, for the next timer
 *   read    a bounded batch of frames from each broker, running handlers
 *   resume  requests that were kept while too much waited to be sent
 *   tick    timers; behind reading, for what was said while a handler ran
 *           long is no silence
 *   flush   one frame to each broker
 *   follow  the brokers' names: a line for each address that is new
 *   tasks   timers that are due, and what other threads have posted: tasks, and
 *           with what an event goes on that waits for them
 *   leave   when stopping and all is done: the program's own end, and BYE
 */
#include "workers/c/loop.h"

#include "base/clock.h"
#include "base/rand.h"
#include "base/resolver.h"
#include "base/xalloc.h"
#include "workers/c/later.h"
#include "workers/c/line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <zmq.h>

#define POSTS_PER_TURN 256
#define WAIT_MAX_MS    1000

/* What is polled before the lines. */
enum {
    ITEM_STOP,
    ITEM_RELOAD,
    ITEM_ANSWERS,
    ITEM_POSTS,
    ITEM_RESUMPTIONS,
    ITEM_LINES
};

_Static_assert(BROKERS_MAX <= ROSTER_MAX, "a slot for each broker");

typedef struct {
    const loop_options_t *options; /* borrowed */
    hoist_app *app;                /* borrowed: of options */
    const inlet_t *inlet;          /* borrowed: this thread's, of the app */
    core_t core;
    roster_t roster;
    resolver_t *resolver;       /* owned; NULL: no broker is a name */
    line_t *lines[BROKERS_MAX]; /* owned: one for each broker */
    size_t count;
    line_t *voice;   /* borrowed: whom tasks speak to; NULL: none yet */
    uint32_t losses; /* of lines that were closed */
    zmq_pollitem_t items[ITEM_LINES + BROKERS_MAX];
    char boot[RAND_HEX_LEN + 1];
    char name[PEER_NAME_MAX + 1];
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
        .process = self->options->process,
        .name = self->name,
        .window = share(settings->window, brokers),
        .window_bytes = share(settings->window_bytes, brokers),
        .losses = self->losses,
    };
    line_t *line = line_new(&options, slot, now_ms);
    self->lines[self->count++] = line;
    int rc = line_connect(line, self->options->zmq, settings);
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

/* No broken character at its end: it goes out as text. */
static int cut_name(const char *name, size_t max)
{
    size_t len = strnlen(name, max + 1);

    if (len <= max) {
        return (int)len;
    }
    len = max;
    while (len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80) {
        len--;
    }
    return (int)len;
}

/* ".PROCESS/THREAD", each where there are several. */
static void number_name(const loop_t *self, char *suffix, size_t size)
{
    const loop_options_t *options = self->options;
    int len = 0;

    *suffix = '\0';
    if (self->app->settings.processes > 1) {
        len = snprintf(suffix, size, ".%u", self->app->process);
    }
    if (options->threads > 1) {
        (void)snprintf(suffix + len, size - (size_t)len, "/%u",
                       options->number + 1);
    }
}

/* What people will know the thread by: that of the worker, and its numbers. */
static void make_name(loop_t *self)
{
    const char *name = *self->app->settings.name != '\0'
                           ? self->app->settings.name
                           : program_invocation_short_name;
    char suffix[16];

    number_name(self, suffix, sizeof suffix);
    (void)snprintf(self->name, sizeof self->name, "%.*s%s",
                   cut_name(name, PEER_NAME_MAX - strlen(suffix)), name,
                   suffix);
}

static int open_loop(loop_t *self, const loop_options_t *options)
{
    *self = (loop_t){.options = options,
                     .app = options->app,
                     .inlet = &options->app->inlets[options->number]};
    core_init(&self->core, options->app);
    self->core.thread = options->number;
    rand_hex(self->boot);
    make_name(self);
    return open_brokers(self);
}

static void close_loop(loop_t *self)
{
    resolver_destroy(&self->resolver);
    while (self->count > 0) {
        close_line(self, self->count - 1);
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

/* While their broker takes no more, posts wait, and at last whoever posts.  An
 * event that is resumed waits for its own broker instead (link_go_on). */
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
    health_tell(&self->app->health, self->options->number,
                &(pulse_told_t){.now_ms = now_ms,
                                .brokers = roster_count(&self->roster),
                                .up = up,
                                .is_draining = self->draining});
}

/* --- the turn ---------------------------------------------------------- */

/* Timers are of the app, so that one thread has them. */
static int64_t timers_due(const loop_t *self)
{
    return self->draining || self->options->number > 0
               ? INT64_MAX
               : timers_due_ms(&self->app->timers);
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
        (zmq_pollitem_t){.fd = self->inlet->stop_fd, .events = ZMQ_POLLIN};
    self->items[ITEM_RELOAD] =
        (zmq_pollitem_t){.fd = self->inlet->reload_fd, .events = ZMQ_POLLIN};
    self->items[ITEM_ANSWERS] = (zmq_pollitem_t){
        .fd = self->resolver != NULL ? resolver_fd(self->resolver) : -1,
        .events = ZMQ_POLLIN};
    self->items[ITEM_POSTS] = (zmq_pollitem_t){
        .fd = takes_posts(self) ? self->inlet->posts.read_fd : -1,
        .events = ZMQ_POLLIN};
    self->items[ITEM_RESUMPTIONS] = (zmq_pollitem_t){
        .fd = self->inlet->resumptions.read_fd, .events = ZMQ_POLLIN};
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
    if (!inlet_take_stop(self->inlet)) {
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

/* The first thread leaves last: what handlers of others post while they drain
 * still reaches a broker. */
static bool has_others(const loop_t *self)
{
    return self->options->number == 0 && atomic_load(self->options->others) > 0;
}

static bool is_drained(const loop_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (!link_is_drained(&self->lines[i]->link)) {
            return false;
        }
    }
    return !has_others(self);
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
    return is_drained(self);
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

/* The library itself reads nothing again. */
static void take_reload(loop_t *self)
{
    hoist_reload_handler *handler = self->app->reload;

    if (!inlet_take_reload(self->inlet)) {
        return;
    }
    log_info("WORKER-RELOADED", "handler=%s", handler != NULL ? "yes" : "no");
    if (handler != NULL) {
        handler(self->app);
    }
}

/* Of names, of a reload and of a stop.  What there is to say to brokers leaves
 * at once: the next turn may come late. */
static int take_news(loop_t *self, int64_t now_ms)
{
    bool has_answers = self->items[ITEM_ANSWERS].revents != 0;
    bool is_asked_to_stop = self->items[ITEM_STOP].revents != 0;

    if (self->items[ITEM_RELOAD].revents != 0) {
        take_reload(self);
    }
    if (has_answers) {
        take_answers(self, now_ms);
    }
    if (is_asked_to_stop) {
        take_stop(self, now_ms);
    }
    return has_answers || is_asked_to_stop ? flush_all(self, now_ms) : 0;
}

/* --- tasks --------------------------------------------------------------- */

/* Goes on with the event that has this ticket.  Returns whether it is here. */
static bool go_on(loop_t *self, uint64_t ticket, const task_t *task)
{
    for (size_t i = 0; ticket != 0 && i < self->count; i++) {
        if (link_go_on(&self->lines[i]->link, ticket, task)) {
            return true;
        }
    }
    return false;
}

static void run_without_event(loop_t *self, const task_t *task)
{
    line_t *voice = find_voice(self);

    if (voice != NULL) {
        link_run(&voice->link, task);
    } else {
        core_run(&self->core, task, NULL, NULL);
    }
}

/* Tasks take their time as handlers do: see line_turn.  ticket: 0 for none. */
static int run_task(loop_t *self, const task_t *task, uint64_t ticket,
                    int64_t *now_ms)
{
    int64_t then_ms = *now_ms;

    if (!go_on(self, ticket, task)) {
        run_without_event(self, task);
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
        rc = run_task(self, &task, 0, now_ms);
    }
    return rc;
}

static int run_posts(loop_t *self, int64_t *now_ms)
{
    task_t task;
    int rc = 0;

    for (int i = 0; rc == 0 && i < POSTS_PER_TURN && takes_posts(self); i++) {
        if (!posts_take(&self->inlet->posts, &task)) {
            break;
        }
        rc = run_task(self, &task, 0, now_ms);
    }
    return rc;
}

static int run_resumptions(loop_t *self, int64_t *now_ms)
{
    task_t task;
    int rc = 0;

    for (int i = 0; rc == 0 && i < POSTS_PER_TURN; i++) {
        if (!posts_take(&self->inlet->resumptions, &task)) {
            break;
        }
        uint64_t ticket = later_open(&task);
        if (task.run != NULL) {
            rc = run_task(self, &task, ticket, now_ms);
        }
    }
    return rc;
}

static int run_tasks(loop_t *self, int64_t *now_ms)
{
    bool is_due = timers_due(self) <= *now_ms;
    bool is_posted = self->items[ITEM_POSTS].revents != 0;
    bool is_resumed = self->items[ITEM_RESUMPTIONS].revents != 0;
    bool is_any = is_due || is_posted || is_resumed;
    int rc = is_due ? run_timers(self, now_ms) : 0;

    if (rc == 0 && is_posted) {
        rc = run_posts(self, now_ms);
    }
    if (rc == 0 && is_resumed) {
        rc = run_resumptions(self, now_ms);
    }
    return rc == 0 && is_any ? flush_all(self, *now_ms) : rc;
}

/* --- the end ------------------------------------------------------------- */

/* The program's own, and what it posts meanwhile.  Where others still run, for
 * whom there is no time any more, it comes behind them (run.c). */
static int end_program(loop_t *self, int64_t *now_ms)
{
    if (self->options->number > 0 || has_others(self)) {
        return 0;
    }
    int rc = app_end(self->app);
    *now_ms = clock_mono_ms();
    int ran = run_posts(self, now_ms);
    return rc < 0 ? rc : ran;
}

static int leave(loop_t *self, int64_t now_ms)
{
    int ended = end_program(self, &now_ms);
    int rc = say_bye(self, now_ms);

    return ended < 0 ? ended : rc;
}

static int turns(loop_t *self)
{
    int64_t now_ms = clock_mono_ms();
    int rc = flush_all(self, now_ms); /* the greetings */

    if (self->options->number == 0) {
        timers_start(&self->app->timers, now_ms);
    }
    while (rc == 0 && !may_leave(self, now_ms)) {
        rc = wait_for_work(self, now_ms);
        now_ms = clock_mono_ms();
        self->core.ran = NULL;
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
    return rc == 0 ? leave(self, now_ms) : rc;
}

/* --- run --------------------------------------------------------------- */

static void log_started(const loop_t *loop)
{
    /* As many brokers as a line of the log has room for. */
    log_info("WORKER-STARTED", "name=%s boot=%s routes=%zu brokers=%.1000s",
             loop->name, loop->boot, loop->app->routes.count,
             loop->app->settings.brokers);
}

int loop_run(const loop_options_t *options, bool *was_up)
{
    loop_t loop;
    int rc = open_loop(&loop, options);

    *was_up = rc == 0;
    if (rc == 0) {
        tell_health(&loop, clock_mono_ms());
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
