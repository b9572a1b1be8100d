/* SPDX-License-Identifier: MIT
 *
 * A gateway of several brokers: where connections are placed, and how they
 * move when a broker is lost, comes back or joins (PROTOCOL.md section 11).
 */
#include "base/rand.h"
#include "gateway/placement.h"
#include "gateway/standing.h"
#include "tests/unit/hub_fixture.h"

#define LOST "gateway was counted lost"

enum { A, B, C };

static const session_t *session_of(const client_t *client)
{
    return client->user;
}

static uint32_t place_of(const client_t *client)
{
    return session_of(client)->link->number;
}

static void joins(size_t broker)
{
    at_broker(broker);
    forgets();
    broker_welcomes();
    gets_list(NULL, 0);
}

/* The gateway of these brokers, of which none has said a word. */
static void gateway_of(const char *brokers)
{
    gateway.options.broker = brokers;
    gateway_restarts_alone();
}

static int set_up(void **state)
{
    gateway_set_up_alone(state);
    gateway_of("tcp://a:1,tcp://b:1,tcp://c:1");
    joins(A);
    joins(B);
    return 0;
}

static void broker_pongs(uint64_t number)
{
    broker_says(&(message_t){.kind = KIND_PONG, .pong = {number}});
}

/* The PONG to the last PING that the broker has heard answers those before. */
static void reads_all(size_t broker)
{
    at_broker(broker);
    forgets();
    if (gateway.pings > 0) {
        broker_pongs(gateway.last_ping);
        gateway.pings = 0;
    }
}

static void falls_silent(size_t broker)
{
    at_broker(broker);
    gateway.broker_is_silent = true;
    time_passes(LIVENESS_MS + 500);
    gateway.broker_is_silent = false;
    for (size_t i = A; i <= C; i++) {
        if (i != broker) {
            reads_all(i);
        }
    }
}

/* Accepted by whichever broker it is placed at. */
static client_t *a_client_anywhere(void)
{
    client_t *client = a_newcomer(UPGRADE);

    at_broker(place_of(client));
    answers(gets_connect(), 200, NULL);
    assert_non_null(strstr(hears_head(client), "HTTP/1.1 101 "));
    return client;
}

static client_t *a_client_at(size_t broker)
{
    client_t *client;

    do {
        client = a_client_anywhere();
    } while (place_of(client) != broker);
    return client;
}

/* The next SYNC is of this change, and names the client alone. */
static void hears_of(client_t *client, size_t broker, sync_change_t change)
{
    at_broker(broker);
    message_sync_t sync = gets(KIND_SYNC).sync;
    wire_cursor_t in = wire_cursor(sync.connections);
    uint32_t count;
    wire_bytes_t conn;

    assert_int_equal(sync.change, change);
    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(wire_get_str(&in, &conn), 0);
    assert_true(wire_is(conn, client->id));
}

static void comes_to(client_t *client, size_t broker)
{
    hears_of(client, broker, SYNC_ADD);
    assert_int_equal(place_of(client), broker);
}

/* Its former broker is told when its new one has heard of it, not before. */
static void is_left_behind_at(size_t broker, client_t *client, size_t place)
{
    at_broker(broker);
    gets_nothing();
    reads_all(place);
    time_passes(50);
    hears_of(client, broker, SYNC_DROP);
}

/* --- where --------------------------------------------------------------- */

#define IDS 3000

static size_t place_at_random(link_t *places[IDS], uint64_t random)
{
    size_t at_a = 0;

    gateway.random = random;
    for (size_t i = 0; i < IDS; i++) {
        conn_id_t id = {.loop = gateway.hub->loop,
                        .slot = (uint32_t)i,
                        .generation = 1,
                        .random = rand_u32()};
        places[i] = placement_choose(gateway.hub, &id);
        at_a += places[i] == link_to(A);
    }
    return at_a;
}

