/* SPDX-License-Identifier: MIT */
#include "base/stdio_fds.h"
#include "base/xalloc.h"
#include "workers/c/core.h"
#include "workers/c/later.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void init_health(hoist_app *app)
{
    app->health.brokers =
        hoist_gauge_of(app, "hoist_worker_brokers",
                       "Brokers that the worker is to speak to.", NULL);
    app->health.brokers_up = hoist_gauge_of(
        app, "hoist_worker_brokers_up",
        "Brokers that have welcomed the worker and are there.", NULL);
}

hoist_app *hoist_app_new(void)
{
    hoist_app *app = xcalloc(1, sizeof *app);

    (void)refusal_keep(&app->refusal, stdio_fds_open(), __func__, NULL,
                       "standard error is closed"); /* hoist_run says so */
    routes_init(&app->routes);
    registry_init(&app->registry);
    brake_init(&app->failures);
    init_health(app);
    settings_init(&app->settings);
    (void)refusal_keep(&app->refusal, inlet_init(&app->inlets[0]), __func__,
                       NULL, "no descriptors"); /* hoist_run says so */
    atomic_init(&app->inlet_count, 1);
    return app;
}

/* What was posted until now: a task may post itself again. */
static void run_posts(core_t *core, const posts_t *posts)
{
    task_t task;

    for (size_t left = posts_count(posts); left > 0; left--) {
        if (!posts_take(posts, &task)) {
            break;
        }
        (void)later_open(&task); /* no event is left */
        if (task.run != NULL) {
            core_run(core, &task, NULL, NULL);
        }
    }
}

void app_run_posts(hoist_app *app)
{
    core_t core;

    core_init(&core, app);
    for (unsigned i = 0; i < app->inlet_count; i++) {
        run_posts(&core, &app->inlets[i].posts);
        run_posts(&core, &app->inlets[i].resumptions);
    }
    core_fini(&core);
}

/* Who posted hands over what belongs to the task: each is run once. */
static void close_inlets(hoist_app *app)
{
    for (unsigned i = 0; i < app->inlet_count; i++) {
        posts_close(&app->inlets[i].posts);
        posts_close(&app->inlets[i].resumptions);
    }
    app_run_posts(app);
    for (unsigned i = 0; i < app->inlet_count; i++) {
        inlet_fini(&app->inlets[i]);
    }
}

void hoist_app_destroy(hoist_app **app_p)
{
    hoist_app *app = *app_p;

    if (app == NULL) {
        return;
    }
    must(!app->running);
    close_inlets(app);
    app_free_made(app);
    routes_fini(&app->routes);
    chain_fini(&app->around);
    registry_fini(&app->registry);
    brake_fini(&app->failures);
    settings_fini(&app->settings);
    free(app);
    *app_p = NULL;
}

static const char *hint_of_route(int rc, hoist_handler *handler)
{
    if (rc == -EEXIST) {
        return "the route has a handler already";
    }
    if (rc == -ENOSPC) {
        return "so many routes are too many";
    }
    return handler == NULL ? "there is no handler" : "this is no route key";
}

/* name: what the program calls the route. */
static int add_route(hoist_app *app, const char *call, const char *name,
                     const char *key, hoist_handler *handler)
{
    if (app->running) {
        return -EBUSY;
    }
    int rc = routes_add(&app->routes, key, handler);
    return refusal_keep(&app->refusal, rc, call, name,
                        hint_of_route(rc, handler));
}

int hoist_on(hoist_app *app, const char *route, hoist_handler *handler)
{
    return add_route(app, __func__, route, route, handler);
}

