/* SPDX-License-Identifier: MIT
 *
 * The lists by which gateways and brokers find each other's connections again.
 */
#include "tests/unit/core_fixture.h"

/* Remembers the session that it is given; were its connections ended? */
static bool is_told_of_their_end(node_t *gateway)
{
    put_hello(gateway);
    speaks(gateway);
    message_welcome_t welcome = gets(gateway, KIND_WELCOME).welcome;
    snprintf(gateway->broker, sizeof gateway->broker, "%.*s",
             (int)welcome.boot.len, (const char *)welcome.boot.data);
    gateway->session = wire_map_uint(welcome.options, "session", 0);
    return wire_map_bool(welcome.options, "ended", false);
}

/* As a gateway does that finds another broker in place of its own. */
static void greets_again(node_t *gateway)
{
    assert_false(is_told_of_their_end(gateway));
}

static void falls_silent(node_t *gateway)
{
    gateway->is_silent = true;
    time_passes(LIVENESS_MS + 500);
    gateway->is_silent = false;
}

static void gets_lost(node_t *worker, const client_t *client,
                      const char *reason)
{
    message_t request = gets(worker, KIND_REQUEST);
    wire_bytes_t details = request.request.details;

    assert_int_equal(request.request.event, EVENT_DISCONNECT);
    assert_true(is_text(request.request.conn, client->id));
    assert_int_equal(wire_map_uint(details, "code", 0), 1006);
    assert_true(is_text(wire_map_str(details, "reason"), reason));
    answers(worker, request.request.id, 200, NULL);
}

static void a_restarted_broker_takes_the_list_as_open(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    broker_restarts();
    greets_again(gateway);
    syncs(gateway, &client, 1, false);
    node_t *worker = a_worker("w", "$connect echo", 8);
    gets_nothing(worker);
    client_says(client, "echo", "x");
    takes_message(worker, "x");
    assert_int_equal(rows(), 1);
}

static void a_list_may_come_in_parts(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *one = a_client(gateway), *two = a_client(gateway);
    (void)state;

    broker_restarts();
    greets_again(gateway);
    syncs(gateway, &one, 1, true);
    syncs(gateway, &two, 1, false);
    assert_int_equal(core_stats(broker.core)->connections, 2);
}

static void what_the_list_does_not_name_has_ended(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *kept = a_client(gateway), *lost = a_client(gateway);
    (void)state;

    syncs(gateway, &kept, 1, false);
    gets_lost(worker, lost, "unknown to its gateway");
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->connections, 1);
    assert_int_equal(rows(), 1);
}

static void a_later_list_adds_nothing(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *unheard_of = a_newcomer(gateway);
    (void)state;

    syncs(gateway, &unheard_of, 1, false);
    assert_int_equal(core_stats(broker.core)->connections, 0);
}

/* --- from broker to broker ------------------------------------------------ */

static void who_comes_from_another_broker_is_known_at_once(void **state)
{
    node_t *worker = a_worker("w", "$connect $disconnect echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    adds(gateway, client);
    client_says(client, "echo", "x");
    takes_message(worker, "x");
    assert_int_equal(rows(), 1);
    adds(gateway, client);
    assert_int_equal(core_stats(broker.core)->moved_in, 1);
}

static void who_comes_from_another_broker_ends_nobody(void **state)
{
    node_t *worker = a_worker("w", "$disconnect", 8);
    node_t *gateway = a_gateway(1);
    client_t *first = a_client(gateway), *second = a_newcomer(gateway);
    (void)state;

    adds(gateway, second);
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->connections, 2);
    syncs(gateway, &first, 1, false);
    gets_lost(worker, second, "unknown to its gateway");
}

static void who_goes_to_another_broker_is_forgotten_in_silence(void **state)
{
    node_t *worker = a_worker("w", "$disconnect echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    drops(gateway, client);
    drops(gateway, client);
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->connections, 0);
    assert_int_equal(core_stats(broker.core)->moved_out, 1);
    assert_int_equal(rows(), 0);
    gets_reply(gateway, client_says(client, "echo", "x"), 500);
}

