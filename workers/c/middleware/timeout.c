/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "workers/c/core.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/middleware/governed.h"
#include "workers/c/middleware/idempotency.h"

#include <errno.h>
#include <stdlib.h>

#define USUAL_MS 10000

typedef struct {
    int64_t ms;
    hoist_counter *late; /* borrowed */
} timeout_t;

static int timeout_init(hoist_app *app, const void *config, void **state)
{
    const hoist_timeout_config *wanted = config;
    timeout_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return -ENOMEM;
    }
    self->ms = either(wanted != NULL ? wanted->ms : 0, USUAL_MS);
    self->late =
        hoist_counter_of(app, "hoist_worker_timeouts_total",
                         "Events that hoist_timeout found too late.", NULL);
    *state = self;
    return 0;
}

static int fail_late(const timeout_t *self, hoist_ctx *ctx)
{
    hoist_count(self->late, 1);
    return hoist_fail(ctx, 504, "timeout", "Endpoint request timed out");
}

/* It has come to a success that nobody waits for any more; 0 is one, too. */
static bool is_too_late(const hoist_ctx *ctx, int rc)
{
    bool refuses = ctx->status != 0 && ctx_refuses(ctx, ctx->status);

    return rc >= 0 && ctx->query == NULL && !refuses &&
           hoist_deadline_left_ms(ctx) < 0;
}

/* The former deadline stands again for those outside. */
static int run_within(const timeout_t *self, hoist_ctx *ctx, int64_t due_ms)
{
    int64_t former_ms = ctx->due_ms;
    bool was_hurried = ctx->is_hurried;

    ctx->due_ms = due_ms < former_ms ? due_ms : former_ms;
    ctx->is_hurried = true;
    int rc = hoist_next(ctx);
    if (is_too_late(ctx, rc)) {
        idempotency_was_done(ctx);
        rc = fail_late(self, ctx);
    }
    ctx->due_ms = former_ms;
    ctx->is_hurried = was_hurried;
    return rc;
}

static int timeout_run(hoist_ctx *ctx, void *state)
{
    const timeout_t *self = state;
    int64_t now_ms = clock_mono_ms();

    if (!is_governed(ctx)) {
        return hoist_next(ctx);
    }
    return ctx->due_ms < now_ms ? fail_late(self, ctx)
                                : run_within(self, ctx, now_ms + self->ms);
}

static const hoist_middleware table = {.init = timeout_init,
                                       .run = timeout_run,
                                       .fini = free};
const hoist_middleware *const hoist_timeout = &table;
