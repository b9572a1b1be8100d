/* SPDX-License-Identifier: MIT
 *
 * One queue for the process, as it were: its threads take from the same broker,
 * so that what one sees of waits holds for all.  Guarded by a lock of its own.
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "proto/conn_id.h"
#include "workers/c/codel.h"
#include "workers/c/core.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/middleware/governed.h"

#include <errno.h>
#include <stdlib.h>

#define USUAL_TARGET_MS   100
#define USUAL_INTERVAL_MS 100

/* Loops of gateways whose requests' time is known, and at how many places one
 * of them may be.  Each has drawn its number at random. */
#define SHED_LOOPS  256
#define SHED_PLACES 16

/* A loop's requests have all the same time: another comes with a new process,
 * which has another number. */
typedef struct {
    uint32_t number;
    int64_t request_ms; /* the longest seen */
    int64_t seen_ms;    /* when, last; 0: the row is free */
} loop_row_t;

typedef struct {
    pthread_mutex_t lock;
    codel_t codel;
    int64_t request_ms; /* the whole time of a request; 0: is learnt */
    loop_row_t loops[SHED_LOOPS];
    hoist_counter *shed;    /* borrowed */
    hoist_histogram *waits; /* borrowed */
} shed_t;

static int shed_init(hoist_app *app, const void *config, void **state)
{
    static const hoist_shed_config nothing = {0};
    const hoist_shed_config *wanted = config != NULL ? config : &nothing;
    shed_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return -ENOMEM;
    }
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    self->codel = codel_of(either(wanted->target_ms, USUAL_TARGET_MS),
                           either(wanted->interval_ms, USUAL_INTERVAL_MS));
    self->request_ms = wanted->request_ms;
    self->shed = hoist_counter_of(
        app, "hoist_worker_shed_total",
        "Events that hoist_shed refused: they had waited too long.", NULL);
    self->waits = hoist_histogram_of(
        app, "hoist_worker_wait_seconds",
        "How long events had waited when their turn came at hoist_shed.", NULL,
        HOIST_SECONDS);
    *state = self;
    return 0;
}

static void shed_fini(void *state)
{
    shed_t *self = state;

    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* One that names none is of a loop that is no gateway's. */
static uint32_t loop_of(const hoist_ctx *ctx)
{
    hoist_text connection = hoist_connection(ctx);
    conn_id_t id;

    return conn_id_parse(connection.data, connection.len, &id) == 0
               ? id.loop
               : CONN_ID_LOOP_MAX + 1;
}

/* A loop that is new has the place of the one that was seen longest ago. */
static loop_row_t *find_loop(shed_t *self, uint32_t number)
{
    loop_row_t *oldest = &self->loops[number % SHED_LOOPS];

    for (uint32_t i = 0; i < SHED_PLACES; i++) {
        loop_row_t *row = &self->loops[(number + i) % SHED_LOOPS];
        if (row->seen_ms != 0 && row->number == number) {
            return row;
        }
        if (row->seen_ms < oldest->seen_ms) {
            oldest = row;
        }
    }
    *oldest = (loop_row_t){.number = number};
    return oldest;
}

/* The whole time that the request had when it began. */
static int64_t whole_ms(shed_t *self, const hoist_ctx *ctx, int64_t now_ms)
{
    int64_t left_ms = (int64_t)ctx->request->deadline_ms;

    if (self->request_ms > 0) {
        return self->request_ms;
    }
    loop_row_t *loop = find_loop(self, loop_of(ctx));
    loop->seen_ms = now_ms;
    if (loop->request_ms < left_ms) {
        loop->request_ms = left_ms;
    }
    return loop->request_ms;
}

/* At the broker, then here. */
static int64_t waited_ms(shed_t *self, const hoist_ctx *ctx, int64_t now_ms)
{
    int64_t there_ms =
        whole_ms(self, ctx, now_ms) - (int64_t)ctx->request->deadline_ms;
    int64_t here_ms = now_ms - ctx->came_ms;

    return (there_ms > 0 ? there_ms : 0) + (here_ms > 0 ? here_ms : 0);
}

static bool drops(shed_t *self, const hoist_ctx *ctx, int64_t *waited)
{
    int64_t now_ms = clock_mono_ms();

    pthread_mutex_lock(&self->lock);
    *waited = waited_ms(self, ctx, now_ms);
    bool drops = codel_drops(&self->codel, *waited, now_ms);
    pthread_mutex_unlock(&self->lock);
    return drops;
}

static int shed_run(hoist_ctx *ctx, void *state)
{
    shed_t *self = state;
    int64_t waited = 0;

    if (!is_governed(ctx)) {
        return hoist_next(ctx);
    }
    bool is_dropped = drops(self, ctx, &waited);
    hoist_observe(self->waits, (uint64_t)waited * 1000);
    if (is_dropped) {
        hoist_count(self->shed, 1);
        return hoist_fail(ctx, 503, "overloaded", "Service Unavailable");
    }
    return hoist_next(ctx);
}

static const hoist_middleware table = {.init = shed_init,
                                       .run = shed_run,
                                       .fini = shed_fini};
const hoist_middleware *const hoist_shed = &table;
