/* SPDX-License-Identifier: MIT
 *
 * What a store makes of rows that come and go.
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "bench/clocks.h"
#include "bench/numbers.h"
#include "bench/usage.h"
#include "store/open.h"
#include "store/redis_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#define ROWS_MIN 20000

static const char help[] =
    "usage: bench_store URL UNDER-WAY SECONDS\n"
    "\n"
    "What a store (as of `hoist serve --store`) makes of rows that come and go:\n"
    "so many operations under way at any time, of as many connections at\n"
    "least, first saves of all rows, then removes of all, until the time is\n"
    "over.  Prints a line of JSON.\n";

typedef struct {
    const char *name;
    store_verb_t verb;
    uint64_t done;
    int64_t wall_us;
    uint64_t cpu_ns;
} phase_t;

static phase_t phases[] = {{.name = "save", .verb = STORE_SAVE},
                           {.name = "remove", .verb = STORE_REMOVE}};
static struct ev_loop *loop;
static store_t *store;
static record_t **records;
static size_t rows, next, under_way;
static phase_t *phase;

static void submit_next(store_op_t *op)
{
    op->verb = phase->verb;
    op->record = records[next++];
    under_way++;
    store_submit(store, op);
}

static void on_done(store_op_t *op, int rc, const store_result_t *result)
{
    (void)result;
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", phase->name, strerror(-rc));
        exit(1);
    }
    under_way--;
    phase->done++;
    if (next < rows) {
        submit_next(op);
    }
}

/* All rows once. */
static void run_phase(phase_t *of, store_op_t *ops, size_t count)
{
    int64_t wall_us = clock_mono_us();
    uint64_t cpu_ns = clocks_process_ns();

    phase = of;
    next = 0;
    store_begin(store, clock_wall_ms());
    for (size_t i = 0; i < count; i++) {
        submit_next(&ops[i]);
    }
    store_end(store);
    while (under_way > 0) {
        ev_run(loop, EVRUN_ONCE);
    }
    of->wall_us += clock_mono_us() - wall_us;
    of->cpu_ns += clocks_process_ns() - cpu_ns;
}

static record_t *record_of(uint32_t number)
{
    const conn_id_t id = {
        .loop = 1, .slot = number, .random = number * 2654435761u};
    buf_t context;

    buf_init(&context, 1024);
    must(wire_put_map(&context, 2) == 0 && wire_put_text(&context, "ip") == 0 &&
         wire_put_text(&context, "192.0.2.17") == 0 &&
         wire_put_text(&context, "path") == 0 &&
         wire_put_text(&context, "/chat") == 0);
    record_t *record =
        record_new(&id, (wire_bytes_t){context.data, context.len}, 0);
    must(record != NULL);
    buf_fini(&context);
    return record;
}

static size_t row_len(const store_options_t *options)
{
    store_row_t row = {.context = record_context(records[0]),
                       .writer = wire_bytes(options->writer),
                       .expires_ms = clock_wall_ms()};
    buf_t out;

    buf_init(&out, 1024);
    must(redis_row_put(&out, &row) == 0);
    size_t len = out.len;
    buf_fini(&out);
    return len;
}

static void print(const phase_t *of)
{
    double count = (double)of->done;

    printf("\"%s\": {\"per_s\": %.0f, \"cpu_us\": %.3f}, ", of->name,
           count * 1e6 / (double)of->wall_us, (double)of->cpu_ns / 1e3 / count);
}

int main(int argc, char **argv)
{
    store_options_t options;
    char error[256];

    usage_read(argc, argv, 3, 3, help);
    size_t count = (size_t)numbers_read("UNDER-WAY", argv[2], 1, 1e6);
    double seconds = numbers_read("SECONDS", argv[3], 0, 3600);
    store_options_init(&options);
    options.url = argv[1];
    options.writer = "0123456789abcdef";
    loop = ev_default_loop(0);
    store = store_open(&options, loop, error, sizeof error);
    if (store == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    /* Of one after the other a few are enough. */
    rows = count == 1 ? ROWS_MIN / 10 : count > ROWS_MIN ? count : ROWS_MIN;
    records = xcalloc(rows, sizeof(record_t *));
    for (size_t i = 0; i < rows; i++) {
        records[i] = record_of((uint32_t)i);
    }
    store_op_t *ops = xcalloc(count, sizeof *ops);
    for (size_t i = 0; i < count; i++) {
        ops[i].done = on_done;
    }
    int64_t end_us = clock_mono_us() + (int64_t)(seconds * 1e6);
    do {
        run_phase(&phases[0], ops, count);
        run_phase(&phases[1], ops, count);
    } while (clock_mono_us() < end_us);
    printf("{");
    print(&phases[0]);
    print(&phases[1]);
    printf("\"row_bytes\": %zu}\n", row_len(&options));
    store_destroy(&store);
    return 0;
}
