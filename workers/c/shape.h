/* SPDX-License-Identifier: MIT
 *
 * Is a body what rules say (hoist_middleware.h)?  One pass, without a tree or
 * an allocation; nesting is bounded.  Pure.
 */
#ifndef WORKERS_C_SHAPE_H
#define WORKERS_C_SHAPE_H

#include "proto/wire.h"
#include "workers/c/hoist_middleware.h"

#include <locale.h>

#define SHAPE_DEPTH_MAX   64
#define SHAPE_MEMBERS_MAX 64  /* of an object that rules list */
#define SHAPE_LISTS_MAX   256 /* lists of members, and rules of items */
#define SHAPE_PATH_MAX    128 /* bytes of a path that is told */
#define SHAPE_NUMBER_MAX  63  /* characters of a number that is compared */

typedef enum {
    SHAPE_FITS = 0,
    SHAPE_JSON,
    SHAPE_DEPTH,
    SHAPE_TYPE,
    SHAPE_MISSING,
    SHAPE_UNKNOWN,
    SHAPE_TWICE,
    SHAPE_LENGTH,
    SHAPE_RANGE,
    SHAPE_CHOICE,
} shape_problem_t;

typedef struct {
    shape_problem_t problem;
    const hoist_rule *rule; /* borrowed: that is broken; NULL where there is
                               none: JSON, depth, unknown */
    char path[SHAPE_PATH_MAX + 1]; /* of the value, as a JSON Pointer */
} shape_verdict_t;

#define SHAPE_FAULT_MAX 200 /* bytes */

/* Do rules make sense?  Returns 0; -EINVAL, -E2BIG, with which of them does not
 * and why in words (shape_rules.c). */
int shape_check(const hoist_rule *rule, char words[SHAPE_FAULT_MAX + 1]);

/*
 * The first thing that is wrong with a body of valid UTF-8, by rules that make
 * sense.
 *
 * max_depth  containers around a value, and of it; at most SHAPE_DEPTH_MAX
 * numbers    a locale in which numbers are written as in C
 */
void shape_verify(const hoist_rule *rule, wire_bytes_t body, unsigned max_depth,
                  locale_t numbers, shape_verdict_t *verdict);

/* The word for a problem. */
const char *shape_problem_name(shape_problem_t problem);

#endif
