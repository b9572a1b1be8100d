/* SPDX-License-Identifier: MIT */
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/middleware/governed.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define USUAL_LIMIT 100

typedef struct {
    unsigned limit;
    atomic_uint inside;
    hoist_counter *refused; /* borrowed */
    hoist_gauge *at_once;   /* borrowed */
} bulkhead_t;

static int bulkhead_init(hoist_app *app, const void *config, void **state)
{
    const hoist_bulkhead_config *wanted = config;
    bulkhead_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return -ENOMEM;
    }
    self->limit = either(wanted != NULL ? wanted->limit : 0, USUAL_LIMIT);
    self->refused = hoist_counter_of(
        app, "hoist_worker_bulkhead_refused_total",
        "Events that hoist_bulkhead refused: as many were inside.", NULL);
    self->at_once =
        hoist_gauge_of(app, "hoist_worker_bulkhead_inside",
                       "Events inside of all hoist_bulkhead now.", NULL);
    *state = self;
    return 0;
}

static void leave(hoist_ctx *ctx, void *data)
{
    bulkhead_t *self = data;
    (void)ctx;

    atomic_fetch_sub_explicit(&self->inside, 1, memory_order_relaxed);
    hoist_gauge_add(self->at_once, -1);
}

static bool enter(bulkhead_t *self)
{
    unsigned inside =
        atomic_fetch_add_explicit(&self->inside, 1, memory_order_relaxed);

    if (inside >= self->limit) {
        atomic_fetch_sub_explicit(&self->inside, 1, memory_order_relaxed);
        return false;
    }
    hoist_gauge_add(self->at_once, 1);
    return true;
}

static int bulkhead_run(hoist_ctx *ctx, void *state)
{
    bulkhead_t *self = state;

    if (!is_governed(ctx)) {
        return hoist_next(ctx);
    }
    if (!enter(self)) {
        hoist_count(self->refused, 1);
        return hoist_fail(ctx, 503, "busy", "Too many at once");
    }
    int rc = hoist_finally(ctx, leave, self);
    if (rc < 0) {
        leave(ctx, self);
        return rc;
    }
    return hoist_next(ctx);
}

static const hoist_middleware table = {.init = bulkhead_init,
                                       .run = bulkhead_run,
                                       .fini = free};
const hoist_middleware *const hoist_bulkhead = &table;