static void connections_spread_evenly(void **state)
{
    link_t *places[IDS];
    (void)state;

    assert_in_range(place_at_random(places, 1), IDS * 45 / 100, IDS * 55 / 100);
    joins(C);
    assert_in_range(place_at_random(places, 1), IDS * 28 / 100, IDS * 39 / 100);
}

static void only_those_move_that_have_to(void **state)
{
    link_t *before[IDS], *after[IDS];
    (void)state;

    place_at_random(before, 2);
    joins(C);
    place_at_random(after, 2);
    for (size_t i = 0; i < IDS; i++) {
        assert_true(after[i] == before[i] || after[i] == link_to(C));
    }
}

static void while_no_broker_is_there_clients_wait_for_any(void **state)
{
    (void)state;
    gateway_of("tcp://a:1,tcp://b:1");
    client_t *client = a_newcomer(UPGRADE);
    joins(B);
    answers(gets_connect(), 200, NULL);
    hears_head(client);
}

static void a_broker_that_has_just_started_is_avoided(void **state)
{
    (void)state;
    gateway.settles_ms = 1000;
    joins(C);
    for (int i = 0; i < 50; i++) {
        assert_int_not_equal(place_of(a_client_anywhere()), C);
    }
    time_passes(1100);
    reads_all(C);
    assert_true(gateway.hub->stats.moved > 0);
}

static void a_broker_that_has_just_started_is_better_than_none(void **state)
{
    (void)state;
    gateway_of("tcp://a:1,tcp://b:1");
    gateway.settles_ms = 1000;
    joins(A);
    assert_int_equal(place_of(a_client_at(A)), A);
}

/* --- a broker is lost ---------------------------------------------------- */

static void who_was_at_a_lost_broker_goes_on_at_another(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(A);
    comes_to(client, B);
    hears_nothing(client);
    client_says(client, "x");
    answers(gets_message("x"), 200, "y");
    hears_text(client, "y");
    assert_int_equal(gateway.hub->stats.moved, 1);
}

static void breaks(size_t broker)
{
    at_broker(broker);
    forgets();
    gateway.broker_is_silent = true;
    hub_broken(gateway.hub, link_to(broker));
    time_passes(900);
    assert_true(link_stands(link_to(broker)));
}

static void a_broker_whose_transport_broke_is_not_waited_for(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    breaks(A);
    time_passes(150);
    assert_false(link_stands(link_to(A)));
    comes_to(client, B);
}

static void unless_it_is_heard_on_another(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    breaks(A);
    gets_nothing();
    assert_int_equal(gateway.pings, 1);
    broker_says_bare(KIND_PONG);
    time_passes(2000);
    assert_int_equal(place_of(client), A);
    gateway.broker_is_silent = false;
}

static void what_was_on_its_way_there_fails(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    client_says(client, "x");
    uint64_t id = gets_message("x");
    falls_silent(A);
    hears_error(client, "Internal server error", id);
    comes_to(client, B);
    client_says(client, "y");
    answers(gets_message("y"), 200, "z");
    hears_text(client, "z");
}

static void a_disconnect_without_a_reply_is_said_again_elsewhere(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    client_closes(client, 1000, "done");
    gets_disconnect(client, 1000, "done");
    falls_silent(A);
    hears_of(client, B, SYNC_ADD);
    gets_nothing(); /* it may be told of it once more */
    reads_all(B);
    time_passes(50);
    answers(gets_disconnect(client, 1000, "done"), 200, NULL);
    client_leaves(client);
    at_broker(A);
    gateway.broker_is_silent = false;
    assert_int_equal(gateway.hub->sessions, gateway.hub->stats.sockets);
}

static void who_waited_for_room_there_connects_elsewhere(void **state)
{
    client_t *first, *second;
    (void)state;

    gateway.window = 1;
    gateway_of("tcp://a:1,tcp://b:1");
    joins(A);
    joins(B);
    first = a_newcomer(UPGRADE);
    size_t full = place_of(first), other = full == A ? B : A;
    while (session_of(second = a_newcomer(UPGRADE))->state != SESSION_WAITING) {
        at_broker(other);
        answers(gets_connect(), 200, NULL);
    }
    at_broker(full);
    broker_says_bare(KIND_BYE);
    assert_int_equal(session_of(second)->state, SESSION_GATED);
    assert_int_equal(place_of(second), other);
}

