/* SPDX-License-Identifier: MIT */
#include "base/metrics.h"

#include "base/xalloc.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define NAME_MAX_  128 /* bytes of a metric's name; the tables are ours */
#define HELP_MAX   256
#define BYTES      "bytes"
#define BYTES_DASH "bytes_"

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

int metrics_put_family(buf_t *out, const char *name, const char *kind,
                       const char *help, const char *sample)
{
    size_t start = out->len;
    const char *texts[] = {"\n# TYPE ", name, " ",    kind,
                           "\n",        name, sample, "\n"};
    int rc = put_text(out, "# HELP ");

    if (rc < 0 || (rc = put_text(out, name)) < 0 ||
        (rc = put_text(out, " ")) < 0 || (rc = put_help(out, help)) < 0) {
        out->len = start;
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < sizeof texts / sizeof *texts; i++) {
        rc = put_text(out, texts[i]);
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

/* bytes_in of the gateway is hoist_gateway_in_bytes_total. */
static void name_of(char name[NAME_MAX_], const char *folder,
                    const metric_t *metric)
{
    char own[NAME_MAX_];
    bool is_bytes = strcmp(metric->unit, BYTES) == 0;
    bool is_counter = strcmp(metric->kind, "counter") == 0;

    snprintf(own, sizeof own, "%s_", folder);
    int len = snprintf(
        name, NAME_MAX_, "hoist_%s_%s%s%s", folder,
        without(without(metric->name, own), is_bytes ? BYTES_DASH : ""),
        is_bytes ? "_" BYTES : "", is_counter ? "_total" : "");
    must(len > 0 && len < NAME_MAX_);
}

static int put_metric(buf_t *out, const char *folder, const metric_t *metric)
{
    char name[NAME_MAX_], help[HELP_MAX], sample[32];

    name_of(name, folder, metric);
    snprintf(help, sizeof help, "%s: %s", metric->unit, metric->meaning);
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
