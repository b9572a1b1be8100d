/* SPDX-License-Identifier: MIT
 *
 * Which name a misspelt word is taken for.
 */
#include "base/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const names[] = {"max-frame", "max-message", "stage",
                                    "static", "name"};

static const char *near(const char *word)
{
    return names_near(word, names, sizeof names / sizeof *names);
}

static void a_letter_more_or_less_or_another_is_near(void **state)
{
    (void)state;
    assert_string_equal(near("max-frames"), "max-frame");
    assert_string_equal(near("maxframe"), "max-frame");
    assert_string_equal(near("max_frame"), "max-frame");
    assert_string_equal(near("max-mesage"), "max-message");
    assert_string_equal(near("stages"), "stage");
    assert_string_equal(near("max-frame"), "max-frame");
}

static void two_letters_that_changed_places_are_near(void **state)
{
    (void)state;
    assert_string_equal(near("max-farme"), "max-frame");
}

static void the_nearest_of_two_is_taken(void **state)
{
    (void)state;
    assert_string_equal(near("statics"), "static");
    assert_string_equal(near("stagec"), "stage");
}

static void what_differs_more_is_near_to_nothing(void **state)
{
    (void)state;
    assert_null(near("port"));
    assert_null(near("mxfram"));
    assert_null(near(""));
}

static void a_short_word_may_differ_less(void **state)
{
    (void)state;
    assert_null(near("fade")); /* two of four letters */
    assert_string_equal(near("names"), "name");
}

static void a_word_of_any_length_may_be_asked_for(void **state)
{
    char word[200];
    (void)state;

    for (size_t i = 0; i < sizeof word; i++) {
        word[i] = i < sizeof word - 1 ? 'n' : '\0';
    }
    assert_null(near(word));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_more_or_less_or_another_is_near),
        cmocka_unit_test(two_letters_that_changed_places_are_near),
        cmocka_unit_test(the_nearest_of_two_is_taken),
        cmocka_unit_test(what_differs_more_is_near_to_nothing),
        cmocka_unit_test(a_short_word_may_differ_less),
        cmocka_unit_test(a_word_of_any_length_may_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
