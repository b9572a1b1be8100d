/* SPDX-License-Identifier: MIT
 *
 * How failures are told is a mark on the event, not a reply of ours: so those
 * behind an answer are told likewise, and who stands outside may still retry.
 */
#include "workers/c/brake.h"
#include "workers/c/core.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdlib.h>

typedef struct {
    bool is_silent;
    brake_t brake;
    hoist_counter *refused, *failed; /* borrowed */
} recover_t;

static hoist_counter *counter_of(hoist_app *app, const char *labels)
{
    return hoist_counter_of(app, "hoist_worker_recovered_total",
                            "Events that have failed inside of hoist_recover, "
                            "by their status.",
                            labels);
}

static int recover_init(hoist_app *app, const void *config, void **state)
{
    const hoist_recover_config *wanted = config;
    recover_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return -ENOMEM;
    }
    brake_init(&self->brake);
    self->is_silent = wanted != NULL && wanted->silent;
    self->refused = counter_of(app, "status=\"4xx\"");
    self->failed = counter_of(app, "status=\"5xx\"");
    *state = self;
    return 0;
}

static void recover_fini(void *state)
{
    recover_t *self = state;

    brake_fini(&self->brake);
    free(self);
}

static void note_outcome(hoist_ctx *ctx, void *data)
{
    recover_t *self = data;
    int status = hoist_replied(ctx);

    if (ctx->failure.result != 0 && status >= 400) {
        hoist_count(status < 500 ? self->refused : self->failed, 1);
    }
    if (status >= 500 && !self->is_silent) {
        failure_log(ctx, &self->brake);
    }
}

static int recover_run(hoist_ctx *ctx, void *state)
{
    ctx->values.size.tells_failure = true;
    (void)hoist_finally(ctx, note_outcome, state); /* or there is no room */
    return hoist_next(ctx);
}

static const hoist_middleware table = {.init = recover_init,
                                       .run = recover_run,
                                       .fini = recover_fini};
const hoist_middleware *const hoist_recover = &table;
