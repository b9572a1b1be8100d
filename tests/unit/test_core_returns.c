/* SPDX-License-Identifier: MIT
 *
 * A gateway whose transport breaks, and which comes back by another one.
 */
#include "base/xalloc.h"
#include "broker/returns.h"
#include "tests/unit/core_fixture.h"

static message_welcome_t greets_broker(node_t *gateway)
{
    put_hello(gateway);
    speaks(gateway);
    message_welcome_t welcome = gets(gateway, KIND_WELCOME).welcome;
    snprintf(gateway->broker, sizeof gateway->broker, "%.*s",
             (int)welcome.boot.len, (const char *)welcome.boot.data);
    gateway->session = wire_map_uint(welcome.options, "session", 0);
    return welcome;
}

static node_t *a_gateway_that_returns(void)
{
    node_t *gateway = a_stranger(SIDE_GATEWAYS, "gateway-1");

    gateway->loop = 1;
    gateway->returns = true;
    assert_true(
        wire_map_bool(greets_broker(gateway).options, "returns", false));
    syncs(gateway, NULL, 0, false);
    return gateway;
}

static void breaks(node_t *gateway)
{
    gateway->is_broken = gateway->is_silent = true;
    core_begin(broker.core, broker.now_ms * 1000);
    core_probe(broker.core);
    core_end(broker.core);
}

/* By a name that the ROUTER has not given before. */
static message_welcome_t greets_anew(node_t *gateway)
{
    gateway->id[0]++;
    gateway->is_broken = gateway->is_silent = false;
    return greets_broker(gateway);
}

static void comes_back(node_t *gateway)
{
    uint64_t session = gateway->session;
    message_welcome_t welcome = greets_anew(gateway);

    assert_true(wire_map_bool(welcome.options, "returned", false));
    assert_int_equal(gateway->session, session);
}

static void gets_end(node_t *worker, const char *reason)
{
    message_request_t request = gets(worker, KIND_REQUEST).request;

    assert_int_equal(request.event, EVENT_DISCONNECT);
    assert_int_equal(wire_map_uint(request.details, "code", 0), 1006);
    assert_true(is_text(wire_map_str(request.details, "reason"), reason));
    answers(worker, request.id, 200, NULL);
}

/* --- connections ---------------------------------------------------------- */

static void its_connections_stand(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    breaks(gateway);
    gets_nothing(worker);
    comes_back(gateway);
    syncs(gateway, &client, 1, false);
    gets_nothing(worker);
    uint64_t id = client_says(client, "echo", "x");
    answers(worker, takes_message(worker, "x"), 200, "y");
    gets_reply(gateway, id, 200);
    assert_int_equal(core_stats(broker.core)->connections, 1);
    assert_int_equal(core_stats(broker.core)->returned, 1);
    assert_int_equal(core_stats(broker.core)->peers_lost, 0);
}

static void a_break_that_nobody_noticed_is_one_as_well(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "x");
    takes_message(worker, "x");
    comes_back(gateway);
    syncs(gateway, &client, 1, false);
    gets_nothing(worker);
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->gateways, 1);
}

static void it_may_break_again_and_again(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    for (int i = 0; i < 5; i++) {
        breaks(gateway);
        comes_back(gateway);
    }
    syncs(gateway, &client, 1, false);
    client_says(client, "echo", "x");
    takes_message(worker, "x");
}

static void whoever_left_meanwhile_has_ended(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *kept = a_client(gateway);
    (void)state;

    a_client(gateway);
    breaks(gateway);
    comes_back(gateway);
    syncs(gateway, &kept, 1, false);
    gets_end(worker, "unknown to its gateway");
    gets_nothing(worker);
}

static void one_that_does_not_come_back_is_lost(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    a_client(gateway);
    breaks(gateway);
    time_passes(RETURN_MS - 100);
    gets_nothing(worker);
    time_passes(200);
    gets_end(worker, "gateway lost");
    assert_true(wire_map_bool(greets_anew(gateway).options, "ended", false));
}

static void our_own_pause_is_not_its_delay(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    a_client(gateway);
    breaks(gateway);
    broker.now_ms += RETURN_MS + CORE_PAUSE_MS;
    time_passes(100);
    gets_nothing(worker);
    comes_back(gateway);
}

static void one_that_says_bye_is_gone(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    (void)state;

    breaks(gateway);
    says_bare(gateway, KIND_BYE);
    assert_int_equal(core_stats(broker.core)->gateways, 0);
}

static void one_that_cannot_return_is_lost_at_once(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    a_client(gateway);
    breaks(gateway);
    gets_end(worker, "gateway lost");
}

