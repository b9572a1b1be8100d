/* SPDX-License-Identifier: MIT
 *
 * What the manager tells of itself: readiness, metrics, the log's line of
 * counters.
 */
#ifndef MANAGE_REPORT_H
#define MANAGE_REPORT_H

#include "base/buf.h"
#include "manage/stats.h"

/* Append the metrics.  Returns 200, or 500. */
unsigned manage_metrics(const manage_stats_t *stats, buf_t *out);

/* Log the counters (event MANAGE-STATS). */
void manage_log_stats(const manage_stats_t *stats);

#endif
