/* SPDX-License-Identifier: MIT
 *
 * What becomes of events, by route.  The numbers of a route are made when its
 * first event comes, those of an outcome with the first one that has it; from
 * then on they are counted without a lock.
 */
#include "base/metrics.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/c/core.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CODES_MAX    16 /* of a route's errors; all others are "other" */
#define COUNT_MS_MIN 1000
#define CLASSES      6 /* of statuses, by their first digit; 0: no reply */

static const char *const class_names[CLASSES] = {"none", "1xx", "2xx",
                                                 "3xx",  "4xx", "5xx"};

typedef struct {
    char code[ERROR_CODE_MAX + 1];
    hoist_counter *errors; /* borrowed */
} code_t;

/* Of a route. */
typedef struct {
    char labels[SERIES_LABELS_MAX + 1]; /* route and event */
    _Atomic(hoist_counter *) outcomes[CLASSES];
    hoist_counter *messages;
    hoist_histogram *took, *bytes;
    hoist_gauge *standing;       /* connections; NULL: nobody knows */
    code_t codes[CODES_MAX + 1]; /* the last is "other" */
    size_t code_count;
} numbers_t;

/* Of a use. */
typedef struct {
    hoist_app *app;
    bool is_around_all;
    pthread_mutex_t lock; /* of what is made */
    _Atomic(numbers_t *) numbers[ROUTES_MAX];
    hoist_counter *opened, *closed, *uncounted;
    hoist_gauge *known;
} metrics_t;

/* Of an event. */
typedef struct {
    metrics_t *metrics;
    numbers_t *numbers;
    int64_t began_us;
} measured_t;

/* --- the number of all connections --------------------------------------- */

static int take_count(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    metrics_t *self = data;
    (void)ctx;

    if (hoist_answer_status(answer) == 200) {
        hoist_gauge_set(self->known, (int64_t)hoist_answer_count(answer));
    } else {
        hoist_count(self->uncounted, 1);
    }
    return 0;
}

static int ask_for_count(hoist_ctx *ctx, void *data)
{
    metrics_t *self = data;

    if (hoist_find_count(ctx, NULL, take_count, self) < 0) {
        hoist_count(self->uncounted, 1); /* no broker is there */
    }
    return 0;
}

/* --- start and end ------------------------------------------------------- */

static void ask_for_numbers(metrics_t *self, hoist_app *app)
{
    self->opened =
        hoist_counter_of(app, "hoist_worker_connections_opened_total",
                         "Connections that a $connect here has let in.", NULL);
    self->closed = hoist_counter_of(
        app, "hoist_worker_connections_closed_total",
        "Connections whose $disconnect was handled here.", NULL);
}

static int count_connections(metrics_t *self, hoist_app *app, unsigned ms)
{
    if (ms == 0) {
        return 0;
    }
    if (ms < COUNT_MS_MIN) {
        return hoist_init_failed(app, -EINVAL, "hoist_metrics: count_ms=%u",
                                 ms);
    }
    self->known =
        hoist_gauge_of(app, "hoist_worker_connections_known",
                       "Connections of all, as a broker last told.", NULL);
    self->uncounted = hoist_counter_of(
        app, "hoist_worker_connection_counts_failed_total",
        "Questions for their number that had no answer.", NULL);
    return hoist_every(app, ms, ask_for_count, self);
}

static int metrics_init(hoist_app *app, const void *config, void **state)
{
    const hoist_metrics_config *wanted = config;
    metrics_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return -ENOMEM;
    }
    self->app = app;
    self->is_around_all = app->used_on == NULL;
    int rc =
        count_connections(self, app, wanted != NULL ? wanted->count_ms : 0);
    if (rc < 0) {
        free(self);
        return rc;
    }
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    ask_for_numbers(self, app);
    *state = self;
    return 0;
}