static void with_no_other_broker_they_wait_for_it(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(B);
    falls_silent(A);
    at_broker(A);
    forgets();
    another_broker_welcomes();
    gets_list(&client, 1);
    client_says(client, "x");
    gets_message("x");
}

static void or_for_any_other(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(B);
    falls_silent(A);
    joins(C);
    time_passes(50);
    comes_to(client, C);
}

/* --- it comes back ------------------------------------------------------- */

static void a_broker_that_kept_us_is_told_who_went(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(A);
    comes_to(client, B);
    client_says(client, "stay");
    gets_message("stay");
    reads_all(B);
    at_broker(A);
    forgets();
    broker_welcomes();
    hears_of(client, A, SYNC_DROP);
    reads_all(A);
    time_passes(50);
    assert_int_equal(link_to(A)->state, LINK_UP);
    assert_int_equal(link_to(A)->departed.len, 0);
    assert_int_equal(place_of(client), B);
}

/* Were it forgotten, and the gateway to die, nobody would make its end. */
static void who_is_still_on_the_way_is_kept_where_it_was(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(A);
    comes_to(client, B); /* no PONG follows */
    client_says(client, "stay");
    gets_message("stay");
    at_broker(A);
    forgets();
    broker_welcomes();
    gets_list(&client, 1);
    is_left_behind_at(A, client, B);
}

static void one_that_ended_us_costs_those_who_went_their_socket(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(A);
    comes_to(client, B);
    at_broker(A);
    forgets();
    another_session_begins();
    gets_list(NULL, 0);
    hears_close(client, 1012, LOST);
    reads_all(B);
    time_passes(50);
    gets_disconnect(client, 1012, LOST);
}

static void one_that_lost_its_memory_costs_nothing(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(A);
    comes_to(client, B);
    reads_all(B);
    at_broker(A);
    forgets();
    another_broker_welcomes();
    gets_list(NULL, 0);
    time_passes(50);
    comes_to(client, A);
    is_left_behind_at(B, client, A);
    hears_nothing(client);
}

/* It may have known them, and ended them, or never have heard of them. */
static void of_those_it_may_not_have_heard_of_the_end_is_said(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(A);
    comes_to(client, B); /* no PONG follows */
    broker_says_bare(KIND_WHO);
    forgets();
    another_session_begins();
    hears_close(client, 1012, LOST);
    gets_list(&client, 1);
    reads_all(B);
    time_passes(50);
    gets_disconnect(client, 1012, LOST);
}

/* It was long on its way, behind the WELCOME of a greeting before. */
static void a_pong_to_a_ping_of_before_says_nothing_of_them(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(A);
    comes_to(client, B);
    assert_true(gateway.last_ping > 1);
    broker_pongs(gateway.last_ping - 1);
    time_passes(50);
    broker_says_bare(KIND_WHO);
    forgets();
    another_session_begins();
    hears_close(client, 1012, LOST);
    gets_list(&client, 1);
    reads_all(B);
    time_passes(50);
    gets_disconnect(client, 1012, LOST);
}

/* --- a broker joins ------------------------------------------------------ */

static client_t *client_of_c(void)
{
    client_t *client;
    const link_t *c = link_to(C);
    link_state_t state = c->state;

    for (;;) {
        client = a_client_anywhere();
        link_to(C)->state = LINK_UP;
        bool is_of_c =
            placement_choose(gateway.hub, &session_of(client)->id) == c;
        link_to(C)->state = state;
        if (is_of_c) {
            return client;
        }
    }
}

static void who_is_idle_moves_at_once(void **state)
{
    client_t *client = client_of_c();
    size_t before = place_of(client);
    (void)state;

    joins(C);
    time_passes(50);
    comes_to(client, C);
    is_left_behind_at(before, client, C);
    at_broker(C);
    client_says(client, "x");
    answers(gets_message("x"), 200, "y");
    hears_text(client, "y");
}

