/* SPDX-License-Identifier: MIT
 *
 * Which worker gets a request, and when.
 */
#include "base/xalloc.h"
#include "tests/unit/core_fixture.h"

#define SLOW_START 8
#define RUN_MAX    16

/* Answer what the worker gets next. */
static void answers_next(node_t *worker)
{
    answers(worker, gets(worker, KIND_REQUEST).request.id, 200, NULL);
}

static bool has_request(node_t *worker)
{
    message_t message;

    if (!takes(worker, &message)) {
        return false;
    }
    assert_int_equal(message.kind, KIND_REQUEST);
    return true;
}

/* How many requests lie in its inbox. */
static int count_requests(node_t *worker)
{
    int count = 0;

    while (has_request(worker)) {
        count++;
    }
    return count;
}

static void client_says_number(client_t *client, int number)
{
    char text[16];

    snprintf(text, sizeof text, "%d", number);
    client_says(client, "echo", text);
}

/* --- order --------------------------------------------------------------- */

static void messages_of_a_client_reach_one_worker_in_order(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    node_t *other = a_worker("other", "echo", 8);
    client_says(client, "echo", "1");
    node_t *chosen = worker->frame_at < worker->frame_count ? worker : other;
    client_says(client, "echo", "2");
    client_says(client, "echo", "3");
    takes_message(chosen, "1");
    takes_message(chosen, "2");
    takes_message(chosen, "3");
    gets_nothing(worker);
    gets_nothing(other);
}

static void a_client_whose_worker_is_full_waits_for_that_worker(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 1);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "1");
    uint64_t first = takes_message(worker, "1");
    node_t *idle = a_worker("idle", "echo", 8);
    client_says(client, "echo", "2");
    gets_nothing(idle);
    answers(worker, first, 200, NULL);
    /* Now nobody holds anything of it: any worker may get it. */
    assert_int_equal(count_requests(worker) + count_requests(idle), 1);
}

static void events_come_in_order_connect_first_disconnect_last(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$connect echo $disconnect", 8);
    client_t *client = a_newcomer(gateway);
    (void)state;

    client_knocks(client);
    answers(worker, takes_event(worker, EVENT_CONNECT), 200, NULL);
    put_event(client, EVENT_MESSAGE, "echo", "1", DEADLINE_MS);
    put_event(client, EVENT_MESSAGE, "echo", "2", DEADLINE_MS);
    client_leaves(client);
    takes_message(worker, "1");
    takes_message(worker, "2");
    takes_event(worker, EVENT_DISCONNECT);
}

static void a_request_for_another_worker_waits_for_its_forerunner(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *a = a_worker("a", "a", 8);
    node_t *b = a_worker("b", "b", 8);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "a", "1");
    client_says(client, "b", "2");
    client_says(client, "a", "3");
    gets_nothing(b);
    answers(a, takes_message(a, "1"), 200, NULL);
    gets_nothing(a);
    answers(b, takes_message(b, "2"), 200, NULL);
    takes_message(a, "3");
}

/* --- windows ------------------------------------------------------------- */

static void a_worker_holds_no_more_requests_than_its_window(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 2);
    (void)state;

    client_says(a_client(gateway), "echo", "1");
    client_says(a_client(gateway), "echo", "2");
    client_says(a_client(gateway), "echo", "3");
    uint64_t first = takes_message(worker, "1");
    takes_message(worker, "2");
    gets_nothing(worker);
    answers(worker, first, 200, NULL);
    takes_message(worker, "3");
}

static void a_worker_holds_no_more_bytes_than_its_window(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    char text[301] = "";
    (void)state;

    memset(text, 'x', sizeof text - 1);
    put_ready(worker, "echo", 8, 900);
    speaks(worker);
    for (int i = 0; i < 4; i++) {
        client_says(a_client(gateway), "echo", text);
    }
    uint64_t first = takes_message(worker, text);
    takes_message(worker, text);
    gets_nothing(worker);
    answers(worker, first, 200, NULL);
    takes_message(worker, text);
    gets_nothing(worker);
}

