/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is_valid(const char *text, size_t len)
{
    utf8_t utf8 = {0};

    return utf8_check(&utf8, (const uint8_t *)text, len) &&
           utf8_is_whole(&utf8);
}

/* The rule, written down once more: RFC 3629 section 3. */
static size_t encode(uint32_t point, char *to)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    to[0] = (char)((0xf00 >> len & 0xf0) | point);
    return len;
}

static void every_character_is_valid_but_surrogates(void **state)
{
    char text[4];
    (void)state;

    for (uint32_t point = 0; point <= 0x110fff; point++) {
        bool is_character =
            point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        assert_int_equal(is_valid(text, encode(point, text)), is_character);
    }
}

/* Unicode's controls (Cc), ends of lines and paragraphs, and directions. */
static bool is_obeyed(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
           point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069);
}

static void what_is_obeyed_and_not_shown_is_known(void **state)
{
    char text[4];
    (void)state;

    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        size_t len = encode(point, text);
        assert_int_equal(utf8_obeyed((const uint8_t *)text, len),
                         is_obeyed(point) ? len : 0);
        if (len > 1) { /* cut short it is no character */
            assert_int_equal(utf8_obeyed((const uint8_t *)text, len - 1), 0);
        }
    }
}

static void no_character_may_end_early(void **state)
{
    static const char text[] = "\xf0\x9f\x98\x80";
    (void)state;

    for (size_t len = 1; len < 4; len++) {
        utf8_t utf8 = {0};
        assert_true(utf8_check(&utf8, (const uint8_t *)text, len));
        assert_false(utf8_is_whole(&utf8));
    }
}

static void longer_forms_than_the_shortest_are_invalid(void **state)
{
    (void)state;
    assert_false(is_valid("\xc0\x80", 2));
    assert_false(is_valid("\xc1\xbf", 2));
    assert_false(is_valid("\xe0\x9f\xbf", 3));
    assert_false(is_valid("\xf0\x8f\xbf\xbf", 4));
    assert_false(is_valid("\xf8\x88\x80\x80\x80", 5));
}

static void a_fault_is_seen_at_its_first_byte(void **state)
{
    utf8_t utf8 = {0};
    (void)state;

    assert_true(utf8_check(&utf8, (const uint8_t *)"\xed", 1));
    assert_false(utf8_check(&utf8, (const uint8_t *)"\xa0", 1));
}

/* ASCII is passed eight bytes at a time. */
static void a_fault_is_seen_wherever_it_is(void **state)
{
    char text[40];
    (void)state;

    for (size_t len = 1; len <= sizeof text; len++) {
        memset(text, 'a', len);
        assert_true(is_valid(text, len));
        for (size_t wrong = 0; wrong < len; wrong++) {
            text[wrong] = (char)0xff;
            assert_false(is_valid(text, len));
            text[wrong] = 'a';
        }
    }
}

static void a_text_may_come_in_any_pieces(void **state)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
    size_t len = sizeof text - 1;
    (void)state;

    for (size_t cut = 0; cut <= len; cut++) {
        utf8_t utf8 = {0};
        const uint8_t *bytes = (const uint8_t *)text;
        assert_true(utf8_check(&utf8, bytes, cut));
        assert_true(utf8_check(&utf8, bytes + cut, len - cut));
        assert_true(utf8_is_whole(&utf8));
    }
}

/* ASCII is looked at in words, which end wherever the text does. */
static void what_stands_in_ascii_is_seen_at_every_place(void **state)
{
    char text[40];
    (void)state;

    for (size_t len = 2; len <= sizeof text; len++) {
        memset(text, 'a', sizeof text);
        assert_true(is_valid(text, len));
        for (size_t at = 0; at + 2 <= len; at++) {
            memset(text, 'a', sizeof text);
            memcpy(text + at, "\xc3\xa4", 2);
            assert_true(is_valid(text, len));
            text[at] = 'a'; /* what goes on, and has not begun */
            assert_false(is_valid(text, len));
        }
    }
}

static void a_cut_falls_between_characters(void **state)
{
    const uint8_t *text = (const uint8_t *)"a\xe2\x82\xac"
                                           "b";
    (void)state;

    assert_int_equal(utf8_cut(text, 5, 10), 5);
    assert_int_equal(utf8_cut(text, 5, 4), 4);
    assert_int_equal(utf8_cut(text, 5, 3), 1);
    assert_int_equal(utf8_cut(text, 5, 2), 1);
    assert_int_equal(utf8_cut(text, 5, 0), 0);
}

/* --- repair -------------------------------------------------------------- */

static void becomes(const char *bytes, const char *repaired)
{
    buf_t out;

    buf_init(&out, 1000);
    assert_int_equal(
        utf8_put_repaired(&out, (const uint8_t *)bytes, strlen(bytes)), 0);
    assert_int_equal(out.len, strlen(repaired));
    if (out.len > 0) {
        assert_memory_equal(out.data, repaired, out.len);
        assert_true(utf8_is_valid(out.data, out.len));
    }
    buf_fini(&out);
}

static void what_is_no_utf8_becomes_the_replacement_character(void **state)
{
    (void)state;
    becomes("", "");
    becomes("plain \xc3\xa9 \xf0\x9f\x98\x80",
            "plain \xc3\xa9 \xf0\x9f\x98\x80");
    becomes("\xe9", "\xef\xbf\xbd");
    becomes("caf\xe9 au lait", "caf\xef\xbf\xbd au lait");
    becomes("a\xf0\x9f\x98z", "a\xef\xbf\xbdz"); /* one part, cut short */
    becomes("a\xf0\x9f\x98", "a\xef\xbf\xbd");
    becomes("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"); /* not the shortest */
    becomes("\xed\xa0\x80", /* a surrogate: three parts */
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    becomes("\xe2\x82\xe2\x82\xac", "\xef\xbf\xbd\xe2\x82\xac");
}

static void a_repair_that_finds_no_room_says_so(void **state)
{
    buf_t out;
    (void)state;

    buf_init(&out, 4);
    assert_int_equal(utf8_put_repaired(&out, (const uint8_t *)"\xff\xff", 2),
                     -ENOBUFS);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_valid_but_surrogates),
        cmocka_unit_test(what_is_obeyed_and_not_shown_is_known),
        cmocka_unit_test(no_character_may_end_early),
        cmocka_unit_test(longer_forms_than_the_shortest_are_invalid),
        cmocka_unit_test(a_fault_is_seen_at_its_first_byte),
        cmocka_unit_test(a_fault_is_seen_wherever_it_is),
        cmocka_unit_test(a_text_may_come_in_any_pieces),
        cmocka_unit_test(what_stands_in_ascii_is_seen_at_every_place),
        cmocka_unit_test(a_cut_falls_between_characters),
        cmocka_unit_test(what_is_no_utf8_becomes_the_replacement_character),
        cmocka_unit_test(a_repair_that_finds_no_room_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
