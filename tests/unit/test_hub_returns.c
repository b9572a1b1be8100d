/* SPDX-License-Identifier: MIT
 *
 * The hub behind a broken transport, when its broker has kept its connections.
 */
#include "base/xalloc.h"
#include "tests/unit/hub_fixture.h"

static link_t *hub_link(void)
{
    return gateway.hub->links[0];
}

static void transport_breaks(void)
{
    hub_begin(gateway.hub, gateway.now_ms * 1000, WALL_MS);
    hub_broken(gateway.hub, hub_link());
    hub_end(gateway.hub);
}

/* What it says by the new one is a stranger's. */
static message_hello_t broker_asks_who(void)
{
    broker_says_bare(KIND_WHO);
    return gets(KIND_HELLO).hello;
}

static void broker_goes_on(void)
{
    broker_asks_who();
    same_session_goes_on();
}

static void broker_keeps(void)
{
    gateway.broker_keeps = true;
    another_broker_welcomes();
    gets_list(NULL, 0);
}

static void says_watch(bool presence)
{
    message_t watch = {.kind = KIND_WATCH};

    watch.watch.presence = presence;
    broker_says(&watch);
}

/* --- connections ---------------------------------------------------------- */

static void its_connections_stand_and_are_listed(void **state)
{
    (void)state;
    client_t *client = a_client();
    transport_breaks();
    broker_goes_on();
    gets_list(&client, 1);
    hears_nothing(client);
    client_says(client, "x");
    answers(gets_message("x"), 200, "y");
    hears_text(client, "y");
    assert_int_equal(gateway.hub->stats.broker_reset, 1);
    assert_int_equal(gateway.hub->stats.given_up, 0);
}

static void clients_are_not_read_while_it_is_made_again(void **state)
{
    (void)state;
    client_t *client = a_client();
    transport_breaks();
    client_says(client, "1");
    client_says(client, "2");
    assert_true(client->is_paused);
    gets_nothing();
    broker_goes_on();
    gets_list(&client, 1);
    gets_message("1");
    gets_message("2");
    hears_nothing(client);
}

static void nor_is_their_end_said_before(void **state)
{
    (void)state;
    client_t *client = a_client();
    transport_breaks();
    client_leaves(client);
    gets_nothing();
    broker_goes_on();
    gets_list(&client, 1);
    answers(gets_disconnect(client, 1006, ""), 200, NULL);
    nothing_is_left();
}

static void a_broker_that_needs_no_greeting_is_given_what_waited(void **state)
{
    (void)state;
    client_t *client = a_client();
    transport_breaks();
    client_says(client, "x");
    gets_nothing();
    broker_says_bare(KIND_PONG); /* by a transport that it knows */
    gets_message("x");
}

/* --- what was on its way -------------------------------------------------- */

static void requests_have_failed_and_cost_no_window(void **state)
{
    (void)state;
    gateway.window = 2;
    gateway_restarts();
    client_t *client = a_client();
    client_says(client, "1");
    client_says(client, "2");
    uint64_t first = gets_message("1"), second = gets_message("2");
    transport_breaks();
    hears_nothing(client); /* replies may have come before it broke */
    broker_goes_on();
    gets_list(&client, 1);
    hears_error(client, "Internal server error", first);
    hears_error(client, "Internal server error", second);
    assert_int_equal(hub_link()->in_flight, 0);
    client_says(client, "3");
    client_says(client, "4");
    gets_message("3");
    gets_message("4");
}

static void a_reply_that_came_before_counts(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    transport_breaks();
    answers(id, 200, "y");
    hears_text(client, "y");
    broker_goes_on();
    gets_list(&client, 1);
    hears_nothing(client);
}

static void who_was_at_the_gate_is_refused(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    gets_connect();
    transport_breaks();
    broker_goes_on();
    gets_list(NULL, 0);
    assert_non_null(strstr(hears_head(client), "HTTP/1.1 502 Bad Gateway"));
}

static void a_disconnect_is_said_again(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_leaves(client);
    uint64_t id = gets_disconnect(client, 1006, "");
    transport_breaks();
    broker_goes_on();
    gets_list(&client, 1);
    uint64_t again = gets_disconnect(client, 1006, "");
    answers(id, 200, NULL); /* the broker answers the first for order's sake */
    assert_int_equal(gateway.hub->sessions, 1);
    answers(again, 200, NULL);
    nothing_is_left();
}

static void credit_of_before_is_not_given(void **state)
{
    (void)state;
    gateway.push_window = gateway.push_window_bytes = 1000;
    another_broker_welcomes();
    gets_list(NULL, 0);
    client_t *client = a_client();
    transport_breaks();
    put_push(client->id, text_body("x"), 0); /* it had come before */
    put_message(&(message_t){.kind = KIND_WHO});
    broker_speaks();
    hears_text(client, "x");
    gets(KIND_HELLO);
    same_session_goes_on();
    gets_list(&client, 1);
    time_passes((int64_t)2 * CREDIT_MS);
    gets_nothing();
}

/* --- what it says of itself ----------------------------------------------- */

static void it_says_that_it_returns_and_what_it_has_heard(void **state)
{
    (void)state;
    says_watch(true);
    says_watch(false);
    message_hello_t hello = broker_asks_who();
    assert_true(wire_map_bool(hello.options, "returns", false));
    assert_int_equal(wire_map_uint(hello.options, "watches", 9), 2);
    same_session_goes_on();
    gets_list(NULL, 0);
    says_watch(true);
    hello = broker_asks_who();
    assert_int_equal(wire_map_uint(hello.options, "watches", 9), 3);
    another_session_begins();
    gets_list(NULL, 0);
    hello = broker_asks_who();
    assert_int_equal(wire_map_uint(hello.options, "watches", 9), 0);
}

static void it_gives_credit_for_a_close(void **state)
{
    (void)state;
    broker_keeps();
    client_t *client = a_client();
    closes(client->id, 4001, "why", 0);
    hears_close(client, 4001, "why");
    gets_disconnect(client, 4001, "why");
    assert_int_equal(gets(KIND_CREDIT).credit.messages, 1);
    closes("nobody", 4001, "why", 7);
    gets(KIND_GONE);
    assert_int_equal(gets(KIND_CREDIT).credit.messages, 1);
}

static void but_not_to_a_broker_that_waits_for_none(void **state)
{
    (void)state;
    client_t *client = a_client();
    closes(client->id, 4001, "why", 0);
    gets_disconnect(client, 4001, "why");
    gets_nothing();
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_connections_stand_and_are_listed),
        TEST(clients_are_not_read_while_it_is_made_again),
        TEST(nor_is_their_end_said_before),
        TEST(a_broker_that_needs_no_greeting_is_given_what_waited),
        TEST(requests_have_failed_and_cost_no_window),
        TEST(a_reply_that_came_before_counts),
        TEST(who_was_at_the_gate_is_refused),
        TEST(a_disconnect_is_said_again),
        TEST(credit_of_before_is_not_given),
        TEST(it_says_that_it_returns_and_what_it_has_heard),
        TEST(it_gives_credit_for_a_close),
        TEST(but_not_to_a_broker_that_waits_for_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
