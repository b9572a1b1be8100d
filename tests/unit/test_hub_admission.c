/* SPDX-License-Identifier: MIT
 *
 * Who may come, how fast, and what is said to whom it is not: admitting.c.
 */
#include "base/xalloc.h"
#include "tests/unit/hub_fixture.h"

#define FROM "192.0.2.7" /* where clients of the fixture are */

static const gateway_stats_t *stats(void)
{
    return &gateway.hub->stats;
}

static client_t *a_newcomer_from(const char *address)
{
    client_t *client = a_socket_from(address);

    assert_non_null(client);
    client_asks(client, UPGRADE);
    return client;
}

static client_t *a_client_from(const char *address)
{
    client_t *client = a_newcomer_from(address);

    answers(gets_connect(), 200, NULL);
    assert_non_null(strstr(hears_head(client), "HTTP/1.1 101 "));
    return client;
}

/* retry: NULL where nobody knows when. */
static void is_refused(client_t *client, const char *status, const char *retry)
{
    const char *head = hears_head(client);

    if (strncmp(head, status, strlen(status)) != 0) {
        fail_msg("the answer was %s", head);
    }
    assert_int_equal(strstr(head, "\r\nRetry-After: ") != NULL, retry != NULL);
    if (retry != NULL && strstr(head, retry) == NULL) {
        fail_msg("the answer was %s", head);
    }
    assert_true(client->is_finished);
}

/* --- connections of an address ------------------------------------------- */

static void one_connection_too_many_of_an_address_is_429(void **state)
{
    (void)state;
    gateway.options.address_connections = 2;
    gateway_restarts();
    client_t *first = a_client();
    a_newcomer(UPGRADE); /* at the gate, and counted */
    gets_connect();
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 429 Too Many Requests\r\n",
               "\r\nRetry-After: 10\r\n");
    assert_int_equal(stats()->address_refused, 1);
    gets_nothing();
    a_client_from("192.0.2.8");
    client_vanishes(first);
    gets_request(EVENT_DISCONNECT);
    a_client();
}

static void who_is_not_let_in_no_longer_counts(void **state)
{
    (void)state;
    gateway.options.address_connections = 1;
    gateway_restarts();
    client_t *client = a_newcomer(UPGRADE);
    answers(gets_connect(), 403, NULL);
    is_refused(client, "HTTP/1.1 403 ", NULL);
    a_client();
}

static void of_ipv6_a_network_of_64_bits_counts_as_one(void **state)
{
    (void)state;
    gateway.options.address_connections = 1;
    gateway_restarts();
    a_client_from("2001:db8::1");
    is_refused(a_newcomer_from("2001:db8::2"), "HTTP/1.1 429 ", "");
    a_client_from("2001:db8:0:1::1");
}

static void sockets_of_an_address_that_ask_for_nothing_are_few(void **state)
{
    (void)state;
    gateway.options.address_connections = 2;
    gateway_restarts();
    for (int i = 0; i < ADMISSION_SPARE; i++) {
        assert_non_null(a_socket());
    }
    assert_null(a_socket());
    assert_int_equal(stats()->address_sockets_refused, 1);
    assert_int_equal(stats()->sockets, ADMISSION_SPARE);
    a_client_from("192.0.2.8");
}

static void a_proxy_may_have_any_number_and_its_clients_not(void **state)
{
    static const char other[] = "GET / HTTP/1.1\r\n" HOST HANDSHAKE
                                "X-Forwarded-For: 203.0.113.9\r\n\r\n";
    (void)state;
    gateway.options.trusted_proxies = FROM;
    gateway.options.address_connections = 1;
    gateway_restarts();
    a_client();
    a_client();
    a_newcomer(other);
    answers(gets_connect(), 200, NULL);
    is_refused(a_newcomer(other), "HTTP/1.1 429 ", "");
    assert_int_equal(stats()->addresses, 1);
}

static void
requests_by_one_socket_of_a_proxy_count_for_their_clients(void **state)
{
    char head[256];
    (void)state;
    gateway.options.trusted_proxies = FROM;
    gateway.options.static_dir = FILES;
    gateway.options.address_connections = 1;
    gateway_restarts();
    client_t *client = a_socket();
    for (int i = 1; i <= 3; i++) {
        snprintf(head, sizeof head,
                 "GET /ids.json HTTP/1.1\r\n" HOST
                 "X-Forwarded-For: 203.0.113.%d\r\n\r\n",
                 i);
        client_asks(client, head);
    }
    const session_t *session = client->user;
    assert_int_equal(session->source->sockets, 1);
    client_vanishes(client);
    time_passes(50);
    assert_int_equal(stats()->addresses, 0);
}

