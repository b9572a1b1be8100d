/* SPDX-License-Identifier: MIT
 *
 * How people write where to connect to.
 */
#include "base/endpoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static endpoint_t endpoint;

static void reads(const char *text, endpoint_kind_t kind, const char *host,
                  uint16_t port)
{
    assert_int_equal(endpoint_parse(text, &endpoint), 0);
    assert_int_equal(endpoint.kind, kind);
    assert_string_equal(endpoint.host, host);
    assert_int_equal(endpoint.port, port);
}

static void refuses(const char *text)
{
    assert_int_equal(endpoint_parse(text, &endpoint), -EINVAL);
}

static void a_host_is_a_name_or_an_address(void **state)
{
    (void)state;
    reads("tcp://broker:5556", ENDPOINT_NAME, "broker", 5556);
    reads("tcp://hoist_broker-1.svc.local.:1", ENDPOINT_NAME,
          "hoist_broker-1.svc.local.", 1);
    reads("tcp://127.0.0.1:5556", ENDPOINT_ADDRESS, "127.0.0.1", 5556);
    reads("tcp://[::1]:65535", ENDPOINT_ADDRESS, "::1", 65535);
    reads("tcp://127.1:5556", ENDPOINT_NAME, "127.1", 5556);
}

static void an_address_has_one_way_to_be_written(void **state)
{
    (void)state;
    reads("tcp://[0:0:0::0:1]:05556", ENDPOINT_ADDRESS, "::1", 5556);
    reads("tcp://[FE80::A]:5", ENDPOINT_ADDRESS, "fe80::a", 5);
    reads("tcp://[::ffff:10.0.0.1]:5", ENDPOINT_ADDRESS, "10.0.0.1", 5);
    reads("tcp://::1:5", ENDPOINT_ADDRESS, "::1", 5);
    reads("tcp://[fe80::1%eth0]:5", ENDPOINT_ADDRESS, "fe80::1%eth0", 5);
}

static void what_zeromq_alone_understands_is_left_to_it(void **state)
{
    (void)state;
    reads("ipc:///run/hoist", ENDPOINT_OTHER, "", 0);
    reads("ipc://@hoist", ENDPOINT_OTHER, "", 0);
    reads("inproc://hoist", ENDPOINT_INNER, "", 0);
    assert_int_equal(endpoint_parse("tcp://eth0:0;10.0.0.1:5", &endpoint), 0);
    assert_int_equal(endpoint.kind, ENDPOINT_OTHER);
}

static void what_cannot_be_connected_to_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "broker:5556",
        "http://a:1",
        "tcp://",
        "tcp://a",
        "tcp://a:",
        "tcp://:1",
        "tcp://a:*",
        "tcp://*:1",
        "tcp://a:1x",
        "tcp://a b:1",
        "tcp://a/b:1",
        "tcp://[]:1",
        "tcp://[a]:1",
        "tcp://[127.0.0.1]:1",
        "tcp://[::1:1",
        "tcp://::g:1",
        "tcp://[fe80::1%]:1",
        "tcp://[fe80::1%a/b]:1",
        "ipc://",
        "inproc://",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        refuses(wrong[i]);
    }
}

static void a_port_that_is_none_is_told_from_the_rest(void **state)
{
    static const char *const wrong[] = {"tcp://a:0", "tcp://a:65536",
                                        "tcp://a:000001"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(endpoint_parse(wrong[i], &endpoint), -ERANGE);
    }
}

static void a_name_is_as_long_as_dns_has_it(void **state)
{
    char name[ENDPOINT_HOST_MAX + 2] = "", text[300];

    (void)state;
    memset(name, 'a', ENDPOINT_HOST_MAX);
    snprintf(text, sizeof text, "tcp://%s:1", name);
    reads(text, ENDPOINT_NAME, name, 1);
    name[ENDPOINT_HOST_MAX] = 'a';
    snprintf(text, sizeof text, "tcp://%s:1", name);
    refuses(text);
}

static void an_endpoint_of_ipv6_has_brackets(void **state)
{
    char text[ENDPOINT_TEXT];

    (void)state;
    endpoint_format("10.0.0.1", 5556, text);
    assert_string_equal(text, "tcp://10.0.0.1:5556");
    endpoint_format("fe80::1%eth0", 5556, text);
    assert_string_equal(text, "tcp://[fe80::1%eth0]:5556");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_a_name_or_an_address),
        cmocka_unit_test(an_address_has_one_way_to_be_written),
        cmocka_unit_test(what_zeromq_alone_understands_is_left_to_it),
        cmocka_unit_test(what_cannot_be_connected_to_is_refused),
        cmocka_unit_test(a_port_that_is_none_is_told_from_the_rest),
        cmocka_unit_test(a_name_is_as_long_as_dns_has_it),
        cmocka_unit_test(an_endpoint_of_ipv6_has_brackets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