static void who_is_busy_is_not_read_and_moves_when_it_is_idle(void **state)
{
    client_t *client = client_of_c();
    size_t before = place_of(client);
    (void)state;

    client_says(client, "first");
    uint64_t first = gets_message("first");
    joins(C);
    time_passes(50);
    client_says(client, "second");
    at_broker(before);
    gets_nothing();
    assert_int_equal(place_of(client), before);
    answers(first, 200, "done");
    hears_text(client, "done");
    comes_to(client, C);
    answers(gets_message("second"), 200, "done too");
    hears_text(client, "done too");
    is_left_behind_at(before, client, C);
}

static void who_is_being_connected_moves_behind_it(void **state)
{
    (void)state;
    gateway_of("tcp://a:1,tcp://b:1");
    joins(A);
    client_t *client;
    do {
        client = a_newcomer(UPGRADE);
        link_to(B)->state = LINK_UP;
        bool is_of_b = placement_choose(gateway.hub, &session_of(client)->id) ==
                       link_to(B);
        link_to(B)->state = LINK_GREETING;
        if (is_of_b) {
            break;
        }
        forgets();
    } while (true);
    uint64_t id = gets_connect();
    joins(B);
    time_passes(50);
    at_broker(A);
    answers(id, 200, NULL);
    hears_head(client);
    comes_to(client, B);
    is_left_behind_at(A, client, B);
}

/* Its handler would run beside those of the next broker. */
static void whose_handler_still_runs_stays(void **state)
{
    static const uint8_t runs[] = {0x81, 0xa4, 'r', 'u', 'n', 's', 0xc3};
    client_t *client = client_of_c();
    size_t before = place_of(client);
    buf_t options;
    (void)state;

    client_says(client, "x");
    uint64_t id = gets_message("x");
    buf_init(&options, 100);
    assert_int_equal(buf_put(&options, runs, sizeof runs), 0);
    answers_with(id, 504, (body_t){.type = BODY_NONE}, &options);
    buf_fini(&options);
    hears_error(client, "Endpoint request timed out", id);
    joins(C);
    time_passes(50);
    assert_int_equal(place_of(client), before);
    at_broker(before);
    client_says(client, "y");
    answers(gets_message("y"), 200, NULL);
    assert_false(session_of(client)->is_bound);
}

static void who_is_ending_stays(void **state)
{
    client_t *client = client_of_c();
    size_t before = place_of(client);
    (void)state;

    client_closes(client, 1000, "");
    uint64_t id = gets_disconnect(client, 1000, "");
    joins(C);
    time_passes(50);
    at_broker(before);
    gets_nothing();
    answers(id, 200, NULL);
}

/* --- windows, pushes, loops ---------------------------------------------- */

static void each_broker_has_a_window_of_its_own(void **state)
{
    client_t *at_a, *at_b;
    (void)state;

    gateway.window = 1;
    gateway_of("tcp://a:1,tcp://b:1");
    joins(A);
    joins(B);
    at_a = a_client_at(A);
    at_b = a_client_at(B);
    at_broker(A);
    client_says(at_a, "one");
    uint64_t id = gets_message("one");
    client_says(at_a, "two");
    gets_nothing();
    at_broker(B);
    client_says(at_b, "three");
    gets_message("three");
    at_broker(A);
    answers(id, 200, NULL);
    gets_message("two");
}

static void any_broker_may_push_and_hears_who_is_gone(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    at_broker(B);
    pushes(client->id, "news");
    hears_text(client, "news");
    gets(KIND_CREDIT);
    put_push("AAAAAAAAAAAAAAAA", text_body("news"), 5);
    broker_speaks();
    assert_int_equal(gets(KIND_GONE).gone.from, 5);
    at_broker(A);
    gets_nothing();
}

