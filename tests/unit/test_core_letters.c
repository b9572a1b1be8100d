/* SPDX-License-Identifier: MIT
 *
 * Dead letters: what becomes one, and what becomes of one that is revived.
 */
#include "tests/unit/core_fixture.h"

static void assert_dead(const char *text, uint64_t attempts)
{
    assert_int_equal(broker.dead, 1);
    assert_string_equal(broker.letter_text, text);
    assert_int_equal(broker.letter_attempts, attempts);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

/* Letter 7, of this client. */
static void revives(const client_t *client, const char *text)
{
    letter_t letter = {.id = 7,
                       .route = wire_bytes("pay"),
                       .body = {BODY_TEXT, wire_bytes(text)},
                       .context = {(const uint8_t *)"\x80", 1},
                       .number = 99,
                       .attempts = 3};

    assert_int_equal(
        conn_id_parse((const uint8_t *)client->id, CONN_ID_TEXT, &letter.conn),
        0);
    assert_int_equal(core_revive(broker.core, &letter), 0);
    core_end(broker.core);
}

/* --- what becomes one ---------------------------------------------------- */

static void a_message_whose_last_attempt_failed_is_dead(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "pay", "x");
    node_t *other = a_worker("other", "pay*1", 8);
    dies(worker);
    assert_int_equal(broker.dead, 0);
    dies(other);
    gets_reply(gateway, id, 500);
    assert_dead("x", 2);
    assert_int_equal(broker.letter_id, 0);
}

static void one_that_no_worker_came_for_again_is_dead(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "pay", "x");
    dies(worker);
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    gets_reply(gateway, id, 500); /* it was tried: that is no Forbidden */
    assert_dead("x", 1);
}

static void one_whose_time_is_over_before_the_next_attempt_is_dead(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    uint64_t id = client_says_within(a_client(gateway), "pay", "x", 500);
    dies(worker);
    time_passes(600);
    gets_reply(gateway, id, 504);
    assert_dead("x", 1);
}

static void nothing_else_is_dead(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo pay*1 $connect*1 $disconnect", 8);
    client_t *client = a_newcomer(gateway);
    (void)state;

    client_knocks(a_newcomer(gateway));
    client_knocks(client);
    takes_event(worker, EVENT_CONNECT);
    answers(worker, takes_event(worker, EVENT_CONNECT), 200, NULL);
    client_says(client, "echo", "at most once");
    client_says_within(client, "pay", "too late for it", 500);
    time_passes(600);
    dies(worker);
    client_says(client, "pay", "never tried");
    time_passes(ROUTE_GRACE_MS + DEADLINE_MS);
    assert_int_equal(broker.dead, 0);
    assert_int_equal(core_stats(broker.core)->dead, 0);
}

/* --- what is revived ----------------------------------------------------- */

static void a_letter_goes_to_a_worker_and_its_answer_to_nobody(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    revives(client, "x");
    message_request_t request = gets(worker, KIND_REQUEST).request;
    assert_true(is_text(request.conn, client->id));
    assert_true(is_text(request.body.bytes, "x"));
    assert_int_equal(request.number, 99);
    assert_int_equal(broker.settled, 0);
    answers(worker, request.id, 200, "hello?");
    gets_nothing(gateway);
    assert_int_equal(broker.settled, 7);
    assert_int_equal(broker.dead, 0);
    assert_int_equal(core_stats(broker.core)->replies_late, 0);
}

static void it_keeps_its_place_among_the_connections_events(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*1 $disconnect", 1);
    (void)state;

    client_says(client, "pay", "1");
    revives(client, "x");
    client_leaves(client);
    answers(worker, takes_message(worker, "1"), 200, NULL);
    answers(worker, takes_message(worker, "x"), 200, NULL);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    assert_int_equal(broker.settled, 7);
}

static void a_letter_outlives_its_connection(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    gateway->is_silent = true;
    says_bare(gateway, KIND_BYE);
    revives(client, "x");
    answers(worker, takes_message(worker, "x"), 200, NULL);
    assert_int_equal(broker.settled, 7);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void a_letter_that_kills_its_worker_is_dead_again(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay", 8);
    (void)state;

    revives(client, "x");
    takes_message(worker, "x");
    dies(worker);
    assert_dead("x", 1);
    assert_int_equal(broker.letter_id, 7);
    assert_int_equal(broker.settled, 0);
    gets_nothing(gateway);
}

static void it_has_as_many_attempts_as_its_route_gives(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*1", 8);
    (void)state;

    revives(client, "x");
    node_t *other = a_worker("other", "pay*1", 8);
    dies(worker);
    takes_message(other, "x");
    assert_int_equal(broker.dead, 0);
    dies(other);
    assert_dead("x", 2);
}

static void without_a_worker_it_stays_dead(void **state)
{
    client_t *client = a_client(a_gateway(1));
    (void)state;

    revives(client, "x");
    assert_dead("x", 0);
    assert_int_equal(broker.letter_id, 7);
}

static void a_broker_that_ends_gives_its_letters_back(void **state)
{
    client_t *client = a_client(a_gateway(1));
    node_t *worker = a_worker("w", "pay*1", 1);
    (void)state;

    revives(client, "x");
    takes_message(worker, "x");
    broker_restarts();
    assert_int_equal(broker.dead, 1);
    assert_int_equal(broker.letter_id, 7);
    assert_int_equal(broker.settled, 0);
}

static void
a_letter_whose_connection_goes_to_another_broker_is_dead_again(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*1", 1);
    (void)state;

    client_says(client, "pay", "1");
    takes_message(worker, "1");
    revives(client, "x"); /* waits */
    drops(gateway, client);
    assert_int_equal(broker.settled, 0);
    assert_int_equal(broker.dead, 1);
}

static void so_is_what_waits_for_its_next_attempt(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "pay*1", 1);
    (void)state;

    client_says(client, "pay", "1");
    takes_message(worker, "1");
    dies(worker); /* it waits for the route */
    drops(gateway, client);
    assert_int_equal(broker.dead, 1);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_whose_last_attempt_failed_is_dead),
        TEST(one_that_no_worker_came_for_again_is_dead),
        TEST(one_whose_time_is_over_before_the_next_attempt_is_dead),
        TEST(nothing_else_is_dead),
        TEST(a_letter_goes_to_a_worker_and_its_answer_to_nobody),
        TEST(it_keeps_its_place_among_the_connections_events),
        TEST(a_letter_outlives_its_connection),
        TEST(a_letter_that_kills_its_worker_is_dead_again),
        TEST(it_has_as_many_attempts_as_its_route_gives),
        TEST(without_a_worker_it_stays_dead),
        TEST(a_broker_that_ends_gives_its_letters_back),
        TEST(a_letter_whose_connection_goes_to_another_broker_is_dead_again),
        TEST(so_is_what_waits_for_its_next_attempt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