static void a_worker_with_nothing_to_do_gets_one_however_large(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    char text[301] = "";
    (void)state;

    memset(text, 'x', sizeof text - 1);
    put_ready(worker, "echo", 8, 1);
    speaks(worker);
    client_says(a_client(gateway), "echo", text);
    client_says(a_client(gateway), "echo", "next");
    uint64_t first = takes_message(worker, text);
    gets_nothing(worker);
    answers(worker, first, 200, NULL);
    takes_message(worker, "next");
}

static void a_new_worker_starts_with_eight_and_one_more_a_reply(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 100);
    (void)state;

    for (int i = 0; i < 20; i++) {
        client_says(a_client(gateway), "echo", "x");
    }
    uint64_t first = gets(worker, KIND_REQUEST).request.id;
    assert_int_equal(count_requests(worker), SLOW_START - 1);
    answers(worker, first, 200, NULL);
    assert_int_equal(count_requests(worker), 2);
}

static void beyond_the_gateways_window_requests_are_refused(void **state)
{
    (void)state;
    broker.options.gateway_window = 2;
    broker_restarts();
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "echo", 8);

    client_says(client, "echo", "1");
    client_says(client, "echo", "2");
    gets_reply(gateway, client_says(client, "echo", "3"), 429);
    answers_next(worker);
    gets(gateway, KIND_REPLY);
    client_says(client, "echo", "4");
    takes_message(worker, "2");
    takes_message(worker, "4");
}

static void beyond_the_gateways_bytes_requests_are_refused(void **state)
{
    char text[301] = "";
    (void)state;

    memset(text, 'x', sizeof text - 1);
    broker.options.gateway_window_bytes = 400;
    broker_restarts();
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);

    uint64_t first = client_says(client, "echo", text);
    gets_reply(gateway, client_says(client, "echo", text), 429);
    answers_next(worker);
    gets_reply(gateway, first, 200);
    client_says(client, "echo", text);
    takes_message(worker, text);
}

/* --- load ---------------------------------------------------------------- */

static void the_least_loaded_worker_gets_the_next_request(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *a = a_worker("a", "echo", 8);
    node_t *b = a_worker("b", "echo", 8);
    (void)state;

    for (int i = 0; i < 6; i++) {
        client_says(a_client(gateway), "echo", "x");
    }
    for (int i = 0; i < 3; i++) {
        answers_next(b);
    }
    assert_int_equal(count_requests(a), 3);
    forgets(gateway);
    for (int i = 0; i < 3; i++) {
        client_says(a_client(gateway), "echo", "y");
    }
    assert_int_equal(count_requests(a), 0);
    assert_int_equal(count_requests(b), 3);
}

static void load_is_measured_in_proportion_to_the_window(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *small = a_worker("small", "echo", 2);
    node_t *large = a_worker("large", "echo", 8);
    (void)state;

    for (int i = 0; i < 5; i++) {
        client_says(a_client(gateway), "echo", "x");
    }
    assert_int_equal(count_requests(small), 1);
    assert_int_equal(count_requests(large), 4);
}

static void workers_of_different_routes_share_the_one_they_have(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *a = a_worker("a", "echo a", 8);
    node_t *b = a_worker("b", "echo b", 8);
    (void)state;

    for (int i = 0; i < 6; i++) {
        client_says(a_client(gateway), "echo", "x");
    }
    assert_int_equal(count_requests(a), 3);
    assert_int_equal(count_requests(b), 3);
    client_says(a_client(gateway), "b", "only b");
    takes_message(b, "only b");
    gets_nothing(a);
}

static void a_worker_is_found_behind_full_ones(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *full = a_worker("full", "echo a", 1);
    node_t *free_one = a_worker("free", "echo b", 8);
    (void)state;

    client_says(a_client(gateway), "a", "x");
    assert_int_equal(count_requests(full), 1);
    for (int i = 0; i < 8; i++) {
        client_says(a_client(gateway), "echo", "x");
    }
    assert_int_equal(count_requests(full), 0);
    assert_int_equal(count_requests(free_one), 8);
}

