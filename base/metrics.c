/* SPDX-License-Identifier: MIT */
#include "base/metrics.h"

#include "base/utf8.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define NAME_MAX_  128 /* bytes of a metric's name; the tables are ours */
#define HELP_MAX   256
#define BYTES      "bytes"
#define BYTES_DASH "bytes_"
#define LABEL_MAX  1024 /* bytes of a label's value that are looked at */

/* Buckets told of a histogram, as bits of microseconds: 64 µs, 256 µs, …,
 * 67 s; each four times the one before. */
#define FIRST_BITS 6
#define LAST_BITS  26
#define STEP_BITS  2

static int put_text(buf_t *out, const char *text)
{
    return buf_put(out, text, strlen(text));
}

/* The format has two escapes in HELP. */
static int put_help(buf_t *out, const char *help)
{
    int rc = 0;

    for (const char *at = help; rc == 0 && *at != '\0'; at++) {
        rc = *at == '\n'   ? put_text(out, "\\n")
             : *at == '\\' ? put_text(out, "\\\\")
                           : buf_put(out, at, 1);
    }
    return rc;
}

static int put_texts(buf_t *out, const char *const *texts, size_t count)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = put_text(out, texts[i]);
    }
    return rc;
}

int metrics_put_title(buf_t *out, const char *name, const char *kind,
                      const char *help)
{
    const char *before[] = {"# HELP ", name, " "};
    const char *behind[] = {"\n# TYPE ", name, " ", kind, "\n"};
    int rc = put_texts(out, before, sizeof before / sizeof *before);

    if (rc == 0) {
        rc = put_help(out, help);
    }
    return rc < 0 ? rc : put_texts(out, behind, sizeof behind / sizeof *behind);
}

int metrics_put_family(buf_t *out, const char *name, const char *kind,
                       const char *help, const char *sample)
{
    const char *texts[] = {name, sample, "\n"};
    size_t start = out->len;
    int rc = metrics_put_title(out, name, kind, help);

    if (rc == 0) {
        rc = put_texts(out, texts, sizeof texts / sizeof *texts);
    }
    if (rc < 0) {
        out->len = start;
    }
    return rc;
}

/* What stands behind `prefix`, which not every text begins with. */
static const char *without(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(text, prefix, len) == 0 ? text + len : text;
}

/* bytes_in of the gateway is hoist_gateway_in_bytes_total, and a histogram of
 * seconds says so at its end. */
static void name_of(char name[NAME_MAX_], const char *folder,
                    const metric_t *metric)
{
    char own[NAME_MAX_];
    bool is_bytes = strcmp(metric->unit, BYTES) == 0;
    bool is_counter = strcmp(metric->kind, "counter") == 0;
    bool is_histogram = strcmp(metric->kind, "histogram") == 0;

    snprintf(own, sizeof own, "%s_", folder);
    int len = snprintf(
        name, NAME_MAX_, "hoist_%s_%s%s%s", folder,
        without(without(metric->name, own), is_bytes ? BYTES_DASH : ""),
        is_bytes ? "_" BYTES : "",
        is_counter     ? "_total"
        : is_histogram ? "_seconds"
                       : "");
    must(len > 0 && len < NAME_MAX_);
}

static void help_of(char help[HELP_MAX], const metric_t *metric)
{
    snprintf(help, HELP_MAX, "%s: %s", metric->unit, metric->meaning);
}

static int put_metric(buf_t *out, const char *folder, const metric_t *metric)
{
    char name[NAME_MAX_], help[HELP_MAX], sample[32];

    name_of(name, folder, metric);
    help_of(help, metric);
    snprintf(sample, sizeof sample, " %" PRIu64, metric->value);
    return metrics_put_family(out, name, metric->kind, help, sample);
}

int metrics_put(buf_t *out, const char *folder, const metric_t *metrics,
                size_t count)
{
    size_t start = out->len;

    for (size_t i = 0; i < count; i++) {
        int rc = put_metric(out, folder, &metrics[i]);
        if (rc < 0) {
            out->len = start;
            return rc;
        }
    }
    return 0;
}

/* --- labels --------------------------------------------------------------- */

int metrics_put_head(buf_t *out, const char *folder, const metric_t *metric)
{
    char name[NAME_MAX_], help[HELP_MAX];

    name_of(name, folder, metric);
    help_of(help, metric);
    return metrics_put_title(out, name, metric->kind, help);
}

