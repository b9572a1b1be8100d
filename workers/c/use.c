/* SPDX-License-Identifier: MIT
 *
 * Middleware is registered: around all handlers, or around those of a route.
 */
#include "workers/c/app.h"

#include <errno.h>

static int add(hoist_app *app, chain_t *chain,
               const hoist_middleware *middleware, const void *config)
{
    if (middleware == NULL || middleware->run == NULL) {
        return -EINVAL;
    }
    if (chain_is_full(chain)) {
        return -ENOSPC;
    }
    layer_t layer = {.run = middleware->run, .fini = middleware->fini};
    int rc = middleware->init != NULL
                 ? middleware->init(app, config, &layer.state)
                 : 0;
    if (rc == 0) {
        chain_put(chain, &layer);
    }
    return rc;
}

static int wrap(chain_t *chain, hoist_layer *layer, void *state)
{
    if (layer == NULL) {
        return -EINVAL;
    }
    if (chain_is_full(chain)) {
        return -ENOSPC;
    }
    chain_put(chain, &(layer_t){.run = layer, .state = state});
    return 0;
}

/* 0 with the chain of a route set, or what is wrong. */
static int find_chain(hoist_app *app, const char *route, chain_t **chain)
{
    route_t *entry;
    int rc = app_find_route(app, route, &entry);

    if (rc == 0) {
        *chain = &entry->own;
    }
    return rc;
}

int hoist_use(hoist_app *app, const hoist_middleware *middleware,
              const void *config)
{
    return app->running ? -EBUSY
                        : app_keep_error(
                              app, add(app, &app->around, middleware, config));
}

int hoist_use_on(hoist_app *app, const char *route,
                 const hoist_middleware *middleware, const void *config)
{
    chain_t *chain = NULL;
    int rc = find_chain(app, route, &chain);

    if (rc < 0) {
        return rc;
    }
    app->used_on = route;
    rc = add(app, chain, middleware, config);
    app->used_on = NULL;
    return app_keep_error(app, rc);
}

int hoist_wrap(hoist_app *app, hoist_layer *layer, void *state)
{
    return app->running ? -EBUSY
                        : app_keep_error(app, wrap(&app->around, layer, state));
}

int hoist_wrap_on(hoist_app *app, const char *route, hoist_layer *layer,
                  void *state)
{
    chain_t *chain = NULL;
    int rc = find_chain(app, route, &chain);

    return rc < 0 ? rc : app_keep_error(app, wrap(chain, layer, state));
}