/* --- routes -------------------------------------------------------------- */

static void what_no_route_is_for_goes_to_default(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    node_t *fallback = a_worker("fallback", "$default", 8);
    (void)state;

    client_says(a_client(gateway), "echo", "mine");
    client_says(a_client(gateway), "other", "default's");
    takes_message(worker, "mine");
    message_t request = gets(fallback, KIND_REQUEST);
    assert_true(is_text(request.request.route, "$default"));
    gets_nothing(fallback);
}

static void a_route_that_nobody_serves_is_forbidden(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    gets_reply(gateway, client_says(client, "other", "x"), 403);
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->no_worker, 1);
}

/* More than the table of routes has buckets at first. */
static void each_of_many_routes_goes_to_who_serves_it(void **state)
{
    enum { WORKERS = 4, ROUTES = 250 };
    static char words[ROUTES * 8];
    node_t *gateway = a_gateway(1), *workers[WORKERS];
    client_t *client = a_client(gateway);
    char key[16];
    (void)state;

    for (int w = 0; w < WORKERS; w++) {
        size_t len = 0;
        for (int i = 0; i < ROUTES; i++) {
            len += (size_t)snprintf(words + len, sizeof words - len, "%sr%d",
                                    i == 0 ? "" : " ", w * ROUTES + i);
        }
        snprintf(key, sizeof key, "w%d", w);
        workers[w] = a_worker(key, words, 8);
    }
    for (int i = 0; i < WORKERS * ROUTES; i++) {
        snprintf(key, sizeof key, "r%d", i);
        client_says(client, key, "x");
        node_t *worker = workers[i / ROUTES];
        answers(worker, takes_message(worker, "x"), 200, NULL);
    }
}

static void a_later_ready_replaces_the_routes(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "old", 8);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t held = client_says(client, "old", "x");
    announces(worker, "new", 8);
    uint64_t late = client_says(a_client(gateway), "old", "x");
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    gets_reply(gateway, late, 403);
    gets_reply(gateway, client_says(a_client(gateway), "old", "x"), 403);
    answers(worker, takes_message(worker, "x"), 200, NULL);
    gets_reply(gateway, held, 200);
    client_says(client, "new", "y");
    takes_message(worker, "y");
}

static void who_waits_for_a_route_waits_for_its_next_worker(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 1);
    client_t *first = a_client(gateway), *second = a_client(gateway);
    (void)state;

    uint64_t held = client_says(first, "echo", "a");
    client_says(second, "echo", "b");
    client_says(first, "echo", "c");
    says_bare(worker, KIND_DRAIN);
    time_passes(ROUTE_GRACE_MS - SWEEP_MS);
    gets_nothing(gateway);
    answers(worker, takes_message(worker, "a"), 200, NULL);
    gets_reply(gateway, held, 200);
    node_t *next = a_worker("next", "echo", 8);
    takes_message(next, "b");
    takes_message(next, "c");
    gets_nothing(worker);
}

static void while_a_route_is_waited_for_default_gets_none_of_it(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    node_t *fallback = a_worker("fallback", "$default", 8);
    (void)state;

    says_bare(worker, KIND_BYE);
    client_says(a_client(gateway), "echo", "x");
    gets_nothing(fallback);
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    takes_message(fallback, "x");
}

static void a_handshake_waits_for_the_next_worker_too(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$connect", 8);
    (void)state;

    says_bare(worker, KIND_BYE);
    uint64_t id = client_knocks(a_newcomer(gateway));
    time_passes(ROUTE_GRACE_MS - SWEEP_MS);
    gets_nothing(gateway);
    node_t *next = a_worker("next", "$connect", 8);
    answers(next, takes_event(next, EVENT_CONNECT), 401, NULL);
    gets_reply(gateway, id, 401);
}

