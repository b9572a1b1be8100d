/* SPDX-License-Identifier: MIT */
#include "manage/report.h"

#include "base/metrics.h"

#define OF(name, kind, unit, meaning) METRIC(stats, name, kind, unit, meaning)

unsigned manage_metrics(const manage_stats_t *stats, buf_t *out)
{
    const metric_t own[] = {MANAGE_STATS(OF)};

    return metrics_put(out, "manage", own, sizeof own / sizeof *own) < 0 ? 500
                                                                         : 200;
}

void manage_log_stats(const manage_stats_t *stats)
{
    const metric_t own[] = {MANAGE_STATS(OF)};
    char line[LOG_TEXT_MAX];

    metrics_line(line, own, sizeof own / sizeof *own);
    log_pairs(LEVEL_INFO, "MANAGE-STATS", line);
}
