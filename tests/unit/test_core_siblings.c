/* SPDX-License-Identifier: MIT
 *
 * Workers that are links of one process, of which one is lost.
 */
#include "tests/unit/core_fixture.h"

static node_t *a_link_of_bytes(wire_bytes_t process, const char *name,
                               const char *routes)
{
    node_t *worker = a_stranger(SIDE_WORKERS, name);

    worker->process = process;
    greets(worker, routes, 8);
    return worker;
}

static node_t *a_link_of(const char *process, const char *name,
                         const char *routes)
{
    return a_link_of_bytes(wire_bytes(process), name, routes);
}

/* Its transport breaks, and the broker looks. */
static void breaks(node_t *worker)
{
    worker->is_broken = true;
    core_probe(broker.core);
    core_end(broker.core);
}

/* What it has said is read, and the turn goes on. */
static void is_read(node_t *node)
{
    const origin_t origin = {.side = node->side,
                             .id = (const uint8_t *)node->id,
                             .id_len = strlen(node->id)};

    core_frame(broker.core, &origin, node->out.data, node->out.len);
    node->out.len = 0;
}

static uint64_t is_asked(node_t *worker)
{
    uint64_t number = gets(worker, KIND_PING).ping.number;

    assert_int_not_equal(number, 0);
    return number;
}

static void says_pong(node_t *worker, uint64_t number)
{
    says(worker, &(message_t){.kind = KIND_PONG, .pong = {number}});
}

static uint64_t takes_attempt(node_t *worker, const char *text,
                              uint64_t attempt)
{
    message_request_t request = gets(worker, KIND_REQUEST).request;

    assert_true(is_text(request.body.bytes, text));
    assert_int_equal(request.attempt, attempt);
    return request.id;
}

static void what_it_held_waits_until_another_link_answers(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_link_of("p", "lost", "pay*1");
    (void)state;

    uint64_t id = client_says(client, "pay", "x");
    node_t *other = a_link_of("p", "other", "pay*1");
    breaks(lost);
    uint64_t number = is_asked(other);
    gets_nothing(other);
    says_pong(other, number);
    answers(other, takes_attempt(other, "x", 2), 200, NULL);
    gets_reply(gateway, id, 200);
}

static void a_process_that_dies_costs_one_try(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *first = a_link_of("p", "1", "pay*1");
    (void)state;

    uint64_t id = client_says(client, "pay", "x");
    node_t *second = a_link_of("p", "2", "pay*1");
    node_t *third = a_link_of("p", "3", "pay*1");
    breaks(first);
    breaks(second);
    breaks(third);
    gets_nothing(gateway);
    node_t *next = a_link_of("q", "next", "pay*1");
    answers(next, takes_attempt(next, "x", 2), 200, NULL);
    gets_reply(gateway, id, 200);
}

static void links_that_are_lost_in_the_same_turn_are_not_tried(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *first = a_link_of("p", "1", "pay*1");
    (void)state;

    client_says(client, "pay", "x");
    node_t *second = a_link_of("p", "2", "pay*1");
    second->is_broken = true;
    breaks(first);
    node_t *next = a_link_of("q", "next", "pay*1");
    takes_attempt(next, "x", 2);
}

static void workers_of_other_processes_get_it_at_once(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_link_of("p", "lost", "pay*1");
    (void)state;

    client_says(client, "pay", "x");
    node_t *sibling = a_link_of("p", "sibling", "pay*1");
    node_t *other = a_link_of("q", "other", "pay*1");
    breaks(lost);
    takes_attempt(other, "x", 2);
    is_asked(sibling);
    gets_nothing(sibling);
}

static void those_that_name_no_process_are_alone(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_worker("lost", "pay*1", 8);
    (void)state;

    client_says(client, "pay", "x");
    node_t *other = a_worker("other", "pay*1", 8);
    breaks(lost);
    takes_attempt(other, "x", 2);
}

static void a_name_of_more_than_32_bytes_is_none(void **state)
{
    static const char long_name[] = "123456789012345678901234567890123";
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_link_of(long_name, "lost", "pay*1");
    (void)state;

    client_says(client, "pay", "x");
    node_t *other = a_link_of(long_name, "other", "pay*1");
    breaks(lost);
    takes_attempt(other, "x", 2);
}

static void a_name_goes_on_behind_a_nul(void **state)
{
    const wire_bytes_t p_a = {(const uint8_t *)"p\0a", 3};
    const wire_bytes_t p_b = {(const uint8_t *)"p\0b", 3};
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_link_of_bytes(p_a, "lost", "pay*1");
    (void)state;

    client_says(client, "pay", "x");
    node_t *other = a_link_of_bytes(p_b, "other", "pay*1");
    breaks(lost);
    takes_attempt(other, "x", 2);

    node_t *sibling = a_link_of_bytes(p_b, "sibling", "echo");
    breaks(other);
    is_asked(sibling);
}