static void metrics_fini(void *state)
{
    metrics_t *self = state;

    for (size_t i = 0; i < ROUTES_MAX; i++) {
        free(atomic_load(&self->numbers[i]));
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* --- numbers of a route -------------------------------------------------- */

static const char *event_name(const hoist_ctx *ctx)
{
    static const char *const names[] = {"", "connect", "message", "disconnect",
                                        "presence"};

    return names[hoist_event_of(ctx)];
}

/* Append name="value", with a comma before it where it is not the first. */
static void add_label(char labels[SERIES_LABELS_MAX + 1], const char *name,
                      hoist_text value)
{
    const metrics_label_t label = {name, (const uint8_t *)value.data,
                                   value.len};
    size_t len = strlen(labels);
    buf_t text;

    buf_init(&text, SERIES_LABELS_MAX);
    if ((len == 0 || buf_put(&text, ",", 1) == 0) &&
        metrics_put_label(&text, &label) == 0 &&
        text.len <= SERIES_LABELS_MAX - len) {
        memcpy(labels + len, text.data, text.len);
        labels[len + text.len] = '\0';
    } /* else: without memory all are one series */
    buf_fini(&text);
}

/* Who sees connections come and not go, or the reverse, would count up, or
 * down, for ever.  NULL: no number of them. */
static hoist_gauge *standing_of(const metrics_t *self)
{
    routes_t *routes = &self->app->routes;

    if (!self->is_around_all || routes_named(routes, "$connect") == NULL ||
        routes_named(routes, "$disconnect") == NULL) {
        return NULL;
    }
    return hoist_gauge_of(
        self->app, "hoist_worker_connections",
        "Opened here less closed here; the sum of all workers is what stands.",
        NULL);
}

static bool is_of_connection(const hoist_ctx *ctx)
{
    return hoist_event_of(ctx) == HOIST_CONNECT ||
           hoist_event_of(ctx) == HOIST_DISCONNECT;
}

static numbers_t *make_numbers(metrics_t *self, const hoist_ctx *ctx)
{
    char route[SERIES_LABELS_MAX + 1] = "";
    numbers_t *numbers = xcalloc(1, sizeof *numbers);

    add_label(route, "route", hoist_bytes(ctx->route->key, ctx->route->len));
    memcpy(numbers->labels, route, sizeof route);
    add_label(numbers->labels, "event", hoist_str(event_name(ctx)));
    numbers->took = hoist_histogram_of(
        self->app, "hoist_worker_event_seconds",
        "From the begin of an event at hoist_metrics to its outcome.",
        numbers->labels, HOIST_SECONDS);
    if (hoist_event_of(ctx) == HOIST_MESSAGE) {
        numbers->messages =
            hoist_counter_of(self->app, "hoist_worker_messages_total",
                             "Messages of clients.", route);
        numbers->bytes =
            hoist_histogram_of(self->app, "hoist_worker_message_bytes",
                               "How large they are.", route, HOIST_BYTES);
    }
    if (is_of_connection(ctx)) {
        numbers->standing = standing_of(self);
    }
    return numbers;
}

static numbers_t *numbers_of(metrics_t *self, const hoist_ctx *ctx)
{
    size_t route = (size_t)(ctx->route - self->app->routes.routes);
    numbers_t *numbers =
        atomic_load_explicit(&self->numbers[route], memory_order_acquire);

    if (numbers != NULL) {
        return numbers;
    }
    pthread_mutex_lock(&self->lock);
    numbers = atomic_load(&self->numbers[route]);
    if (numbers == NULL) {
        numbers = make_numbers(self, ctx);
        atomic_store_explicit(&self->numbers[route], numbers,
                              memory_order_release);
    }
    pthread_mutex_unlock(&self->lock);
    return numbers;
}

/* --- outcomes ------------------------------------------------------------ */

static hoist_counter *outcomes_of(metrics_t *self, numbers_t *numbers,
                                  size_t class)
{
    char labels[SERIES_LABELS_MAX + 1];
    hoist_counter *outcomes =
        atomic_load_explicit(&numbers->outcomes[class], memory_order_acquire);

    if (outcomes != NULL) {
        return outcomes;
    }
    memcpy(labels, numbers->labels, sizeof labels);
    add_label(labels, "status", hoist_str(class_names[class]));
    outcomes = hoist_counter_of(self->app, "hoist_worker_events_total",
                                "Events that have their outcome.", labels);
    atomic_store_explicit(&numbers->outcomes[class], outcomes,
                          memory_order_release);
    return outcomes;
}

static code_t *find_code(numbers_t *numbers, const char *code)
{
    for (size_t i = 0; i < numbers->code_count; i++) {
        if (strcmp(numbers->codes[i].code, code) == 0) {
            return &numbers->codes[i];
        }
    }
    return NULL;
}

/* The lock is held. */
static code_t *add_code(metrics_t *self, numbers_t *numbers, const char *code)
{
    char labels[SERIES_LABELS_MAX + 1];
    bool is_full = numbers->code_count >= CODES_MAX;
    const char *name = is_full ? "other" : code;
    code_t *added = &numbers->codes[is_full ? CODES_MAX : numbers->code_count];

    if (added->errors != NULL) {
        return added;
    }
    (void)snprintf(added->code, sizeof added->code, "%s", name);
    memcpy(labels, numbers->labels, sizeof labels);
    add_label(labels, "code", hoist_str(name));
    added->errors =
        hoist_counter_of(self->app, "hoist_worker_errors_total",
                         "Events that were refused or have failed.", labels);
    numbers->code_count += !is_full;
    return added;
}

static void count_error(metrics_t *self, numbers_t *numbers, const char *code)
{
    pthread_mutex_lock(&self->lock);
    code_t *found = find_code(numbers, code);
    if (found == NULL) {
        found = add_code(self, numbers, code);
    }
    hoist_count(found->errors, 1);
    pthread_mutex_unlock(&self->lock);
}

/* Of a failure its own word, where it has one. */
static const char *code_of(const hoist_ctx *ctx, int status)
{
    const char *own = hoist_error_code(ctx);

    return *own != '\0' ? own : failure_word(status);
}

static void count_connection(metrics_t *self, const numbers_t *numbers,
                             const hoist_ctx *ctx, int status)
{
    bool opens = hoist_event_of(ctx) == HOIST_CONNECT && status / 100 == 2;
    bool closes = hoist_event_of(ctx) == HOIST_DISCONNECT && status != 0;

    hoist_count(self->opened, opens);
    hoist_count(self->closed, closes);
    if (numbers->standing != NULL) {
        hoist_gauge_add(numbers->standing, opens - closes);
    }
}

static void count_outcome(hoist_ctx *ctx, void *data)
{
    const measured_t *event = data;
    metrics_t *self = event->metrics;
    numbers_t *numbers = event->numbers;
    int status = hoist_replied(ctx);
    int64_t took_us = clock_mono_us() - event->began_us;

    hoist_count(outcomes_of(self, numbers, (size_t)status / 100), 1);
    hoist_observe(numbers->took, took_us > 0 ? (uint64_t)took_us : 0);
    if (status != 0 && ctx_refuses(ctx, status)) {
        count_error(self, numbers, code_of(ctx, status));
    }
    if (is_of_connection(ctx)) {
        count_connection(self, numbers, ctx, status);
    }
}

static int metrics_run(hoist_ctx *ctx, void *state)
{
    metrics_t *self = state;
    numbers_t *numbers = numbers_of(self, ctx);
    measured_t *event = hoist_alloc(ctx, sizeof *event);

    if (numbers->messages != NULL) {
        hoist_count(numbers->messages, 1);
        hoist_observe(numbers->bytes, hoist_body(ctx).len);
    }
    if (event != NULL) { /* else others have taken all the memory */
        *event = (measured_t){self, numbers, clock_mono_us()};
        (void)hoist_finally(ctx, count_outcome, event);
    }
    return hoist_next(ctx);
}

static const hoist_middleware table = {.init = metrics_init,
                                       .run = metrics_run,
                                       .fini = metrics_fini};
const hoist_middleware *const hoist_metrics = &table;
