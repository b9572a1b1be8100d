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

unsigned broker_metrics(const broker_stats_t *stats, const store_stats_t *store,
                        buf_t *out)
{
#define X(name, kind, unit, meaning) METRIC(stats, name, kind, unit, meaning)
    const metric_t own[] = {BROKER_STATS(X)};
#undef X
#define X(name, kind, unit, meaning) METRIC(store, name, kind, unit, meaning)
    const metric_t of_store[] = {STORE_STATS(X)};
#undef X

    if (metrics_put(out, "broker", own, sizeof own / sizeof *own) < 0 ||
        metrics_put(out, "store", of_store,
                    sizeof of_store / sizeof *of_store) < 0) {
        return 500;
    }
    return 200;
}