/* --- handshakes ----------------------------------------------------------- */

static void handshakes_of_an_address_that_are_too_fast_are_429(void **state)
{
    (void)state;
    gateway.options.address_rate = 1;
    gateway.options.address_burst = 2;
    gateway_restarts();
    a_client();
    a_client();
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 429 ", "\r\nRetry-After: 1\r\n");
    assert_int_equal(stats()->address_throttled, 1);
    a_client_from("192.0.2.8");
    time_passes(1000);
    a_client();
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 429 ", "\r\nRetry-After: 1\r\n");
}

static void what_is_no_handshake_costs_nothing(void **state)
{
    (void)state;
    gateway.options.address_rate = 1;
    gateway.options.static_dir = FILES;
    gateway_restarts();
    client_t *client = a_newcomer("GET /ids.json HTTP/1.1\r\n" HOST "\r\n");
    client_asks(client, "GET /ids.json HTTP/1.1\r\n" HOST "\r\n");
    is_refused(
        a_newcomer("GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n"),
        "HTTP/1.1 426 ", NULL);
    a_client();
}

static void sockets_of_an_address_that_come_too_fast_are_closed(void **state)
{
    (void)state;
    gateway.options.address_rate = 1;
    gateway_restarts();
    for (int i = 0; i < ADMISSION_SOCKETS; i++) {
        client_vanishes(a_socket());
    }
    assert_null(a_socket());
    assert_int_equal(stats()->address_sockets_refused, 1);
    assert_non_null(a_socket_from("192.0.2.8"));
    time_passes(1000);
    assert_non_null(a_socket());
}

static void handshakes_of_all_that_are_too_fast_are_429(void **state)
{
    (void)state;
    gateway.options.handshake_rate = 2;
    gateway_restarts();
    a_client_from("192.0.2.1");
    a_client_from("192.0.2.2");
    is_refused(a_newcomer_from("192.0.2.3"), "HTTP/1.1 429 ",
               "\r\nRetry-After: 1\r\n");
    assert_int_equal(stats()->handshakes_throttled, 1);
    assert_int_equal(stats()->addresses, 0); /* none has limits of its own */
    time_passes(500);
    a_client_from("192.0.2.3");
}

static void an_address_is_forgotten_when_nothing_is_left_of_it(void **state)
{
    (void)state;
    gateway.options.address_rate = 1;
    gateway_restarts();
    client_t *client = a_client();
    time_passes(2000);
    assert_int_equal(stats()->addresses, 1);
    client_vanishes(client);
    gets_request(EVENT_DISCONNECT);
    time_passes(50);
    assert_int_equal(stats()->addresses, 0);
}

static void who_is_of_no_listed_origin_is_counted(void **state)
{
    (void)state;
    gateway.options.origins = "https://example.org";
    gateway.options.stage = "prod";
    gateway_restarts();
    is_refused(a_newcomer("GET /prod HTTP/1.1\r\n" HOST HANDSHAKE
                          "Origin: https://example.net\r\n\r\n"),
               "HTTP/1.1 403 ", NULL);
    assert_int_equal(stats()->origins_refused, 1);
    is_refused(a_newcomer("GET / HTTP/1.1\r\n" HOST HANDSHAKE
                          "Origin: https://example.org\r\n\r\n"),
               "HTTP/1.1 403 ", NULL);
    assert_int_equal(stats()->origins_refused, 1);
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, gateway_set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_connection_too_many_of_an_address_is_429),
        TEST(who_is_not_let_in_no_longer_counts),
        TEST(of_ipv6_a_network_of_64_bits_counts_as_one),
        TEST(sockets_of_an_address_that_ask_for_nothing_are_few),
        TEST(a_proxy_may_have_any_number_and_its_clients_not),
        TEST(requests_by_one_socket_of_a_proxy_count_for_their_clients),
        TEST(handshakes_of_an_address_that_are_too_fast_are_429),
        TEST(what_is_no_handshake_costs_nothing),
        TEST(sockets_of_an_address_that_come_too_fast_are_closed),
        TEST(handshakes_of_all_that_are_too_fast_are_429),
        TEST(an_address_is_forgotten_when_nothing_is_left_of_it),
        TEST(who_is_of_no_listed_origin_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
