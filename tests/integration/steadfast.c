/* SPDX-License-Identifier: MIT
 *
 * A worker whose routes each have one of the middleware that keep a worker
 * well, and a handler that gives it something to do.  For test_sdk_steady.py.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <hoist.h>
#include <hoist_metrics.h>
#include <hoist_middleware.h>

static void take(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000,
                                  .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

static bool says(hoist_ctx *ctx, const char *word)
{
    hoist_text body = hoist_body(ctx);

    return memmem(body.data, body.len, word, strlen(word)) != NULL;
}

static int done(hoist_ctx *ctx)
{
    return hoist_reply_text(ctx, "done");
}

/* Longer than it may, however long the machine takes. */
static int late(hoist_ctx *ctx)
{
    while (hoist_deadline_left_ms(ctx) >= 0) {
        take(1);
    }
    return done(ctx);
}

/* As long as the message wants it. */
static int fragile(hoist_ctx *ctx)
{
    return says(ctx, "fail") ? -EIO : done(ctx);
}

/* Every other time. */
static int moody(hoist_ctx *ctx)
{
    static atomic_uint times;

    return atomic_fetch_add(&times, 1) % 2 == 0 ? -EIO : done(ctx);
}

static int take_count(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    return done(ctx);
}

/* Waits for an answer. */
static int narrow(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, take_count, NULL);
}

/* Blocks its thread, two of which may be here at once. */
static int pass_gate(hoist_ctx *ctx)
{
    static atomic_int inside;
    bool is_crowded = atomic_fetch_add(&inside, 1) >= 2;

    take(20);
    atomic_fetch_sub(&inside, 1);
    return is_crowded ? hoist_reply_text(ctx, "crowded") : done(ctx);
}

static int busy(hoist_ctx *ctx)
{
    take(20);
    return done(ctx);
}

static int welcome(hoist_ctx *ctx)
{
    static atomic_uint times;
    unsigned time = atomic_fetch_add(&times, 1);
    char name[16];

    (void)snprintf(name, sizeof name, "run-%u", time);
    (void)hoist_accept_attribute(ctx, name, hoist_str("yes"));
    return time == 0 ? -EIO : 0;
}

/* What the first run of welcome has left. */
static int trace(hoist_ctx *ctx)
{
    return hoist_reply_text(
        ctx, hoist_attribute(ctx, "run-0").data != NULL   ? "first"
             : hoist_attribute(ctx, "run-1").data != NULL ? "second"
                                                          : "neither");
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();

    hoist_use(app, hoist_metrics, &(hoist_metrics_config){.count_ms = 1000});
    hoist_use(app, hoist_recover, &(hoist_recover_config){.silent = true});
    hoist_on(app, "$connect", welcome);
    hoist_use_on(app, "$connect", hoist_retry, NULL);
    hoist_on(app, "$disconnect", done);
    hoist_on(app, "trace", trace);
    hoist_on(app, "prompt", done);
    hoist_use_on(app, "prompt", hoist_timeout, NULL);
    hoist_on(app, "late", late);
    hoist_use_on(app, "late", hoist_timeout, &(hoist_timeout_config){.ms = 30});
    hoist_on(app, "fragile", fragile);
    hoist_use_on(app, "fragile", hoist_breaker,
                 &(hoist_breaker_config){.name = "fragile", .failures = 3});
    hoist_on(app, "healing", fragile);
    hoist_use_on(app, "healing", hoist_breaker,
                 &(hoist_breaker_config){
                     .name = "healing", .failures = 3, .open_ms = 1});
    hoist_on(app, "moody", moody);
    hoist_use_on(app, "moody", hoist_retry, NULL);
    hoist_on(app, "narrow", narrow);
    hoist_use_on(app, "narrow", hoist_bulkhead,
                 &(hoist_bulkhead_config){.limit = 1});
    hoist_on(app, "gate", pass_gate);
    hoist_use_on(app, "gate", hoist_bulkhead,
                 &(hoist_bulkhead_config){.limit = 2});
    hoist_on(app, "busy", busy);
    hoist_use_on(app, "busy", hoist_shed,
                 &(hoist_shed_config){.target_ms = 30, .interval_ms = 50});
    return hoist_main(app, argc, argv);
}
