/* SPDX-License-Identifier: MIT
 *
 * What a circuit breaker knows is guarded by a lock of its own, which is held
 * for a few instructions.
 */
#include "workers/c/breaker.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/middleware/governed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <pthread.h>

static const breaker_rules_t usual = {.failures = 5,
                                      .percent = 50,
                                      .least = 10,
                                      .window_ms = 300000,
                                      .open_ms = 60000,
                                      .probes = 3};

/* Of a use. */
typedef struct {
    pthread_mutex_t lock;
    breaker_t breaker;
    hoist_counter *refused, *opened; /* borrowed */
    hoist_gauge *state;              /* borrowed */
} guard_t;

/* Of an event. */
typedef struct {
    guard_t *guard; /* borrowed */
    uint64_t epoch;
} tried_t;

/* --- settings ------------------------------------------------------------ */

static breaker_rules_t rules_of(const hoist_breaker_config *wanted)
{
    breaker_rules_t rules = {
        .failures = either(wanted->failures, usual.failures),
        .percent = either(wanted->percent, usual.percent),
        .least = either(wanted->least, usual.least),
        .window_ms = either(wanted->window_ms, (unsigned)usual.window_ms),
        .open_ms = either(wanted->open_ms, (unsigned)usual.open_ms),
        .probes = either(wanted->probes, usual.probes),
    };

    /* Its parts are whole milliseconds. */
    rules.window_ms += BREAKER_PARTS - 1;
    rules.window_ms -= rules.window_ms % BREAKER_PARTS;
    return rules;
}

static void ask_for_numbers(guard_t *self, hoist_app *app, const char *labels)
{
    self->refused =
        hoist_counter_of(app, "hoist_worker_breaker_refused_total",
                         "Events that an open hoist_breaker refused.", labels);
    self->opened =
        hoist_counter_of(app, "hoist_worker_breaker_opened_total",
                         "How often a hoist_breaker has opened.", labels);
    self->state = hoist_gauge_of(
        app, "hoist_worker_breaker_state",
        "Of a hoist_breaker: 0 closed, 1 half open, 2 open.", labels);
}

/* The name stands in quotes as it is. */
static int put_label(hoist_app *app, const char *name, char *text, size_t size)
{
    int len =
        snprintf(text, size, "breaker=\"%s\"", name != NULL ? name : "all");

    if (len < 0 || (size_t)len >= size) {
        return hoist_init_failed(app, -EINVAL,
                                 "hoist_breaker: name: it is too long");
    }
    if (name != NULL && strpbrk(name, "\"\\\n") != NULL) {
        return hoist_init_failed(app, -EINVAL,
                                 "hoist_breaker: name: it has a quote, a "
                                 "backslash or the end of a line");
    }
    return 0;
}

static int breaker_begin(hoist_app *app, const void *config, void **state)
{
    static const hoist_breaker_config nothing = {0};
    const hoist_breaker_config *wanted = config != NULL ? config : &nothing;
    char labels[128];
    int rc = check_most(app, "hoist_breaker: percent", wanted->percent, 100);

    if (rc == 0) {
        rc = put_label(app, wanted->name, labels, sizeof labels);
    }
    if (rc < 0) {
        return rc;
    }
    guard_t *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return -ENOMEM;
    }
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    const breaker_rules_t rules = rules_of(wanted);
    breaker_init(&self->breaker, &rules);
    ask_for_numbers(self, app, labels);
    *state = self;
    return 0;
}

static void breaker_end(void *state)
{
    guard_t *self = state;

    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* --- events -------------------------------------------------------------- */

static bool try(guard_t *self, uint64_t *epoch, int64_t *retry_ms)
{
    pthread_mutex_lock(&self->lock);
    bool may = breaker_try(&self->breaker, clock_mono_ms(), epoch, retry_ms);
    hoist_gauge_set(self->state, self->breaker.state);
    pthread_mutex_unlock(&self->lock);
    return may;
}

static void done(guard_t *self, uint64_t epoch, breaker_word_t word)
{
    pthread_mutex_lock(&self->lock);
    bool opens = breaker_done(&self->breaker, clock_mono_ms(), epoch, word);
    hoist_gauge_set(self->state, self->breaker.state);
    pthread_mutex_unlock(&self->lock);
    if (opens) {
        hoist_count(self->opened, 1);
    }
}

/* Status 0: the broker was lost, which is not the fault of what is inside. */
static void hear_outcome(hoist_ctx *ctx, void *data)
{
    const tried_t *tried = data;
    int status = hoist_replied(ctx);

    done(tried->guard, tried->epoch,
         status == 0    ? BREAKER_UNKNOWN
         : status < 500 ? BREAKER_FINE
                        : BREAKER_FAILED);
}

static int breaker_run(hoist_ctx *ctx, void *state)
{
    guard_t *self = state;
    int64_t retry_ms = 0;
    uint64_t epoch = 0;

    if (!is_governed(ctx)) {
        return hoist_next(ctx);
    }
    if (!try(self, &epoch, &retry_ms)) {
        hoist_count(self->refused, 1);
        return refuse_for_now(ctx, 503, "unavailable", "Service Unavailable",
                              retry_ms);
    }
    tried_t *tried = hoist_alloc(ctx, sizeof *tried);
    int rc = tried != NULL ? hoist_finally(ctx, hear_outcome, tried) : -ENOBUFS;
    if (rc < 0) {
        done(self, epoch, BREAKER_UNKNOWN);
        return rc;
    }
    *tried = (tried_t){self, epoch};
    return hoist_next(ctx);
}

static const hoist_middleware table = {.init = breaker_begin,
                                       .run = breaker_run,
                                       .fini = breaker_end};
const hoist_middleware *const hoist_breaker = &table;
