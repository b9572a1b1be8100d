/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof(array)[0])

typedef int decode_fn(const char *text, size_t len, uint8_t *out,
                      size_t *out_len);

static const struct {
    const char *bytes, *padded, *for_addresses;
} right[] = {
    /* RFC 4648 section 10 */
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff", "+/8=", "-_8"},
};

static void assert_decodes(decode_fn *decode, const char *text,
                           const char *bytes)
{
    uint8_t out[16];
    size_t len;

    assert_int_equal(decode(text, strlen(text), out, &len), 0);
    assert_int_equal(len, strlen(bytes));
    assert_memory_equal(out, bytes, len);
}

static void assert_refuses(decode_fn *decode, const char *text)
{
    uint8_t out[16];
    size_t len;

    if (decode(text, strlen(text), out, &len) != -EINVAL) {
        fail_msg("taken for base64: %s", text);
    }
}

static void bytes_are_written_with_padding(void **state)
{
    char text[16];
    (void)state;

    for (size_t i = 0; i < LEN(right); i++) {
        size_t len = strlen(right[i].bytes);
        assert_int_equal(base64_len(len), strlen(right[i].padded));
        base64_encode((const uint8_t *)right[i].bytes, len, text);
        assert_memory_equal(text, right[i].padded, base64_len(len));
    }
}

static void bytes_are_read_with_padding_and_without(void **state)
{
    (void)state;

    for (size_t i = 0; i < LEN(right); i++) {
        assert_decodes(base64_decode, right[i].padded, right[i].bytes);
        assert_decodes(base64url_decode, right[i].for_addresses,
                       right[i].bytes);
    }
}

static void another_way_to_write_them_is_refused(void **state)
{
    static const char *const padded[] = {
        "Z",    "Zg",   "Zg=",  "Z===", "====",     "Zh==",    "Zm9=",
        "Z=g=", "Zm8-", "Zm 8", "_m8=", "Zg==Zg==", "Zm9vYg=", "Zm9v\n"};
    static const char *const for_addresses[] = {
        "Z",      "Zg==", "Zg=",   "Zh", "Zm9", "Zm9vYh", "Zm 9",
        "Zm9v\n", "+/8",  "Zm9v.", "=",  "Z=",  "Zm9vY"};
    (void)state;

    for (size_t i = 0; i < LEN(padded); i++) {
        assert_refuses(base64_decode, padded[i]);
    }
    for (size_t i = 0; i < LEN(for_addresses); i++) {
        assert_refuses(base64url_decode, for_addresses[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_written_with_padding),
        cmocka_unit_test(bytes_are_read_with_padding_and_without),
        cmocka_unit_test(another_way_to_write_them_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
