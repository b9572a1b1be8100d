/* SPDX-License-Identifier: MIT */
#include "workers/c/registry.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

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

/* Would a family of that name be told as one that is there? */
static bool is_taken(const registry_t *self, const series_wish_t *wish)
{
    for (const family_t *family = self->first; family != NULL;
         family = family->next) {
        if ((wish->kind == A_HISTOGRAM &&
             wish_is_sample(wish->name, family->name)) ||
            (family->kind == A_HISTOGRAM &&
             wish_is_sample(family->name, wish->name))) {
            return true;
        }
    }
    return false;
}

static int find_or_make(registry_t *self, const series_wish_t *wish,
                        const char *labels, series_t **found)
{
    family_t **family = find_family(self, wish->name);

    if (*family != NULL
            ? (*family)->kind != wish->kind || (*family)->unit != wish->unit
            : is_taken(self, wish)) {
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
    int rc = wish_check(wish);

    *series = &self->spares[wish->kind];
    if (rc < 0) {
        return rc;
    }
    pthread_mutex_lock(&self->lock);
    rc = find_or_make(self, wish, labels, series);
    pthread_mutex_unlock(&self->lock);
    return rc;
}
