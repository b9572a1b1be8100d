/* SPDX-License-Identifier: MIT
 *
 * Counters and gauges in the text format of Prometheus, version 0.0.4, from the
 * tables of stats.h, and in one line for the log.  A metric is called
 * hoist_FOLDER_NAME: what counts bytes ends in _bytes, and a counter in _total
 * behind that.  Pure; any thread.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/buf.h"
#include "base/histogram.h"
#include "base/log.h"

/* A row of a stats.h with its value now.  Texts are lent. */
typedef struct {
    const char *name, *kind, *unit, *meaning; /* kind: as Prometheus says */
    uint64_t value;
} metric_t;

/* For X(name, kind, unit, meaning) of a stats.h; `stats` is its struct. */
#define METRIC(stats, name, kind, unit, meaning)                               \
    {#name, #kind, #unit, meaning, (stats)->name},

/*
 * Append count metrics of a folder.  A name that begins with the folder's says
 * it once (store_up is hoist_store_up).
 * Returns 0, -ENOBUFS or -ENOMEM; out is as it was then.
 */
int metrics_put(buf_t *out, const char *folder, const metric_t *metrics,
                size_t count);

/*
 * Append one metric under its whole name.  sample is what stands behind the
 * name: labels in braces or nothing, a space, the number.
 * Returns as metrics_put.
 */
int metrics_put_family(buf_t *out, const char *name, const char *kind,
                       const char *help, const char *sample);

/* HELP and TYPE of a family under its whole name; kind: as Prometheus says.
 * Returns as metrics_put, but out may have grown. */
int metrics_put_title(buf_t *out, const char *name, const char *kind,
                      const char *help);

/* --- families of many samples, told apart by a label -------------------- */

typedef struct {
    const char *name;
    const uint8_t *value; /* lent; any bytes */
    size_t len;
} metrics_label_t;

/* name="value", escaped; what is no UTF-8 is repaired. */
int metrics_put_label(buf_t *out, const metrics_label_t *label);

/* HELP and TYPE, as in metrics_put; kind may also be "histogram". */
int metrics_put_head(buf_t *out, const char *folder, const metric_t *metric);

/* metric->value with its label. */
int metrics_put_sample(buf_t *out, const char *folder, const metric_t *metric,
                       const metrics_label_t *label);

/* The samples of a histogram, in seconds; its buckets end at powers of two of
 * microseconds, where they are exact. */
int metrics_put_histogram(buf_t *out, const char *folder,
                          const metric_t *metric, const metrics_label_t *label,
                          const histogram_t *histogram);

/* Each of the four returns as metrics_put, but out may have grown. */

/* Write count metrics for one line of the log, name=value each. */
void metrics_line(char line[LOG_TEXT_MAX], const metric_t *metrics,
                  size_t count);

#endif