static void what_waits_for_who_goes_is_over_and_what_runs_is_not(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "echo", 1);
    (void)state;

    uint64_t first = client_says(client, "echo", "first");
    uint64_t held = takes_message(worker, "first");
    uint64_t second = client_says(client, "echo", "second");
    drops(gateway, client);
    gets_reply(gateway, second, 500);
    answers(worker, held, 200, "done");
    gets_reply(gateway, first, 200);
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void who_goes_may_come_back(void **state)
{
    node_t *worker = a_worker("w", "$disconnect echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    drops(gateway, client);
    adds(gateway, client);
    client_says(client, "echo", "x");
    takes_message(worker, "x");
}

static void a_change_of_another_kind_is_a_fault(void **state)
{
    node_t *gateway = a_gateway(1);
    message_t message = {.kind = KIND_SYNC};
    (void)state;

    message.sync.change = SYNC_DROP + 1;
    says(gateway, &message);
    gets_error(gateway, "malformed");
}

static void a_lost_gateways_connections_end(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    gateway->is_silent = true;
    time_passes(LIVENESS_MS + 500);
    gets_lost(worker, client, "gateway lost");
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->connections, 0);
    assert_int_equal(rows(), 0);
}

static void a_gateway_that_was_lost_gets_another_session(void **state)
{
    node_t *gateway = a_stranger(SIDE_GATEWAYS, "g");
    (void)state;

    put_hello(gateway);
    speaks(gateway);
    wire_bytes_t options = gets(gateway, KIND_WELCOME).welcome.options;
    uint64_t first = wire_map_uint(options, "session", 0);
    put_hello(gateway);
    speaks(gateway);
    options = gets(gateway, KIND_WELCOME).welcome.options;
    assert_int_equal(wire_map_uint(options, "session", 0), first);
    gateway->is_silent = true;
    time_passes(LIVENESS_MS + 500);
    put_hello(gateway);
    speaks(gateway);
    options = gets(gateway, KIND_WELCOME).welcome.options;
    assert_int_not_equal(wire_map_uint(options, "session", 0), first);
}

static void who_was_lost_hears_that_its_connections_were_ended(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    broker_restarts();
    greets_again(gateway);
    syncs(gateway, &client, 1, false);
    node_t *worker = a_worker("w", "$disconnect", 8);
    falls_silent(gateway);
    gets_lost(worker, client, "gateway lost");
    assert_true(is_told_of_their_end(gateway));
    falls_silent(gateway); /* before it listed anybody */
    assert_false(is_told_of_their_end(gateway));
}

/* It lives, it lists them again; then they have been there all the time. */
static void a_list_that_broke_off_is_forgotten(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    broker_restarts();
    node_t *worker = a_worker("w", "echo $disconnect", 8);
    greets_again(gateway);
    syncs(gateway, &client, 1, true);
    falls_silent(gateway);
    assert_int_equal(core_stats(broker.core)->connections, 0);
    assert_int_equal(rows(), 0);
    greets_again(gateway);
    syncs(gateway, &client, 1, false);
    client_says(client, "echo", "x");
    takes_message(worker, "x");
    gets_nothing(worker);
}

/* Longer ago than is known: better an end too early than one too many. */
static void a_session_of_long_ago_was_ended(void **state)
{
    node_t *gateway = a_gateway(1);
    (void)state;

    says_bare(gateway, KIND_BYE);
    greets_again(gateway); /* and lists nobody */
    uint64_t first = gateway->session;
    for (int i = 1; i < 4096; i++) {
        says_bare(gateway, KIND_BYE);
        gateway->session = first;
        assert_false(is_told_of_their_end(gateway));
    }
    says_bare(gateway, KIND_BYE);
    gateway->session = first;
    assert_true(is_told_of_their_end(gateway));
}

static void after_a_restart_requests_wait_for_the_workers(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway), *other = a_newcomer(gateway);
    (void)state;

    (void)is_told_of_their_end(gateway);
    broker_restarts();
    greets_again(gateway);
    syncs(gateway, &client, 1, false);
    client_says(client, "echo", "x");
    client_says(client, "echo", "y");
    uint64_t knock = client_knocks(other);
    time_passes(ROUTE_GRACE_MS - SWEEP_MS);
    gets_nothing(gateway);
    node_t *worker = a_worker("w", "$connect echo", 8);
    takes_message(worker, "x");
    takes_message(worker, "y");
    answers(worker, takes_event(worker, EVENT_CONNECT), 401, NULL);
    gets_reply(gateway, knock, 401);
}

static void but_not_for_ever(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway), *other = a_newcomer(gateway);
    (void)state;

    (void)is_told_of_their_end(gateway);
    broker_restarts();
    greets_again(gateway);
    syncs(gateway, &client, 1, false);
    uint64_t id = client_says(client, "echo", "x");
    uint64_t knock = client_knocks(other);
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    gets_reply(gateway, id, 403);
    gets_reply(gateway, knock, 200);
    gets_reply(gateway, client_says(client, "echo", "y"), 403);
}

