/* SPDX-License-Identifier: MIT
 *
 * Who may come, how fast, and what is said to whom it is not: admitting.c,
 * throttle.c, tuning.c.
 */
#include "base/xalloc.h"
#include "gateway/gateway.h"
#include "gateway/tuning.h"
#include "tests/unit/hub_fixture.h"

#include <errno.h>

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

static void says_many(client_t *client, int count)
{
    char text[16];

    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%d", i);
        client_says(client, text);
    }
}

/* Those from..to-1 of them, and no more. */
static void gets_these(int from, int to)
{
    char text[16];

    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "%d", i);
        gets_message(text);
    }
    gets_nothing();
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

/* Its handler is at work all the same. */
static void who_leaves_the_gate_counts_until_it_is_answered(void **state)
{
    (void)state;
    gateway.options.address_connections = 1;
    gateway.options.max_connections = 2;
    gateway_restarts();
    client_t *client = a_newcomer(UPGRADE);
    uint64_t connect = gets_connect();
    client_vanishes(client);
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 429 ", "\r\nRetry-After: 10\r\n");
    a_client_from("192.0.2.8");
    is_refused(a_newcomer_from("192.0.2.9"), "HTTP/1.1 503 ", NULL);
    gets_nothing();
    answers(connect, 403, NULL);
    a_client();
}

static void so_does_who_was_told_that_it_takes_too_long(void **state)
{
    (void)state;
    gateway.options.address_connections = 1;
    gateway.options.request_ms = 1000;
    gateway_restarts();
    client_t *client = a_newcomer(UPGRADE);
    uint64_t connect = gets_connect();
    time_passes(2500);
    is_refused(client, "HTTP/1.1 504 ", NULL);
    client_leaves(client);
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 429 ", "\r\nRetry-After: 10\r\n");
    answers(connect, 200, NULL);
    gets_request(EVENT_DISCONNECT);
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
        time_passes(50);
        assert_int_equal(stats()->addresses, 0); /* the socket is kept */
    }
    client_asks(client, "GET / HTTP/1.1\r\n" HOST HANDSHAKE
                        "X-Forwarded-For: 203.0.113.1\r\n\r\n");
    const session_t *session = client->user;
    assert_int_equal(session->source->sockets, 1);
    assert_int_equal(stats()->addresses, 1);
    client_vanishes(client);
    answers(gets_connect(), 403, NULL);
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

