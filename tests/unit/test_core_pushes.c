/* SPDX-License-Identifier: MIT
 *
 * What a worker sends to connections of its own accord.
 */
#include "tests/unit/core_fixture.h"

/* The gateway's next message is that PUSH, to one connection. */
static message_t gets_push(node_t *gateway, const client_t *client,
                           const char *text)
{
    message_t push = gets(gateway, KIND_PUSH);
    wire_cursor_t target = wire_cursor(push.push.target);
    wire_bytes_t word;
    uint32_t count;

    assert_true(is_text(push.push.body.bytes, text));
    assert_int_equal(wire_get_array(&target, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(wire_get_str(&target, &word), 0);
    assert_true(is_text(word, "connection"));
    assert_int_equal(wire_get_str(&target, &word), 0);
    assert_true(is_text(word, client->id));
    return push;
}

static void gets_gone(node_t *worker, const char *conn)
{
    assert_true(is_text(gets(worker, KIND_GONE).gone.conn, conn));
}

/* It was asked for one that it does not have. */
static void denies(node_t *gateway, const client_t *client)
{
    message_t push = gets(gateway, KIND_PUSH);

    has_no(gateway, client->id, wire_map_uint(push.push.options, "from", 0));
    gives_credit(gateway, 1);
}

static void a_push_reaches_the_gateway_of_the_connection(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1), *other = a_gateway(2);
    client_t *client = a_client(gateway);
    (void)state;

    a_client(other);
    pushes(worker, client->id, "news");
    gets_push(gateway, client, "news");
    gets_nothing(other);
    gets_nothing(worker);
}

static void the_credit_comes_back_when_the_gateway_took_it(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    pushes(worker, client->id, "news");
    gives_credit(gateway, 1);
    message_credit_t credit = gets_credit(worker);
    assert_int_equal(credit.messages, 1);
    assert_int_equal(credit.bytes, 29 + strlen("news")); /* the target, too */
    gives_credit(gateway, 1000000);
    gets_nothing(worker);
}

static void credit_is_kept_back_while_there_is_much(void **state)
{
    (void)state;
    broker.options.push_window = 8;
    broker_restarts();
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);

    for (int i = 0; i < 3; i++) {
        pushes(worker, client->id, "news");
    }
    gives_credit(gateway, 1);
    gets_nothing(worker);
    gives_credit(gateway, 1);
    assert_int_equal(gets(worker, KIND_CREDIT).credit.messages, 2);
    gives_credit(gateway, 1);
    gets_nothing(worker);
    time_passes(CREDIT_MS);
    assert_int_equal(gets(worker, KIND_CREDIT).credit.messages, 1);
}

static void so_are_bytes(void **state)
{
    (void)state;
    broker.options.push_window_bytes = 400;
    broker_restarts();
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);

    pushes(worker, client->id, "few");
    pushes(worker, client->id,
           "These, with their target, are a quarter of the window, or more.");
    gives_credit(gateway, 1);
    gets_nothing(worker);
    gives_credit(gateway, 1);
    assert_int_equal(gets(worker, KIND_CREDIT).credit.messages, 2);
}

static void credit_goes_with_what_is_sent_anyway(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    pushes(worker, client->id, "news");
    gives_credit(gateway, 1);
    gets_nothing(worker);
    client_says(client, "echo", "hello");
    takes_message(worker, "hello");
    assert_int_equal(gets(worker, KIND_CREDIT).credit.messages, 1);
}

static void a_push_to_nobody_is_answered_and_credited(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    pushes(worker, "AAAAAAAAAAAAAAAA", "news");
    gets_gone(worker, "AAAAAAAAAAAAAAAA");
    assert_int_equal(gets_credit(worker).messages, 1);
    pushes(worker, "?~ no id at all ", "news");
    gets_gone(worker, "?~ no id at all ");
}

static void an_id_may_be_any_word_of_a_client(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    char longest[CONN_NAMED_MAX + 2];
    (void)state;

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    for (int i = 0; i < 40; i++) {
        pushes(worker, "bob", "news");
        gets_gone(worker, "bob");
        gets(worker, KIND_CREDIT);
        closes(worker, "", 1000);
        gets_gone(worker, "");
        closes(worker, longest, 1000);
        gets_error(worker, "gone");
    }
    pushes(worker, longest + 1, "news");
    gets_gone(worker, longest + 1);
}

