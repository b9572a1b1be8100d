/* SPDX-License-Identifier: MIT
 *
 * hoist_run: the threads of an app, from its start to its end.  The first is
 * the caller's.  Who fails ends all.
 */
#include "base/clock.h"
#include "workers/c/core.h"
#include "workers/c/loop.h"
#include "workers/c/prober.h"
#include "workers/c/process_text.h"
#include "workers/c/signals.h"
#include "workers/c/supervisor.h"

#include <errno.h>
#include <stdio.h>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <zmq.h>

#define THREADS_PER_IO 4 /* of ours to one of ZeroMQ's */

typedef struct run run_t;

typedef struct {
    run_t *run; /* borrowed */
    loop_options_t options;
    pthread_t id; /* but for the first */
    bool was_up;
    int rc;
} member_t;

struct run {
    hoist_app *app;   /* borrowed */
    void *zmq;        /* owned: context */
    prober_t *prober; /* owned; NULL: nobody can ask */
    atomic_uint others;
    unsigned count; /* threads that are to be */
    member_t members[THREADS_MAX];
};

/* --- inlets -------------------------------------------------------------- */

/* Each of this run has one; what was left in them is over, but for tasks. */
static int open_inlets(hoist_app *app, unsigned count)
{
    unsigned there = app->inlet_count;

    for (unsigned i = 1; i < there; i++) {
        (void)inlet_take_stop(&app->inlets[i]);
    }
    for (; there < count; there++) {
        int rc = inlet_init(&app->inlets[there]);
        if (rc < 0) {
            inlet_fini(&app->inlets[there]);
            return rc;
        }
        atomic_store(&app->inlet_count, there + 1);
    }
    return 0;
}

/* Who was asked to stop before all had their inlets is asked again. */
static void pass_stop_on(hoist_app *app)
{
    struct pollfd stop = {.fd = app->inlets[0].stop_fd, .events = POLLIN};

    if (poll(&stop, 1, 0) > 0) {
        hoist_stop(app);
    }
}

/* --- one thread ---------------------------------------------------------- */

static void run_member(member_t *self)
{
    self->rc = loop_run(&self->options, &self->was_up);
    if (self->rc < 0) {
        hoist_stop(self->options.app);
    }
}

static void *run_other(void *user)
{
    member_t *self = user;
    hoist_app *app = self->options.app;

    run_member(self);
    atomic_fetch_sub(&self->run->others, 1);
    inlet_wake(&app->inlets[0]);
    return NULL;
}

static int start_other(member_t *self)
{
    char name[16]; /* as pthread_setname_np wants it */

    atomic_fetch_add(&self->run->others, 1);
    int rc = -pthread_create(&self->id, NULL, run_other, self);
    if (rc < 0) {
        atomic_fetch_sub(&self->run->others, 1);
        return rc;
    }
    (void)snprintf(name, sizeof name, "hoist-%u", self->options.number + 1);
    (void)pthread_setname_np(self->id, name);
    return 0;
}

/* --- all of them --------------------------------------------------------- */

static int open_prober(run_t *self)
{
    const char *listen = self->app->settings.metrics;
    char error[256];

    health_begin(&self->app->health, self->count, clock_mono_ms());
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

static int open_run(run_t *self, hoist_app *app)
{
    *self = (run_t){.app = app, .count = settings_threads(&app->settings)};

    self->zmq = zmq_ctx_new();
    if (self->zmq == NULL) {
        return -zmq_errno();
    }
    zmq_ctx_set(self->zmq, ZMQ_IO_THREADS,
                (int)((self->count + THREADS_PER_IO - 1) / THREADS_PER_IO));
    routes_freeze(&app->routes, &app->around);
    for (unsigned i = 0; i < self->count; i++) {
        self->members[i] = (member_t){.run = self,
                                      .options = {.app = app,
                                                  .zmq = self->zmq,
                                                  .number = i,
                                                  .threads = self->count,
                                                  .process = process_text(),
                                                  .others = &self->others}};
    }
    int rc = app_begin(app);
    return rc < 0 ? rc : open_prober(self);
}

static void close_run(run_t *self)
{
    prober_destroy(&self->prober);
    while (self->zmq != NULL && zmq_ctx_term(self->zmq) < 0 &&
           zmq_errno() == EINTR) {
    }
    app_run_posts(self->app);
}

/* The first has left, or is not to be: it is last, so nobody else goes on. */
static void stop_others(const run_t *self)
{
    for (unsigned i = 1; i < self->count; i++) {
        inlet_stop(&self->app->inlets[i]);
    }
}

/* The others, then the first here, until all have ended. */
static int run_members(run_t *self)
{
    unsigned started = 1;
    int rc = 0;

    while (rc == 0 && started < self->count) {
        rc = start_other(&self->members[started]);
        started += rc == 0;
    }
    if (rc == 0) {
        run_member(&self->members[0]);
    } else {
        log_err("WORKER-FAILED", "error=\"%s\"", zmq_strerror(-rc));
    }
    stop_others(self);
    for (unsigned i = 1; i < started; i++) {
        (void)pthread_join(self->members[i].id, NULL);
    }
    return rc;
}

/* What the first of them failed with that did. */
static int result_of(const run_t *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (self->members[i].rc < 0) {
            return self->members[i].rc;
        }
    }
    return 0;
}