static void an_early_push_of_another_broker_is_denied_to_that_one(void **state)
{
    client_t *client = a_newcomer(UPGRADE);
    size_t here = place_of(client), there = here == A ? B : A;
    (void)state;

    at_broker(there);
    put_push(client->id, text_body("early"), 9);
    broker_speaks();
    gets(KIND_CREDIT);
    at_broker(here);
    answers(gets_connect(), 403, NULL);
    gets_nothing();
    at_broker(there);
    assert_int_equal(gets(KIND_GONE).gone.from, 9);
}

static void one_loop_number_for_all(void **state)
{
    client_t *client = a_client_at(A);
    uint32_t before = gateway.hub->loop;
    message_t error = {.kind = KIND_ERROR};
    (void)state;

    error.error = (message_error_t){.code = wire_bytes("loop"),
                                    .text = wire_bytes("taken")};
    at_broker(C);
    forgets();
    broker_says(&error);
    assert_int_not_equal(gateway.hub->loop, before);
    hears_close(client, 1012, "its id is no longer ours");
    for (size_t i = A; i <= C; i++) {
        at_broker(i);
        message_hello_t hello = gets(KIND_HELLO).hello;
        assert_int_equal(wire_map_uint(hello.options, "loop", 0),
                         gateway.hub->loop);
        assert_true(wire_is(hello.boot, gateway.hub->boot));
    }
}

/* --- brokers come and go ------------------------------------------------- */

static bool is_spent(size_t broker)
{
    return standing_is_spent(gateway.hub, link_to(broker));
}

static void says_bye(size_t broker)
{
    at_broker(broker);
    broker_says_bare(KIND_BYE);
}

static void removes(size_t broker)
{
    assert_true(is_spent(broker));
    standing_remove(gateway.hub, link_to(broker));
    at_broker(broker);
    forgets();
}

static void adds_settling(size_t broker, const char *endpoint,
                          int64_t settle_ms)
{
    standing_add(gateway.hub, (uint32_t)broker, endpoint, settle_ms);
    time_passes(50);
    at_broker(broker);
    gets(KIND_HELLO);
    joins(broker);
    time_passes(50);
}

static void adds(size_t broker, const char *endpoint)
{
    adds_settling(broker, endpoint, 0);
}

static void a_broker_may_join_those_that_stand(void **state)
{
    client_t *client;
    (void)state;

    gateway_of("tcp://a:1");
    joins(A);
    client = a_client_at(A);
    adds(B, "tcp://b:1");
    for (int i = 0; i < 64 && place_of(client) == A; i++) {
        client = a_client_anywhere();
    }
    assert_int_equal(place_of(client), B);
}

static void a_broker_that_workers_may_not_know_is_avoided(void **state)
{
    (void)state;
    removes(C);
    adds_settling(C, "tcp://d:1", 10000);
    for (int i = 0; i < 16; i++) {
        assert_int_not_equal(place_of(a_client_anywhere()), C);
    }
    time_passes(10000);
    a_client_at(C);
}

static void without_a_broker_clients_wait_for_the_first(void **state)
{
    client_t *client;
    (void)state;

    gateway_of("tcp://a:1");
    removes(A);
    assert_int_equal(gateway.hub->link_count, 0);
    client = a_newcomer(UPGRADE);
    adds(B, "tcp://b:1");
    answers(gets_connect(), 200, NULL);
    assert_non_null(strstr(hears_head(client), "HTTP/1.1 101 "));
}

static void a_broker_that_is_up_is_never_spent(void **state)
{
    (void)state;
    assert_false(is_spent(A));
    assert_true(is_spent(C)); /* it never came */
}

static void one_that_said_bye_is_spent_at_once(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    says_bye(A);
    assert_int_equal(place_of(client), B);
    removes(A);
    time_passes(50);
    comes_to(client, B);
    reads_all(B);
    client_says(client, "x");
    answers(gets_message("x"), 200, "y");
    hears_text(client, "y");
}

static void one_that_was_lost_may_be_back_for_a_minute(void **state)
{
    client_t *client = a_client_at(A);
    (void)state;

    falls_silent(A);
    comes_to(client, B);
    assert_false(is_spent(A));
    time_passes(59000);
    assert_false(is_spent(A));
    time_passes(1000);
    removes(A);
}

