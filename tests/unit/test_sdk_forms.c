/* SPDX-License-Identifier: MIT
 *
 * Programs that were built before the settings of a middleware grew.
 */
#include "base/log.h"
#include "tests/unit/grown.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What the last init was given. */
static struct {
    bool has_config;
    grown_config config;
} given;

static int grown_init(hoist_app *app, const void *config, void **state)
{
    (void)app;
    *state = NULL;
    given.has_config = config != NULL;
    if (config != NULL) {
        given.config = *(const grown_config *)config;
    }
    return 0;
}

static int grown_run(hoist_ctx *ctx, void *state)
{
    (void)state;
    return hoist_next(ctx);
}

static const hoist_middleware table = {.init = grown_init, .run = grown_run};
const hoist_middleware *const grown = &table;

static const hoist_middleware former = {.init = grown_init,
                                        .run = grown_run,
                                        .config_bytes =
                                            offsetof(grown_config, third)};
extern const hoist_middleware *const grown_1 HOIST_FORM(grown);
const hoist_middleware *const grown_1 = &former;

static hoist_app *app;

static int set_up(void **state)
{
    (void)state;
    log_set_level(LEVEL_ERROR);
    app = hoist_app_new();
    given.config = (grown_config){7, true, true, 7};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hoist_app_destroy(&app);
    return 0;
}

static void a_program_of_today_is_read_whole(void **state)
{
    (void)state;
    assert_int_equal(hoist_use(app, grown, &(grown_config){1, true, true, 4}),
                     0);
    assert_true(given.config.third);
    assert_int_equal(given.config.fourth, 4);
}

static void of_one_that_was_built_before_what_is_new_is_zero(void **state)
{
    (void)state;
    assert_int_equal(former_program(app), 0);
    assert_int_equal(given.config.first, 1);
    assert_true(given.config.second);
    assert_false(given.config.third);
    assert_int_equal(given.config.fourth, 0);
}

static void the_usual_settings_are_those_of_both(void **state)
{
    (void)state;
    given.has_config = true;
    assert_int_equal(former_usual_program(app), 0);
    assert_false(given.has_config);
}

static void more_bytes_than_there_may_be_are_refused(void **state)
{
    hoist_middleware largest = former;
    static const uint8_t config[HOIST_CONFIG_BYTES] = {3};
    (void)state;

    largest.config_bytes = HOIST_CONFIG_BYTES;
    assert_int_equal(hoist_use(app, &largest, config), 0);
    largest.config_bytes++;
    assert_int_equal(hoist_use(app, &largest, config), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_of_today_is_read_whole),
        TEST(of_one_that_was_built_before_what_is_new_is_zero),
        TEST(the_usual_settings_are_those_of_both),
        TEST(more_bytes_than_there_may_be_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
