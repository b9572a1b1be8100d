/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "workers/c/core.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdlib.h>

/* Of a use; constant. */
typedef struct {
    bool starts;
    int64_t slow_us;
    hoist_counter *logged, *suppressed; /* borrowed */
} logger_t;

/* Of an event. */
typedef struct {
    const logger_t *logger; /* borrowed */
    int64_t began_us;
} logged_t;

static hoist_counter *counter_of(hoist_app *app, const char *labels)
{
    return hoist_counter_of(
        app, "hoist_worker_logger_events_total",
        "Events that came to hoist_logger: those that are a line of the log, "
        "and those that were too quick for one, or whose level is left out.",
        labels);
}

static int logger_init(hoist_app *app, const void *config, void **state)
{
    const hoist_logger_config *wanted = config;
    logger_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return -ENOMEM;
    }
    if (wanted != NULL) {
        self->starts = wanted->starts;
        self->slow_us = (int64_t)wanted->slow_ms * 1000;
    }
    self->logged = counter_of(app, "outcome=\"logged\"");
    self->suppressed = counter_of(app, "outcome=\"suppressed\"");
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

/* What is quick and has gone well is not for everybody's log. */
static bool is_line(const logger_t *self, int status, int64_t took_us)
{
    bool is_usual = took_us < self->slow_us && status > 0 && status < 500;

    return !is_usual && log_takes(LEVEL_INFO);
}

static void log_outcome(hoist_ctx *ctx, void *data)
{
    const logged_t *event = data;
    const logger_t *self = event->logger;
    int64_t took_us = clock_mono_us() - event->began_us;
    int status = hoist_replied(ctx);

    if (!is_line(self, status, took_us)) {
        hoist_count(self->suppressed, 1);
        return;
    }
    hoist_text id = hoist_request_id_of(ctx), route = hoist_route(ctx);
    hoist_text conn = hoist_connection(ctx);
    hoist_count(self->logged, 1);
    log_info("WORKER-EVENT",
             "request=%.*s kind=%s route=%.*s connection=%.*s status=%d "
             "code=%s us=%lld attempt=%u",
             (int)id.len, id.data, event_name(ctx), (int)route.len, route.data,
             (int)conn.len, conn.data, status, failure_code(ctx),
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

static const hoist_middleware table = {.init = logger_init,
                                       .run = logger_run,
                                       .fini = free};
const hoist_middleware *const hoist_logger = &table;