static void routes_that_are_left_again_and_again_do_not_pile_up(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "first", 8);
    (void)state;

    announces(worker, "0", 8);
    uint64_t waits = client_says(a_client(gateway), "first", "x");
    for (int i = 0; i < 4096; i++) {
        char routes[16];
        snprintf(routes, sizeof routes, "r%d", i);
        gets_nothing(gateway); /* it is among the last 4096 */
        announces(worker, routes, 8);
    }
    gets_reply(gateway, waits, 403);
}

static void without_grace_nobody_waits(void **state)
{
    (void)state;
    broker.options.route_grace_ms = 0;
    broker_restarts();
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 1);
    client_says(a_client(gateway), "echo", "x");
    uint64_t waits = client_says(a_client(gateway), "echo", "y");

    says_bare(worker, KIND_DRAIN);
    gets_reply(gateway, waits, 403);
    gets_reply(gateway, client_says(a_client(gateway), "echo", "z"), 403);
}

static void who_waits_for_a_route_that_goes_is_told_forbidden(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "old", 1);
    client_t *first = a_client(gateway), *second = a_client(gateway);
    (void)state;

    client_says(first, "old", "x");
    uint64_t waits = client_says(second, "old", "y");
    announces(worker, "new", 1);
    gets_nothing(gateway);
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    gets_reply(gateway, waits, 403);
    takes_message(worker, "x");
    gets_nothing(worker);
}

static void a_route_announced_twice_is_one(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo echo echo", 8);
    (void)state;

    client_says(a_client(gateway), "echo", "x");
    answers_next(worker);
    gets_nothing(worker);
    announces(worker, "other", 8);
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    forgets(gateway);
    gets_reply(gateway, client_says(a_client(gateway), "echo", "x"), 403);
}

/* --- waiting ------------------------------------------------------------- */

static void who_waits_longest_for_a_route_is_served_first(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 1);
    (void)state;

    client_says(a_client(gateway), "echo", "0");
    for (int i = 1; i < 10; i++) {
        client_says_number(a_client(gateway), i);
    }
    for (int i = 0; i < 10; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        answers(worker, takes_message(worker, text), 200, NULL);
    }
}

static void a_new_worker_gets_what_waits(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *busy = a_worker("busy", "echo", 1);
    (void)state;

    client_says(a_client(gateway), "echo", "1");
    client_says(a_client(gateway), "echo", "2");
    takes_message(busy, "1");
    takes_message(a_worker("new", "echo", 1), "2");
}

/* A worker may hold this many of the client's, and holds as many. */
static void fill(node_t *worker, client_t *client, int window)
{
    for (int i = SLOW_START; i < window; i++) {
        client_says(client, "echo", "warm");
        answers_next(worker);
    }
    for (int i = 0; i < window; i++) {
        client_says(client, "echo", "fill");
    }
}

/* Answer, in one frame, all that it was given. */
static void answers_all(node_t *worker)
{
    message_t request;

    while (takes(worker, &request)) {
        message_t reply = {.kind = KIND_REPLY};
        reply.reply =
            (message_reply_t){.id = request.request.id, .status = 200};
        put_message(worker, &reply);
    }
    speaks(worker);
}

static int count_requests_of(node_t *worker, const client_t *client)
{
    message_t message;
    int count = 0;

    while (takes(worker, &message)) {
        count += is_text(message.request.conn, client->id);
    }
    return count;
}

static void no_client_takes_a_whole_window_while_another_waits(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 64);
    client_t *first = a_client(gateway), *second = a_client(gateway);
    (void)state;

    fill(worker, a_client(gateway), 64);
    for (int i = 0; i < 100; i++) {
        client_says_number(first, i);
    }
    for (int i = 0; i < RUN_MAX; i++) {
        client_says_number(second, i);
    }
    answers_all(worker);
    assert_int_equal(count_requests_of(worker, second), RUN_MAX);
}

static void clients_of_a_worker_and_of_its_route_take_turns(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 1);
    client_t *bound = a_client(gateway);
    (void)state;

    client_says(bound, "echo", "bound");
    for (int i = 0; i < 20; i++) {
        client_says(bound, "echo", "bound");
        client_says(a_client(gateway), "echo", "waits");
    }
    int of_bound = 0;
    for (int i = 0; i < 20; i++) {
        message_t request = gets(worker, KIND_REQUEST);
        of_bound += is_text(request.request.conn, bound->id);
        answers(worker, request.request.id, 200, NULL);
    }
    assert_in_range(of_bound, 1, 19);
}