static void the_same_name_with_another_key_is_another_process(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_stranger(SIDE_WORKERS, "lost");
    node_t *other = a_stranger(SIDE_WORKERS, "other");
    (void)state;

    lost->principal = 1;
    other->principal = 2;
    lost->process = other->process = wire_bytes("p");
    greets(lost, "pay*1", 8);
    client_says(client, "pay", "x");
    greets(other, "pay*1", 8);
    breaks(lost);
    takes_attempt(other, "x", 2);
}

static void who_says_bye_leaves_no_doubt(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *leaver = a_link_of("p", "leaver", "pay*1");
    (void)state;

    client_says(client, "pay", "x");
    node_t *other = a_link_of("p", "other", "pay*1");
    dies(leaver);
    takes_attempt(other, "x", 2);
}

static void who_greets_anew_leaves_no_doubt(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *again = a_link_of("p", "again", "pay*1");
    (void)state;

    client_says(client, "pay", "x");
    node_t *other = a_link_of("p", "other", "pay*1");
    forgets(again);
    starts_anew(again, "echo", 8);
    takes_attempt(other, "x", 2);
}

static void what_may_have_been_said_before_the_loss_is_no_answer(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *first = a_link_of("p", "1", "pay*1");
    (void)state;

    client_says(client, "pay", "x");
    node_t *second = a_link_of("p", "2", "echo");
    node_t *other = a_link_of("p", "other", "pay*1");
    breaks(second);
    uint64_t early = is_asked(other);
    breaks(first);
    uint64_t number = is_asked(other);
    says_pong(other, early);
    says_bare(other, KIND_PING);
    gets(other, KIND_PONG);
    announces(other, "pay*1 echo", 8);
    gets_nothing(other);
    says_pong(other, number);
    takes_attempt(other, "x", 2);
}

static void what_comes_anew_waits_for_the_answer_too(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *idle = a_client(gateway), *busy = a_client(gateway);
    node_t *lost = a_link_of("p", "lost", "echo");
    (void)state;

    breaks(a_link_of("p", "another", "lone"));
    uint64_t number = is_asked(lost);
    client_says(idle, "echo", "new");
    gets_nothing(lost);
    says_pong(lost, number);
    uint64_t held = takes_attempt(lost, "new", 0);
    answers(lost, held, 200, NULL);

    client_says(busy, "echo", "1");
    held = takes_attempt(lost, "1", 0);
    breaks(a_link_of("p", "one more", "lone"));
    number = is_asked(lost);
    client_says(busy, "echo", "2"); /* its connection is bound to it */
    gets_nothing(lost);
    answers(lost, held, 200, NULL);
    gets_nothing(lost);
    says_pong(lost, number);
    takes_attempt(lost, "2", 0);
}

static void who_drains_while_in_doubt_gets_nothing_afterwards(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_link_of("p", "lost", "pay*1");
    (void)state;

    uint64_t id = client_says(client, "pay", "x");
    node_t *other = a_link_of("p", "other", "pay*1");
    breaks(lost);
    uint64_t number = is_asked(other);
    says_bare(other, KIND_DRAIN);
    says_pong(other, number);
    gets_nothing(other);
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    gets_reply(gateway, id, 500);
}

