/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "workers/c/core.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdlib.h>

/* Of a use; constant. */
typedef struct {
    bool starts;
    int64_t slow_us;
} logger_t;

/* Of an event. */
typedef struct {
    const logger_t *logger; /* borrowed */
    int64_t began_us;
} logged_t;

static int logger_init(hoist_app *app, const void *config, void **state)
{
    const hoist_logger_config *wanted = config;
    logger_t *self = calloc(1, sizeof *self);
    (void)app;

    if (self == NULL) {
        return -ENOMEM;
    }
    if (wanted != NULL) {
        self->starts = wanted->starts;
        self->slow_us = (int64_t)wanted->slow_ms * 1000;
    }
    *state = self;
    return 0;
}

static const char *event_name(const hoist_ctx *ctx)
{
    switch (hoist_event_of(ctx)) {
    case HOIST_CONNECT:
        return "CONNECT";
    case HOIST_MESSAGE:
        return "MESSAGE";
    case HOIST_DISCONNECT:
        return "DISCONNECT";
    case HOIST_PRESENCE:
        return "PRESENCE";
    default:
        return "";
    }
}

static void log_start(hoist_ctx *ctx)
{
    hoist_text id = hoist_request_id_of(ctx), route = hoist_route(ctx);
    hoist_text conn = hoist_connection(ctx);

    log_info("WORKER-EVENT-BEGUN",
             "request=%.*s kind=%s route=%.*s connection=%.*s attempt=%u",
             (int)id.len, id.data, event_name(ctx), (int)route.len, route.data,
             (int)conn.len, conn.data, hoist_attempt(ctx));
}

static void log_outcome(hoist_ctx *ctx, void *data)
{
    const logged_t *event = data;
    int64_t took_us = clock_mono_us() - event->began_us;
    int status = hoist_replied(ctx);
    hoist_text id = hoist_request_id_of(ctx), route = hoist_route(ctx);
    hoist_text conn = hoist_connection(ctx);

    if (took_us < event->logger->slow_us && status > 0 && status < 500) {
        return;
    }
    log_info("WORKER-EVENT",
             "request=%.*s kind=%s route=%.*s connection=%.*s status=%d "
             "code=%s us=%lld attempt=%u",
             (int)id.len, id.data, event_name(ctx), (int)route.len, route.data,
             (int)conn.len, conn.data, status, hoist_error_code(ctx),
             (long long)took_us, hoist_attempt(ctx));
}

static int logger_run(hoist_ctx *ctx, void *state)
{
    const logger_t *self = state;
    logged_t *event = hoist_alloc(ctx, sizeof *event);

    if (self->starts) {
        log_start(ctx);
    }
    if (event != NULL) { /* else others have taken all the memory */
        *event = (logged_t){self, clock_mono_us()};
        (void)hoist_finally(ctx, log_outcome, event);
    }
    return hoist_next(ctx);
}

static const hoist_middleware table = {logger_init, logger_run, free};
const hoist_middleware *const hoist_logger = &table;
