/* SPDX-License-Identifier: MIT
 *
 * What a dead worker held, on routes that want it again.
 */
#include "tests/unit/core_fixture.h"

/* The message and which attempt it is. */
static uint64_t takes_attempt(node_t *worker, const char *text,
                              uint64_t attempt)
{
    message_request_t request = gets(worker, KIND_REQUEST).request;

    assert_int_equal(request.event, EVENT_MESSAGE);
    assert_true(is_text(request.body.bytes, text));
    assert_int_equal(request.attempt, attempt);
    return request.id;
}

static void a_message_goes_to_another_worker_as_the_second_attempt(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "pay", "x");
    takes_attempt(worker, "x", 0); /* which stands for 1 */
    node_t *other = a_worker("other", "pay*1", 8);
    dies(worker);
    gets_nothing(gateway);
    answers(other, takes_attempt(other, "x", 2), 200, NULL);
    gets_reply(gateway, id, 200);
    assert_int_equal(core_stats(broker.core)->redelivered, 1);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

/* It stood still for so long that it was given up, and comes back. */
static void comes_back(node_t *worker, const char *routes)
{
    worker->is_silent = true;
    time_passes(LIVENESS_MS + SWEEP_MS);
    worker->is_silent = false;
    greets(worker, routes, 8);
}

static void what_is_said_of_the_attempt_before_is_nobodys(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    uint64_t id = client_says_within(a_client(gateway), "pay", "x", 60000);
    uint64_t first = takes_attempt(worker, "x", 0);
    comes_back(worker, "pay*1");
    uint64_t second = takes_attempt(worker, "x", 2);
    answers(worker, first, 200, "it was on its way when it came back");
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->replies_unknown, 1);
    answers(worker, second, 200, NULL);
    gets_reply(gateway, id, 200);
}

