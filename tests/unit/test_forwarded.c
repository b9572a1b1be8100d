/* SPDX-License-Identifier: MIT
 *
 * Whose client a request is, as X-Forwarded-For says and as far as it can be
 * believed.
 */
#include "gateway/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PROXIES "10.0.0.0/8,2001:db8:a::/48"
#define PEER    "10.0.0.1"

/* Who it is, of a request with these lines from the proxy at PEER. */
static const char *client_of(const char *lines)
{
    static char client[IP_TEXT];
    http_request_t request;
    ip_nets_t proxies;
    char head[1024];
    ip_t peer;

    int len = snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                       lines);
    assert_int_equal(
        http_parse((uint8_t *)head, (size_t)len, sizeof head, &request), 0);
    assert_int_equal(ip_nets_parse(PROXIES, &proxies), 0);
    assert_int_equal(ip_parse(PEER, strlen(PEER), &peer), 0);
    ip_t ip = forwarded_for(&request, &proxies, &peer);
    ip_format(&ip, client);
    return client;
}

static void is(const char *list, const char *client)
{
    char line[512];

    snprintf(line, sizeof line, "X-Forwarded-For: %s\r\n", list);
    assert_string_equal(client_of(line), client);
}

static void it_is_who_the_proxy_has_seen(void **state)
{
    (void)state;
    is("192.0.2.7", "192.0.2.7");
    is("2001:DB8::7", "2001:db8::7");
}

static void without_the_header_it_is_the_proxy_itself(void **state)
{
    (void)state;
    assert_string_equal(client_of(""), PEER);
    is("", PEER);
    is(" , ,", PEER);
}

static void what_the_client_wrote_before_is_not_believed(void **state)
{
    (void)state;
    is("203.0.113.1, 192.0.2.7", "192.0.2.7");
    is("10.9.9.9, 192.0.2.7", "192.0.2.7");
    is("<script>, 192.0.2.7", "192.0.2.7");
}

static void proxies_behind_it_are_passed_over(void **state)
{
    (void)state;
    is("203.0.113.1, 192.0.2.7, 10.1.1.1, 2001:db8:a::1", "192.0.2.7");
}

static void a_client_among_the_proxies_is_the_first_of_them(void **state)
{
    (void)state;
    is("10.3.3.3, 10.2.2.2", "10.3.3.3");
}

static void what_is_no_address_ends_the_walk(void **state)
{
    (void)state;
    is("192.0.2.7, unknown, 10.2.2.2", "10.2.2.2");
    is("unknown", PEER);
    is("192.0.2.7, 10.2.2.2:x:y", PEER);
}

static void several_headers_are_one_list(void **state)
{
    (void)state;
    assert_string_equal(client_of("X-Forwarded-For: 203.0.113.1\r\n"
                                  "x-forwarded-for: 192.0.2.7, 10.2.2.2\r\n"),
                        "192.0.2.7");
    assert_string_equal(client_of("X-FORWARDED-FOR: 192.0.2.7\r\n"
                                  "Accept: 203.0.113.9\r\n"
                                  "X-Forwarded-For: 10.2.2.2\r\n"),
                        "192.0.2.7");
}

static void a_port_behind_the_address_is_left_out(void **state)
{
    (void)state;
    is("192.0.2.7:51234", "192.0.2.7");
    is("[2001:db8::7]:51234", "2001:db8::7");
    is("[2001:db8::7]", "2001:db8::7");
    is("[]", PEER);
    is("[2001:db8::7", PEER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_who_the_proxy_has_seen),
        cmocka_unit_test(without_the_header_it_is_the_proxy_itself),
        cmocka_unit_test(what_the_client_wrote_before_is_not_believed),
        cmocka_unit_test(proxies_behind_it_are_passed_over),
        cmocka_unit_test(a_client_among_the_proxies_is_the_first_of_them),
        cmocka_unit_test(what_is_no_address_ends_the_walk),
        cmocka_unit_test(several_headers_are_one_list),
        cmocka_unit_test(a_port_behind_the_address_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