static void a_push_to_a_closed_connection_is_answered_with_gone(void **state)
{
    node_t *worker = a_worker("w", "echo $disconnect", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    client_leaves(client);
    uint64_t held = takes_event(worker, EVENT_DISCONNECT);
    pushes(worker, client->id, "during");
    gets_gone(worker, client->id);
    gets(worker, KIND_CREDIT);
    answers(worker, held, 200, NULL);
    (void)gets(gateway, KIND_REPLY);
    pushes(worker, client->id, "after");
    denies(gateway, client);
    gets_gone(worker, client->id);
}

/* Only its gateway knows whether another broker has it. */
static void a_push_to_whom_we_do_not_know_goes_to_its_gateway(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *elsewhere = a_newcomer(gateway);
    (void)state;

    pushes(worker, elsewhere->id, "news");
    gets_push(gateway, elsewhere, "news");
    gets_nothing(worker);
    gives_credit(gateway, 1);
    assert_int_equal(gets_credit(worker).messages, 1);
}

static void a_push_to_a_loop_of_nobody_is_answered_with_gone(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    (void)state;

    pushes(worker, "____________ABCD", "news");
    gets_gone(worker, "____________ABCD");
    gets_nothing(gateway);
}

static void who_connects_can_be_pushed_to_before_the_reply(void **state)
{
    node_t *worker = a_worker("w", "$connect", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    uint64_t id = client_knocks(client);
    uint64_t held = takes_event(worker, EVENT_CONNECT);
    pushes(worker, client->id, "early");
    answers(worker, held, 200, NULL);
    gets_push(gateway, client, "early");
    gets_reply(gateway, id, 200);
    pushes(worker, client->id, "welcome");
    gets_push(gateway, client, "welcome");
}

static void who_was_refused_cannot_be_pushed_to(void **state)
{
    node_t *worker = a_worker("w", "$connect", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    uint64_t id = client_knocks(client);
    answers(worker, takes_event(worker, EVENT_CONNECT), 403, NULL);
    gets_reply(gateway, id, 403);
    pushes(worker, client->id, "late");
    denies(gateway, client);
    gets_gone(worker, client->id);
}

static void a_reply_and_the_push_behind_it_keep_their_order(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t id = client_says(client, "echo", "x");
    uint64_t held = takes_message(worker, "x");
    pushes(worker, client->id, "before");
    answers(worker, held, 200, NULL);
    pushes(worker, client->id, "behind");
    gets_push(gateway, client, "before");
    gets_reply(gateway, id, 200);
    gets_push(gateway, client, "behind");
}

/* --- the window ---------------------------------------------------------- */

static void beyond_the_push_window_pushes_are_refused(void **state)
{
    (void)state;
    broker.options.push_window = 2;
    broker_restarts();
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);

    pushes(worker, client->id, "1");
    pushes(worker, client->id, "2");
    pushes(worker, client->id, "3");
    gets_error(worker, "push-window");
    gets_push(gateway, client, "1");
    gets_push(gateway, client, "2");
    gets_nothing(gateway);
    gives_credit(gateway, 1);
    gets(worker, KIND_CREDIT);
    pushes(worker, client->id, "4");
    gets_push(gateway, client, "4");
    gets_nothing(worker);
}

static void beyond_the_bytes_of_the_push_window_too(void **state)
{
    (void)state;
    broker.options.push_window_bytes = 50; /* of which the target takes 29 */
    broker_restarts();
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);

    pushes(worker, client->id, "one is always allowed");
    gets_push(gateway, client, "one is always allowed");
    pushes(worker, client->id, "1");
    gets_error(worker, "push-window");
    gets_nothing(gateway);
}

/* What one frame may make the broker do is bounded by the window, too. */
static void a_push_to_nobody_is_in_the_window_until_the_turn_ends(void **state)
{
    (void)state;
    broker.options.push_window = 2;
    broker_restarts();
    node_t *worker = a_worker("w", "echo", 8);

    for (int i = 0; i < 3; i++) {
        put_push(worker, "bob", "news");
    }
    speaks(worker);
    gets_gone(worker, "bob");
    gets_gone(worker, "bob");
    gets_error(worker, "push-window");
    assert_int_equal(gets(worker, KIND_CREDIT).credit.messages, 2);
    pushes(worker, "bob", "news");
    gets_gone(worker, "bob");
    gets(worker, KIND_CREDIT);
}

static void a_lost_gateway_gives_the_credit_back(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    pushes(worker, client->id, "news");
    gateway->is_silent = true;
    says_bare(gateway, KIND_BYE);
    assert_int_equal(gets_credit(worker).messages, 1);
}

static void the_credit_of_a_dead_worker_goes_to_nobody(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    pushes(worker, client->id, "news");
    says_bare(worker, KIND_BYE);
    node_t *other = a_worker("other", "echo", 8);
    gives_credit(gateway, 1);
    gets_nothing(other);
    gets_nothing(worker);
}

static void a_push_without_body_or_target_is_a_fault(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    static const uint8_t none[] = {0x91, 0xaa, 'c', 'o', 'n', 'n',
                                   'e',  'c',  't', 'i', 'o', 'n'};
    static const uint8_t topic[] = {0x92, 0xa5, 't', 'o', 'p', 'i', 'c', 0x80};
    message_t push = {.kind = KIND_PUSH};
    (void)state;

    push.push.target = (wire_bytes_t){none, sizeof none};
    says(worker, &push);
    gets_error(worker, "malformed");
    push.push.body = (body_t){BODY_TEXT, wire_bytes("x")};
    says(worker, &push);
    gets_error(worker, "push");
    push.push.target = (wire_bytes_t){topic, sizeof topic};
    says(worker, &push);
    gets_error(worker, "push");
}

/* --- closes -------------------------------------------------------------- */

static void a_close_is_passed_on_and_its_gone_finds_back(void **state)
{
    node_t *other = a_worker("other", "echo", 8);
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    closes(worker, client->id, 4000);
    message_t passed = gets(gateway, KIND_CLOSE);
    assert_int_equal(passed.close.code, 4000);
    assert_true(is_text(passed.close.reason, "why"));
    has_no(gateway, client->id, passed.close.from);
    gets_gone(worker, client->id);
    gets_nothing(other);
}

static void a_close_of_whom_we_do_not_know_goes_to_its_gateway(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *elsewhere = a_newcomer(gateway);
    (void)state;

    closes(worker, elsewhere->id, 4000);
    assert_true(is_text(gets(gateway, KIND_CLOSE).close.conn, elsewhere->id));
    gets_nothing(worker);
}

static void a_close_of_nobody_is_answered_with_gone(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    closes(worker, "AAAAAAAAAAAAAAAA", 1000);
    gets_gone(worker, "AAAAAAAAAAAAAAAA");
}

static void a_close_code_that_may_not_be_sent_is_a_fault(void **state)
{
    static const uint64_t wrong[] = {1002, 1004, 1005, 1006, 1014, 2999};
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        closes(worker, client->id, wrong[i]);
        gets_error(worker, "close");
    }
    gets_nothing(gateway);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_push_reaches_the_gateway_of_the_connection),
        TEST(the_credit_comes_back_when_the_gateway_took_it),
        TEST(credit_is_kept_back_while_there_is_much),
        TEST(so_are_bytes),
        TEST(credit_goes_with_what_is_sent_anyway),
        TEST(a_push_to_nobody_is_answered_and_credited),
        TEST(an_id_may_be_any_word_of_a_client),
        TEST(a_push_to_a_closed_connection_is_answered_with_gone),
        TEST(a_push_to_whom_we_do_not_know_goes_to_its_gateway),
        TEST(a_push_to_a_loop_of_nobody_is_answered_with_gone),
        TEST(who_connects_can_be_pushed_to_before_the_reply),
        TEST(who_was_refused_cannot_be_pushed_to),
        TEST(a_reply_and_the_push_behind_it_keep_their_order),
        TEST(beyond_the_push_window_pushes_are_refused),
        TEST(beyond_the_bytes_of_the_push_window_too),
        TEST(a_push_to_nobody_is_in_the_window_until_the_turn_ends),
        TEST(a_lost_gateway_gives_the_credit_back),
        TEST(the_credit_of_a_dead_worker_goes_to_nobody),
        TEST(a_push_without_body_or_target_is_a_fault),
        TEST(a_close_is_passed_on_and_its_gone_finds_back),
        TEST(a_close_of_whom_we_do_not_know_goes_to_its_gateway),
        TEST(a_close_of_nobody_is_answered_with_gone),
        TEST(a_close_code_that_may_not_be_sent_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
