/* SPDX-License-Identifier: MIT
 *
 * Each request has exactly one outcome, whatever becomes of its worker.
 */
#include "tests/unit/core_fixture.h"

static void a_reply_reaches_the_gateway_under_its_own_id(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "hello");
    answers(worker, takes_message(worker, "hello"), 207, "hi");
    message_t reply = gets_reply(gateway, id, 207);
    assert_true(is_text(reply.reply.body.bytes, "hi"));
    gets_nothing(gateway);
}

static void a_second_reply_is_ignored(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    uint64_t held = takes_message(worker, "x");
    answers(worker, held, 200, NULL);
    answers(worker, held, 200, NULL);
    gets_reply(gateway, id, 200);
    gets_nothing(gateway);
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->replies_unknown, 1);
}

static void a_second_reply_does_not_answer_the_next_request(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "1");
    uint64_t held = takes_message(worker, "1");
    answers(worker, held, 200, NULL);
    forgets(gateway);
    client_says(client, "echo", "2");
    answers(worker, held, 200, NULL);
    gets_nothing(gateway);
}

static void a_reply_to_a_made_up_id_is_ignored(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    client_says(a_client(gateway), "echo", "x");
    answers(worker, UINT64_MAX, 200, NULL);
    answers(worker, 0x123456789, 200, NULL);
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->replies_unknown, 2);
}

static void nobody_answers_for_another_worker(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    node_t *other = a_worker("other", "other", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    uint64_t held = takes_message(worker, "x");
    answers(other, held, 200, NULL);
    gets_nothing(gateway);
    answers(worker, held, 200, NULL);
    gets_reply(gateway, id, 200);
}

/* --- deadlines ----------------------------------------------------------- */

static void a_deadline_answers_and_a_late_reply_is_swallowed(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t id = client_says_within(client, "echo", "x", 500);
    uint64_t held = takes_message(worker, "x");
    time_passes(450);
    gets_nothing(gateway);
    time_passes(150);
    gets_reply(gateway, id, 504);
    answers(worker, held, 200, "late");
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->replies_late, 1);
}

/* Its gateway must not take the connection to another broker meanwhile. */
static void a_late_answer_says_whether_a_handler_still_runs(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *waits = a_client(gateway), *runs = a_client(gateway);
    node_t *worker = a_worker("w", "echo", 1);
    (void)state;

    client_says_within(runs, "echo", "x", 500);
    takes_message(worker, "x");
    client_says_within(waits, "echo", "y", 700);
    time_passes(600);
    message_t late = gets(gateway, KIND_REPLY);
    assert_true(wire_map_bool(late.reply.options, "runs", false));
    time_passes(200);
    late = gets(gateway, KIND_REPLY);
    assert_false(wire_map_bool(late.reply.options, "runs", false));
}

static void after_a_deadline_the_worker_still_has_the_connection(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 1);
    client_t *client = a_client(gateway);
    (void)state;

    client_says_within(client, "echo", "slow", 500);
    uint64_t held = takes_message(worker, "slow");
    time_passes(600);
    node_t *idle = a_worker("idle", "echo", 8);
    client_says(client, "echo", "next");
    gets_nothing(idle);
    gets_nothing(worker);
    answers(worker, held, 200, NULL);
    message_t message;
    assert_true(takes(worker, &message) || takes(idle, &message));
    assert_true(is_text(message.request.body.bytes, "next"));
}

static void a_deadline_in_the_mailbox_lets_the_next_one_go_on(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 1);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(a_client(gateway), "echo", "busy");
    uint64_t held = takes_message(worker, "busy");
    uint64_t short_of_time = client_says_within(client, "echo", "1", 500);
    client_says(client, "echo", "2");
    time_passes(600);
    gets_reply(gateway, short_of_time, 504);
    answers(worker, held, 200, NULL);
    takes_message(worker, "2");
}

static void a_connect_past_its_deadline_is_refused(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$connect $disconnect", 8);
    client_t *client = a_newcomer(gateway);
    (void)state;

    uint64_t id = client_knocks(client);
    uint64_t held = takes_event(worker, EVENT_CONNECT);
    time_passes(DEADLINE_MS + 100);
    gets_reply(gateway, id, 504);
    /* The handler let in who had to go: it must be told of the end. */
    answers(worker, held, 200, NULL);
    takes_event(worker, EVENT_DISCONNECT);
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->connections, 0);
}

/* --- the death of a worker ----------------------------------------------- */

static void a_dead_workers_requests_end_in_one_error_each(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$connect echo", 8);
    client_t *one = a_newcomer(gateway), *two = a_newcomer(gateway);
    (void)state;

    uint64_t accepted = client_knocks(one);
    answers(worker, takes_event(worker, EVENT_CONNECT), 200, NULL);
    gets_reply(gateway, accepted, 200);
    uint64_t first = client_says(one, "echo", "1");
    uint64_t second = client_says(one, "echo", "2");
    uint64_t connect = client_knocks(two);
    says_bare(worker, KIND_BYE);
    gets_reply(gateway, first, 500);
    gets_reply(gateway, second, 500);
    gets_reply(gateway, connect, 502);
    time_passes((int64_t)2 * DEADLINE_MS);
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->worker_died, 3);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void what_waited_for_a_dead_worker_goes_to_another(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 1);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t lost = client_says(client, "echo", "1");
    client_says(client, "echo", "2");
    node_t *other = a_worker("other", "echo", 8);
    says_bare(worker, KIND_BYE);
    gets_reply(gateway, lost, 500);
    takes_message(other, "2");
}

