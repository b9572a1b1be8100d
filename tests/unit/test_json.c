/* SPDX-License-Identifier: MIT
 *
 * The tokens of JSON: what is one, where it ends, and what a string means.
 */
#include "proto/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* How many bytes of text the scalar at its start has, or an error. */
static int scalar_length(wire_bytes_t text)
{
    wire_cursor_t in = wire_cursor(text);
    int rc = json_skip_scalar(&in);

    return rc < 0 ? rc : (int)(in.at - text.data);
}

/* Decode a whole string token; its length, or an error. */
static int decode(wire_bytes_t text, char *out, size_t max)
{
    wire_cursor_t in = wire_cursor(text);
    wire_bytes_t inside;

    if (json_skip_string(&in, &inside) < 0) {
        return -EPROTO;
    }
    assert_true(wire_at_end(&in));
    return json_decode_string(inside, out, max);
}

static void a_scalar_ends_where_it_ends(void **state)
{
    static const char *const whole[] = {
        "0",      "-0",   "7",    "10",    "-12.5", "0.0",
        "1e9",    "1E+9", "1e-0", "0e0",   "1.5e3", "123456789012345678901",
        "1e9999", "true", "null", "false",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(whole); i++) {
        wire_bytes_t text = wire_bytes(whole[i]);
        assert_int_equal(scalar_length(text), (int)text.len);
    }
    assert_int_equal(scalar_length(wire_bytes("12,")), 2);
    assert_int_equal(scalar_length(wire_bytes("01")), 1); /* then a 1 */
    assert_int_equal(scalar_length(wire_bytes("nullx")), 4);
}

static void no_other_word_and_no_other_number_is_a_scalar(void **state)
{
    static const char *const broken[] = {
        "",    "-",     "+1",  ".5",   "1.",   "1.e1", "1e",       "1e+",
        "-a",  "--1",   "tru", "True", "nul",  "NaN",  "Infinity", "-Infinity",
        "'a'", "\"a\"", "{}",  "[",    "/**/", " 1",   "falsE",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(broken); i++) {
        assert_int_equal(scalar_length(wire_bytes(broken[i])), -EPROTO);
    }
}

static void an_escape_stands_for_its_character(void **state)
{
    static const struct {
        const char *token, *meaning;
    } cases[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u004a\\u004A\"", "AJJ"},
        {"\"\\u007f\\u0080\"", "\x7f\xc2\x80"},
        {"\"\\u07ff\\u0800\"", "\xdf\xbf\xe0\xa0\x80"},
        {"\"\\ud7ff\\ue000\\uffff\"", "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"},
        {"\"\\ud800\\udc00\"", "\xf0\x90\x80\x80"},
        {"\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf"},
        {"\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!"},
        {"\"caf\xc3\xa9\"", "caf\xc3\xa9"},
    };
    char out[64];
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        wire_bytes_t meaning = wire_bytes(cases[i].meaning);
        int len = decode(wire_bytes(cases[i].token), out, sizeof out);
        assert_int_equal(len, (int)meaning.len);
        assert_memory_equal(out, meaning.data, meaning.len);
    }
}

static void a_zero_code_point_is_a_character_like_any_other(void **state)
{
    char out[4];
    (void)state;

    assert_int_equal(decode(wire_bytes("\"a\\u0000b\""), out, sizeof out), 3);
    assert_memory_equal(out, "a\0b", 3);
}

/* A lone surrogate is no character, so the text is no JSON to us. */
static void a_broken_string_is_no_string(void **state)
{
    static const char *const broken[] = {
        "",
        "a",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\\x\"",
        "\"\\'\"",
        "\"\\U0041\"",
        "\"\\u\"",
        "\"\\u004\"",
        "\"\\u004g\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\x1f\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800x\"",
        "\"\\ud800\\n\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud83d\\ude0\"",
    };
    char out[64];
    (void)state;

    for (size_t i = 0; i < COUNT(broken); i++) {
        assert_int_equal(decode(wire_bytes(broken[i]), out, sizeof out),
                         -EPROTO);
    }
}

static void a_byte_of_zero_ends_neither_an_escape_nor_a_string(void **state)
{
    static const uint8_t bare[] = {'"', 'a', 0, '"'};
    static const uint8_t escaped[] = {'"', '\\', 0, '"'};
    char out[8];
    (void)state;

    assert_int_equal(decode((wire_bytes_t){bare, sizeof bare}, out, 8),
                     -EPROTO);
    assert_int_equal(decode((wire_bytes_t){escaped, sizeof escaped}, out, 8),
                     -EPROTO);
}

