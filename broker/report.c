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

unsigned broker_metrics(const broker_stats_t *stats, const store_stats_t *store,
                        buf_t *out)
{
    metric_t metrics[BOTH_COUNT];

    gather(stats, store, metrics);
    if (metrics_put(out, "broker", metrics, OWN_COUNT) < 0 ||
        metrics_put(out, "store", metrics + OWN_COUNT, BOTH_COUNT - OWN_COUNT) <
            0) {
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
    log_info("BROKER-STATS", "%s", line);
}