static void a_message_of_a_dead_worker_is_not_given_to_another(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 1);
    (void)state;

    client_says(a_client(gateway), "echo", "1");
    node_t *other = a_worker("other", "echo", 8);
    says_bare(worker, KIND_BYE);
    gets_nothing(other);
}

static void a_worker_whose_transport_breaks_is_dead_at_once(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    worker->is_broken = worker->is_silent = true;
    core_begin(broker.core, broker.now_ms * 1000);
    core_probe(broker.core);
    core_end(broker.core);
    gets_reply(gateway, id, 500);
    assert_int_equal(core_stats(broker.core)->workers, 0);
}

static void a_disconnect_goes_to_another_worker_when_its_own_dies(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t id = client_leaves(client);
    takes_event(worker, EVENT_DISCONNECT);
    node_t *other = a_worker("other", "$disconnect", 8);
    says_bare(worker, KIND_BYE);
    gets_nothing(gateway);
    answers(other, takes_event(other, EVENT_DISCONNECT), 200, NULL);
    gets_reply(gateway, id, 200);
}

static void a_disconnect_that_was_acknowledged_is_never_sent_again(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t id = client_leaves(client);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    gets_reply(gateway, id, 200);
    node_t *other = a_worker("other", "$disconnect", 8);
    says_bare(worker, KIND_BYE);
    gets_reply(gateway, client_leaves(client), 200);
    gets_nothing(other);
}

static void the_window_of_a_gateway_is_given_back(void **state)
{
    (void)state;
    broker.options.gateway_window = 1;
    broker_restarts();
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);

    for (int i = 0; i < 3; i++) {
        node_t *worker = a_worker(i == 0 ? "a" : i == 1 ? "b" : "c", "echo", 8);
        uint64_t id = client_says_within(client, "echo", "x", 500);
        takes_message(worker, "x");
        says_bare(worker, KIND_BYE);
        gets_reply(gateway, id, 500);
    }
    uint64_t id = client_says(client, "echo", "x");
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    gets_reply(gateway, id, 403);
}

/* --- leaving ------------------------------------------------------------- */

static void a_draining_worker_gets_nothing_new_and_may_answer(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t held = client_says(client, "echo", "1");
    says_bare(worker, KIND_DRAIN);
    node_t *other = a_worker("other", "echo", 8);
    client_says(client, "echo", "2");
    client_says(a_client(gateway), "echo", "3");
    takes_message(other, "3");
    answers(worker, takes_message(worker, "1"), 200, NULL);
    gets_reply(gateway, held, 200);
    takes_message(other, "2");
    says_bare(worker, KIND_BYE);
    gets_nothing(worker);
}

static void a_gateway_that_says_bye_takes_its_connections_along(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    a_client(gateway);
    gateway->is_silent = true;
    says_bare(gateway, KIND_BYE);
    message_t request = gets(worker, KIND_REQUEST);
    assert_int_equal(request.request.event, EVENT_DISCONNECT);
    assert_int_equal(wire_map_uint(request.request.details, "code", 0), 1006);
    assert_int_equal(core_stats(broker.core)->connections, 0);
}

static void a_broker_that_stops_says_bye_to_all(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    core_stop(broker.core);
    gets(gateway, KIND_BYE);
    gets(worker, KIND_BYE);
}

/* --- what is no text ----------------------------------------------------- */

static void a_reply_that_is_no_utf8_is_a_failure_of_the_worker(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    answers(worker, takes_message(worker, "x"), 200, "caf\xe9");
    gets_error(worker, "text");
    gets_reply(gateway, id, 502);
    pushes(worker, "AAAAAAAAAAAAAAAA", "\xff");
    gets_error(worker, "text");
    gets_nothing(worker);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reply_that_is_no_utf8_is_a_failure_of_the_worker),
        TEST(a_reply_reaches_the_gateway_under_its_own_id),
        TEST(a_second_reply_is_ignored),
        TEST(a_second_reply_does_not_answer_the_next_request),
        TEST(a_reply_to_a_made_up_id_is_ignored),
        TEST(nobody_answers_for_another_worker),
        TEST(a_deadline_answers_and_a_late_reply_is_swallowed),
        TEST(a_late_answer_says_whether_a_handler_still_runs),
        TEST(after_a_deadline_the_worker_still_has_the_connection),
        TEST(a_deadline_in_the_mailbox_lets_the_next_one_go_on),
        TEST(a_connect_past_its_deadline_is_refused),
        TEST(a_dead_workers_requests_end_in_one_error_each),
        TEST(what_waited_for_a_dead_worker_goes_to_another),
        TEST(a_message_of_a_dead_worker_is_not_given_to_another),
        TEST(a_worker_whose_transport_breaks_is_dead_at_once),
        TEST(a_disconnect_goes_to_another_worker_when_its_own_dies),
        TEST(a_disconnect_that_was_acknowledged_is_never_sent_again),
        TEST(the_window_of_a_gateway_is_given_back),
        TEST(a_draining_worker_gets_nothing_new_and_may_answer),
        TEST(a_gateway_that_says_bye_takes_its_connections_along),
        TEST(a_broker_that_stops_says_bye_to_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