static void one_whose_list_was_not_whole_begins_anew(void **state)
{
    node_t *gateway = a_stranger(SIDE_GATEWAYS, "gateway-1");
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    gateway->loop = 1;
    gateway->returns = true;
    greets_broker(gateway);
    client_t *client = a_newcomer(gateway);
    syncs(gateway, &client, 1, true);
    breaks(gateway);
    message_welcome_t welcome = greets_anew(gateway);
    assert_false(wire_map_bool(welcome.options, "returned", true));
    assert_false(wire_map_bool(welcome.options, "ended", true));
    gets_nothing(worker);
}

static void a_list_that_broke_off_names_nobody(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *kept = a_client(gateway), *left = a_client(gateway);
    (void)state;

    syncs(gateway, &left, 1, true);
    breaks(gateway);
    comes_back(gateway);
    syncs(gateway, &kept, 1, false);
    gets_end(worker, "unknown to its gateway");
}

static void one_of_another_session_begins_anew(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    a_client(gateway);
    breaks(gateway);
    gateway->session++;
    assert_false(wire_map_bool(greets_anew(gateway).options, "returned", true));
    gets_end(worker, "gateway lost");
}

/* --- requests ------------------------------------------------------------- */

static void what_waits_for_a_worker_is_over(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 1);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "1");
    client_says(client, "echo", "2");
    client_says(a_client(gateway), "echo", "3");
    uint64_t first = takes_message(worker, "1");
    breaks(gateway);
    answers(worker, first, 200, NULL);
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->requests, 0);
    comes_back(gateway);
    gets_nothing(gateway);
}

static void what_a_worker_holds_is_left_to_it(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "1");
    uint64_t first = takes_message(worker, "1");
    node_t *other = a_worker("other", "echo", 8);
    breaks(gateway);
    comes_back(gateway);
    syncs(gateway, &client, 1, false);
    uint64_t second = client_says(client, "echo", "2");
    gets_nothing(other);
    answers(worker, first, 200, "late");
    answers(worker, takes_message(worker, "2"), 200, "in time");
    gets_reply(gateway, second, 200);
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->replies_late, 1);
}

static void its_reply_says_that_a_handler_may_run(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "slow~ echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "slow", "1");
    takes_message(worker, "1");
    breaks(gateway);
    comes_back(gateway);
    syncs(gateway, &client, 1, false);
    uint64_t second = client_says(client, "echo", "2");
    answers(worker, takes_message(worker, "2"), 200, NULL);
    message_reply_t reply = gets_reply(gateway, second, 200).reply;
    assert_true(wire_map_bool(reply.options, "runs", false));
}

static void it_is_not_given_to_another_worker(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo*3", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "1");
    takes_message(worker, "1");
    node_t *other = a_worker("other", "echo*3", 8);
    breaks(gateway);
    dies(worker);
    gets_nothing(other);
}

static void its_window_is_whole_again(void **state)
{
    (void)state;
    broker.options.gateway_window = 2;
    broker_restarts();
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 1);
    client_t *client = a_client(gateway);

    client_says(client, "echo", "1");
    client_says(client, "echo", "2");
    takes_message(worker, "1");
    breaks(gateway);
    comes_back(gateway);
    syncs(gateway, &client, 1, false);
    client_says(client, "echo", "3");
    client_says(client, "echo", "4");
    gets_nothing(gateway);
    uint64_t fifth = client_says(client, "echo", "5");
    gets_reply(gateway, fifth, 429);
}

static void who_was_about_to_get_in_has_left(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$connect $disconnect", 8);
    (void)state;

    client_knocks(a_newcomer(gateway));
    uint64_t id = takes_event(worker, EVENT_CONNECT);
    breaks(gateway);
    answers(worker, id, 200, NULL);
    gets_end(worker, "left before it was connected");
}

static void a_disconnect_goes_on_and_its_repetition_is_answered(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t lost = client_leaves(client);
    uint64_t id = takes_event(worker, EVENT_DISCONNECT);
    breaks(gateway);
    comes_back(gateway);
    syncs(gateway, &client, 1, false);
    uint64_t again = client_leaves(client);
    gets_reply(gateway, lost, 200); /* which the gateway ignores */
    gets_nothing(gateway);
    answers(worker, id, 200, NULL);
    gets_reply(gateway, again, 200);
    gets_nothing(worker);
}

static void one_whose_reply_was_lost_is_not_handled_again(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_leaves(client);
    gateway->is_broken = gateway->is_silent = true;
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    comes_back(gateway);
    syncs(gateway, &client, 1, false);
    gets_reply(gateway, client_leaves(client), 200);
    gets_nothing(worker);
}

static void what_it_had_said_by_the_old_transport_is_not_heard(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    breaks(gateway);
    client_says(client, "echo", "x");
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->requests_in, 1); /* CONNECT */
}

/* --- pushes and orders ---------------------------------------------------- */