static void after_the_last_attempt_the_client_is_told(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("1", "pay*2", 8);
    (void)state;

    uint64_t id = client_says(client, "pay", "x");
    for (int i = 2; i <= 3; i++) {
        node_t *next = a_worker(i == 2 ? "2" : "3", "pay*2", 8);
        dies(worker);
        gets_nothing(gateway);
        takes_attempt(next, "x", (uint64_t)i);
        worker = next;
    }
    dies(worker);
    gets_reply(gateway, id, 500);
    assert_int_equal(core_stats(broker.core)->redelivered, 2);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void a_disconnect_that_kills_a_hundred_workers_is_given_up(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    uint64_t id = client_leaves(a_client(gateway));
    for (int i = 0; i < 100; i++) {
        takes_event(worker, EVENT_DISCONNECT);
        gets_nothing(gateway);
        starts_anew(worker, "$disconnect", 8);
    }
    gets_nothing(worker);
    gets_reply(gateway, id, 500);
    assert_int_equal(core_stats(broker.core)->disconnects_lost, 1);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void the_order_of_a_connection_is_kept(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*1 $disconnect", 3);
    (void)state;

    client_says(client, "pay", "1");
    client_says(client, "pay", "2");
    client_says(client, "pay", "3");
    client_says(client, "pay", "4"); /* beyond the worker's window */
    client_leaves(client);
    node_t *other = a_worker("other", "pay*1 $disconnect", 8);
    dies(worker);
    takes_attempt(other, "1", 2);
    takes_attempt(other, "2", 2);
    takes_attempt(other, "3", 2);
    takes_attempt(other, "4", 0);
    takes_event(other, EVENT_DISCONNECT);
}

static void others_of_the_connection_fail_as_ever(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "echo pay*1", 8);
    (void)state;

    uint64_t before = client_says(client, "echo", "a");
    uint64_t again = client_says(client, "pay", "b");
    uint64_t behind = client_says(client, "echo", "c");
    node_t *other = a_worker("other", "echo pay*1", 8);
    dies(worker);
    gets_reply(gateway, before, 500);
    gets_reply(gateway, behind, 500);
    answers(other, takes_attempt(other, "b", 2), 200, NULL);
    gets_reply(gateway, again, 200);
    gets_nothing(other);
}

static void what_was_answered_by_its_deadline_is_not_given_again(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "pay", "x");
    time_passes(DEADLINE_MS + 100);
    gets_reply(gateway, id, 504);
    node_t *other = a_worker("other", "pay*1", 8);
    dies(worker);
    gets_nothing(other);
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void it_waits_for_the_next_worker_within_its_deadline(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    client_says(a_client(gateway), "pay", "x");
    uint64_t late = client_says_within(a_client(gateway), "pay", "y", 500);
    dies(worker);
    time_passes(600);
    gets_reply(gateway, late, 504);
    node_t *next = a_worker("next", "pay*1", 8);
    takes_attempt(next, "x", 2);
    gets_nothing(next);
}

static void a_handshake_may_be_tried_again(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$connect*1", 8);
    client_t *stays = a_newcomer(gateway);
    (void)state;

    uint64_t id = client_knocks(stays);
    node_t *other = a_worker("other", "$connect*1", 8);
    dies(worker);
    answers(other, takes_event(other, EVENT_CONNECT), 200, NULL);
    gets_reply(gateway, id, 200);
}

static void the_handshake_of_who_is_gone_is_not(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$connect*1 $disconnect", 8);
    (void)state;

    client_knocks(a_newcomer(gateway));
    dies(gateway);
    node_t *other = a_worker("other", "$connect*1 $disconnect", 8);
    dies(worker);
    gets_nothing(other);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void a_message_outlives_its_client(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*1 $disconnect", 8);
    (void)state;

    client_says(client, "pay", "x");
    dies(gateway);
    node_t *other = a_worker("other", "pay*1 $disconnect", 8);
    dies(worker);
    answers(other, takes_attempt(other, "x", 2), 200, NULL);
    answers(other, takes_event(other, EVENT_DISCONNECT), 200, NULL);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

/* Its first worker would have had it again, the second does not. */
static void the_worker_that_dies_decides(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*5", 8);
    (void)state;

    uint64_t id = client_says(client, "pay", "x");
    node_t *careless = a_worker("careless", "pay", 8);
    dies(worker);
    takes_attempt(careless, "x", 2);
    dies(careless);
    gets_reply(gateway, id, 500);
}

static void a_hundred_times_are_the_most(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*4294967297", 8);
    (void)state;

    uint64_t id = client_says(client, "pay", "x");
    for (int i = 0; i < 100; i++) {
        says_bare(worker, KIND_BYE);
        forgets(worker);
        put_hello(worker);
        announces(worker, "pay*4294967297", 8);
        gets(worker, KIND_WELCOME);
        takes_attempt(worker, "x", (uint64_t)i + 2);
    }
    dies(worker);
    gets_reply(gateway, id, 500);
}

static void what_another_broker_has_now_is_not_given_again(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*1", 1);
    (void)state;

    client_says(client, "pay", "1");
    takes_message(worker, "1");
    node_t *other = a_worker("o", "pay*1", 1);
    drops(gateway, client);
    dies(worker);
    gets_nothing(other);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_goes_to_another_worker_as_the_second_attempt),
        TEST(what_is_said_of_the_attempt_before_is_nobodys),
        TEST(after_the_last_attempt_the_client_is_told),
        TEST(a_disconnect_that_kills_a_hundred_workers_is_given_up),
        TEST(the_order_of_a_connection_is_kept),
        TEST(others_of_the_connection_fail_as_ever),
        TEST(what_was_answered_by_its_deadline_is_not_given_again),
        TEST(it_waits_for_the_next_worker_within_its_deadline),
        TEST(a_handshake_may_be_tried_again),
        TEST(the_handshake_of_who_is_gone_is_not),
        TEST(a_message_outlives_its_client),
        TEST(the_worker_that_dies_decides),
        TEST(a_hundred_times_are_the_most),
        TEST(what_another_broker_has_now_is_not_given_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