static void not_while_its_connections_have_nowhere_to_go(void **state)
{
    client_t *client;
    (void)state;

    gateway_of("tcp://a:1");
    joins(A);
    client = a_client_at(A);
    says_bye(A);
    assert_false(is_spent(A));
    adds(B, "tcp://b:1");
    comes_to(client, B);
    removes(A);
    hears_nothing(client);
}

static void the_next_of_its_number_is_another(void **state)
{
    client_t *client = a_newcomer(UPGRADE);
    size_t here = place_of(client), there = here == A ? B : A;
    (void)state;

    at_broker(there);
    put_push(client->id, text_body("early"), 9);
    broker_speaks();
    says_bye(there);
    removes(there);
    adds(there, "tcp://d:1");
    at_broker(here);
    answers(gets_connect(), 403, NULL);
    at_broker(there);
    gets_nothing(); /* the GONE was for the one before */
}

static void and_uses_no_number_of_a_request_again(void **state)
{
    client_t *client;
    (void)state;

    gateway_of("tcp://a:1");
    joins(A);
    client = a_client_at(A);
    client_says(client, "x");
    uint64_t first = gets_message("x");
    says_bye(A);
    adds(B, "tcp://b:1");
    hears_error(client, "Internal server error", first);
    removes(A);
    says_bye(B);
    adds(A, "tcp://a:1");
    comes_to(client, A);
    for (int i = 0; i < 3; i++) {
        client_says(client, "y");
        uint64_t next = gets_message("y");
        assert_int_not_equal(next, first);
        assert_true(next > first);
        answers(next, 200, NULL);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connections_spread_evenly),
        TEST(only_those_move_that_have_to),
        TEST(while_no_broker_is_there_clients_wait_for_any),
        TEST(a_broker_that_has_just_started_is_avoided),
        TEST(a_broker_that_has_just_started_is_better_than_none),
        TEST(who_was_at_a_lost_broker_goes_on_at_another),
        TEST(a_broker_whose_transport_broke_is_not_waited_for),
        TEST(unless_it_is_heard_on_another),
        TEST(what_was_on_its_way_there_fails),
        TEST(a_disconnect_without_a_reply_is_said_again_elsewhere),
        TEST(who_waited_for_room_there_connects_elsewhere),
        TEST(with_no_other_broker_they_wait_for_it),
        TEST(or_for_any_other),
        TEST(a_broker_that_kept_us_is_told_who_went),
        TEST(who_is_still_on_the_way_is_kept_where_it_was),
        TEST(one_that_ended_us_costs_those_who_went_their_socket),
        TEST(one_that_lost_its_memory_costs_nothing),
        TEST(of_those_it_may_not_have_heard_of_the_end_is_said),
        TEST(a_pong_to_a_ping_of_before_says_nothing_of_them),
        TEST(who_is_idle_moves_at_once),
        TEST(who_is_busy_is_not_read_and_moves_when_it_is_idle),
        TEST(who_is_being_connected_moves_behind_it),
        TEST(whose_handler_still_runs_stays),
        TEST(who_is_ending_stays),
        TEST(each_broker_has_a_window_of_its_own),
        TEST(any_broker_may_push_and_hears_who_is_gone),
        TEST(an_early_push_of_another_broker_is_denied_to_that_one),
        TEST(one_loop_number_for_all),
        TEST(a_broker_may_join_those_that_stand),
        TEST(a_broker_that_workers_may_not_know_is_avoided),
        TEST(without_a_broker_clients_wait_for_the_first),
        TEST(a_broker_that_is_up_is_never_spent),
        TEST(one_that_said_bye_is_spent_at_once),
        TEST(one_that_was_lost_may_be_back_for_a_minute),
        TEST(not_while_its_connections_have_nowhere_to_go),
        TEST(the_next_of_its_number_is_another),
        TEST(and_uses_no_number_of_a_request_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
