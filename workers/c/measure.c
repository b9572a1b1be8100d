/* SPDX-License-Identifier: MIT
 *
 * Counting and measuring, as programs and middleware do it.
 */
#include "workers/c/app.h"

#include <errno.h>

static const char *hint_of(int rc, const series_wish_t *wish)
{
    switch (rc) {
    case -EEXIST:
        return "the name is that of another metric";
    case -ENOSPC:
        return "so many series are too many";
    case -EINVAL:
        return wish_fault(wish);
    default:
        return "";
    }
}

/* Of an app that does not run yet a failure keeps it from doing so. */
static series_t *series_of(hoist_app *app, const char *call,
                           const series_wish_t *wish)
{
    series_t *series;
    int rc = registry_find(&app->registry, wish, &series);

    if (rc < 0 && app->running) {
        hoist_count(app->registry.refused, 1);
    } else {
        (void)refusal_keep(&app->refusal, rc, call, wish->name,
                           hint_of(rc, wish));
    }
    return series;
}

hoist_counter *hoist_counter_of(hoist_app *app, const char *name,
                                const char *help, const char *labels)
{
    const series_wish_t wish = {
        .kind = A_COUNTER, .name = name, .help = help, .labels = labels};

    return &series_of(app, __func__, &wish)->of.counter;
}

void hoist_count(hoist_counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

uint64_t hoist_counted(const hoist_counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

hoist_gauge *hoist_gauge_of(hoist_app *app, const char *name, const char *help,
                            const char *labels)
{
    const series_wish_t wish = {
        .kind = A_GAUGE, .name = name, .help = help, .labels = labels};

    return &series_of(app, __func__, &wish)->of.gauge;
}

void hoist_gauge_set(hoist_gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void hoist_gauge_add(hoist_gauge *gauge, int64_t more)
{
    atomic_fetch_add_explicit(&gauge->value, more, memory_order_relaxed);
}

int64_t hoist_gauge_value(const hoist_gauge *gauge)
{
    return atomic_load_explicit(&gauge->value, memory_order_relaxed);
}

hoist_histogram *hoist_histogram_of(hoist_app *app, const char *name,
                                    const char *help, const char *labels,
                                    hoist_unit unit)
{
    const series_wish_t wish = {.kind = A_HISTOGRAM,
                                .unit = unit,
                                .name = name,
                                .help = help,
                                .labels = labels};

    return &series_of(app, __func__, &wish)->of.histogram;
}

/* The first bucket whose end is not below the value. */
static size_t bucket_of(uint64_t value)
{
    if (value <= UINT64_C(1) << SERIES_FIRST_BITS) {
        return 0;
    }
    unsigned bits = 64 - (unsigned)__builtin_clzll(value - 1); /* ceil(log2) */
    size_t bucket =
        (bits - SERIES_FIRST_BITS + SERIES_STEP_BITS - 1) / SERIES_STEP_BITS;
    return bucket < SERIES_BUCKETS ? bucket : SERIES_BUCKETS - 1;
}

void hoist_observe(hoist_histogram *histogram, uint64_t value)
{
    atomic_fetch_add_explicit(&histogram->bucket[bucket_of(value)], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

uint64_t hoist_observed(const hoist_histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i < SERIES_BUCKETS; i++) {
        count +=
            atomic_load_explicit(&histogram->bucket[i], memory_order_relaxed);
    }
    return count;
}
