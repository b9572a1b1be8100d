/* SPDX-License-Identifier: MIT
 *
 * The words behind a verb.
 */
#include "cli/args.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ID "-SI1AAAAAAFfvTMA" /* of a connection */

static const option_t options[] = {{"--code", "N", "a number"},
                                   {"--json", NULL, "a flag"},
                                   {0}};

static args_t args;
static char error[ARGS_ERROR_MAX];

static int reads(const char *first, const char *second, const char *third)
{
    static char texts[3][64]; /* what args borrows */
    char *argv[3];
    const char *const words[] = {first, second, third};
    int argc = 0;

    for (; argc < 3 && words[argc] != NULL; argc++) {
        snprintf(texts[argc], sizeof texts[argc], "%s", words[argc]);
        argv[argc] = texts[argc];
    }
    error[0] = '\0';
    return args_read(&args, options, argc, argv, error);
}

static void options_and_words_come_in_any_order(void **state)
{
    (void)state;

    assert_int_equal(reads("word", "--code=7", "--json"), 0);
    assert_int_equal(args.word_count, 1);
    assert_true(args_has(&args, "--code"));
    assert_true(args_has(&args, "--json"));
}

static void an_id_that_begins_with_a_dash_is_a_word(void **state)
{
    (void)state;

    assert_int_equal(reads(ID, "--json", NULL), 0);
    assert_int_equal(args.word_count, 1);
    assert_string_equal(args.words[0], ID);
    assert_true(args_has(&args, "--json"));
}

static void what_is_no_option_is_refused_by_name(void **state)
{
    (void)state;

    assert_int_equal(reads("--coda", "7", NULL), -EINVAL);
    assert_non_null(strstr(error, "--coda"));
    assert_non_null(strstr(error, "--code is"));
    assert_int_equal(reads("-x", NULL, NULL), -EINVAL);
    assert_int_equal(reads("--interval-times", NULL, NULL), -EINVAL);
}

static void behind_two_dashes_all_are_words(void **state)
{
    (void)state;

    assert_int_equal(reads("--", "--json", "-x"), 0);
    assert_int_equal(args.word_count, 2);
    assert_false(args_has(&args, "--json"));
}

static void help_is_asked_for_in_two_ways(void **state)
{
    (void)state;

    assert_int_equal(reads("--help", NULL, NULL), 1);
    assert_int_equal(reads("word", "-h", NULL), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_come_in_any_order),
        cmocka_unit_test(an_id_that_begins_with_a_dash_is_a_word),
        cmocka_unit_test(what_is_no_option_is_refused_by_name),
        cmocka_unit_test(behind_two_dashes_all_are_words),
        cmocka_unit_test(help_is_asked_for_in_two_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
