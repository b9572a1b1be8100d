/* SPDX-License-Identifier: MIT
 *
 * Numbers of an app for its operators: counters, gauges and histograms in the
 * text format of Prometheus.
 *
 *     static hoist_counter *greeted;
 *
 *     greeted = hoist_counter_of(app, "shop_greeted_total",
 *                                "Connections that were greeted.", NULL);
 *     …
 *     hoist_count(greeted, 1);
 *
 * Ask for what you count when the program starts, or in the init of a
 * middleware, and keep the pointer: it is looked up by name.  Counting is one
 * atomic addition, in any thread, without a lock.
 *
 * name    whole, as Prometheus has it: letters, digits, '_' and ':', no digit
 *         first, at most 128 bytes; a counter's ends in _total.  Those of the
 *         library begin with hoist_worker_.
 * help    what it is, one sentence; the first that comes with a name counts.
 * labels  what tells series of one name apart, as in the text format
 *         (`reason="expired"`, several with commas between), at most 512
 *         bytes; NULL for none.  Let no client choose a value: an app has at
 *         most 4096 series of 256 names.
 *
 * Texts are copied.  What is asked for twice is the same.  The result is never
 * NULL, belongs to the app and lives as long.  What cannot be told counts all
 * the same, but is told nowhere:
 *
 * -EINVAL  the name, the unit or the labels are none: of labels no name comes
 *          twice, begins with "__", or is that of a histogram's buckets, "le"
 * -EEXIST  the name is that of another kind, of the process itself
 *          (docs/metrics.md), or that of a histogram's samples, in _bucket,
 *          _sum or _count
 * -ENOSPC  there are too many
 *
 * The failure is kept as those of hoist_on; in an app that runs it counts as
 * hoist_worker_series_refused_total.  Any thread.
 */
#ifndef HOIST_METRICS_H
#define HOIST_METRICS_H

#include <hoist.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* what the library shows */

/* What only grows. */
typedef struct hoist_counter hoist_counter;

hoist_counter *hoist_counter_of(hoist_app *app, const char *name,
                                const char *help, const char *labels);
void hoist_count(hoist_counter *counter, uint64_t n);
uint64_t hoist_counted(const hoist_counter *counter);

/* What comes and goes. */
typedef struct hoist_gauge hoist_gauge;

hoist_gauge *hoist_gauge_of(hoist_app *app, const char *name, const char *help,
                            const char *labels);
void hoist_gauge_set(hoist_gauge *gauge, int64_t value);
void hoist_gauge_add(hoist_gauge *gauge, int64_t more); /* or less */
int64_t hoist_gauge_value(const hoist_gauge *gauge);

/*
 * How values spread: in buckets of at most 64, 256, 1024, … 2^26, each four
 * times the one before.
 */
typedef struct hoist_histogram hoist_histogram;

/* Of what: as which Prometheus is told it; a name ends in this. */
typedef enum {
    HOIST_SECONDS = 1, /* observed in microseconds, told in seconds */
    HOIST_BYTES = 2,
} hoist_unit;

hoist_histogram *hoist_histogram_of(hoist_app *app, const char *name,
                                    const char *help, const char *labels,
                                    hoist_unit unit);
void hoist_observe(hoist_histogram *histogram, uint64_t value);
uint64_t hoist_observed(const hoist_histogram *histogram); /* how many */

/*
 * All of it in the text format 0.0.4 of Prometheus, for programs with an HTTP
 * server of their own; others say --metrics.  The content's type is
 *
 *     text/plain; version=0.0.4; charset=utf-8
 *
 * len  its bytes, without the NUL behind it; may be NULL.
 * Returns text for free(), or NULL without memory.  Any thread.
 */
char *hoist_metrics_text(hoist_app *app, size_t *len);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
