/* SPDX-License-Identifier: MIT
 *
 * Middleware is registered: around all handlers, or around those of a route.
 */
#include "base/xalloc.h"
#include "workers/c/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who stands where and has not been made. */
typedef struct {
    const char *call, *route; /* borrowed; route is NULL around all */
} place_t;

/* Of a route that there is.  Not to be kept: an init may add routes, and then
 * all of them move. */
static chain_t *chain_of(hoist_app *app, const place_t *place)
{
    return place->route == NULL
               ? &app->around
               : &routes_named(&app->routes, place->route)->own;
}

static int refuse(hoist_app *app, const place_t *place, int rc,
                  const char *hint)
{
    return refusal_keep(&app->refusal, rc, place->call, place->route, hint);
}

static int refuse_init(hoist_app *app, const place_t *place, int rc)
{
    char hint[64];

    (void)snprintf(hint, sizeof hint, "init of the middleware number %zu there",
                   chain_of(app, place)->count + 1);
    return refuse(app, place, rc,
                  app->refusal.reason[0] != '\0' ? app->refusal.reason : hint);
}

static int check_room(hoist_app *app, const place_t *place)
{
    return chain_is_full(chain_of(app, place))
               ? refuse(app, place, -ENOSPC, "so many are too many")
               : 0;
}

static int put(hoist_app *app, const place_t *place, const layer_t *layer)
{
    int rc = check_room(app, place);

    if (rc == 0) {
        chain_put(chain_of(app, place), layer);
    }
    return rc;
}

/* The program may have been built when the settings had fewer fields. */
static int init(hoist_app *app, const hoist_middleware *middleware,
                const void *config, void **state)
{
    _Alignas(max_align_t) uint8_t whole[HOIST_CONFIG_BYTES] = {0};

    if (config == NULL || middleware->config_bytes == 0) {
        return middleware->init(app, config, state);
    }
    memcpy(whole, config, middleware->config_bytes);
    return middleware->init(app, whole, state);
}

/* Make the state; what an init before it had to say is old.  An init may use
 * others, each of which has a place of its own. */
static int start(hoist_app *app, const place_t *place,
                 const hoist_middleware *middleware, const void *config,
                 void **state)
{
    const char *outer = app->used_on;

    app->refusal.reason[0] = '\0';
    if (middleware->init == NULL) {
        return 0;
    }
    app->used_on = place->route;
    int rc = init(app, middleware, config, state);
    app->used_on = outer;
    return program_result(rc);
}

static void keep(hoist_app *app, const hoist_middleware *middleware,
                 void *state)
{
    if (middleware->fini != NULL) {
        made_t *made = xcalloc(1, sizeof *made);
        *made = (made_t){app->made, state, middleware->fini};
        app->made = made;
    }
}

void app_free_made(hoist_app *app)
{
    made_t *made;

    while ((made = app->made) != NULL) {
        app->made = made->before;
        made->fini(made->state);
        free(made);
    }
}

static int add(hoist_app *app, const place_t *place,
               const hoist_middleware *middleware, const void *config)
{
    if (middleware == NULL || middleware->run == NULL) {
        return refuse(app, place, -EINVAL, "no middleware, or it has no run");
    }
    if (middleware->config_bytes > HOIST_CONFIG_BYTES) {
        return refuse(app, place, -EINVAL, "its config_bytes are too many");
    }
    layer_t layer = {.run = middleware->run};
    int rc = check_room(app, place);
    if (rc < 0) {
        return rc;
    }
    rc = start(app, place, middleware, config, &layer.state);
    if (rc < 0) {
        return refuse_init(app, place, rc);
    }
    keep(app, middleware, layer.state);
    return put(app, place, &layer); /* or init itself has filled it */
}

static int wrap(hoist_app *app, const place_t *place, hoist_layer *layer,
                void *state)
{
    return layer == NULL
               ? refuse(app, place, -EINVAL, "there is no layer")
               : put(app, place, &(layer_t){.run = layer, .state = state});
}

void app_check_at_start(hoist_app *app, start_check_t *check)
{
    start_check_t **end = &app->checks;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    check->next = NULL;
    *end = check;
}

int app_run_checks(hoist_app *app)
{
    int rc = 0;

    for (const start_check_t *check = app->checks; rc == 0 && check != NULL;
         check = check->next) {
        app->refusal.reason[0] = '\0';
        rc = check->run(app, check->state);
    }
    return rc;
}

int hoist_init_failed(hoist_app *app, int rc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    refusal_explain(&app->refusal, format, args);
    va_end(args);
    return rc;
}

int hoist_use(hoist_app *app, const hoist_middleware *middleware,
              const void *config)
{
    const place_t place = {.call = __func__};

    return app->running ? -EBUSY : add(app, &place, middleware, config);
}

int hoist_use_on(hoist_app *app, const char *route,
                 const hoist_middleware *middleware, const void *config)
{
    const place_t place = {.call = __func__, .route = route};
    route_t *there;
    int rc = app_find_route(app, place.call, route, &there);

    return rc < 0 ? rc : add(app, &place, middleware, config);
}

int hoist_wrap(hoist_app *app, hoist_layer *layer, void *state)
{
    const place_t place = {.call = __func__};

    return app->running ? -EBUSY : wrap(app, &place, layer, state);
}

int hoist_wrap_on(hoist_app *app, const char *route, hoist_layer *layer,
                  void *state)
{
    const place_t place = {.call = __func__, .route = route};
    route_t *there;
    int rc = app_find_route(app, place.call, route, &there);

    return rc < 0 ? rc : wrap(app, &place, layer, state);
}
