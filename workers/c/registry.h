/* SPDX-License-Identifier: MIT
 *
 * The numbers of an app (hoist_metrics.h): families by name, and in each its
 * series, told apart by labels.  Nothing leaves before the app does, so whoever
 * counts keeps a pointer and takes no lock; the lock is for what is looked up,
 * added and told.
 *
 *     registry ── family ── series
 */
#ifndef WORKERS_C_REGISTRY_H
#define WORKERS_C_REGISTRY_H

#include "base/buf.h"
#include "workers/c/wish.h"

#include <stdatomic.h>

#include <pthread.h>

#define FAMILIES_MAX 256  /* names of an app's metrics */
#define SERIES_MAX   4096 /* of all names together */

/* Buckets end at 2^6, 2^8, … 2^26; the last has what is beyond. */
#define SERIES_FIRST_BITS 6
#define SERIES_STEP_BITS  2
#define SERIES_BUCKETS    12

struct hoist_counter {
    _Atomic uint64_t value;
};

struct hoist_gauge {
    _Atomic int64_t value;
};

struct hoist_histogram {
    _Atomic uint64_t sum;
    _Atomic uint64_t bucket[SERIES_BUCKETS];
};

typedef struct series series_t;
typedef struct family family_t;

struct series {
    series_t *next; /* owned: of its family, in the order asked for */
    char *labels;   /* owned; "": none */
    union {
        hoist_counter counter;
        hoist_gauge gauge;
        hoist_histogram histogram;
    } of;
};

struct family {
    family_t *next; /* owned */
    char *name, *help;
    series_kind_t kind;
    hoist_unit unit; /* of a histogram */
    series_t *first; /* owned */
};

typedef struct {
    pthread_mutex_t lock; /* of the lists and their sizes */
    family_t *first;      /* owned */
    size_t families, series;
    series_t spares[SERIES_KINDS]; /* what was refused counts here, unseen */
    hoist_counter *refused;        /* borrowed: how often */
} registry_t;

void registry_init(registry_t *self);
void registry_fini(registry_t *self);

/* Find or make.  Returns 0 with *series; -EINVAL, -EEXIST, -ENOSPC with the
 * spare one of that kind. */
int registry_find(registry_t *self, const series_wish_t *wish,
                  series_t **series);

/* Append all as text.  Returns 0; -ENOBUFS, -ENOMEM, and out may have grown
 * (exposition.c). */
int registry_put(registry_t *self, buf_t *out);

#endif
