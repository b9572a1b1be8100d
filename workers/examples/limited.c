/* SPDX-License-Identifier: MIT
 *
 * An API with limits.  A client may connect 30 times a minute from an address,
 * and ask
 *
 *     {"action":"quote","item":7}                          5 times in 10 s
 *     {"action":"order","item":7,"idempotencyKey":"…"}     twice in 10 s
 *
 * An order is done once for each key, however often a client sends it.  Whoever
 * is too fast is told
 * {"code":"rate-limited",…,"details":{"retryAfterMs":…},…}.
 *
 * Each process has limits and orders of its own, unless the variable REDIS has
 * the URL of a server where they are kept for all:
 *
 *     REDIS=redis://127.0.0.1 limited --broker tcp://127.0.0.1:9555
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <hoist.h>
#include <hoist_middleware.h>
#include <hoist_redis.h>

/* --- what a message is --------------------------------------------------- */

static const hoist_rule order_members[] = {
    {.name = "action", .type = HOIST_JSON_STRING},
    {.name = "item", .type = HOIST_JSON_INTEGER, .least = 1, .most = 9999},
    {.name = "idempotencyKey", .type = HOIST_JSON_STRING, .optional = true},
    {.name = NULL},
};
static const hoist_rule an_order = {.type = HOIST_JSON_OBJECT,
                                    .members = order_members};

/* --- handlers ------------------------------------------------------------ */

static int welcome(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static int quote(hoist_ctx *ctx)
{
    return hoist_reply_json(ctx, "{\"price\":42}");
}

static int order(hoist_ctx *ctx)
{
    static atomic_uint orders;
    char text[48];

    snprintf(text, sizeof text, "{\"order\":%u}", ++orders);
    return hoist_reply_json(ctx, text);
}

/* --- limits -------------------------------------------------------------- */

static void limit(hoist_app *app, const char *route, unsigned rate,
                  unsigned per_s, hoist_ledger *ledger)
{
    /* In the ledger each limit has a name of its own. */
    const char *name = *route == '$' ? "connect" : route;

    hoist_use_on(
        app, route, hoist_rate_limit,
        &(hoist_rate_limit_config){
            .rate = rate, .per_s = per_s, .ledger = ledger, .name = name});
}

static void serve(hoist_app *app, hoist_ledger *ledger)
{
    hoist_use(app, hoist_recover, NULL);
    hoist_on(app, "$connect", welcome);
    limit(app, "$connect", 30, 60, ledger);
    hoist_on(app, "quote", quote);
    limit(app, "quote", 5, 10, ledger);
    hoist_on(app, "order", order);
    hoist_use_on(app, "order", hoist_validate,
                 &(hoist_validate_config){.body = &an_order});
    hoist_use_on(
        app, "order", hoist_idempotency,
        &(hoist_idempotency_config){.ledger = ledger, .name = "orders"});
    limit(app, "order", 2, 10, ledger); /* of those that are new */
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();
    const char *url = getenv("REDIS");
    hoist_ledger *ledger = NULL;
    char error[256];

    if (url != NULL &&
        hoist_redis_open(url, NULL, &ledger, error, sizeof error) < 0) {
        fprintf(stderr, "limited: REDIS: %s\n", error);
        return 2;
    }
    serve(app, ledger);
    int status = hoist_main(app, argc, argv);
    hoist_redis_close(&ledger);
    return status;
}