static void a_message_of_a_closed_or_unknown_connection_is_refused(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *gone = a_client(gateway);
    (void)state;

    gets_reply(gateway, client_says(a_newcomer(gateway), "echo", "x"), 500);
    a_worker("w", "echo $disconnect", 8);
    client_leaves(gone);
    gets_reply(gateway, client_says(gone, "echo", "x"), 500);
}

/* What follows in a frame was read before it was known. */
static void who_leaves_in_a_frame_is_gone_in_the_rest_of_it(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 64);
    client_t *gone = a_client(gateway), *stays = a_client(gateway);
    (void)state;

    uint64_t end = put_event(gone, EVENT_DISCONNECT, "$disconnect", NULL, 0);
    uint64_t late = put_event(gone, EVENT_MESSAGE, "echo", "2", 1000);
    put_event(stays, EVENT_MESSAGE, "echo", "3", 1000);
    speaks(gateway);
    gets_reply(gateway, end, 200);
    gets_reply(gateway, late, 500);
    takes_message(worker, "3");
    gets_nothing(worker);
}

static void what_follows_a_bye_in_its_frame_is_nobodys(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    put_message(gateway, &(message_t){.kind = KIND_BYE});
    put_event(client, EVENT_MESSAGE, "echo", "x", 1000);
    speaks(gateway);
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->gateways, 0);
}

static void a_connection_id_of_another_gateway_is_refused(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *stolen = a_client(a_gateway(2));
    (void)state;

    stolen->gateway = gateway;
    gets_reply(gateway, client_says(stolen, "echo", "x"), 400);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_of_a_client_reach_one_worker_in_order),
        TEST(a_client_whose_worker_is_full_waits_for_that_worker),
        TEST(events_come_in_order_connect_first_disconnect_last),
        TEST(a_request_for_another_worker_waits_for_its_forerunner),
        TEST(a_worker_holds_no_more_requests_than_its_window),
        TEST(a_worker_holds_no_more_bytes_than_its_window),
        TEST(a_worker_with_nothing_to_do_gets_one_however_large),
        TEST(a_new_worker_starts_with_eight_and_one_more_a_reply),
        TEST(beyond_the_gateways_window_requests_are_refused),
        TEST(beyond_the_gateways_bytes_requests_are_refused),
        TEST(the_least_loaded_worker_gets_the_next_request),
        TEST(load_is_measured_in_proportion_to_the_window),
        TEST(workers_of_different_routes_share_the_one_they_have),
        TEST(a_worker_is_found_behind_full_ones),
        TEST(what_no_route_is_for_goes_to_default),
        TEST(a_route_that_nobody_serves_is_forbidden),
        TEST(each_of_many_routes_goes_to_who_serves_it),
        TEST(a_later_ready_replaces_the_routes),
        TEST(who_waits_for_a_route_waits_for_its_next_worker),
        TEST(while_a_route_is_waited_for_default_gets_none_of_it),
        TEST(a_handshake_waits_for_the_next_worker_too),
        TEST(routes_that_are_left_again_and_again_do_not_pile_up),
        TEST(without_grace_nobody_waits),
        TEST(who_waits_for_a_route_that_goes_is_told_forbidden),
        TEST(a_route_announced_twice_is_one),
        TEST(who_waits_longest_for_a_route_is_served_first),
        TEST(a_new_worker_gets_what_waits),
        TEST(no_client_takes_a_whole_window_while_another_waits),
        TEST(clients_of_a_worker_and_of_its_route_take_turns),
        TEST(a_message_of_a_closed_or_unknown_connection_is_refused),
        TEST(who_leaves_in_a_frame_is_gone_in_the_rest_of_it),
        TEST(what_follows_a_bye_in_its_frame_is_nobodys),
        TEST(a_connection_id_of_another_gateway_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
