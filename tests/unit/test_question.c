/* SPDX-License-Identifier: MIT
 *
 * What an actor is asked: a word and its arguments.
 */
#include "base/question.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_question_is_a_word(void **state)
{
    (void)state;

    assert_true(question_is("ROUTES", "ROUTES"));
    assert_true(question_is("ROUTES ", "ROUTES"));
    assert_true(question_is("ROUTES a=1", "ROUTES"));
    assert_false(question_is("ROUTESX", "ROUTES"));
    assert_false(question_is("ROUTE", "ROUTES"));
    assert_false(question_is("", "ROUTES"));
}

static void arguments_stand_behind_it(void **state)
{
    const char *question = "X type=user&typed=no&empty=&type=group";
    (void)state;

    assert_true(question_says(question, "type", "user"));
    assert_false(question_says(question, "type", "use"));
    assert_false(question_says(question, "type", "users"));
    assert_false(question_says(question, "typ", "user"));
    assert_true(question_says(question, "empty", ""));
    assert_true(question_has(question, "empty"));
    assert_false(question_has(question, "other"));
    assert_false(question_has("X", "X"));
    assert_false(question_has("X ", "type"));
}

static void numbers_are_whole_and_in_range(void **state)
{
    static const char *const wrong[] = {
        "X n=",   "X n=x",  "X n=1x",
        "X n=-1", "X n=+1", "X n= 1",
        "X n=11", "X n=99", "X n=18446744073709551617"};
    uint64_t value = 7;
    (void)state;

    assert_int_equal(question_number("X", "n", 10, &value), 0);
    assert_int_equal(value, 7);
    assert_int_equal(question_number("X n=10&n=3", "n", 10, &value), 0);
    assert_int_equal(value, 10);
    assert_int_equal(question_number("X n=0", "n", 10, &value), 0);
    assert_int_equal(value, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(question_number(wrong[i], "n", 10, &value), -EINVAL);
        assert_int_equal(value, 0);
    }
    assert_int_equal(
        question_number("X n=18446744073709551615", "n", UINT64_MAX, &value),
        0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(
        question_number("X n=18446744073709551616", "n", UINT64_MAX, &value),
        -EINVAL);
    assert_int_equal(question_number("X n=5", "n", 3, &value), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_a_word),
        cmocka_unit_test(arguments_stand_behind_it),
        cmocka_unit_test(numbers_are_whole_and_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
