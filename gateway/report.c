/* SPDX-License-Identifier: MIT */
#include "gateway/report.h"

#include "base/metrics.h"

#include <stdio.h>

static size_t brokers_up(const hub_t *hub)
{
    size_t count = 0;

    for (size_t i = 0; i < hub->link_count; i++) {
        const link_t *link = hub->links[i];
        count += link->state == LINK_UP && !link->is_draining;
    }
    return count;
}

static int put_brokers(const hub_t *hub, size_t up, buf_t *out)
{
    char line[96];

    if (up == 0) { /* there may be none, while their name is looked up */
        snprintf(line, sizeof line, "no broker is up\n");
    } else if (up == hub->link_count) {
        return 0;
    } else {
        snprintf(line, sizeof line, "degraded: %zu of %zu brokers are up\n", up,
                 hub->link_count);
    }
    return buf_put(out, line, strlen(line));
}

unsigned gateway_ready(const hub_t *hub, buf_t *out)
{
    static const char drains[] = "drains\n";
    size_t up = brokers_up(hub);

    if (put_brokers(hub, up, out) < 0 ||
        (hub->is_draining && buf_put(out, drains, strlen(drains)) < 0)) {
        return 500;
    }
    return up == 0 || hub->is_draining ? 503 : 200;
}

#define OF(name, kind, unit, meaning) METRIC(stats, name, kind, unit, meaning)

unsigned gateway_metrics(const gateway_stats_t *stats, buf_t *out)
{
    const metric_t own[] = {GATEWAY_STATS(OF)};

    return metrics_put(out, "gateway", own, sizeof own / sizeof *own) < 0 ? 500
                                                                          : 200;
}

void gateway_log_stats(const gateway_stats_t *stats)
{
    const metric_t own[] = {GATEWAY_STATS(OF)};
    char line[LOG_TEXT_MAX];

    metrics_line(line, own, sizeof own / sizeof *own);
    log_pairs(LEVEL_INFO, "GATEWAY-STATS", line);
}
