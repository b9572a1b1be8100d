/* SPDX-License-Identifier: MIT
 *
 * Middleware is registered: around all handlers, or around those of a route.
 */
#include "workers/c/app.h"

#include <errno.h>
#include <stdio.h>

/* Make the state; what an init before it had to say is old. */
static int start(hoist_app *app, const hoist_middleware *middleware,
                 const void *config, layer_t *layer)
{
    app->refusal.reason[0] = '\0';
    return middleware->init != NULL
               ? middleware->init(app, config, &layer->state)
               : 0;
}

/* Who stands where and has not been made. */
typedef struct {
    const char *call, *route; /* borrowed; route is NULL around all */
    size_t number;            /* in its chain, from 1 */
} place_t;

static int refuse(hoist_app *app, const place_t *place, int rc,
                  const char *hint)
{
    return refusal_keep(&app->refusal, rc, place->call, place->route, hint);
}

static int refuse_init(hoist_app *app, const place_t *place, int rc)
{
    char hint[64];

    (void)snprintf(hint, sizeof hint, "init of the middleware number %zu there",
                   place->number);
    return refuse(app, place, rc,
                  app->refusal.reason[0] != '\0' ? app->refusal.reason : hint);
}

static int add(hoist_app *app, const place_t *place, chain_t *chain,
               const hoist_middleware *middleware, const void *config)
{
    if (middleware == NULL || middleware->run == NULL) {
        return refuse(app, place, -EINVAL, "no middleware, or it has no run");
    }
    if (chain_is_full(chain)) {
        return refuse(app, place, -ENOSPC, "so many are too many");
    }
    layer_t layer = {.run = middleware->run, .fini = middleware->fini};
    int rc = start(app, middleware, config, &layer);
    if (rc != 0) {
        return refuse_init(app, place, rc);
    }
    chain_put(chain, &layer);
    return 0;
}

static int wrap(hoist_app *app, const place_t *place, chain_t *chain,
                hoist_layer *layer, void *state)
{
    if (layer == NULL) {
        return refuse(app, place, -EINVAL, "there is no layer");
    }
    if (chain_is_full(chain)) {
        return refuse(app, place, -ENOSPC, "so many are too many");
    }
    chain_put(chain, &(layer_t){.run = layer, .state = state});
    return 0;
}

/* 0 with the chain of the place's route set, or what is wrong. */
static int find_chain(hoist_app *app, place_t *place, chain_t **chain)
{
    route_t *entry;
    int rc = app_find_route(app, place->call, place->route, &entry);

    if (rc == 0) {
        *chain = &entry->own;
        place->number = entry->own.count + 1;
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
    const place_t place = {.call = __func__, .number = app->around.count + 1};

    return app->running ? -EBUSY
                        : add(app, &place, &app->around, middleware, config);
}

int hoist_use_on(hoist_app *app, const char *route,
                 const hoist_middleware *middleware, const void *config)
{
    place_t place = {.call = __func__, .route = route};
    chain_t *chain = NULL;
    int rc = find_chain(app, &place, &chain);

    if (rc < 0) {
        return rc;
    }
    app->used_on = route;
    rc = add(app, &place, chain, middleware, config);
    app->used_on = NULL;
    return rc;
}

int hoist_wrap(hoist_app *app, hoist_layer *layer, void *state)
{
    const place_t place = {.call = __func__};

    return app->running ? -EBUSY
                        : wrap(app, &place, &app->around, layer, state);
}

int hoist_wrap_on(hoist_app *app, const char *route, hoist_layer *layer,
                  void *state)
{
    place_t place = {.call = __func__, .route = route};
    chain_t *chain = NULL;
    int rc = find_chain(app, &place, &chain);

    return rc < 0 ? rc : wrap(app, &place, chain, layer, state);
}
