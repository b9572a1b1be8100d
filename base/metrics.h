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
#include "base/log.h"

/* A row of a stats.h with its value now.  Texts are lent. */
typedef struct {
    const char *name, *kind, *unit, *meaning; /* kind: "counter" or "gauge" */
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

/* Write count metrics for one line of the log, name=value each. */
void metrics_line(char line[LOG_TEXT_MAX], const metric_t *metrics,
                  size_t count);

#endif
