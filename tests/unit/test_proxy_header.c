/* SPDX-License-Identifier: MIT
 *
 * What a proxy says of its client, in text and in bytes.
 */
#include "gateway/proxy_header.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define TCP4_PART                                                              \
    "\xc0\x00\x02\x07\x0a\x00\x00\x01\xc8\x00\x01\xbb" /* two addresses, ports \
                                                        */
#define TCP4 V2 "\x21\x11\x00\x0c" TCP4_PART
#define TCP6                                                                   \
    V2 "\x21\x21\x00\x24"                                                      \
       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"                            \
       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                            \
       "\xc8\x00\x01\xbb"

static proxy_header_t header;

static int parse(const char *bytes, size_t len)
{
    return proxy_header_parse((const uint8_t *)bytes, len, &header);
}

/* A whole header, which is none without its last byte and ends where it ends
 * whatever is behind it. */
static void names(const char *bytes, size_t len, const char *client)
{
    char more[512], text[IP_TEXT];

    for (size_t i = 0; i < len; i++) {
        assert_int_equal(parse(bytes, i), -EAGAIN);
    }
    assert_true(len + 3 <= sizeof more);
    memcpy(more, bytes, len);
    memcpy(more + len, "GET", 3);
    assert_int_equal(parse(more, len + 3), 0);
    assert_int_equal(header.len, len);
    assert_int_equal(header.has_client, client != NULL);
    if (client != NULL) {
        ip_format(&header.client, text);
        assert_string_equal(text, client);
    }
}

static void a_line_names_a_client_of_ipv4(void **state)
{
    static const char line[] = "PROXY TCP4 192.0.2.7 10.0.0.1 51200 443\r\n";

    (void)state;
    names(line, strlen(line), "192.0.2.7");
}

static void a_line_names_a_client_of_ipv6(void **state)
{
    static const char line[] = "PROXY TCP6 2001:db8::7 2001:db8::1 1 0\r\n";

    (void)state;
    names(line, strlen(line), "2001:db8::7");
}

static void the_longest_line_is_taken(void **state)
{
    static const char line[] =
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";

    (void)state;
    names(line, strlen(line), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void an_unknown_client_has_no_address(void **state)
{
    static const char bare[] = "PROXY UNKNOWN\r\n";
    static const char more[] = "PROXY UNKNOWN ffff::f ffff::1 65535 1\r\n";

    (void)state;
    names(bare, strlen(bare), NULL);
    names(more, strlen(more), NULL);
}

static void a_line_that_is_wrong_is_refused(void **state)
{
    static const char *const wrong[] = {
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 51200\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 51200 443 1\r\n",
        "PROXY TCP4 192.0.2.7  10.0.0.1 51200 443\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 51200 65536\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 051200 443\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 01 443\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 -1 443\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 51200 443\n",
        "PROXY TCP4 192.0.2 10.0.0.1 51200 443\r\n",
        "PROXY TCP4 ::1 ::1 51200 443\r\n",
        "PROXY TCP6 192.0.2.7 10.0.0.1 51200 443\r\n",
        "PROXY TCP5 192.0.2.7 10.0.0.1 51200 443\r\n",
        "PROXY tcp4 192.0.2.7 10.0.0.1 51200 443\r\n",
        "proxy TCP4 192.0.2.7 10.0.0.1 51200 443\r\n",
    };
    char endless[200] = "PROXY UNKNOWN ";

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(parse(wrong[i], strlen(wrong[i])), -EPROTO);
    }
    memset(endless + 14, 'x', sizeof endless - 14);
    assert_int_equal(parse(endless, 106), -EAGAIN);
    assert_int_equal(parse(endless, 107), -EPROTO);
}

static void bytes_name_a_client_of_ipv4(void **state)
{
    (void)state;
    names(TCP4, sizeof TCP4 - 1, "192.0.2.7");
}

static void bytes_name_a_client_of_ipv6(void **state)
{
    (void)state;
    names(TCP6, sizeof TCP6 - 1, "2001:db8::7");
}

static void what_is_added_to_the_addresses_is_passed_over(void **state)
{
    static const char bytes[] =
        V2 "\x21\x11\x00\x10" TCP4_PART "\x04\x00\x01\x00";

    (void)state;
    names(bytes, sizeof bytes - 1, "192.0.2.7");
}

static void a_proxy_that_speaks_for_itself_names_nobody(void **state)
{
    static const char bare[] = V2 "\x20\x00\x00\x00";
    static const char more[] = V2 "\x20\x11\x00\x0c" TCP4_PART;

    (void)state;
    names(bare, sizeof bare - 1, NULL);
    names(more, sizeof more - 1, NULL);
}

static void of_another_family_nobody_is_named(void **state)
{
    static const char unspecified[] = V2 "\x21\x00\x00\x02xx";
    static const char udp[] = V2 "\x21\x12\x00\x0c" TCP4_PART;

    (void)state;
    names(unspecified, sizeof unspecified - 1, NULL);
    names(udp, sizeof udp - 1, NULL);
}

static void bytes_that_are_wrong_are_refused(void **state)
{
    static const char version[] = V2 "\x11\x11\x00\x0c" TCP4_PART;
    static const char command[] = V2 "\x22\x11\x00\x0c" TCP4_PART;
    static const char short4[] = V2 "\x21\x11\x00\x0b" TCP4_PART;
    static const char short6[] = V2 "\x21\x21\x00\x0c" TCP4_PART;

    (void)state;
    assert_int_equal(parse(version, sizeof version - 1), -EPROTO);
    assert_int_equal(parse(command, sizeof command - 1), -EPROTO);
    assert_int_equal(parse(short4, sizeof short4 - 1), -EPROTO);
    assert_int_equal(parse(short6, sizeof short6 - 1), -EPROTO);
}

static void bytes_are_as_many_as_we_take(void **state)
{
    static const char most[] = V2 "\x20\x00\x0f\xf0";
    static const char more[] = V2 "\x20\x00\x0f\xf1";

    (void)state;
    assert_int_equal(parse(most, sizeof most - 1), -EAGAIN);
    assert_int_equal(parse(more, sizeof more - 1), -EMSGSIZE);
}

static void what_a_client_says_is_no_header(void **state)
{
    static const char *const others[] = {"GET / HTTP/1.1\r\n", "POST",
                                         "\x16\x03\x01\x02", "\r\n\r\nx", "P!"};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(parse(others[i], strlen(others[i])), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_a_client_of_ipv4),
        cmocka_unit_test(a_line_names_a_client_of_ipv6),
        cmocka_unit_test(the_longest_line_is_taken),
        cmocka_unit_test(an_unknown_client_has_no_address),
        cmocka_unit_test(a_line_that_is_wrong_is_refused),
        cmocka_unit_test(bytes_name_a_client_of_ipv4),
        cmocka_unit_test(bytes_name_a_client_of_ipv6),
        cmocka_unit_test(what_is_added_to_the_addresses_is_passed_over),
        cmocka_unit_test(a_proxy_that_speaks_for_itself_names_nobody),
        cmocka_unit_test(of_another_family_nobody_is_named),
        cmocka_unit_test(bytes_that_are_wrong_are_refused),
        cmocka_unit_test(bytes_are_as_many_as_we_take),
        cmocka_unit_test(what_a_client_says_is_no_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
