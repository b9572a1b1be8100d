/* SPDX-License-Identifier: MIT
 *
 * What the broker counts of each route, and how long things took there.
 */
#include "tests/unit/core_fixture.h"

static node_t *gateway;

static int set_up(void **state)
{
    broker_set_up(state);
    gateway = a_gateway(1);
    return 0;
}

/* What is told of a route; the test fails when it is not. */
static const flow_t *flow_of(const char *key)
{
    const traffic_t *traffic = core_traffic(broker.core);
    const flow_t *flow;

    for (size_t i = 0; (flow = traffic_told(traffic, i)) != NULL; i++) {
        if (wire_is((wire_bytes_t){flow->key, flow->key_len}, key)) {
            return flow;
        }
    }
    fail_msg("nothing is told of %s", key);
    return NULL;
}

/* The one time that was measured, µs, as near as it is kept. */
static void took(const histogram_t *histogram, int64_t ms)
{
    assert_int_equal(histogram->count, 1);
    assert_int_equal(histogram->sum, ms * 1000);
}

static void a_request_is_timed_from_its_worker_to_its_reply(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "a");
    uint64_t id = takes_message(worker, "a");
    assert_int_equal(flow_of("echo")->held, 1);
    time_passes(250);
    answers(worker, id, 200, "b");
    const flow_t *flow = flow_of("echo");
    assert_int_equal(flow->requests, 1);
    assert_int_equal(flow->replies, 1);
    assert_int_equal(flow->held, 0);
    took(&flow->wait, 0);
    took(&flow->handler, 250);
}

static void what_waits_for_room_is_timed_while_it_waits(void **state)
{
    node_t *worker = a_worker("w", "echo", 1);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "a");
    uint64_t first = takes_message(worker, "a");
    client_says(client, "echo", "b");
    assert_int_equal(flow_of("echo")->waiting, 1);
    time_passes(100);
    answers(worker, first, 200, "");
    assert_int_equal(flow_of("echo")->waiting, 0);
    assert_int_equal(flow_of("echo")->held, 1);
    assert_int_equal(flow_of("echo")->wait.count, 2);
    assert_int_equal(flow_of("echo")->wait.sum, 100000);
}

static void replies_are_told_apart_by_their_class(void **state)
{
    static const uint64_t statuses[] = {200, 302, 404, 499, 500, 599};
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        client_says(client, "echo", "a");
        answers(worker, takes_message(worker, "a"), statuses[i], "");
    }
    assert_int_equal(flow_of("echo")->replies, 6);
    assert_int_equal(flow_of("echo")->refused, 2);
    assert_int_equal(flow_of("echo")->failed, 2);
}

static void what_is_too_late_is_counted_and_timed(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_says_within(client, "echo", "a", 1000);
    uint64_t id = takes_message(worker, "a");
    time_passes(2000);
    answers(worker, id, 200, "");
    assert_int_equal(flow_of("echo")->timeouts, 1);
    assert_int_equal(flow_of("echo")->late, 1);
    assert_int_equal(flow_of("echo")->replies, 0);
    took(&flow_of("echo")->handler, 2000);
}

static void
what_dies_with_its_worker_waits_again_and_is_one_request(void **state)
{
    node_t *first = a_worker("w1", "echo*1", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "a");
    takes_message(first, "a");
    dies(first);
    const flow_t *flow = flow_of("echo");
    assert_int_equal(flow->requests, 1);
    assert_int_equal(flow->died, 1);
    assert_int_equal(flow->held, 0);
    assert_int_equal(flow->waiting, 1);
    time_passes(500);
    node_t *second = a_worker("w2", "echo*1", 8);
    answers(second, takes_message(second, "a"), 200, "");
    assert_int_equal(flow->requests, 1);
    assert_int_equal(flow->replies, 1);
    assert_int_equal(flow->waiting + flow->held, 0);
    assert_int_equal(flow->wait.count, 2);
}

static void what_no_route_is_for_is_no_routes(void **state)
{
    client_t *client = a_client(gateway);
    (void)state;

    gets_reply(gateway, client_says(client, "nowhere", "a"), 403);
    assert_null(traffic_told(core_traffic(broker.core), 0));
}

/* A worker that comes and goes does not let counters begin anew. */
static void counts_outlive_their_route(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    for (uint64_t i = 1; i <= 3; i++) {
        announces(worker, "echo", 8);
        client_says(client, "echo", "a");
        answers(worker, takes_message(worker, "a"), 200, "");
        forgets(gateway);
        announces(worker, "other", 8);
        time_passes(INT64_C(2) * ROUTE_GRACE_MS);
        gets_reply(gateway, client_says(client, "echo", "a"), 403);
        assert_int_equal(flow_of("echo")->requests, i);
    }
}

static void keys_beyond_the_limit_share_one(void **state)
{
    node_t *worker = a_worker("w", "r0", 8);
    client_t *client = a_client(gateway);
    char key[16];
    (void)state;

    for (int i = 0; i < TRAFFIC_ROUTES + 2; i++) {
        snprintf(key, sizeof key, "r%d", i);
        announces(worker, key, 8);
        client_says(client, key, "a");
        answers(worker, takes_message(worker, "a"), 200, "");
        forgets(gateway);
    }
    assert_int_equal(flow_of("r0")->requests, 1);
    assert_int_equal(flow_of("r63")->requests, 1);
    assert_int_equal(flow_of("$other")->requests, 2);
    assert_int_equal(flow_of("$other")->replies, 2);
    assert_null(traffic_told(core_traffic(broker.core), TRAFFIC_ROUTES + 1));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, broker_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_request_is_timed_from_its_worker_to_its_reply),
        T(what_waits_for_room_is_timed_while_it_waits),
        T(replies_are_told_apart_by_their_class),
        T(what_is_too_late_is_counted_and_timed),
        T(what_dies_with_its_worker_waits_again_and_is_one_request),
        T(what_no_route_is_for_is_no_routes),
        T(counts_outlive_their_route),
        T(keys_beyond_the_limit_share_one),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
