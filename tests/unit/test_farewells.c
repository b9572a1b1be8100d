/* SPDX-License-Identifier: MIT */
#include "gateway/farewells.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void nobody_was_said_farewell_to_at_first(void **state)
{
    farewells_t none = {.ids = NULL};
    (void)state;

    assert_false(farewells_has(&none, &(conn_id_t){.slot = 0}));
    farewells_fini(&none);
}

static void the_last_farewells_are_remembered(void **state)
{
    farewells_t farewells = {.ids = NULL};
    (void)state;

    for (uint32_t i = 0; i <= FAREWELLS_KEPT; i++) {
        farewells_put(&farewells, &(conn_id_t){.loop = 1, .slot = i});
    }
    assert_false(farewells_has(&farewells, &(conn_id_t){.loop = 1}));
    assert_true(farewells_has(&farewells, &(conn_id_t){.loop = 1, .slot = 1}));
    assert_true(farewells_has(&farewells,
                              &(conn_id_t){.loop = 1, .slot = FAREWELLS_KEPT}));
    assert_false(farewells_has(
        &farewells, &(conn_id_t){.loop = 1, .slot = 1, .generation = 1}));
    farewells_fini(&farewells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_was_said_farewell_to_at_first),
        cmocka_unit_test(the_last_farewells_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