/* It was made before its gateway heard that it had been given up. */
static void a_request_before_the_list_is_of_another_session(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "echo $disconnect", 8);
    (void)state;

    falls_silent(gateway);
    gets_lost(worker, client, "gateway lost");
    (void)is_told_of_their_end(gateway);
    client_t *newcomer = a_newcomer(gateway);
    client_knocks(newcomer);
    client_says(client, "echo", "x");
    gets_nothing(gateway);
    gets_nothing(worker);
    syncs(gateway, NULL, 0, false);
    gets_reply(gateway, client_knocks(newcomer), 200);
    client_says(newcomer, "echo", "y");
    takes_message(worker, "y");
}

static void a_list_with_an_id_of_another_gateway_is_malformed(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *stolen = a_client(a_gateway(2));
    (void)state;

    syncs(gateway, &stolen, 1, false);
    gets_error(gateway, "malformed");
    assert_int_equal(core_stats(broker.core)->connections, 1);
}

static void connections_of_a_gateway_outlive_their_worker(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo $disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    worker->is_silent = true;
    time_passes(LIVENESS_MS + 500);
    node_t *other = a_worker("other", "echo", 8);
    client_says(client, "echo", "x");
    takes_message(other, "x");
}

static void a_wrong_line_of_a_list_costs_that_line_alone(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    client_t *stolen = a_newcomer(a_gateway(2));
    client_t *both[] = {stolen, client};
    (void)state;

    broker_restarts();
    put_hello(gateway);
    speaks(gateway);
    gets(gateway, KIND_WELCOME);
    syncs(gateway, both, 2, false);
    gets_error(gateway, "malformed");
    uint64_t id = client_says(client, "echo", "x");
    time_passes(60000);
    gets_reply(gateway, id, 403);
}

static void who_comes_from_another_broker_makes_no_end_wait(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *old = a_client(gateway), *moved = a_newcomer(gateway);
    (void)state;

    time_passes(30000); /* of age */
    adds(gateway, moved);
    gets_reply(gateway, client_leaves(old), 200);
}

/* The worker greets twice, as one that waits for its WELCOME does; between the
 * two its broker is killed.  It reads what the dead one had said and answers.
 */
static void an_answer_to_a_dead_broker_is_nobodys(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *both[] = {a_client(gateway), a_client(gateway)};
    (void)state;

    client_says(both[0], "echo", "secret of one");
    uint64_t dead = takes_message(worker, "secret of one");
    broker_restarts();
    greets_again(gateway);
    syncs(gateway, both, 2, false);
    greets(worker, "echo", 8);
    for (int i = 0; i < 4; i++) { /* the same ids come by, if there are any */
        client_says(both[1], "echo", "of two");
        uint64_t mine = takes_message(worker, "of two");
        forgets(gateway);
        answers(worker, dead, 200, "secret of one");
        gets_nothing(gateway);
        answers(worker, mine, 200, "done");
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_restarted_broker_takes_the_list_as_open),
        TEST(an_answer_to_a_dead_broker_is_nobodys),
        TEST(a_list_may_come_in_parts),
        TEST(what_the_list_does_not_name_has_ended),
        TEST(a_later_list_adds_nothing),
        TEST(who_comes_from_another_broker_is_known_at_once),
        TEST(who_comes_from_another_broker_ends_nobody),
        TEST(who_goes_to_another_broker_is_forgotten_in_silence),
        TEST(what_waits_for_who_goes_is_over_and_what_runs_is_not),
        TEST(who_goes_may_come_back),
        TEST(a_change_of_another_kind_is_a_fault),
        TEST(a_lost_gateways_connections_end),
        TEST(a_gateway_that_was_lost_gets_another_session),
        TEST(who_was_lost_hears_that_its_connections_were_ended),
        TEST(a_list_that_broke_off_is_forgotten),
        TEST(a_session_of_long_ago_was_ended),
        TEST(after_a_restart_requests_wait_for_the_workers),
        TEST(but_not_for_ever),
        TEST(a_request_before_the_list_is_of_another_session),
        TEST(a_list_with_an_id_of_another_gateway_is_malformed),
        TEST(connections_of_a_gateway_outlive_their_worker),
        TEST(a_wrong_line_of_a_list_costs_that_line_alone),
        TEST(who_comes_from_another_broker_makes_no_end_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