static void it_waits_no_longer_than_its_deadline(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_link_of("p", "lost", "pay*1");
    (void)state;

    uint64_t id = client_says_within(client, "pay", "x", 500);
    node_t *other = a_link_of("p", "other", "pay*1");
    breaks(lost);
    uint64_t number = is_asked(other);
    time_passes(600);
    gets_reply(gateway, id, 504);
    forgets(other);
    says_pong(other, number);
    gets_nothing(other);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void a_link_that_never_answers_is_lost_by_its_silence(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_link_of("p", "lost", "pay*1");
    (void)state;

    client_says_within(client, "pay", "x", UINT64_C(2) * LIVENESS_MS);
    node_t *other = a_link_of("p", "other", "pay*1");
    breaks(lost);
    other->is_silent = true;
    time_passes(LIVENESS_MS + SWEEP_MS);
    assert_int_equal(core_stats(broker.core)->workers, 0);
    node_t *next = a_worker("next", "pay*1", 8);
    takes_attempt(next, "x", 2);
}

static void a_link_that_is_heard_but_never_answers_is_lost_too(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *lost = a_link_of("p", "lost", "pay*1");
    (void)state;

    client_says_within(client, "pay", "x", UINT64_C(2) * LIVENESS_MS);
    node_t *other = a_link_of("p", "other", "pay*1");
    breaks(lost);
    uint64_t number = is_asked(other);
    time_passes(LIVENESS_MS);
    says_pong(other, number - 1);
    assert_int_equal(core_stats(broker.core)->workers, 1);
    time_passes(SWEEP_MS);
    assert_int_equal(core_stats(broker.core)->workers, 0);
    node_t *next = a_worker("next", "pay*1", 8);
    takes_attempt(next, "x", 2);
}

static void each_question_has_the_whole_time_for_its_answer(void **state)
{
    node_t *first = a_link_of("p", "1", "echo");
    node_t *second = a_link_of("p", "2", "echo");
    node_t *other = a_link_of("p", "other", "echo");
    (void)state;

    breaks(first);
    is_asked(second);
    is_asked(other);
    time_passes(LIVENESS_MS - SWEEP_MS);
    breaks(second);
    uint64_t number = is_asked(other);
    time_passes(LIVENESS_MS - SWEEP_MS);
    says_pong(other, number);
    time_passes(LIVENESS_MS);
    assert_int_equal(core_stats(broker.core)->workers, 1);
}

static void the_time_that_the_broker_stood_still_is_not_its_own(void **state)
{
    node_t *lost = a_link_of("p", "lost", "echo");
    node_t *other = a_link_of("p", "other", "echo");
    (void)state;

    breaks(lost);
    is_asked(other);
    broker.now_ms += LIVENESS_MS;
    time_passes(CORE_PAUSE_MS);
    assert_int_equal(core_stats(broker.core)->workers, 1);
}

static void many_losses_in_one_turn_are_one_question(void **state)
{
    node_t *links[20];
    char name[8];
    (void)state;

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%d", i);
        links[i] = a_link_of("p", name, "echo");
        links[i]->is_broken = i % 2 == 0;
    }
    core_probe(broker.core);
    core_end(broker.core);
    for (int i = 1; i < 20; i += 2) {
        is_asked(links[i]);
        gets_nothing(links[i]);
    }
}

static void who_greets_between_two_losses_is_in_doubt_too(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *first = a_link_of("p", "1", "pay*1");
    (void)state;

    client_says(client, "pay", "x");
    node_t *second = a_link_of("p", "2", "echo");
    node_t *third = a_link_of("p", "3", "echo");
    node_t *late = a_stranger(SIDE_WORKERS, "late");
    late->process = wire_bytes("p");
    put_hello(late);
    second->is_broken = true;
    core_probe(broker.core);
    is_read(late);
    breaks(first);
    gets(late, KIND_WELCOME);
    is_asked(late);
    announces(late, "pay*1", 8);
    gets_nothing(late);
    is_asked(third);
}

static void a_pong_of_one_that_is_alone_is_unexpected(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *manager = a_stranger(SIDE_WORKERS, "m");
    (void)state;

    says_pong(worker, 1);
    gets_error(worker, "unexpected");
    manager->is_manager = true;
    manager->process = wire_bytes("p");
    put_hello(manager);
    speaks(manager);
    gets(manager, KIND_WELCOME);
    breaks(a_link_of("p", "lost", "echo"));
    gets_nothing(manager);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_it_held_waits_until_another_link_answers),
        TEST(a_process_that_dies_costs_one_try),
        TEST(links_that_are_lost_in_the_same_turn_are_not_tried),
        TEST(workers_of_other_processes_get_it_at_once),
        TEST(those_that_name_no_process_are_alone),
        TEST(a_name_of_more_than_32_bytes_is_none),
        TEST(a_name_goes_on_behind_a_nul),
        TEST(the_same_name_with_another_key_is_another_process),
        TEST(who_says_bye_leaves_no_doubt),
        TEST(who_greets_anew_leaves_no_doubt),
        TEST(what_may_have_been_said_before_the_loss_is_no_answer),
        TEST(what_comes_anew_waits_for_the_answer_too),
        TEST(who_drains_while_in_doubt_gets_nothing_afterwards),
        TEST(it_waits_no_longer_than_its_deadline),
        TEST(a_link_that_never_answers_is_lost_by_its_silence),
        TEST(a_link_that_is_heard_but_never_answers_is_lost_too),
        TEST(each_question_has_the_whole_time_for_its_answer),
        TEST(the_time_that_the_broker_stood_still_is_not_its_own),
        TEST(many_losses_in_one_turn_are_one_question),
        TEST(who_greets_between_two_losses_is_in_doubt_too),
        TEST(a_pong_of_one_that_is_alone_is_unexpected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
