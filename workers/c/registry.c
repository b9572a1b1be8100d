/* SPDX-License-Identifier: MIT */
#include "workers/c/registry.h"

#include "base/utf8.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

/* --- texts ----------------------------------------------------------------
 */

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

/* What the name of such a metric ends in. */
static const char *ending_of(const series_wish_t *wish)
{
    switch (wish->kind) {
    case A_COUNTER:
        return "_total";
    case A_HISTOGRAM:
        return wish->unit == HOIST_SECONDS ? "_seconds" : "_bytes";
    case A_GAUGE:
        break;
    }
    return "";
}

static bool is_name(const char *name, const char *ending)
{
    size_t len = 0, more = strlen(ending);

    if (name == NULL || !(is_name_start(*name) || *name == ':')) {
        return false;
    }
    while (is_name_char(name[len]) || name[len] == ':') {
        len++;
    }
    return name[len] == '\0' && len <= SERIES_NAME_MAX && len > more &&
           strcmp(name + len - more, ending) == 0;
}

/* Behind a value in quotes, or NULL when that is none. */
static const char *skip_value(const char *at)
{
    if (*at++ != '"') {
        return NULL;
    }
    for (; *at != '"'; at++) {
        if (*at == '\\') {
            at++;
            if (*at != '\\' && *at != '"' && *at != 'n') {
                return NULL;
            }
        }
        if (*at == '\0' || *at == '\n') {
            return NULL;
        }
    }
    return at + 1;
}

/* Behind name="value", or NULL. */
static const char *skip_label(const char *at)
{
    if (!is_name_start(*at)) {
        return NULL;
    }
    while (is_name_char(*at)) {
        at++;
    }
    return *at == '=' ? skip_value(at + 1) : NULL;
}

/* "" is none, and so is right. */
static bool are_labels(const char *labels)
{
    size_t len = strlen(labels);
    const char *at = labels;

    if (len > SERIES_LABELS_MAX ||
        !utf8_is_valid((const uint8_t *)labels, len)) {
        return false;
    }
    while (at != NULL && *at != '\0') {
        at = skip_label(at);
        if (at != NULL && *at == ',') {
            at = at[1] != '\0' ? at + 1 : NULL;
        } else if (at != NULL && *at != '\0') {
            at = NULL;
        }
    }
    return at != NULL;
}

/* --- families and series --------------------------------------------------
 */

static const series_wish_t refusals = {
    .kind = A_COUNTER,
    .name = "hoist_worker_series_refused_total",
    .help = "Series that were asked for in vain while the worker ran.",
};

void registry_init(registry_t *self)
{
    series_t *series;

    *self = (registry_t){0};
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    must(registry_find(self, &refusals, &series) == 0);
    self->refused = &series->of.counter;
}

static void destroy_family(family_t *family)
{
    while (family->first != NULL) {
        series_t *series = family->first;
        family->first = series->next;
        free(series->labels);
        free(series);
    }
    free(family->name);
    free(family->help);
    free(family);
}

void registry_fini(registry_t *self)
{
    while (self->first != NULL) {
        family_t *family = self->first;
        self->first = family->next;
        destroy_family(family);
    }
    pthread_mutex_destroy(&self->lock);
}

/* Where the family of that name is, or where a new one is put. */
static family_t **find_family(registry_t *self, const char *name)
{
    family_t **at = &self->first;

    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static series_t **find_series(family_t *family, const char *labels)
{
    series_t **at = &family->first;

    while (*at != NULL && strcmp((*at)->labels, labels) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static family_t *family_new(const series_wish_t *wish)
{
    family_t *family = xcalloc(1, sizeof *family);

    family->name = xstrdup(wish->name);
    family->help = xstrdup(wish->help != NULL ? wish->help : "");
    family->kind = wish->kind;
    family->unit = wish->unit;
    return family;
}

static int find_or_make(registry_t *self, const series_wish_t *wish,
                        const char *labels, series_t **found)
{
    family_t **family = find_family(self, wish->name);

    if (*family != NULL &&
        ((*family)->kind != wish->kind || (*family)->unit != wish->unit)) {
        return -EEXIST;
    }
    series_t **series = *family != NULL ? find_series(*family, labels) : NULL;
    if (series != NULL && *series != NULL) {
        *found = *series;
        return 0;
    }
    if (self->series == SERIES_MAX ||
        (*family == NULL && self->families == FAMILIES_MAX)) {
        return -ENOSPC;
    }
    if (*family == NULL) {
        *family = family_new(wish);
        self->families++;
        series = &(*family)->first;
    }
    *series = xcalloc(1, sizeof **series);
    (*series)->labels = xstrdup(labels);
    self->series++;
    *found = *series;
    return 0;
}

int registry_find(registry_t *self, const series_wish_t *wish,
                  series_t **series)
{
    const char *labels = wish->labels != NULL ? wish->labels : "";

    *series = &self->spare;
    if (!is_name(wish->name, ending_of(wish)) || !are_labels(labels)) {
        return -EINVAL;
    }
    pthread_mutex_lock(&self->lock);
    int rc = find_or_make(self, wish, labels, series);
    pthread_mutex_unlock(&self->lock);
    return rc;
}