static void pushes_asking(node_t *worker, const client_t *client)
{
    message_t push = {.kind = KIND_PUSH};
    buf_t target, options;

    buf_init(&target, 256);
    buf_init(&options, 256);
    must(wire_put_array(&target, 2) == 0 &&
         wire_put_text(&target, "connection") == 0 &&
         wire_put_text(&target, client->id) == 0 &&
         wire_put_map(&options, 1) == 0 &&
         wire_put_entry_uint(&options, "ack", 7) == 0);
    push.push = (message_push_t){
        .target = {target.data, target.len},
        .body = {BODY_TEXT, wire_bytes("news")},
        .options = {options.data, options.len},
    };
    says(worker, &push);
    buf_fini(&target);
    buf_fini(&options);
}

static void joins(node_t *worker, message_kind_t kind, const client_t *client,
                  const char *group)
{
    message_t message = {.kind = kind};

    message.join = (message_join_t){.group = wire_bytes(group),
                                    .conn = wire_bytes(client->id)};
    says(worker, &message);
}

static void a_push_on_its_way_counts_as_gone(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    pushes_asking(worker, client);
    gets(gateway, KIND_PUSH);
    breaks(gateway);
    message_pushed_t pushed = gets(worker, KIND_PUSHED).pushed;
    assert_int_equal(pushed.id, 7);
    assert_int_equal(pushed.gone, 1);
    assert_int_equal(gets_credit(worker).messages, 1);
    comes_back(gateway);
    gets_nothing(gateway);
}

static void a_push_meanwhile_waits(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    breaks(gateway);
    pushes_asking(worker, client);
    gets_nothing(worker);
    comes_back(gateway);
    uint64_t ack =
        wire_map_uint(gets(gateway, KIND_PUSH).push.options, "ack", UINT64_MAX);
    message_t pushed = {.kind = KIND_PUSHED};
    pushed.pushed = (message_pushed_t){.id = ack, .delivered = 1};
    put_message(gateway, &pushed);
    gives_credit(gateway, 1);
    assert_int_equal(gets(worker, KIND_PUSHED).pushed.delivered, 1);
}

static void orders_are_said_again_and_before_all_else(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    joins(worker, KIND_JOIN, client, "a");
    joins(worker, KIND_LEAVE, client, "a");
    closes(worker, client->id, 4001);
    breaks(gateway);
    joins(worker, KIND_JOIN, client, "b");
    forgets(gateway);
    comes_back(gateway);
    assert_true(is_text(gets(gateway, KIND_JOIN).join.group, "a"));
    assert_true(is_text(gets(gateway, KIND_LEAVE).join.group, "a"));
    assert_int_equal(gets(gateway, KIND_CLOSE).close.code, 4001);
    assert_true(is_text(gets(gateway, KIND_JOIN).join.group, "b"));
    gives_credit(gateway, 4);
    assert_int_equal(gets_credit(worker).messages, 3);
}

static void an_order_that_has_its_credit_is_not(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    closes(worker, client->id, 4001);
    gets(gateway, KIND_CLOSE);
    gives_credit(gateway, 1);
    gets_nothing(worker);
    breaks(gateway);
    comes_back(gateway);
    gets_nothing(gateway);
}

/* A LEAVE said again would undo the groups of the REPLY behind it. */
static void an_order_from_before_the_entry_is_not(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$connect", 8);
    client_t *client = a_newcomer(gateway);
    (void)state;

    uint64_t asked = client_knocks(client);
    uint64_t id = takes_event(worker, EVENT_CONNECT);
    joins(worker, KIND_LEAVE, client, "a");
    closes(worker, client->id, 4001);
    answers(worker, id, 200, NULL);
    gets(gateway, KIND_LEAVE);
    gets(gateway, KIND_CLOSE);
    gets_reply(gateway, asked, 200);
    joins(worker, KIND_JOIN, client, "b");
    gets(gateway, KIND_JOIN);
    breaks(gateway);
    assert_int_equal(gets_credit(worker).messages, 1); /* of the LEAVE */
    comes_back(gateway);
    assert_true(is_text(gets(gateway, KIND_JOIN).join.group, "b"));
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->orders_lost, 0);
}

static void of_very_many_orders_not_all_are_kept(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    message_t close = {.kind = KIND_CLOSE}, kept;
    uint64_t count = 0;
    (void)state;

    close.close = (message_close_t){.conn = wire_bytes(client->id),
                                    .code = 4001,
                                    .reason = wire_bytes("why")};
    for (int i = 0; i < 200; i++) {
        for (int j = 0; j < 1000; j++) {
            put_message(worker, &close);
        }
        speaks(worker);
        forgets(gateway);
    }
    breaks(gateway);
    comes_back(gateway);
    while (takes(gateway, &kept)) {
        assert_int_equal(kept.kind, KIND_CLOSE);
        count++;
    }
    uint64_t lost = core_stats(broker.core)->orders_lost;
    assert_true(count > 0 && lost > 0);
    assert_int_equal(count + lost, 200000);
}

