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

#define OWN(name, kind, unit, meaning)                                         \
    {#name, #kind, #unit, "of each kind of event, " meaning, 0},
static const metric_t times[] = {GATEWAY_TIMES(OWN)};
#undef OWN

static int put_times(const trips_t *trips, buf_t *out)
{
    int rc = metrics_put_head(out, "gateway", &times[0]);

    for (size_t i = 0; rc == 0 && i < TRIPS_EVENTS; i++) {
        const char *name = trips_event(i);
        if (name != NULL) {
            metrics_label_t label = {"event", (const uint8_t *)name,
                                     strlen(name)};
            rc = metrics_put_histogram(out, "gateway", &times[0], &label,
                                       &trips->request[i]);
        }
    }
    return rc;
}

unsigned gateway_metrics(const gateway_stats_t *stats, const trips_t *trips,
                         buf_t *out)
{
    const metric_t own[] = {GATEWAY_STATS(OF)};
    size_t start = out->len;

    if (metrics_put(out, "gateway", own, sizeof own / sizeof *own) < 0 ||
        put_times(trips, out) < 0) {
        out->len = start;
        return 500;
    }
    return 200;
}

void gateway_log_stats(const gateway_stats_t *stats)
{
    const metric_t own[] = {GATEWAY_STATS(OF)};
    char line[LOG_TEXT_MAX];

    metrics_line(line, own, sizeof own / sizeof *own);
    log_pairs(LEVEL_INFO, "GATEWAY-STATS", line);
}
