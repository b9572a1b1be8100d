/* SPDX-License-Identifier: MIT
 *
 * Managers: who pushes, closes and asks as a worker does, and takes no
 * requests.
 */
#include "tests/unit/core_fixture.h"

static void a_manager_comes_to_either_socket(void **state)
{
    (void)state;

    a_manager(SIDE_WORKERS, "m");
    a_manager(SIDE_GATEWAYS, "n");
    assert_int_equal(core_stats(broker.core)->managers, 2);
    assert_int_equal(core_stats(broker.core)->workers, 0);
    assert_int_equal(core_stats(broker.core)->gateways, 0);
}

static void it_pushes_and_learns_what_became_of_it(void **state)
{
    node_t *manager = a_manager(SIDE_GATEWAYS, "m");
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    pushes(manager, client->id, "news");
    assert_true(is_text(gets(gateway, KIND_PUSH).push.body.bytes, "news"));
    gives_credit(gateway, 1);
    assert_int_equal(gets_credit(manager).messages, 1);
    pushes(manager, "AAAAAAAAAAAAAAAA", "news");
    gets(manager, KIND_GONE);
    gets(manager, KIND_CREDIT);
}

static void it_closes(void **state)
{
    node_t *manager = a_manager(SIDE_GATEWAYS, "m");
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    closes(manager, client->id, 1000);
    assert_int_equal(gets(gateway, KIND_CLOSE).close.code, 1000);
}

static void it_is_given_no_requests(void **state)
{
    node_t *manager = a_manager(SIDE_WORKERS, "m");
    node_t *gateway = a_gateway(1);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    gets_nothing(manager);
    gets_reply(gateway, id, 403);
}

static void what_has_to_do_with_requests_it_may_not_say(void **state)
{
    node_t *manager = a_manager(SIDE_GATEWAYS, "m");
    (void)state;

    announces(manager, "echo", 8);
    gets_error(manager, "unexpected");
    answers(manager, 1, 200, "hi");
    gets_error(manager, "unexpected");
    says_bare(manager, KIND_DRAIN);
    gets_error(manager, "unexpected");
    syncs(manager, NULL, 0, false);
    gets_error(manager, "unexpected");
}

static void another_role_is_another_life(void **state)
{
    node_t *peer = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    takes_message(peer, "x");
    peer->is_manager = true;
    put_hello(peer);
    speaks(peer);
    gets(peer, KIND_WELCOME);
    gets_reply(gateway, id, 500);
    assert_int_equal(core_stats(broker.core)->workers, 0);
    assert_int_equal(core_stats(broker.core)->managers, 1);
}

static void one_that_is_silent_is_lost(void **state)
{
    node_t *manager = a_manager(SIDE_GATEWAYS, "m");
    (void)state;

    manager->is_silent = true;
    time_passes(LIVENESS_MS + SWEEP_MS);
    assert_int_equal(core_stats(broker.core)->managers, 0);
}

static void they_take_no_place_of_a_worker(void **state)
{
    (void)state;
    broker.options.max_workers = 1;
    broker.options.max_gateways = 1;
    broker_restarts();

    a_manager(SIDE_GATEWAYS, "m");
    a_manager(SIDE_GATEWAYS, "n");
    a_worker("w", "echo", 8);
    a_gateway(1);
}

static void there_is_one_for_each_gateway_and_one_for_the_broker(void **state)
{
    (void)state;
    broker.options.max_gateways = 1;
    broker_restarts();
    node_t *first = a_manager(SIDE_GATEWAYS, "m");
    a_manager(SIDE_GATEWAYS, "n");
    node_t *third = a_stranger(SIDE_WORKERS, "o");

    third->is_manager = true;
    put_hello(third);
    speaks(third);
    gets_error(third, "full");
    dies(first);
    put_hello(third);
    speaks(third);
    gets(third, KIND_WELCOME);
}

static void put_count(node_t *manager, uint64_t id)
{
    static const uint8_t count[] = {0x91, 0xa5, 'c', 'o', 'u', 'n', 't'};
    message_t query = {.kind = KIND_QUERY};

    query.query = (message_query_t){.id = id, .what = {count, sizeof count}};
    put_message(manager, &query);
}

static void it_has_256_queries_under_way_and_no_more(void **state)
{
    node_t *manager = a_manager(SIDE_GATEWAYS, "m");
    (void)state;

    broker.model.holds = true;
    for (uint64_t id = 1; id <= 257; id++) {
        put_count(manager, id);
    }
    speaks(manager);
    message_t result = gets(manager, KIND_RESULT);
    assert_int_equal(result.result.id, 257);
    assert_int_equal(result.result.status, 429);
    gets_nothing(manager);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)
#define TEST_SHARED(name)                                                      \
    cmocka_unit_test_setup_teardown(name, broker_set_up_shared,                \
                                    broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_manager_comes_to_either_socket),
        TEST(it_pushes_and_learns_what_became_of_it),
        TEST(it_closes),
        TEST(it_is_given_no_requests),
        TEST(what_has_to_do_with_requests_it_may_not_say),
        TEST(another_role_is_another_life),
        TEST(one_that_is_silent_is_lost),
        TEST(they_take_no_place_of_a_worker),
        TEST(there_is_one_for_each_gateway_and_one_for_the_broker),
        TEST_SHARED(it_has_256_queries_under_way_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
