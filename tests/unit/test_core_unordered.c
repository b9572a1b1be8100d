/* SPDX-License-Identifier: MIT
 *
 * Routes without order: their messages overtake, all but the end.
 */
#include "tests/unit/core_fixture.h"

static void messages_of_one_connection_go_to_several_workers(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *one = a_worker("1", "log~", 8), *two = a_worker("2", "log~", 8);
    (void)state;

    client_says(client, "log", "a");
    client_says(client, "log", "b");
    takes_message(one, "a");
    takes_message(two, "b");
}

static void a_message_overtakes_those_that_wait_for_their_turn(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "echo", 1);
    node_t *logger = a_worker("l", "log~", 8);
    (void)state;

    client_says(client, "echo", "1");
    client_says(client, "echo", "2");
    client_says(client, "log", "now");
    takes_message(logger, "now");
    answers(worker, takes_message(worker, "1"), 200, NULL);
    takes_message(worker, "2");
}

static void it_holds_up_nobody(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "echo", 8);
    node_t *logger = a_worker("l", "log~", 8);
    (void)state;

    client_says(client, "log", "slow");
    takes_message(logger, "slow");
    client_says(client, "echo", "1");
    takes_message(worker, "1");
}

static void order_is_kept_on_the_other_routes_all_the_same(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *one = a_worker("1", "echo log~", 1);
    node_t *two = a_worker("2", "echo log~", 8);
    (void)state;

    client_says(client, "echo", "1");
    uint64_t first = takes_message(one, "1");
    client_says(client, "log", "l");
    takes_message(two, "l");
    client_says(client, "echo", "2"); /* two would have room */
    gets_nothing(two);
    gets_nothing(one);
    answers(one, first, 200, NULL);
    takes_message(one, "2");
}

static void the_end_comes_behind_all_of_them(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *one = a_worker("1", "log~ $disconnect", 8);
    node_t *two = a_worker("2", "log~ $disconnect", 8);
    (void)state;

    client_says(client, "log", "a");
    client_says(client, "log", "b");
    client_leaves(client);
    uint64_t a = takes_message(one, "a"), b = takes_message(two, "b");
    gets_nothing(one);
    gets_nothing(two);
    answers(one, a, 200, NULL);
    gets_nothing(one);
    gets_nothing(two);
    answers(two, b, 200, NULL);
    message_t end =
        gets(two->frame_at < two->frame_count ? two : one, KIND_REQUEST);
    assert_int_equal(end.request.event, EVENT_DISCONNECT);
}

static void the_end_comes_when_the_last_of_them_died(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *logger = a_worker("l", "log~", 8);
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    uint64_t lost = client_says(client, "log", "a");
    client_leaves(client);
    gets_nothing(worker);
    says_bare(logger, KIND_BYE);
    gets_reply(gateway, lost, 500);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void without_room_it_waits_in_the_mailbox(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *logger = a_worker("l", "log~", 1);
    (void)state;

    client_says(client, "log", "1");
    client_says(client, "log", "2");
    uint64_t first = takes_message(logger, "1");
    gets_nothing(logger);
    answers(logger, first, 200, NULL);
    takes_message(logger, "2");
}

/* Where one of those who serve it wants order, there is order. */
static void all_who_serve_it_must_agree(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *one = a_worker("1", "log~", 8), *two = a_worker("2", "log", 8);
    (void)state;

    client_says(client, "log", "a");
    client_says(client, "log", "b");
    node_t *first = two->frame_at < two->frame_count ? two : one;
    takes_message(first, "a");
    takes_message(first, "b");
    says_bare(two, KIND_BYE);
    node_t *three = a_worker("3", "log~", 8), *four = a_worker("4", "log~", 8);
    client_says(client, "log", "c");
    client_says(client, "log", "d");
    takes_message(three, "c");
    takes_message(four, "d");
}

static void a_route_that_wants_order_by_now_keeps_it(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *one = a_worker("1", "echo log~", 1);
    (void)state;

    client_says(client, "echo", "slow");
    takes_message(one, "slow");
    client_says(client, "log", "l");
    gets_nothing(one);
    node_t *two = a_worker("2", "log", 8); /* wants order */
    gets_nothing(two);                     /* slow still runs at one */
}

static void behind_another_it_goes_to_whoever_has_room(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *one = a_worker("1", "echo log~", 1);
    (void)state;

    client_says(client, "echo", "slow");
    takes_message(one, "slow");
    client_says(client, "log", "a");
    client_says(client, "log", "b");
    node_t *two = a_worker("2", "log~", 1);
    (void)two;
    answers(two, takes_message(two, "a"), 200, NULL);
    takes_message(two, "b");
}

static void it_waits_for_no_worker_in_particular(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *one = a_worker("1", "echo log~", 1);
    (void)state;

    client_says(client, "echo", "slow");
    takes_message(one, "slow");
    client_says(client, "log", "a");
    client_says(client, "log", "b");
    node_t *two = a_worker("2", "echo log~", 1);
    answers(two, takes_message(two, "a"), 200, NULL);
    time_passes(4000);
    takes_message(two, "b");
}

static void its_reply_says_that_another_handler_still_runs(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *one = a_worker("1", "echo", 8), *two = a_worker("2", "log~", 8);
    (void)state;

    uint64_t slow = client_says_within(client, "echo", "slow", 500);
    takes_message(one, "slow");
    time_passes(600);
    message_t late = gets_reply(gateway, slow, 504);
    assert_true(wire_map_bool(late.reply.options, "runs", false));
    uint64_t id = client_says(client, "log", "l");
    answers(two, takes_message(two, "l"), 200, NULL);
    message_t reply = gets_reply(gateway, id, 200);
    assert_true(wire_map_bool(reply.reply.options, "runs", false));
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_of_one_connection_go_to_several_workers),
        TEST(a_message_overtakes_those_that_wait_for_their_turn),
        TEST(it_holds_up_nobody),
        TEST(order_is_kept_on_the_other_routes_all_the_same),
        TEST(the_end_comes_behind_all_of_them),
        TEST(the_end_comes_when_the_last_of_them_died),
        TEST(without_room_it_waits_in_the_mailbox),
        TEST(all_who_serve_it_must_agree),
        TEST(a_route_that_wants_order_by_now_keeps_it),
        TEST(behind_another_it_goes_to_whoever_has_room),
        TEST(it_waits_for_no_worker_in_particular),
        TEST(its_reply_says_that_another_handler_still_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
