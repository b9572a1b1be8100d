/* SPDX-License-Identifier: MIT
 *
 * A worker whose limits and outcomes are shared: the ledger is at the URL of
 * the variable LEDGER, and has the time of TIMEOUT_MS for each step.
 *
 *     spend    100 of all callers together, ever; replies with its process
 *     guarded  the same, and nothing while Redis is away
 *     order    once for each key; waits while the file of the variable GATE is
 *              not there; replies with its process and how often that was done
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <unistd.h>

#include <err.h>
#include <hoist.h>
#include <hoist_middleware.h>
#include <hoist_redis.h>

static hoist_text everyone(hoist_ctx *ctx, void *data)
{
    (void)ctx;
    (void)data;
    return hoist_str("everyone");
}

static int spend(hoist_ctx *ctx)
{
    char text[32];

    (void)snprintf(text, sizeof text, "spent at %d", (int)getpid());
    return hoist_reply_text(ctx, text);
}

static int order(hoist_ctx *ctx)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    const char *gate = getenv("GATE");
    static atomic_int done;
    char text[64];

    while (gate != NULL && access(gate, F_OK) < 0) {
        nanosleep(&pause, NULL);
    }
    (void)snprintf(text, sizeof text, "{\"pid\":%d,\"done\":%d}", (int)getpid(),
                   atomic_fetch_add(&done, 1) + 1);
    return hoist_reply_json(ctx, text);
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();
    const char *url = getenv("LEDGER"), *timeout_ms = getenv("TIMEOUT_MS");
    hoist_redis_config config = {0};
    hoist_ledger *ledger;
    char error[256];

    if (url == NULL || timeout_ms == NULL) {
        errx(2, "LEDGER and TIMEOUT_MS are to be set");
    }
    config.timeout_ms = (unsigned)strtoul(timeout_ms, NULL, 10);
    if (hoist_redis_open(url, &config, &ledger, error, sizeof error) < 0) {
        errx(2, "%s", error);
    }
    hoist_rate_limit_config limit = {.rate = 1,
                                     .per_s = 86400,
                                     .burst = 100,
                                     .key = everyone,
                                     .ledger = ledger,
                                     .name = "spend"};
    hoist_use(app, hoist_recover, NULL);
    hoist_on(app, "spend", spend);
    hoist_use_on(app, "spend", hoist_rate_limit, &limit);
    limit.name = "guarded";
    limit.when_down = HOIST_WHEN_DOWN_REFUSE;
    hoist_on(app, "guarded", spend);
    hoist_use_on(app, "guarded", hoist_rate_limit, &limit);
    hoist_on(app, "order", order);
    hoist_use_on(app, "order", hoist_idempotency,
                 &(hoist_idempotency_config){.by = HOIST_BY_ADDRESS,
                                             .ledger = ledger,
                                             .name = "order"});
    int status = hoist_main(app, argc, argv);
    hoist_redis_close(&ledger);
    return status;
}