static void a_close_has_no_pushed(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    message_t pushed = {.kind = KIND_PUSHED};
    (void)state;

    closes(worker, client->id, 4001);
    says(gateway, &pushed); /* of the first in its ring */
    gets_nothing(worker);
}

/* --- news and questions --------------------------------------------------- */

static void who_missed_that_nobody_watched_hears_it(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "$presence", 8);
    (void)state;

    gets(gateway, KIND_WATCH);
    gateway->watches = 1;
    breaks(gateway);
    dies(worker);
    time_passes(ROUTE_GRACE_MS + 200);
    a_worker("w2", "$presence", 8);
    message_welcome_t welcome = greets_anew(gateway);
    assert_false(wire_map_bool(welcome.options, "presence", true));
    assert_true(gets(gateway, KIND_WATCH).watch.presence);
    gets_nothing(gateway);
    gateway->watches = 2;
    breaks(gateway);
    welcome = greets_anew(gateway);
    assert_true(wire_map_bool(welcome.options, "presence", false));
}

static void what_it_was_asked_it_is_asked_again(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    message_t query = {.kind = KIND_QUERY}, result = {.kind = KIND_RESULT};
    buf_t what;
    (void)state;

    buf_init(&what, 64);
    must(wire_put_array(&what, 2) == 0 && wire_put_text(&what, "group") == 0 &&
         wire_put_text(&what, "g") == 0);
    query.query = (message_query_t){.id = 9, .what = {what.data, what.len}};
    says(worker, &query);
    uint64_t first = gets(gateway, KIND_QUERY).query.id;
    breaks(gateway);
    comes_back(gateway);
    result.result.id = gets(gateway, KIND_QUERY).query.id;
    result.result.status = 200;
    assert_int_not_equal(result.result.id, first);
    says(gateway, &result);
    assert_int_equal(gets(worker, KIND_RESULT).result.id, 9);
    gets_nothing(worker);
    buf_fini(&what);
}

static void while_it_is_away_the_broker_does_not_end(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    (void)state;

    core_drain(broker.core);
    gets(gateway, KIND_DRAIN);
    says_bare(gateway, KIND_DRAIN);
    assert_true(core_is_drained(broker.core));
    breaks(gateway);
    comes_back(gateway);
    gets(gateway, KIND_DRAIN);
    assert_false(core_is_drained(broker.core)); /* it may have asked for more */
    says_bare(gateway, KIND_DRAIN);
    assert_true(core_is_drained(broker.core));
}

static void the_end_of_the_broker_waits_for_nobody(void **state)
{
    node_t *gateway = a_gateway_that_returns();
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    joins(worker, KIND_JOIN, a_client(gateway), "a");
    gateway->is_broken = true;
    core_stop(broker.core); /* whose BYE finds that out, … */
    broker_restarts();      /* … which nobody has dealt with yet */
    assert_int_equal(core_stats(broker.core)->gateways, 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_connections_stand),
        TEST(a_break_that_nobody_noticed_is_one_as_well),
        TEST(it_may_break_again_and_again),
        TEST(whoever_left_meanwhile_has_ended),
        TEST(one_that_does_not_come_back_is_lost),
        TEST(our_own_pause_is_not_its_delay),
        TEST(one_that_says_bye_is_gone),
        TEST(one_that_cannot_return_is_lost_at_once),
        TEST(one_whose_list_was_not_whole_begins_anew),
        TEST(a_list_that_broke_off_names_nobody),
        TEST(one_of_another_session_begins_anew),
        TEST(what_waits_for_a_worker_is_over),
        TEST(what_a_worker_holds_is_left_to_it),
        TEST(its_reply_says_that_a_handler_may_run),
        TEST(it_is_not_given_to_another_worker),
        TEST(its_window_is_whole_again),
        TEST(who_was_about_to_get_in_has_left),
        TEST(a_disconnect_goes_on_and_its_repetition_is_answered),
        TEST(one_whose_reply_was_lost_is_not_handled_again),
        TEST(what_it_had_said_by_the_old_transport_is_not_heard),
        TEST(a_push_on_its_way_counts_as_gone),
        TEST(a_push_meanwhile_waits),
        TEST(orders_are_said_again_and_before_all_else),
        TEST(an_order_that_has_its_credit_is_not),
        TEST(an_order_from_before_the_entry_is_not),
        TEST(of_very_many_orders_not_all_are_kept),
        TEST(a_close_has_no_pushed),
        TEST(who_missed_that_nobody_watched_hears_it),
        TEST(what_it_was_asked_it_is_asked_again),
        TEST(while_it_is_away_the_broker_does_not_end),
        TEST(the_end_of_the_broker_waits_for_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