static void of_those_that_linger_there_are_so_many_and_no_more(void **state)
{
    static const char plain[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
    client_t *first = NULL;
    (void)state;

    for (int i = 0; i < GATEWAY_LINGERING_MAX; i++) {
        client_t *client = a_newcomer(plain);
        first = first == NULL ? client : first;
    }
    time_passes(50);
    assert_false(is_closed(first));
    assert_int_equal(stats()->lingers_cut, 0);
    client_t *last = a_newcomer(plain);
    is_refused(last, "HTTP/1.1 426 ", NULL);
    time_passes(50);
    assert_true(is_closed(last));
    assert_false(is_closed(first));
    assert_int_equal(stats()->lingers_cut, 1);
    client_leaves(first);
    last = a_newcomer(plain);
    time_passes(50);
    assert_false(is_closed(last));
    time_passes(3000);
    nothing_is_left();
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

/* --- other limits while it runs ------------------------------------------ */

static void sets(const char *name, const char *value)
{
    assert_true(gateway_can_set(name));
    assert_int_equal(tuning_set(gateway.hub, name, value), 0);
    tuning_apply(gateway.hub);
    time_passes(50);
}

static void limits_can_be_set_while_it_runs(void **state)
{
    (void)state;
    a_client();
    sets("address-connections", "1");
    a_client(); /* the first came when nobody counted */
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 429 ", "\r\nRetry-After: 10\r\n");
    sets("address-connections", "2");
    a_client();
    sets("max-connections", "3");
    is_refused(a_newcomer_from("192.0.2.8"), "HTTP/1.1 503 ", NULL);
    sets("max-connections", "0");
    sets("origins", "https://example.org");
    is_refused(a_newcomer_from("192.0.2.8"), "HTTP/1.1 403 ", NULL);
    sets("origins", "");
    a_client_from("192.0.2.8");
    assert_false(gateway_can_set("stage"));
    assert_int_equal(tuning_set(gateway.hub, "stage", "x"), -ENOENT);
}

/* One of several loops has a share of what is said of all. */
static void a_loop_takes_its_share_of_a_limit(void **state)
{
    (void)state;
    gateway.hub->options.loops = 3;
    gateway.hub->options.loop = 2;
    sets("max-connections", "8");
    assert_int_equal(gateway.hub->options.max_connections, 3); /* 2, 3 and 3 */
    sets("handshake-rate", "2");
    assert_int_equal(gateway.hub->options.handshake_rate, 1);
    gateway.hub->options.loop = 0;
    sets("handshake-rate", "2");
    assert_int_equal(gateway.hub->options.handshake_rate, 1); /* 0: no limit */
    sets("max-connections", "0");
    assert_int_equal(gateway.hub->options.max_connections, 0);
    sets("address-rate", "8");
    assert_int_equal(gateway.hub->options.address_rate, 8);
}

static void a_limit_of_addresses_may_go_and_come_again(void **state)
{
    (void)state;
    gateway.options.address_connections = 1;
    gateway_restarts();
    a_client();
    sets("address-connections", "0");
    client_t *second = a_client();
    sets("address-connections", "2");
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 429 ", "\r\nRetry-After: 10\r\n");
    client_vanishes(second);
    gets_request(EVENT_DISCONNECT);
    a_client();
}

static void what_a_former_rate_is_owed_is_forgiven(void **state)
{
    (void)state;
    gateway.options.handshake_rate = 1;
    gateway.options.address_rate = 1;
    gateway.options.message_rate = 1;
    gateway_restarts();
    client_t *client = a_client();
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 429 ", "\r\nRetry-After: 1\r\n");
    says_many(client, 3);
    gets_these(0, 1);
    sets("handshake-rate", "100");
    sets("address-rate", "100");
    sets("message-rate", "100");
    gets_these(1, 3);
    assert_false(client->is_paused);
    a_client();
}

/* --- messages ------------------------------------------------------------ */

static void who_sends_too_fast_is_not_read_and_loses_nothing(void **state)
{
    (void)state;
    gateway.options.message_rate = 10;
    gateway.options.message_burst = 4;
    gateway_restarts();
    client_t *client = a_client(), *other = a_client();
    says_many(client, 8);
    gets_these(0, 4);
    assert_true(client->is_paused);
    client_says(other, "other's");
    gets_message("other's");
    assert_false(other->is_paused);
    time_passes(50);
    gets_nothing();
    time_passes(100); /* a timer fires a little late, never early */
    gets_these(4, 5);
    time_passes(300);
    gets_these(5, 8);
    time_passes(150);
    assert_false(client->is_paused);
    assert_int_equal(stats()->messages_in, 9);
}

static void how_often_it_had_to_wait_is_counted(void **state)
{
    (void)state;
    gateway.options.message_rate = 10;
    gateway.options.message_burst = 2;
    gateway_restarts();
    client_t *client = a_client();
    says_many(client, 2);
    assert_int_equal(stats()->throttled, 0);
    client_says(client, "2");
    client_says(client, "3");
    assert_int_equal(stats()->throttled, 1);
    time_passes(500);
    says_many(client, 3);
    assert_int_equal(stats()->throttled, 3);
}

static void an_answer_does_not_let_it_send_faster(void **state)
{
    (void)state;
    gateway.options.message_rate = 1;
    gateway_restarts();
    client_t *client = a_client();
    says_many(client, 3);
    answers(gets_message("0"), 200, "hi");
    hears_text(client, "hi");
    gets_nothing();
    time_passes(1000);
    gets_these(1, 2);
}

static void a_ping_counts_as_a_message(void **state)
{
    (void)state;
    gateway.options.message_rate = 1;
    gateway_restarts();
    client_t *client = a_client();
    client_sends_frame(client, 0x80 | WS_PING, "a", 1);
    hears_frame(client, WS_PONG, "a", 1);
    client_sends_frame(client, 0x80 | WS_PING, "b", 1);
    hears_nothing(client);
    time_passes(1000);
    hears_frame(client, WS_PONG, "b", 1);
}

/* Whatever a client sends costs something. */
static void so_does_every_frame(void **state)
{
    (void)state;
    gateway.options.message_rate = 1;
    gateway.options.message_burst = 3;
    gateway_restarts();
    client_t *client = a_client();
    client_sends_frame(client, 0x80 | WS_PONG, "", 0);
    client_sends_frame(client, WS_TEXT, "a", 1);
    client_sends_frame(client, WS_CONTINUATION, "", 0);
    assert_false(client->is_paused);
    client_sends_frame(client, 0x80 | WS_CONTINUATION, "b", 1);
    gets_nothing();
    assert_true(client->is_paused);
    time_passes(1000);
    gets_message("ab");
}

static void bytes_have_a_rate_too(void **state)
{
    char body[101];
    (void)state;

    memset(body, 'x', 100);
    body[100] = '\0';
    gateway.options.byte_rate = 1000;
    gateway.options.byte_burst = 200;
    gateway_restarts();
    client_t *client = a_client();
    for (int i = 0; i < 3; i++) {
        client_says(client, body); /* 106 bytes, with its frame's head */
    }
    gets_message(body);
    gets_message(body);
    gets_nothing();
    assert_true(client->is_paused);
    time_passes(100); /* of the three reads 118 are owed */
    gets_nothing();
    time_passes(50);
    gets_message(body);
    assert_false(client->is_paused);
    assert_int_equal(stats()->throttled, 1);
}

/* A socket is looked at 20 times a second. */
static void a_small_burst_does_not_slow_a_high_rate(void **state)
{
    int taken = 0;
    message_t message;
    (void)state;

    gateway.options.conn_window = 0;
    gateway.options.message_rate = 400;
    gateway.options.message_burst = 1;
    gateway_restarts();
    client_t *client = a_client();
    says_many(client, 600);
    time_passes(1000);
    while (takes(&message)) {
        taken += message.kind == KIND_REQUEST;
    }
    assert_in_range(taken, 400, 440);
}

static void who_waits_for_its_tokens_is_not_taken_for_dead(void **state)
{
    (void)state;
    gateway.options.message_rate = 1;
    gateway.options.byte_rate = 1;
    gateway.options.ping_ms = 2000;
    gateway.options.pong_ms = 1000;
    gateway_restarts();
    client_t *client = a_client();
    says_many(client, 3);
    time_passes(6000);
    assert_true(client->is_paused);
    assert_false(is_closed(client));
    assert_int_equal(stats()->dead_closed, 0);
}

static void who_leaves_meanwhile_is_gone(void **state)
{
    (void)state;
    gateway.options.message_rate = 1;
    gateway_restarts();
    client_t *client = a_client();
    says_many(client, 3);
    uint64_t first = gets_message("0");
    client_vanishes(client);
    answers(first, 200, NULL);
    answers(gets_disconnect(client, 1006, ""), 200, NULL);
    time_passes(3000);
    nothing_is_left();
}

static void a_close_comes_behind_what_waits(void **state)
{
    (void)state;
    gateway.options.message_rate = 1;
    gateway_restarts();
    client_t *client = a_client();
    says_many(client, 2);
    client_closes(client, 1000, "bye");
    gets_these(0, 1);
    time_passes(1000);
    gets_message("1");
    time_passes(1000);
    hears_close(client, 1000, "bye");
}

/* --- groups -------------------------------------------------------------- */

static void joins(const char *group, const client_t *client)
{
    message_t join = {.kind = KIND_JOIN,
                      .join = {wire_bytes(group), wire_bytes(client->id), 3}};

    broker_says(&join);
}

static void a_connection_is_in_so_many_groups_and_no_more(void **state)
{
    (void)state;
    gateway.options.max_groups = 2;
    gateway_restarts();
    client_t *client = a_client();
    joins("a", client);
    joins("b", client);
    forgets();
    assert_int_equal(stats()->groups_refused, 0);
    joins("c", client);
    message_error_t error = gets(KIND_ERROR).error;
    assert_true(wire_is(error.code, "groups"));
    assert_int_equal(error.from, 3);
    assert_int_equal(stats()->groups_refused, 1);
    joins("a", client); /* it is there already */
    assert_int_equal(stats()->groups_refused, 1);
}

static void nor_with_the_answer_to_its_connect(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    buf_t options;
    (void)state;

    gateway.options.max_groups = 2;
    gateway_restarts();
    client_t *client = a_newcomer(UPGRADE);
    buf_init(&options, OPTIONS_MAX);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "groups") == 0);
    must(wire_put_array(&options, 3) == 0);
    for (size_t i = 0; i < 3; i++) {
        must(wire_put_text(&options, names[i]) == 0);
    }
    answers_with(gets_connect(), 200, (body_t){BODY_NONE, {NULL, 0}}, &options);
    is_refused(client, "HTTP/1.1 502 ", NULL);
    assert_int_equal(stats()->groups_refused, 1);
    buf_fini(&options);
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, gateway_set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_connection_too_many_of_an_address_is_429),
        TEST(who_is_not_let_in_no_longer_counts),
        TEST(who_leaves_the_gate_counts_until_it_is_answered),
        TEST(so_does_who_was_told_that_it_takes_too_long),
        TEST(of_ipv6_a_network_of_64_bits_counts_as_one),
        TEST(sockets_of_an_address_that_ask_for_nothing_are_few),
        TEST(a_proxy_may_have_any_number_and_its_clients_not),
        TEST(requests_by_one_socket_of_a_proxy_count_for_their_clients),
        TEST(handshakes_of_an_address_that_are_too_fast_are_429),
        TEST(what_is_no_handshake_costs_nothing),
        TEST(sockets_of_an_address_that_come_too_fast_are_closed),
        TEST(handshakes_of_all_that_are_too_fast_are_429),
        TEST(of_those_that_linger_there_are_so_many_and_no_more),
        TEST(an_address_is_forgotten_when_nothing_is_left_of_it),
        TEST(who_is_of_no_listed_origin_is_counted),
        TEST(limits_can_be_set_while_it_runs),
        TEST(a_loop_takes_its_share_of_a_limit),
        TEST(a_limit_of_addresses_may_go_and_come_again),
        TEST(what_a_former_rate_is_owed_is_forgiven),
        TEST(who_sends_too_fast_is_not_read_and_loses_nothing),
        TEST(how_often_it_had_to_wait_is_counted),
        TEST(an_answer_does_not_let_it_send_faster),
        TEST(a_ping_counts_as_a_message),
        TEST(so_does_every_frame),
        TEST(bytes_have_a_rate_too),
        TEST(a_small_burst_does_not_slow_a_high_rate),
        TEST(who_waits_for_its_tokens_is_not_taken_for_dead),
        TEST(who_leaves_meanwhile_is_gone),
        TEST(a_close_comes_behind_what_waits),
        TEST(a_connection_is_in_so_many_groups_and_no_more),
        TEST(nor_with_the_answer_to_its_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
