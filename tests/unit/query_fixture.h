/* SPDX-License-Identifier: MIT
 *
 * What the tests of questions share: a worker (worker_fixture.h) with handlers
 * that ask for the connections of "ada", or do not, and a middleware around
 * them.
 */
#ifndef TESTS_QUERY_FIXTURE_H
#define TESTS_QUERY_FIXTURE_H

#include "tests/unit/worker_fixture.h"

/* What those handlers do, and have done. */
typedef struct {
    hoist_find_options options;
    int result;   /* of the handler behind its question */
    size_t told;  /* answers that came */
    size_t pages; /* that the answer's handler still asks for */
    bool retries; /* the middleware tries again what failed */
    bool refuses; /* the middleware fails what went well */
} asking_t;

extern asking_t asking;

int asking_set_up(void **state);

#define ASKING_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, asking_set_up, worker_tear_down)

/* Notes "told:" and the status; asks for the next page or replies. */
int tell(hoist_ctx *ctx, hoist_answer *answer, void *data);

void note_status(const hoist_answer *answer);

#endif
