/* SPDX-License-Identifier: MIT
 *
 * A middleware whose settings have grown, as programs see it: with FORMER, as
 * they did before.
 */
#ifndef TESTS_GROWN_H
#define TESTS_GROWN_H

#include "workers/c/hoist.h"

typedef struct {
    unsigned first;
    bool second; /* behind which there is room in the struct already */
#ifndef FORMER
    bool third;
    unsigned fourth;
#endif
} grown_config;

#ifdef FORMER
extern const hoist_middleware *const grown;
#else
extern const hoist_middleware *const grown HOIST_FORM(grown_2);
#endif

/* A program that was built before: settings 1 and true, and no byte of the
 * struct beside them is zero. */
int former_program(hoist_app *app);

/* The same, which takes the usual settings. */
int former_usual_program(hoist_app *app);

#endif
