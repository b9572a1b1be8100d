/* SPDX-License-Identifier: MIT */
#include "broker/report.h"

#include "base/metrics.h"

static int put_line(buf_t *out, const char *line)
{
    return buf_put(out, line, strlen(line));
}

unsigned broker_ready(const broker_state_t *state, buf_t *out)
{
    bool is_missed = !state->is_store_up && state->requires_store;
    int rc = 0;

    if (state->is_draining) {
        rc = put_line(out, "drains\n");
    }
    if (rc == 0 && !state->is_store_up) {
        rc = put_line(out, is_missed ? "the store does not answer, and "
                                       "--require-store is set\n"
                                     : "degraded: the store does not answer\n");
    }
    return rc < 0 ? 500 : state->is_draining || is_missed ? 503 : 200;
}

#define ONE(...)   +1
#define OWN_COUNT  (0 BROKER_STATS(ONE))
#define BOTH_COUNT (OWN_COUNT STORE_STATS(ONE))

/* The broker's own first, then the store's. */
static void gather(const broker_stats_t *stats, const store_stats_t *store,
                   metric_t metrics[BOTH_COUNT])
{
#define OWN(name, kind, unit, meaning) METRIC(stats, name, kind, unit, meaning)
#define ITS(name, kind, unit, meaning) METRIC(store, name, kind, unit, meaning)
    const metric_t both[] = {BROKER_STATS(OWN) STORE_STATS(ITS)};
#undef OWN
#undef ITS

    memcpy(metrics, both, sizeof both);
}

/* --- routes -------------------------------------------------------------- */

#define OWN(name, kind, unit, meaning)                                         \
    {"route_" #name, #kind, #unit, "of each route, " meaning, 0},
static const metric_t counts[] = {ROUTE_STATS(OWN)};
static const metric_t times[] = {ROUTE_TIMES(OWN)};
#undef OWN

#define COUNTS (sizeof counts / sizeof *counts)
#define TIMES  (sizeof times / sizeof *times)

static void gather_counts(const flow_t *flow, uint64_t values[COUNTS])
{
#define OWN(name, kind, unit, meaning) flow->name,
    const uint64_t own[] = {ROUTE_STATS(OWN)};
#undef OWN

    memcpy(values, own, sizeof own);
}

static const histogram_t *time_of(const flow_t *flow, size_t i)
{
#define OWN(name, kind, unit, meaning) &flow->name,
    const histogram_t *own[] = {ROUTE_TIMES(OWN)};
#undef OWN

    return own[i];
}

static metrics_label_t label_of(const flow_t *flow)
{
    return (metrics_label_t){"route", flow->key, flow->key_len};
}

static int put_counts(const traffic_t *traffic, size_t which, buf_t *out)
{
    metric_t metric = counts[which];
    int rc = metrics_put_head(out, "broker", &metric);
    const flow_t *flow;

    for (size_t i = 0; rc == 0 && (flow = traffic_told(traffic, i)) != NULL;
         i++) {
        metrics_label_t label = label_of(flow);
        uint64_t values[COUNTS];
        gather_counts(flow, values);
        metric.value = values[which];
        rc = flow->requests == 0
                 ? 0
                 : metrics_put_sample(out, "broker", &metric, &label);
    }
    return rc;
}

static int put_times(const traffic_t *traffic, size_t which, buf_t *out)
{
    int rc = metrics_put_head(out, "broker", &times[which]);
    const flow_t *flow;

    for (size_t i = 0; rc == 0 && (flow = traffic_told(traffic, i)) != NULL;
         i++) {
        metrics_label_t label = label_of(flow);
        rc = flow->requests == 0
                 ? 0
                 : metrics_put_histogram(out, "broker", &times[which], &label,
                                         time_of(flow, which));
    }
    return rc;
}

static int put_traffic(const traffic_t *traffic, buf_t *out)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < COUNTS; i++) {
        rc = put_counts(traffic, i, out);
    }
    for (size_t i = 0; rc == 0 && i < TIMES; i++) {
        rc = put_times(traffic, i, out);
    }
    return rc;
}

/* --- all of them --------------------------------------------------------- */

unsigned broker_metrics(const broker_stats_t *stats, const store_stats_t *store,
                        const traffic_t *traffic, buf_t *out)
{
    size_t start = out->len;
    metric_t metrics[BOTH_COUNT];

    gather(stats, store, metrics);
    if (metrics_put(out, "broker", metrics, OWN_COUNT) < 0 ||
        metrics_put(out, "store", metrics + OWN_COUNT, BOTH_COUNT - OWN_COUNT) <
            0 ||
        put_traffic(traffic, out) < 0) {
        out->len = start;
        return 500;
    }
    return 200;
}

void broker_log_stats(const broker_stats_t *stats, const store_stats_t *store)
{
    metric_t metrics[BOTH_COUNT];
    char line[LOG_TEXT_MAX];

    gather(stats, store, metrics);
    metrics_line(line, metrics, BOTH_COUNT);
    log_pairs(LEVEL_INFO, "BROKER-STATS", line);
}
