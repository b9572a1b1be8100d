/* SPDX-License-Identifier: MIT */
#include "base/tokens.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/ledger.h"
#include "workers/c/middleware/governed.h"
#include "workers/c/middleware/whose.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define USUAL_RATE 10

/* Of a use; but for `use`, constant. */
typedef struct {
    whose_t whose;
    hoist_bucket bucket;
    bool refuses; /* while the ledger cannot tell */
    hoist_counter *passed, *limited, *unavailable; /* borrowed */
    ledger_use_t use;
} rate_limit_t;

static int fail(hoist_app *app, const char *why)
{
    return hoist_init_failed(app, -EINVAL, "hoist_rate_limit: %s", why);
}

static int check_range(hoist_app *app, const hoist_rate_limit_config *wanted)
{
    int rc = check_most(app, "hoist_rate_limit: rate", wanted->rate,
                        TOKENS_BURST_MAX);

    if (rc == 0) {
        rc = check_most(app, "hoist_rate_limit: per_s", wanted->per_s,
                        TOKENS_PERIOD_MAX_S);
    }
    return rc < 0 ? rc
                  : check_most(app, "hoist_rate_limit: burst", wanted->burst,
                               TOKENS_BURST_MAX);
}

static void set_bucket(rate_limit_t *self,
                       const hoist_rate_limit_config *wanted)
{
    unsigned rate = either(wanted->rate, USUAL_RATE);
    unsigned burst = either(wanted->burst, rate);
    unsigned per_s = either(wanted->per_s, 1);

    self->bucket = (hoist_bucket){
        .token_ns = rate_in(rate, per_s, burst).token_ns, .burst = burst};
}

static hoist_counter *counter_of(const rate_limit_t *self, hoist_app *app,
                                 const char *outcome)
{
    return whose_counter(&self->whose, app,
                         "hoist_worker_rate_limit_events_total",
                         "Events that came to hoist_rate_limit: those that "
                         "passed, those that were refused, and those of which "
                         "the ledger could not tell.",
                         outcome);
}

static int use_ledger(rate_limit_t *self, hoist_app *app,
                      const hoist_rate_limit_config *wanted)
{
    self->passed = counter_of(self, app, "passed");
    self->limited = counter_of(self, app, "limited");
    self->unavailable = counter_of(self, app, "unavailable");
    const ledger_memory_t memory = {
        .keys = wanted->keys,
        .evicted = whose_counter(&self->whose, app,
                                 "hoist_worker_rate_limit_evicted_total",
                                 "Buckets that went out of memory before they "
                                 "were full.",
                                 NULL),
    };
    int rc = ledger_use_init(&self->use, "rate-limit", wanted->ledger, &memory,
                             NULL);
    return rc == -EINVAL ? fail(app, LEDGER_LACKS) : rc;
}

static int set(rate_limit_t *self, hoist_app *app,
               const hoist_rate_limit_config *wanted)
{
    const char *name = wanted->name != NULL ? wanted->name : "limit", *why;

    if (wanted->ledger != NULL && wanted->name == NULL) {
        return fail(app, "ledger without a name"); /* all would be one */
    }
    if (!is_when_down(wanted->when_down)) {
        return fail(app, NO_WHEN_DOWN);
    }
    if (whose_init(&self->whose, name, wanted->by, wanted->key, wanted->data,
                   &why) < 0) {
        return fail(app, why);
    }
    int rc = check_range(app, wanted);
    if (rc < 0) {
        return rc;
    }
    set_bucket(self, wanted);
    self->refuses = wanted->when_down == HOIST_WHEN_DOWN_REFUSE;
    return use_ledger(self, app, wanted);
}

static int rate_limit_init(hoist_app *app, const void *config, void **state)
{
    static const hoist_rate_limit_config usual = {0};
    rate_limit_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return -ENOMEM;
    }
    int rc = set(self, app, config != NULL ? config : &usual);
    if (rc < 0) {
        free(self);
        return rc;
    }
    *state = self;
    return 0;
}

static void rate_limit_fini(void *state)
{
    rate_limit_t *self = state;

    ledger_use_fini(&self->use);
    free(self);
}

static int refuse(const rate_limit_t *self, hoist_ctx *ctx, int64_t wait_ms)
{
    hoist_count(self->limited, 1);
    return refuse_for_now(ctx, 429, "rate-limited", "Too many requests",
                          wait_ms);
}

/* Nobody knows whether there is a token. */
static int go_without(const rate_limit_t *self, hoist_ctx *ctx)
{
    hoist_count(self->unavailable, 1);
    return self->refuses ? hoist_fail(ctx, 503, "rate-limit-unavailable",
                                      "Service Unavailable")
                         : hoist_next(ctx);
}

static int rate_limit_run(hoist_ctx *ctx, void *state)
{
    rate_limit_t *self = state;
    hoist_event event = hoist_event_of(ctx);
    whose_name_t name;
    int64_t wait_ms = 0;

    if (event != HOIST_CONNECT && event != HOIST_MESSAGE) {
        return hoist_next(ctx);
    }
    int rc = whose_name(&self->whose, ctx, &name);
    if (rc < 0) {
        return rc == -ENOENT ? hoist_next(ctx) : rc;
    }
    rc = ledger_spend(&self->use, whose_text(&name), &self->bucket, &wait_ms);
    if (rc < 0) {
        return go_without(self, ctx);
    }
    if (wait_ms > 0) {
        return refuse(self, ctx, wait_ms);
    }
    hoist_count(self->passed, 1);
    return hoist_next(ctx);
}

static const hoist_middleware table = {.init = rate_limit_init,
                                       .run = rate_limit_run,
                                       .fini = rate_limit_fini};
const hoist_middleware *const hoist_rate_limit = &table;
