/* SPDX-License-Identifier: MIT
 *
 * JSON, piece by piece.
 */
#include "proto/json_out.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static buf_t text;
static json_out_t out;

static int set_up(void **state)
{
    (void)state;
    buf_init(&text, 4096);
    out = json_out(&text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&text);
    return 0;
}

static void is(const char *want)
{
    assert_int_equal(out.rc, 0);
    assert_int_equal(text.len, strlen(want));
    assert_memory_equal(text.data, want, strlen(want));
}

static void commas_come_by_themselves(void **state)
{
    (void)state;

    json_put_open(&out, '{');
    json_put_key(&out, "a");
    json_put_open(&out, '[');
    json_put_close(&out, ']');
    json_put_key(&out, "b");
    json_put_open(&out, '[');
    json_put_uint(&out, 1);
    json_put_open(&out, '{');
    json_put_close(&out, '}');
    json_put_bool(&out, true);
    json_put_raw(&out, wire_bytes("[2]"));
    json_put_close(&out, ']');
    json_put_field_bool(&out, "c", false);
    json_put_close(&out, '}');
    is("{\"a\":[],\"b\":[1,{},true,[2]],\"c\":false}");
}

static void fields_are_keys_and_values(void **state)
{
    (void)state;

    json_put_open(&out, '{');
    json_put_field_if(&out, "none", wire_bytes(""));
    json_put_field_if(&out, "one", wire_bytes("x"));
    json_put_field(&out, "empty", wire_bytes(""));
    json_put_field(&out, "nothing", (wire_bytes_t){NULL, 0});
    json_put_field_uint(&out, "most", UINT64_MAX);
    json_put_close(&out, '}');
    is("{\"one\":\"x\",\"empty\":\"\",\"nothing\":\"\",\"most\":18446744073709551615}");
}

static void a_string_holds_nothing_that_a_terminal_obeys(void **state)
{
    static const char bytes[] = "\"\\\n\033[2J\x7f\xc2\x9b\xc2\xa0\xc3\xa9";
    (void)state;

    json_put_text(&out, wire_bytes(bytes));
    is("\"\\\"\\\\\\u000a\\u001b[2J\\u007f\\u009b\xc2\xa0\xc3\xa9\"");
}

static void what_is_no_utf8_is_repaired(void **state)
{
    static const uint8_t bytes[] = {'a', 0xff, 0, 0xc3, '"'};
    (void)state;

    json_put_text(&out, (wire_bytes_t){bytes, sizeof bytes});
    is("\"a\xef\xbf\xbd\\u0000\xef\xbf\xbd\\\"\"");
}

/* For each single byte and each pair of a byte with what may follow it. */
static void every_byte_is_safe(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 65536; i++) {
        const uint8_t bytes[] = {(uint8_t)(i >> 8), (uint8_t)i};
        text.len = 0;
        json_put_text(&out, (wire_bytes_t){bytes, sizeof bytes});
        assert_int_equal(out.rc, 0);
        out.is_next = false;
        for (size_t at = 0; at < text.len; at++) {
            assert_true(text.data[at] >= 0x20 && text.data[at] != 0x7f);
            assert_false(text.data[at] == 0xc2 && text.data[at + 1] < 0xa0);
        }
    }
}

static void lines_are_an_array(void **state)
{
    (void)state;

    json_put_lines(&out, wire_bytes("one\n\ntwo\nthree"));
    json_put_lines(&out, wire_bytes(""));
    is("[\"one\",\"\",\"two\",\"three\"],[]");
}

static void an_error_stays(void **state)
{
    (void)state;

    buf_fini(&text);
    buf_init(&text, 4);
    json_put_text(&out, wire_bytes("too long"));
    assert_int_equal(out.rc, -ENOBUFS);
    json_put_uint(&out, 1); /* there were room for it */
    assert_int_equal(out.rc, -ENOBUFS);
    assert_int_equal(text.len, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(commas_come_by_themselves),
        T(fields_are_keys_and_values),
        T(a_string_holds_nothing_that_a_terminal_obeys),
        T(what_is_no_utf8_is_repaired),
        T(every_byte_is_safe),
        T(lines_are_an_array),
        T(an_error_stays),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