/* Who has come through all middleware. */
static int accept_all(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

/* Around another route a guard would see nobody connect, and what stands in for
 * it here would let everybody in. */
int hoist_serve_connect(hoist_app *app)
{
    if (app->running) {
        return -EBUSY;
    }
    if (app->used_on != NULL && strcmp(app->used_on, "$connect") != 0) {
        return refusal_keep(&app->refusal, -EINVAL, __func__, app->used_on,
                            "who says who may connect stands around $connect, "
                            "or around all routes");
    }
    int rc = routes_stand_in(&app->routes, "$connect", accept_all);
    return refusal_keep(&app->refusal, rc, __func__, "$connect",
                        hint_of_route(rc, accept_all));
}

int app_find_route(hoist_app *app, const char *call, const char *route,
                   route_t **entry)
{
    if (app->running) {
        return -EBUSY;
    }
    *entry = route == NULL ? NULL : routes_named(&app->routes, route);
    return *entry != NULL ? 0
                          : refusal_keep(&app->refusal, -ENOENT, call, route,
                                         "the route has no handler yet");
}

int hoist_redeliver(hoist_app *app, const char *route, unsigned times)
{
    route_t *entry;
    int rc = app_find_route(app, __func__, route, &entry);

    if (rc == 0 && times > REDELIVER_MAX) {
        return refusal_keep(&app->refusal, -EINVAL, __func__, route,
                            "so many times are too many");
    }
    if (rc == 0) {
        entry->redeliver = (uint8_t)times;
    }
    return rc;
}

int hoist_unordered(hoist_app *app, const char *route)
{
    route_t *entry;
    int rc = app_find_route(app, __func__, route, &entry);

    if (rc == 0) {
        entry->is_unordered = true;
    }
    return rc;
}

/* The route key of a method and path, or NULL. */
static const char *key_of(const char *method, const char *path)
{
    if (method == NULL || path == NULL) {
        return NULL;
    }
    if (strcmp(method, "CONNECT") == 0) {
        return strcmp(path, "/connect") == 0 ? "$connect" : NULL;
    }
    if (strcmp(method, "DISCONNECT") == 0) {
        return strcmp(path, "/disconnect") == 0 ? "$disconnect" : NULL;
    }
    /* "/$connect" would be a second way to say CONNECT. */
    if (strcmp(method, "MESSAGE") != 0 || path[0] != '/' || path[1] == '$') {
        return NULL;
    }
    return strcmp(path, "/message") == 0 ? "$default" : path + 1;
}

int hoist_handle(hoist_app *app, const char *method, const char *path,
                 hoist_handler *handler)
{
    return add_route(app, __func__, path, key_of(method, path), handler);
}

int hoist_every(hoist_app *app, unsigned ms, hoist_task *task, void *data)
{
    if (app->running) {
        return -EBUSY;
    }
    int rc = timers_add(&app->timers, ms, &(task_t){task, data});
    return refusal_keep(&app->refusal, rc, __func__, NULL,
                        rc == -ENOSPC  ? "so many timers are too many"
                        : task == NULL ? "there is no task"
                                       : "the time is out of range");
}

int hoist_post(hoist_app *app, hoist_task *task, void *data)
{
    return task == NULL
               ? -EINVAL
               : posts_put(&app->inlets[0].posts, &(task_t){task, data});
}

int hoist_on_gone(hoist_app *app, hoist_gone_handler *handler)
{
    if (app->running) {
        return -EBUSY;
    }
    app->gone = handler;
    return 0;
}

int hoist_on_reload(hoist_app *app, hoist_reload_handler *handler)
{
    if (app->running) {
        return -EBUSY;
    }
    app->reload = handler;
    return 0;
}

int hoist_on_start(hoist_app *app, hoist_start_handler *handler)
{
    if (app->running) {
        return -EBUSY;
    }
    app->start = handler;
    return 0;
}

int hoist_on_stop(hoist_app *app, hoist_stop_handler *handler)
{
    if (app->running) {
        return -EBUSY;
    }
    app->stop = handler;
    return 0;
}

int app_begin(hoist_app *app)
{
    int rc = app->start != NULL ? program_result(app->start(app)) : 0;

    app->has_begun = rc == 0;
    return rc;
}

int app_end(hoist_app *app)
{
    bool is_due = app->has_begun && app->stop != NULL;

    app->has_begun = false;
    return is_due ? program_result(app->stop(app)) : 0;
}

void hoist_reload(hoist_app *app)
{
    inlet_reload(&app->inlets[0]);
}

int hoist_app_set_data(hoist_app *app, void *data)
{
    if (app->running) {
        return -EBUSY;
    }
    app->data = data;
    return 0;
}

void *hoist_app_data(const hoist_app *app)
{
    return app->data;
}

/* A run that is about to begin makes inlets, then looks whether the first one
 * was told (run.c).  Here that one is told, then counted: so one of us sees
 * what the other has done, and no thread is left that nobody stops. */
void hoist_stop(hoist_app *app)
{
    inlet_stop(&app->inlets[0]);
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 1; i < atomic_load(&app->inlet_count); i++) {
        inlet_stop(&app->inlets[i]);
    }
}

int hoist_main(hoist_app *app, int argc, char **argv)
{
    int rc = hoist_options_from_args(app, argc, argv);
    const char *fault = settings_fault(&app->settings);
    int status = 0;

    if (rc < 0) {
        status = 2;
    } else if (rc > 0 && rc < argc) {
        fprintf(stderr,
                "%s: argument %s: there is no such option; try --help\n",
                argv[0], argv[rc]);
        status = 2;
    } else if (rc > 0 && fault != NULL) {
        fprintf(stderr, "%s: %s\n", argv[0], fault);
        status = 2;
    } else if (rc > 0 && hoist_run(app) < 0) {
        status = 1;
    }
    hoist_app_destroy(&app);
    return status;
}
