/* SPDX-License-Identifier: MIT
 *
 * What a program asks of the registry for: a series of a name, and whether that
 * can be told to Prometheus, which drops the whole page for one wrong line.
 * Pure.
 */
#ifndef WORKERS_C_WISH_H
#define WORKERS_C_WISH_H

#include "workers/c/hoist_metrics.h"

#include <stdbool.h>

#define SERIES_NAME_MAX   128 /* bytes */
#define SERIES_LABELS_MAX 512 /* bytes, as written */

typedef enum { A_COUNTER, A_GAUGE, A_HISTOGRAM } series_kind_t;

#define SERIES_KINDS (A_HISTOGRAM + 1)

typedef struct {
    series_kind_t kind;
    hoist_unit unit; /* of a histogram */
    const char *name, *help, *labels;
} series_wish_t;

/* What is wrong with its name, unit or labels, for people, a constant; NULL:
 * nothing. */
const char *wish_fault(const series_wish_t *wish);

/* Returns 0; -EINVAL where there is a fault; -EEXIST for a name that the
 * process itself has. */
int wish_check(const series_wish_t *wish);

/* Is this what samples of that histogram are called? */
bool wish_is_sample(const char *histogram, const char *name);

#endif