/* The format has three escapes in a label's value; what is between two of them
 * is put as it is. */
static int put_escaped(buf_t *out, const uint8_t *text, size_t len)
{
    size_t plain = 0; /* what is before it went */
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < len; i++) {
        const char *escape = text[i] == '\n'   ? "\\n"
                             : text[i] == '\\' ? "\\\\"
                             : text[i] == '"'  ? "\\\""
                                               : NULL;
        if (escape != NULL &&
            (rc = buf_put(out, text + plain, i - plain)) == 0) {
            rc = put_text(out, escape);
            plain = i + 1;
        }
    }
    return rc < 0 ? rc : buf_put(out, text + plain, len - plain);
}

static int put_repaired(buf_t *out, const metrics_label_t *label)
{
    buf_t text;

    buf_init(&text, LABEL_MAX);
    int rc = utf8_put_repaired(&text, label->value, label->len);
    if (rc == 0) {
        rc = put_escaped(out, text.data, text.len);
    }
    buf_fini(&text);
    return rc;
}

int metrics_put_label(buf_t *out, const metrics_label_t *label)
{
    int rc = put_text(out, label->name);

    if (rc < 0 || (rc = put_text(out, "=\"")) < 0) {
        return rc;
    }
    rc = utf8_is_valid(label->value, label->len)
             ? put_escaped(out, label->value, label->len)
             : put_repaired(out, label);
    return rc < 0 ? rc : put_text(out, "\"");
}

/* more: a second label with its comma, or "". */
static int put_sample(buf_t *out, const char *name, const char *suffix,
                      const metrics_label_t *label, const char *more,
                      const char *value)
{
    const char *before[] = {name, suffix, "{"};
    const char *behind[] = {more, "} ", value, "\n"};
    int rc = put_texts(out, before, sizeof before / sizeof *before);

    if (rc == 0) {
        rc = metrics_put_label(out, label);
    }
    return rc < 0 ? rc : put_texts(out, behind, sizeof behind / sizeof *behind);
}

static int put_count(buf_t *out, const char *name, const char *suffix,
                     const metrics_label_t *label, const char *more,
                     uint64_t count)
{
    char value[24];

    snprintf(value, sizeof value, "%" PRIu64, count);
    return put_sample(out, name, suffix, label, more, value);
}

int metrics_put_sample(buf_t *out, const char *folder, const metric_t *metric,
                       const metrics_label_t *label)
{
    char name[NAME_MAX_];

    name_of(name, folder, metric);
    return put_count(out, name, "", label, "", metric->value);
}

int metrics_put_histogram(buf_t *out, const char *folder,
                          const metric_t *metric, const metrics_label_t *label,
                          const histogram_t *histogram)
{
    char name[NAME_MAX_], text[32];
    uint64_t below = 0;
    size_t at = 0;
    int rc = 0;

    name_of(name, folder, metric);
    for (unsigned bits = FIRST_BITS; rc == 0 && bits <= LAST_BITS;
         bits += STEP_BITS) {
        snprintf(text, sizeof text, ",le=\"%.6f\"",
                 (double)(UINT64_C(1) << bits) / 1e6);
        for (; at < histogram_index(UINT64_C(1) << bits); at++) {
            below += histogram->bucket[at];
        }
        rc = put_count(out, name, "_bucket", label, text, below);
    }
    snprintf(text, sizeof text, "%.6f", (double)histogram->sum / 1e6);
    if (rc < 0 ||
        (rc = put_count(out, name, "_bucket", label, ",le=\"+Inf\"",
                        histogram->count)) < 0 ||
        (rc = put_sample(out, name, "_sum", label, "", text)) < 0) {
        return rc;
    }
    return put_count(out, name, "_count", label, "", histogram->count);
}

/* --- the log -------------------------------------------------------------- */

void metrics_line(char line[LOG_TEXT_MAX], const metric_t *metrics,
                  size_t count)
{
    size_t len = 0;

    line[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t room = LOG_TEXT_MAX - len;
        int more =
            snprintf(line + len, room, "%s%s=%" PRIu64, i == 0 ? "" : " ",
                     metrics[i].name, metrics[i].value);
        must(more > 0 && (size_t)more < room); /* the tables are ours */
        len += (size_t)more;
    }
}
