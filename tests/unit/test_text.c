/* SPDX-License-Identifier: MIT
 *
 * What is shown at a terminal: names made harmless, numbers with units, tables,
 * and the words behind a verb.
 */
#include "cli/args.h"
#include "cli/table.h"
#include "cli/text.h"
#include "proto/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 256

static int set_up(void **state)
{
    (void)state;
    text_start();
    return 0;
}

/* --- names --------------------------------------------------------------- */

static void is_shown_as(const char *text, size_t max, const char *want)
{
    char out[TEXT_MAX];

    text_clean(out, sizeof out, text, max);
    assert_string_equal(out, want);
}

static void a_name_is_shown_as_it_is(void **state)
{
    (void)state;

    is_shown_as("", 10, "");
    is_shown_as("Zoë 東京", 10, "Zoë 東京");
    is_shown_as("e\xcc\x81", 1, "e\xcc\x81"); /* a combining accent */
}

static void a_name_may_hold_nul(void **state)
{
    char *text = text_of_name("a\0b", 3);
    (void)state;

    is_shown_as(text, 10, "a?b");
    free(text);
    text = text_of_name(NULL, 0);
    is_shown_as(text, 10, "");
    free(text);
}

static void what_a_terminal_obeys_is_not(void **state)
{
    (void)state;

    is_shown_as("\033[2J\a\n\x7f", 20, "?[2J???");
    is_shown_as("\xc2\x9b"
                "31m",
                20, "?31m"); /* C1: CSI */
    is_shown_as("a\xe2\x80\xae"
                "b",
                20, "a?b"); /* right to left */
    is_shown_as("a\xe2\x81\xa6"
                "b",
                20, "a?b");                 /* isolate */
    is_shown_as("\xff\xc3", 20, "??");      /* no UTF-8 */
    is_shown_as("\xed\xa0\x80", 20, "???"); /* a surrogate */
}

static void a_long_one_is_cut_at_a_character(void **state)
{
    (void)state;

    is_shown_as("abcdef", 6, "abcdef");
    is_shown_as("abcdefg", 6, "abcde…");
    is_shown_as("東京東京", 8, "東京東京");
    is_shown_as("東京東京", 7, "東京東…");
    is_shown_as("東京東京", 6, "東京…"); /* a column is left */
    is_shown_as("abc", 0, "…");
}

/* Whatever the bytes: no control, no broken character, not too wide. */
static void no_bytes_do_harm(void **state)
{
    char bytes[9] = "", out[TEXT_MAX];
    (void)state;

    srand(1);
    for (int i = 0; i < 200000; i++) {
        for (size_t at = 0; at < 8; at++) {
            bytes[at] = (char)(rand() % 3 == 0 ? rand() : 0x80 + rand() % 64);
        }
        text_clean(out, sizeof out, bytes, 5);
        assert_true(text_width(out) <= 5);
        for (const char *at = out; *at != '\0'; at++) {
            unsigned char byte = (unsigned char)*at;
            assert_true(byte >= 0x20 && byte != 0x7f);
            assert_false(byte == 0xc2 && (unsigned char)at[1] < 0xa0);
        }
    }
}

static void what_fits_is_whole_characters(void **state)
{
    (void)state;

    assert_int_equal(text_fit("abc", 2), 2);
    assert_int_equal(text_fit("a東b", 2), 1);
    assert_int_equal(text_fit("a東b", 3), 4);
    assert_int_equal(text_fit("ab", 9), 2);
}

/* --- numbers ------------------------------------------------------------- */

#define IS(kind, value, want)                                                  \
    do {                                                                       \
        char text_[TEXT_NUMBER_MAX];                                           \
        text_##kind(text_, value);                                             \
        assert_string_equal(text_, want);                                      \
    } while (0)

static void numbers_have_units_that_are_read_at_a_glance(void **state)
{
    (void)state;

    IS(us, 0, "0 µs");
    IS(us, 999, "999 µs");
    IS(us, 1000, "1.0 ms");
    IS(us, 12345, "12 ms");
    IS(us, 999999, "1000 ms");
    IS(us, 1500000, "1.5 s");
    IS(age, -5, "0 s");
    IS(age, 59999, "59 s");
    IS(age, 310000, "5 min 10 s");
    IS(age, 7500000, "2 h 5 min");
    IS(age, 273600000, "3 d 4 h");
    IS(count, 99999, "99999");
    IS(count, 123456, "123k");
    IS(count, 999999, "1.0M");
    IS(count, UINT64_MAX, "18446744T");
    IS(bytes, 1023, "1023 B");
    IS(bytes, 12595, "12 KiB");
    IS(bytes, 1048576, "1.0 MiB");
    IS(rate, 0.0, "0");
    IS(rate, 0.04, "0");
    IS(rate, 0.3, "0.3");
    IS(rate, 12.0, "12");
    IS(rate, 1234.0, "1.2k");
}

/* --- tables -------------------------------------------------------------- */

static void prints(const table_t *table, const char *want)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    table_print(table, out);
    fclose(out);
    assert_string_equal(text, want);
    free(text);
}

static void columns_are_as_wide_as_what_is_in_them(void **state)
{
    static const char *const heads[] = {"NAME", ">COUNT", "LAST", NULL};
    table_t *table = table_new(heads);
    (void)state;

    prints(table, "NAME  COUNT  LAST\n");
    table_put(table, "東京東京");
    table_put_count(table, 7);
    table_put(table, "x");
    table_put(table, "a\nb");
    table_put_count(table, 1234567890);
    table_put(table, "");
    prints(table, "NAME      COUNT  LAST\n"
                  "東京東京      7  x\n"
                  "a?b        1.2G  \n");
    table_destroy(&table);
}

