/* SPDX-License-Identifier: MIT
 *
 * Addresses and networks as people write them.
 */
#include "base/ip.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

static ip_t address(const char *text)
{
    ip_t ip;

    assert_int_equal(ip_parse(text, strlen(text), &ip), 0);
    return ip;
}

static void is_written(const char *text, const char *as)
{
    char written[IP_TEXT];
    ip_t ip = address(text);

    ip_format(&ip, written);
    assert_string_equal(written, as);
}

static bool has(const char *list, const char *ip)
{
    ip_nets_t nets;
    ip_t one = address(ip);

    assert_int_equal(ip_nets_parse(list, &nets), 0);
    return ip_nets_have(&nets, &one);
}

static void an_address_has_one_way_to_be_written(void **state)
{
    (void)state;
    is_written("192.0.2.7", "192.0.2.7");
    is_written("::ffff:192.0.2.7", "192.0.2.7");
    is_written("2001:DB8:0:0:0::1", "2001:db8::1");
    is_written("::", "::");
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "a",
        "1.2.3",      "1.2.3.4.5",
        "256.1.1.1",  " 1.2.3.4",
        "1.2.3.4 ",   "1.2.3.4:80",
        "[::1]",      "fe80::1%lo",
        "::1::",      "01.2.3.4",
        "1.2.3.4/32", "0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0"};
    ip_t ip;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(ip_parse(wrong[i], strlen(wrong[i]), &ip), -EINVAL);
    }
    assert_int_equal(ip_parse("1.2.3.4\0", 8, &ip), -EINVAL);
}

static void a_peer_of_ipv4_is_the_same_by_either_socket(void **state)
{
    struct sockaddr_storage v4 = {.ss_family = AF_INET};
    struct sockaddr_storage v6 = {.ss_family = AF_INET6};
    struct sockaddr_in *in = (void *)&v4;
    struct sockaddr_in6 *in6 = (void *)&v6;

    (void)state;
    inet_pton(AF_INET, "192.0.2.7", &in->sin_addr);
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6->sin6_addr);
    ip_t a = ip_of_socket(&v4), b = ip_of_socket(&v6);
    assert_true(ip_equal(&a, &b) && ip_is_v4(&a));
}

static void a_network_has_what_begins_like_it(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.255.255"));
    assert_false(has("10.0.0.0/8", "11.0.0.0"));
    assert_true(has("10.1.2.3/8", "10.9.9.9"));
    assert_true(has("192.0.2.128/25", "192.0.2.255"));
    assert_false(has("192.0.2.128/25", "192.0.2.127"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("::ffff:10.0.0.0/104", "10.1.1.1"));
}

static void an_address_alone_has_itself(void **state)
{
    (void)state;
    assert_true(has("192.0.2.7", "192.0.2.7"));
    assert_false(has("192.0.2.7", "192.0.2.6"));
    assert_true(has("::1", "::1"));
}

static void all_of_one_family_is_nothing_of_the_other(void **state)
{
    (void)state;
    assert_true(has("0.0.0.0/0", "192.0.2.7"));
    assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_false(has("::ffff:10.0.0.0/104", "11.1.2.3"));
    assert_false(has("0.0.0.0/0", "::1"));
    assert_true(has("::/0", "::1"));
    assert_false(has("::/0", "192.0.2.7"));
}

static void a_list_has_what_one_of_it_has(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8,::1", "::1"));
    assert_true(has("10.0.0.0/8,::1", "10.0.0.1"));
    assert_false(has("10.0.0.0/8,::1", "::2"));
    assert_false(has("", "::2"));
}

static void a_list_that_is_wrong_is_refused(void **state)
{
    static const char *const wrong[] = {
        ",",
        "10.0.0.0/8,",
        ",10.0.0.0/8",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/08a",
        "::ffff:10.0.0.0/8",
        "::ffff:0:0/95",
        "10.0.0.0/8 ",
        "/8",
        "proxy",
        "10.0.0.0/0008",
    };
    char many[(IP_NETS_MAX + 1) * 4 + 1] = "";
    ip_nets_t nets;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(ip_nets_parse(wrong[i], &nets), -EINVAL);
    }
    for (size_t i = 0; i <= IP_NETS_MAX; i++) {
        memcpy(many + i * 4, "::1,", 4);
    }
    many[sizeof many - 2] = '\0'; /* the last comma */
    assert_int_equal(ip_nets_parse(many, &nets), -E2BIG);
    assert_int_equal(ip_nets_parse(many + 4, &nets), 0);
    assert_int_equal(nets.count, IP_NETS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_one_way_to_be_written),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_peer_of_ipv4_is_the_same_by_either_socket),
        cmocka_unit_test(a_network_has_what_begins_like_it),
        cmocka_unit_test(an_address_alone_has_itself),
        cmocka_unit_test(all_of_one_family_is_nothing_of_the_other),
        cmocka_unit_test(a_list_has_what_one_of_it_has),
        cmocka_unit_test(a_list_that_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
