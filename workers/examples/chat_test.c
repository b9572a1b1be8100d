/* SPDX-License-Identifier: MIT
 *
 * Tests of chat.c with cmocka: a worker that asks its broker, and waits for
 * what became of a push.  The test answers as the broker would.
 */
int chat_main(int argc, char **argv);
#define main chat_main
#include "chat.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hoist_test.h>

#define ADA "adas-connection-"
#define BOB "bobs-connection-"

/* Each test has an app of its own. */
static int begin(void **state)
{
    hoist_app *app = hoist_app_new();
    hoist_test *test;

    register_all(app);
    assert_int_equal(hoist_test_new(app, &test), 0);
    *state = test;
    return 0;
}

static int end(void **state)
{
    hoist_test *test = *state;
    hoist_app *app = hoist_test_app(test);

    hoist_test_destroy(&test);
    hoist_app_destroy(&app);
    return 0;
}

static void assert_text(hoist_text text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

static const hoist_test_outcome *enters(hoist_test *test, const char *name)
{
    const hoist_test_event hello = {.event = HOIST_CONNECT,
                                    .connection = ADA,
                                    .query = {{"name", name}, {"room", "den"}}};

    return hoist_test_send(test, &hello);
}

static const hoist_test_said *says(hoist_test *test, hoist_test_kind kind)
{
    const hoist_test_said *said = hoist_test_next(test);

    assert_non_null(said);
    assert_int_equal(said->kind, kind);
    return said;
}

static void a_name_that_nobody_has_is_free(void **state)
{
    hoist_test *test = *state;

    const hoist_test_outcome *outcome = enters(test, "Ada");
    assert_false(outcome->is_over); /* it asks first */
    const hoist_test_said *asked = says(test, HOIST_TEST_FIND);
    assert_int_equal(asked->target.kind, HOIST_TO_USER);
    assert_text(asked->target.name, "Ada");

    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){0}), 0);
    assert_int_equal(outcome->status, 200);
    assert_text(outcome->user, "Ada");
    assert_true(hoist_test_in_group(outcome, "den"));
    const hoist_test_said *news = says(test, HOIST_TEST_PUSH);
    assert_text(news->target.name, "den");
    assert_text(news->body, "{\"type\":\"joined\",\"name\":\"Ada\"}");
}

static const hoist_test_answer there_is_one = {
    .rows = {{.connection = BOB, .user = "Ada", .tenant = "den"}}};

static void a_name_is_taken_when_its_holder_hears_of_it(void **state)
{
    hoist_test *test = *state;

    const hoist_test_outcome *outcome = enters(test, "Ada");
    says(test, HOIST_TEST_FIND);
    assert_int_equal(hoist_test_tell(test, &there_is_one), 0);
    assert_text(says(test, HOIST_TEST_PUSH)->target.name, BOB);
    assert_int_equal(hoist_test_tell_pushed(test, 1, 0, 0), 0);
    assert_int_equal(outcome->status, 409);
    assert_text(outcome->error.code, "name-taken");
}

static void a_holder_that_has_gone_holds_nothing(void **state)
{
    hoist_test *test = *state;

    const hoist_test_outcome *outcome = enters(test, "Ada");
    assert_int_equal(hoist_test_tell(test, &there_is_one), 0);
    assert_int_equal(hoist_test_tell_pushed(test, 0, 1, 0), 0);
    assert_int_equal(outcome->status, 200);
}

static void nobody_gets_in_while_nobody_knows_who_is_there(void **state)
{
    hoist_test *test = *state;

    const hoist_test_outcome *outcome = enters(test, "Ada");
    hoist_test_pass(test, 5000); /* no answer in time */
    assert_int_equal(outcome->status, 503);
}

static void what_is_said_goes_to_the_room(void **state)
{
    const hoist_test_event event = {.route = "say",
                                    .user = "Ada",
                                    .tenant = "den",
                                    .text = "{\"text\":\"hello\"}"};
    hoist_test *test = *state;

    assert_int_equal(hoist_test_send(test, &event)->status, 200);
    const hoist_test_said *said = says(test, HOIST_TEST_PUSH);
    assert_int_equal(said->target.kind, HOIST_TO_GROUP);
    assert_text(said->target.name, "den");
    assert_text(said->body,
                "{\"type\":\"said\",\"name\":\"Ada\",\"text\":\"hello\"}");
    assert_null(hoist_test_next(test));
}

#define A_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(a_name_that_nobody_has_is_free),
        A_TEST(a_name_is_taken_when_its_holder_hears_of_it),
        A_TEST(a_holder_that_has_gone_holds_nothing),
        A_TEST(nobody_gets_in_while_nobody_knows_who_is_there),
        A_TEST(what_is_said_goes_to_the_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