/* Strings are looked at eight bytes at a time. */
static void a_byte_that_no_string_has_is_found_wherever_it_stands(void **state)
{
    uint8_t text[120];
    (void)state;

    for (size_t len = 2; len < sizeof text; len++) {
        for (size_t at = 1; at < len - 1; at++) {
            wire_cursor_t in = wire_cursor((wire_bytes_t){text, len});
            wire_bytes_t inside = {0};
            memset(text, 'x', len);
            text[0] = text[len - 1] = '"';
            text[at] = 0x1f;
            assert_int_equal(json_skip_string(&in, &inside), -EPROTO);
            text[at] = '\\'; /* and an 'x' or the quote behind it */
            in = wire_cursor((wire_bytes_t){text, len});
            assert_int_equal(json_skip_string(&in, &inside), -EPROTO);
            text[at] = '"';
            in = wire_cursor((wire_bytes_t){text, len});
            assert_int_equal(json_skip_string(&in, &inside), 0);
            assert_int_equal(inside.len, at - 1);
            assert_ptr_equal(in.at, text + at + 1);
        }
    }
}

static void a_string_has_any_byte_but_those(void **state)
{
    uint8_t text[65]; /* an odd number of backslashes */
    (void)state;

    for (unsigned byte = 0; byte <= 0xff; byte++) {
        bool is_end = byte == '"', is_broken = byte < 0x20 || byte == '\\';
        wire_cursor_t in = wire_cursor((wire_bytes_t){text, sizeof text});
        wire_bytes_t inside;
        memset(text, (int)byte, sizeof text);
        text[0] = text[sizeof text - 1] = '"';
        assert_int_equal(json_skip_string(&in, &inside),
                         is_broken ? -EPROTO : 0);
        if (!is_broken) {
            assert_int_equal(inside.len, is_end ? 0 : sizeof text - 2);
        }
    }
}

static void decoding_stops_at_the_room_that_there_is(void **state)
{
    char out[4] = "....";
    (void)state;

    assert_int_equal(decode(wire_bytes("\"abcd\""), out, 4), 4);
    assert_int_equal(decode(wire_bytes("\"abcd\""), out, 3), -ENOBUFS);
    assert_int_equal(decode(wire_bytes("\"\\ud83d\\ude00\""), out, 4), 4);
    assert_int_equal(decode(wire_bytes("\"\\ud83d\\ude00\""), out, 3),
                     -ENOBUFS);
    assert_int_equal(decode(wire_bytes("\"\""), out, 0), 0);
}

static void a_string_is_compared_by_what_it_means(void **state)
{
    static const struct {
        const char *inside, *text;
        bool is_equal;
    } cases[] = {
        {"action", "action", true},
        {"\\u0061ction", "action", true},
        {"actio\\u006e", "action", true},
        {"a\\/b", "a/b", true},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", true},
        {"", "", true},
        {"action", "actio", false},
        {"actio", "action", false},
        {"Action", "action", false},
        {"\\u0061ctionx", "action", false},
        {"\\u0061ctio", "action", false},
        {"a\\nb", "a\\nb", false}, /* the same bytes, another meaning */
        {"a\\\\b", "a\\b", true},
        {"\\u0000", "", false},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(json_string_is(wire_bytes(cases[i].inside),
                                        wire_bytes(cases[i].text)),
                         cases[i].is_equal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scalar_ends_where_it_ends),
        cmocka_unit_test(no_other_word_and_no_other_number_is_a_scalar),
        cmocka_unit_test(an_escape_stands_for_its_character),
        cmocka_unit_test(a_zero_code_point_is_a_character_like_any_other),
        cmocka_unit_test(a_broken_string_is_no_string),
        cmocka_unit_test(a_byte_of_zero_ends_neither_an_escape_nor_a_string),
        cmocka_unit_test(a_byte_that_no_string_has_is_found_wherever_it_stands),
        cmocka_unit_test(a_string_has_any_byte_but_those),
        cmocka_unit_test(decoding_stops_at_the_room_that_there_is),
        cmocka_unit_test(a_string_is_compared_by_what_it_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