/* Did all of them come so far as to run? */
static bool were_up(const run_t *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (!self->members[i].was_up) {
            return false;
        }
    }
    return true;
}

/* The first thread has seen to it, but where it failed itself, or left while
 * others still ran. */
static int end_late(hoist_app *app)
{
    int rc = app_end(app);

    if (rc < 0) {
        log_err("WORKER-FAILED", "error=\"%s\"", zmq_strerror(-rc));
    }
    return rc;
}

static int run(hoist_app *app, bool *was_up)
{
    run_t all;
    int rc = open_run(&all, app);

    if (rc == 0) {
        rc = run_members(&all);
    } else {
        log_err("WORKER-FAILED", "error=\"%s\"", zmq_strerror(-rc));
    }
    *was_up = were_up(&all);
    int ended = end_late(app);
    close_run(&all);
    rc = rc < 0 ? rc : result_of(&all);
    rc = rc < 0 ? rc : ended;
    if (rc < 0) { /* we stopped them; the next run is not to stop for that */
        (void)inlet_take_stop(&app->inlets[0]);
    }
    return rc;
}

/* --- run --------------------------------------------------------------- */

static int refuse(const char *call, const char *name, const char *why,
                  const char *hint)
{
    log_err("WORKER-REGISTRATION",
            "call=%s name=\"%s\" error=\"%s\" hint=\"%s\"", call, name, why,
            hint);
    return -EINVAL;
}

static int check_middleware(hoist_app *app)
{
    int rc = app_run_checks(app);

    if (rc < 0) {
        (void)refuse("hoist_run", "", strerror(-rc), app->refusal.reason);
    }
    return rc;
}

static int check(hoist_app *app)
{
    const char *fault = settings_fault(&app->settings);
    const refusal_t *refusal = &app->refusal;
    int rc = atomic_load(&refusal->rc);

    if (rc < 0) {
        (void)refuse(refusal->call, refusal->name, strerror(-rc),
                     refusal->hint);
        return rc;
    }
    if (fault != NULL) {
        return refuse("hoist_run", "", fault, "");
    }
    return app->routes.count == 0
               ? refuse("hoist_run", "", "no route is registered", "")
               : check_middleware(app);
}

static void unwatch_signals(const hoist_app *app)
{
    for (unsigned i = 0; i < app->inlet_count; i++) {
        signals_unwatch(app->inlets[i].stop_fd);
    }
    signals_unwatch(app->inlets[0].reload_fd);
}

/* Every thread hears of a stop, and the app of a reload. */
static int watch_signals(const hoist_app *app)
{
    int rc = 0;

    if (!app->settings.signals) {
        return 0;
    }
    for (unsigned i = 0; rc == 0 && i < app->inlet_count; i++) {
        rc = signals_watch(SIGNALS_STOP, app->inlets[i].stop_fd);
    }
    if (rc == 0) {
        rc = signals_watch(SIGNALS_RELOAD, app->inlets[0].reload_fd);
    }
    if (rc < 0) {
        unwatch_signals(app);
    }
    return rc;
}

/* Here, or in processes of which this is one or their supervisor. */
static int run_somewhere(hoist_app *app)
{
    bool was_up;
    int word_fd;

    if (app->settings.processes == 0) {
        return run(app, &was_up);
    }
    int rc = supervise(app, &word_fd);
    if (rc <= 0) {
        app_run_posts(app);
        return rc;
    }
    rc = run(app, &was_up);
    signals_end_here(); /* it ends, and may have been told twice to */
    if (rc < 0 && !was_up) {
        supervisor_tell(word_fd, rc);
    }
    close(word_fd);
    return rc;
}

static int run_watching(hoist_app *app)
{
    int rc = open_inlets(app, settings_threads(&app->settings));

    if (rc == 0) {
        rc = watch_signals(app);
    }
    if (rc < 0) {
        log_err("WORKER-FAILED", "error=\"%s\"", strerror(-rc));
        return rc;
    }
    pass_stop_on(app);
    rc = run_somewhere(app);
    unwatch_signals(app);
    return rc;
}

int hoist_run(hoist_app *app)
{
    settings_set_log(&app->settings);
    int rc = app->running ? -EBUSY : check(app);

    if (rc < 0) {
        return rc;
    }
    app->running = true;
    rc = run_watching(app);
    app->running = false;
    return rc;
}