static void a_cell_has_a_most(void **state)
{
    static const char *const heads[] = {"A", "B", NULL};
    char longest[200], want[400];
    table_t *table = table_new(heads);
    (void)state;

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    table_put(table, longest);
    table_put(table, "b");
    snprintf(want, sizeof want, "A%*s  B\n%.*s…  b\n", TABLE_CELL_MAX - 1, "",
             TABLE_CELL_MAX - 1, longest);
    prints(table, want);
    table_destroy(&table);
}

static void of_nothing_there_is_no_share(void **state)
{
    static const char *const heads[] = {">P50", NULL};
    static histogram_t times;
    table_t *table = table_new(heads);
    (void)state;

    table_put_share(table, &times, 0.5);
    histogram_add(&times, 20);
    table_put_share(table, &times, 0.5);
    prints(table, "  P50\n    -\n20 µs\n");
    table_destroy(&table);
}

/* --- words --------------------------------------------------------------- */

static const option_t options[] = {{"--name", "NAME", ""},
                                   {"--json", NULL, ""},
                                   {"--limit", "COUNT", ""},
                                   {NULL, NULL, NULL}};
static args_t args;
static char error[ARGS_ERROR_MAX];

/* words: separated by spaces. */
static int reads(const char *words)
{
    static char text[TEXT_MAX];
    char *argv[16], *rest = text, *word;
    int argc = 0;

    snprintf(text, sizeof text, "%s", words);
    while ((word = strsep(&rest, " ")) != NULL) {
        argv[argc++] = word;
    }
    return args_read(&args, options, argc, argv, error);
}

static void options_and_words_stand_in_any_order(void **state)
{
    (void)state;

    assert_int_equal(reads("one --name=x - --json two"), 0);
    assert_int_equal(args.word_count, 3);
    assert_string_equal(args.words[1], "-");
    assert_string_equal(args_value(&args, "--name"), "x");
    assert_true(args_has(&args, "--json"));
    assert_false(args_has(&args, "--limit"));
    assert_int_equal(reads("--name --json -- --json"), 0);
    assert_string_equal(args_value(&args, "--name"), "--json");
    assert_false(args_has(&args, "--json"));
    assert_string_equal(args.words[0], "--json");
    assert_int_equal(reads("x --help"), 1);
    assert_int_equal(reads("-h"), 1);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;

    assert_int_equal(reads("--limits 1"), -EINVAL);
    assert_string_equal(error, "--limits is no option of it; --limit is");
    assert_int_equal(reads("--name"), -EINVAL);
    assert_string_equal(error, "--name needs a value");
    assert_int_equal(reads("--json=1"), -EINVAL);
    assert_string_equal(error, "--json=1 takes no value");
    assert_int_equal(reads("a b c d e"), -EINVAL);
    assert_string_equal(error, "e is one argument too many");
}

static void numbers_are_in_their_range(void **state)
{
    static const char *const wrong[] = {
        "", "x", "1x", "-1", "+1", "11", "0x1", "99999999999999999999"};
    uint64_t value = 5;
    char words[64];
    (void)state;

    assert_int_equal(reads("--json"), 0);
    assert_int_equal(args_number(&args, "--limit", 0, 10, &value, error), 0);
    assert_int_equal(value, 5);
    assert_int_equal(reads("--limit 10"), 0);
    assert_int_equal(args_number(&args, "--limit", 0, 10, &value, error), 0);
    assert_int_equal(value, 10);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(words, sizeof words, "--limit=%s", wrong[i]);
        assert_int_equal(reads(words), 0);
        assert_int_equal(args_number(&args, "--limit", 0, 10, &value, error),
                         -EINVAL);
        assert_int_equal(value, 10);
    }
}

static void
the_close_codes_that_are_told_are_those_that_are_allowed(void **state)
{
    const char *at = CLOSE_CODES;
    uint64_t next = 0; /* the first that nothing is known of */
    (void)state;

    while (*(at += strcspn(at, "0123456789")) != '\0') {
        char *end;
        uint64_t first = strtoull(at, &end, 10), last = first;
        if (strncmp(end, " to ", 4) == 0) {
            last = strtoull(end + 4, &end, 10);
        }
        for (; next <= last; next++) {
            assert_true(close_code_is_allowed(next) == (next >= first));
        }
        at = end;
    }
    for (; next <= UINT16_MAX; next++) {
        assert_false(close_code_is_allowed(next));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_shown_as_it_is),
        cmocka_unit_test(a_name_may_hold_nul),
        cmocka_unit_test(what_a_terminal_obeys_is_not),
        cmocka_unit_test(a_long_one_is_cut_at_a_character),
        cmocka_unit_test(no_bytes_do_harm),
        cmocka_unit_test(what_fits_is_whole_characters),
        cmocka_unit_test(numbers_have_units_that_are_read_at_a_glance),
        cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
        cmocka_unit_test(a_cell_has_a_most),
        cmocka_unit_test(of_nothing_there_is_no_share),
        cmocka_unit_test(options_and_words_stand_in_any_order),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(numbers_are_in_their_range),
        cmocka_unit_test(
            the_close_codes_that_are_told_are_those_that_are_allowed),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
