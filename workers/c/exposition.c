/* SPDX-License-Identifier: MIT
 *
 * The numbers of an app as text for Prometheus.
 */
#include "base/metrics.h"
#include "workers/c/app.h"

#include <inttypes.h>
#include <stdio.h>

#define TEXT_MAX ((size_t)64 << 20) /* bytes of all series as text */

/* name suffix {labels,more} value; more may be "". */
static int put_sample(buf_t *out, const family_t *family, const char *suffix,
                      const char *labels, const char *more, const char *value)
{
    bool has_labels = *labels != '\0' || *more != '\0';
    const char *parts[] = {
        family->name,
        suffix,
        has_labels ? "{" : "",
        labels,
        *labels != '\0' && *more != '\0' ? "," : "",
        more,
        has_labels ? "}" : "",
        " ",
        value,
        "\n",
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof parts / sizeof *parts; i++) {
        rc = buf_put(out, parts[i], strlen(parts[i]));
    }
    return rc;
}

static void format_value(char text[32], hoist_unit unit, uint64_t value)
{
    if (unit == HOIST_SECONDS) {
        snprintf(text, 32, "%" PRIu64 ".%06u", value / 1000000,
                 (unsigned)(value % 1000000));
    } else {
        snprintf(text, 32, "%" PRIu64, value);
    }
}

static int put_bucket(buf_t *out, const family_t *family, const char *labels,
                      size_t bucket, uint64_t below)
{
    unsigned bits = SERIES_FIRST_BITS + SERIES_STEP_BITS * (unsigned)bucket;
    char end[32] = "+Inf", le[48], value[32];

    if (bucket < SERIES_BUCKETS - 1) {
        format_value(end, family->unit, UINT64_C(1) << bits);
    }
    snprintf(le, sizeof le, "le=\"%s\"", end);
    snprintf(value, sizeof value, "%" PRIu64, below);
    return put_sample(out, family, "_bucket", labels, le, value);
}

static int put_histogram(buf_t *out, const family_t *family,
                         const series_t *series)
{
    const hoist_histogram *histogram = &series->of.histogram;
    uint64_t below = 0;
    char text[32];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < SERIES_BUCKETS; i++) {
        below +=
            atomic_load_explicit(&histogram->bucket[i], memory_order_relaxed);
        rc = put_bucket(out, family, series->labels, i, below);
    }
    format_value(text, family->unit,
                 atomic_load_explicit(&histogram->sum, memory_order_relaxed));
    if (rc == 0) {
        rc = put_sample(out, family, "_sum", series->labels, "", text);
    }
    snprintf(text, sizeof text, "%" PRIu64, below);
    return rc < 0 ? rc
                  : put_sample(out, family, "_count", series->labels, "", text);
}

static int put_series(buf_t *out, const family_t *family,
                      const series_t *series)
{
    char value[32];

    if (family->kind == A_HISTOGRAM) {
        return put_histogram(out, family, series);
    }
    if (family->kind == A_GAUGE) {
        snprintf(value, sizeof value, "%" PRId64,
                 hoist_gauge_value(&series->of.gauge));
    } else {
        snprintf(value, sizeof value, "%" PRIu64,
                 hoist_counted(&series->of.counter));
    }
    return put_sample(out, family, "", series->labels, "", value);
}

static int put_family(buf_t *out, const family_t *family)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    int rc =
        metrics_put_title(out, family->name, kinds[family->kind], family->help);

    for (const series_t *series = family->first; rc == 0 && series != NULL;
         series = series->next) {
        rc = put_series(out, family, series);
    }
    return rc;
}

int registry_put(registry_t *self, buf_t *out)
{
    int rc = 0;

    pthread_mutex_lock(&self->lock);
    for (const family_t *family = self->first; rc == 0 && family != NULL;
         family = family->next) {
        rc = put_family(out, family);
    }
    pthread_mutex_unlock(&self->lock);
    return rc;
}

char *hoist_metrics_text(hoist_app *app, size_t *len)
{
    buf_t out;

    buf_init(&out, TEXT_MAX);
    int rc = registry_put(&app->registry, &out);
    if (rc == 0) {
        rc = buf_put(&out, "", 1);
    }
    if (rc < 0) {
        buf_fini(&out);
        return NULL;
    }
    if (len != NULL) {
        *len = out.len - 1;
    }
    return (char *)out.data;
}
