/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/rand.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/middleware/governed.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define USUAL_ATTEMPTS 3
#define USUAL_PAUSE_MS 10
#define USUAL_MOST_MS  100

typedef struct {
    unsigned attempts, pause_ms, most_ms;
    _Atomic uint64_t chance;        /* state of rand_step; 0: none yet */
    hoist_counter *again, *in_vain; /* borrowed */
} retry_t;

static int retry_init(hoist_app *app, const void *config, void **state)
{
    static const hoist_retry_config nothing = {0};
    const hoist_retry_config *wanted = config != NULL ? config : &nothing;
    retry_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return -ENOMEM;
    }
    self->attempts = either(wanted->attempts, USUAL_ATTEMPTS);
    self->pause_ms = either(wanted->pause_ms, USUAL_PAUSE_MS);
    self->most_ms = either(wanted->most_ms, USUAL_MOST_MS);
    self->again =
        hoist_counter_of(app, "hoist_worker_retries_total",
                         "Runs of hoist_retry behind one that failed.", NULL);
    self->in_vain = hoist_counter_of(
        app, "hoist_worker_retries_failed_total",
        "Events that have failed although hoist_retry ran them again.", NULL);
    *state = self;
    return 0;
}

/* Another thread may draw the same: what matters is that many do not.  The seed
 * comes with the first draw, for processes that were forked before have all
 * else in common. */
static uint64_t draw(retry_t *self, uint64_t below)
{
    uint64_t chance = atomic_load_explicit(&self->chance, memory_order_relaxed);

    if (chance == 0) {
        rand_bytes(&chance, sizeof chance);
    }
    uint64_t drawn = rand_step(&chance);

    atomic_store_explicit(&self->chance, chance, memory_order_relaxed);
    return drawn % below;
}

/* Before the run that is the n-th again, from 1: twice as long each time, less
 * up to a half, so that those who failed together do not come together. */
static int64_t pause_before(retry_t *self, unsigned n)
{
    uint64_t whole = self->pause_ms;

    for (unsigned i = 1; i < n && whole < self->most_ms; i++) {
        whole *= 2;
    }
    whole = whole < self->most_ms ? whole : self->most_ms;
    return (int64_t)(whole - draw(self, whole / 2 + 1));
}

/* What a client has done wrong stays wrong. */
static bool may_pass(const hoist_ctx *ctx)
{
    int status = hoist_error_of(ctx).status;

    return status >= 500 && status != 501;
}

static int retry_run(hoist_ctx *ctx, void *state)
{
    retry_t *self = state;
    unsigned again = 0;
    int rc = hoist_next(ctx);

    while (rc < 0 && hoist_replied(ctx) == 0 && may_pass(ctx) &&
           again + 1 < self->attempts) {
        int64_t pause_ms = pause_before(self, again + 1);
        if (is_governed(ctx) && hoist_deadline_left_ms(ctx) <= pause_ms) {
            break;
        }
        clock_sleep_ms(pause_ms);
        again++;
        hoist_count(self->again, 1);
        rc = hoist_next(ctx);
    }
    if (rc < 0 && again > 0) {
        hoist_count(self->in_vain, 1);
    }
    return rc;
}

static const hoist_middleware table = {.init = retry_init,
                                       .run = retry_run,
                                       .fini = free};
const hoist_middleware *const hoist_retry = &table;
