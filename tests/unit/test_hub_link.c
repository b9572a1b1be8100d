/* SPDX-License-Identifier: MIT
 *
 * The hub and its broker: greeting, lists, a broker that is lost or has lost
 * us (PROTOCOL.md section 11), and the end of the gateway.
 */
#include "base/xalloc.h"
#include "tests/unit/hub_fixture.h"

#define LOST      "gateway was counted lost"
#define MANY      1300
#define LONG_HEAD 1000

static link_t *hub_link(void)
{
    return gateway.hub->links[0];
}

static void broker_falls_silent(void)
{
    gateway.broker_is_silent = true;
    time_passes(LIVENESS_MS + 500);
    gateway.broker_is_silent = false;
}

/* HELLO; there may be more than one. */
static void gets_greeting(void)
{
    message_t message = gets(KIND_HELLO);

    assert_true(wire_is(message.hello.boot, gateway.hub->boot));
    while (takes(&message)) {
        assert_int_equal(message.kind, KIND_HELLO);
    }
}

/* The same broker as before, with the same session. */
static void broker_comes_back(void)
{
    gets_greeting();
    broker_welcomes();
}

/* --- greeting ------------------------------------------------------------ */

static void the_first_word_is_hello(void **state)
{
    (void)state;
    message_hello_t hello = gets(KIND_HELLO).hello;
    assert_int_equal(hello.version, PROTOCOL_VERSION);
    assert_true(wire_is(hello.role, "gateway"));
    assert_true(wire_is(hello.name, "unit"));
    assert_int_equal(hello.boot.len, 16);
    assert_int_equal(wire_map_uint(hello.options, "loop", 0), hub_link()->loop);
    gets_nothing();
}

static void it_is_said_again_each_second_while_nobody_answers(void **state)
{
    (void)state;
    gets(KIND_HELLO);
    for (int i = 0; i < 3; i++) {
        time_passes(900);
        gets_nothing();
        time_passes(100);
        gets(KIND_HELLO);
    }
    assert_int_equal(gateway.pings, 0);
}

static void greetings_do_not_pile_up_where_nobody_takes_them(void **state)
{
    (void)state;
    gets(KIND_HELLO);
    gateway.broker_is_stuck = true;
    time_passes(30000);
    gateway.broker_is_stuck = false;
    time_passes(50);
    gets(KIND_HELLO);
    gets_nothing();
}

static void behind_the_welcome_comes_a_list(void **state)
{
    (void)state;
    gets(KIND_HELLO);
    broker_welcomes();
    gets_list(NULL, 0);
    gets_nothing();
}

static void a_second_welcome_means_nothing(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    broker_welcomes();
    gets_nothing();
    answers(id, 200, "y");
    hears_text(client, "y");
}

static void
asked_who_it_greets_and_says_nothing_else_until_welcome(void **state)
{
    (void)state;
    client_t *client = a_client();
    broker_says_bare(KIND_WHO);
    gets(KIND_HELLO);
    client_says(client, "x");
    client_vanishes(client);
    gets_nothing();
    broker_welcomes();
    gets_list(&client, 1);
    gets_disconnect(client, 1006, "");
}

static void a_gateway_with_nothing_to_say_pings(void **state)
{
    (void)state;
    time_passes(5000); /* of which the heartbeat is a fifth */
    gets_nothing();
    assert_in_range(gateway.pings, 5, 6);
    gateway.pings = 0;
    client_t *client = a_client();
    for (int i = 0; i < 20; i++) {
        client_says(client, "x");
        time_passes(500);
    }
    forgets();
    assert_int_equal(gateway.pings, 0);
}

static void a_taken_loop_number_is_exchanged(void **state)
{
    (void)state;
    uint64_t first = hub_link()->loop;
    forgets();
    gateway.out.len = 0;
    assert_int_equal(message_put_error(&gateway.out, "loop", "taken"), 0);
    broker_speaks();
    message_hello_t hello = gets(KIND_HELLO).hello;
    assert_int_not_equal(wire_map_uint(hello.options, "loop", first), first);
    broker_welcomes();
    gets_list(NULL, 0);
    a_client();
}

static void loop_number_is_taken(void)
{
    assert_int_equal(message_put_error(&gateway.out, "loop", "taken"), 0);
    broker_speaks();
    gets(KIND_HELLO);
}

static void those_who_wait_get_an_id_of_the_new_loop_number(void **state)
{
    conn_id_t id;
    (void)state;

    a_newcomer(UPGRADE);
    forgets();
    loop_number_is_taken();
    broker_welcomes();
    gets_list(NULL, 0);
    message_request_t request = gets_request(EVENT_CONNECT);
    must(conn_id_parse(request.conn.data, request.conn.len, &id) == 0);
    assert_int_equal(id.loop, hub_link()->loop);
    assert_int_equal(request.id >> 40, hub_link()->loop);
}

static void those_with_an_id_of_the_old_loop_number_are_closed(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_t *newcomer = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    broker_says_bare(
        KIND_BYE); /* another gateway is faster to greet its heir */
    gets(KIND_HELLO);
    loop_number_is_taken();
    another_broker_welcomes();
    gets_list(NULL, 0);
    hears_close(client, 1012, "its id is no longer ours");
    hears_head(newcomer);
    answers(id, 200, NULL);
    gets_nothing();
    client_leaves(client);
    client_leaves(newcomer);
    nothing_is_left();
    a_client();
}

static void any_other_error_is_only_for_the_log(void **state)
{
    static const char *const codes[] = {"malformed", "unexpected", "version",
                                        "role", "something new"};
    (void)state;

    client_t *client = a_client();
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_int_equal(message_put_error(&gateway.out, codes[i], "text"), 0);
        broker_speaks();
    }
    gets_nothing();
    client_says(client, "x");
    gets_message("x");
}

/* --- frames that are wrong ----------------------------------------------- */

static void what_stands_before_a_fault_in_a_frame_counts(void **state)
{
    static const uint8_t fault[] = {0x92, 0x05};
    (void)state;

    client_t *client = a_client();
    put_push(client->id, text_body("before"), 0);
    must(buf_put(&gateway.out, fault, sizeof fault) == 0);
    put_push(client->id, text_body("behind"), 0);
    broker_speaks();
    hears_text(client, "before");
    hears_nothing(client);
    assert_int_equal(gets(KIND_CREDIT).credit.messages, 1);
    assert_int_equal(gateway.hub->stats.broker_malformed, 1);
}

static void an_unknown_kind_is_skipped(void **state)
{
    static const uint8_t unknown[] = {0x92, 0x63, 0x01};
    (void)state;

    client_t *client = a_client();
    must(buf_put(&gateway.out, unknown, sizeof unknown) == 0);
    put_push(client->id, text_body("behind"), 0);
    broker_speaks();
    hears_text(client, "behind");
}

static void what_a_broker_may_not_say_is_ignored(void **state)
{
    message_t message = {.kind = KIND_REQUEST};
    (void)state;

    client_t *client = a_client();
    broker_says_bare(KIND_PONG);
    message.request = (message_request_t){.id = 1,
                                          .event = EVENT_MESSAGE,
                                          .conn = wire_bytes(client->id),
                                          .route = wire_bytes("r")};
    broker_says(&message);
    gets_nothing();
    hears_nothing(client);
}

/* --- a broker that is lost ----------------------------------------------- */

static void a_silent_broker_is_lost_and_greeted(void **state)
{
    (void)state;
    gateway.broker_is_silent = true;
    time_passes(LIVENESS_MS - 100);
    gets_nothing();
    time_passes(200);
    gets(KIND_HELLO);
    assert_int_equal(gateway.hub->stats.broker_lost, 1);
}

static void a_pause_of_ours_is_not_held_against_it(void **state)
{
    (void)state;
    gateway.broker_is_silent = true;
    gateway.now_ms += 60000; /* SIGSTOP */
    time_passes(5000);
    gets_nothing();
    assert_int_equal(gateway.hub->stats.broker_lost, 0);
}

static void a_broker_that_asks_who_and_goes_is_lost(void **state)
{
    (void)state;

    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    broker_says_bare(KIND_WHO);
    gateway.broker_is_silent = true;
    time_passes(120000);
    hears_error(client, "Internal server error", id);
}

static void a_broker_that_says_bye_is_lost_at_once(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    broker_says_bare(KIND_BYE);
    gets(KIND_HELLO);
    hears_error(client, "Internal server error", id);
    assert_int_equal(gateway.hub->stats.broker_lost, 1);
}

static void one_that_has_done_its_work_has_left(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    answers(gets_message("x"), 200, NULL);
    broker_says_bare(KIND_BYE);
    gets(KIND_HELLO);
    assert_int_equal(gateway.hub->stats.broker_left, 1);
    assert_int_equal(gateway.hub->stats.broker_lost, 0);
}

static void a_broker_is_missed_until_it_welcomes_us(void **state)
{
    (void)state;
    assert_int_equal(missing_due_ms(&hub_link()->missing), START_MS + 3000);
    time_passes(3000); /* it is said */
    assert_int_equal(missing_due_ms(&hub_link()->missing), START_MS + 6000);
    broker_comes_back();
    assert_true(missing_due_ms(&hub_link()->missing) == INT64_MAX);
    broker_says_bare(KIND_BYE);
    assert_int_equal(missing_due_ms(&hub_link()->missing),
                     gateway.now_ms + 3000);
}

static void requests_on_their_way_to_it_have_failed(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_t *newcomer = a_newcomer(UPGRADE);
    gets_connect();
    client_says(client, "1");
    client_says(client, "2");
    uint64_t first = gets_message("1"), second = gets_message("2");
    broker_falls_silent();
    hears_error(client, "Internal server error", first);
    hears_error(client, "Internal server error", second);
    hears_nothing(client);
    assert_false(is_closed(client));
    assert_non_null(strstr(hears_head(newcomer), "HTTP/1.1 502 Bad Gateway"));
}

static void clients_are_not_read_until_it_comes_back(void **state)
{
    (void)state;
    client_t *client = a_client();
    broker_falls_silent();
    client_says(client, "1");
    client_says(client, "2");
    assert_true(client->is_paused);
    broker_comes_back();
    gets_list(&client, 1);
    gets_message("1");
    gets_message("2");
    assert_false(client->is_paused);
    hears_nothing(client);
}

/* --- the same broker, the same session ----------------------------------- */

static void late_replies_of_it_are_ignored(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    broker_falls_silent();
    hears_error(client, "Internal server error", id);
    broker_comes_back();
    gets_list(&client, 1);
    answers(id, 200, "late");
    answers(id, 200, "later");
    hears_nothing(client);
    assert_int_equal(gateway.hub->stats.replies_unknown, 1);
    assert_int_equal(hub_link()->in_flight, 0);
}

static void until_then_they_take_their_share_of_its_window(void **state)
{
    (void)state;
    gateway.window = 2;
    gateway_restarts();
    client_t *client = a_client();
    client_says(client, "1");
    uint64_t id = gets_message("1");
    broker_falls_silent();
    broker_comes_back();
    gets_list(&client, 1);
    client_says(client, "2");
    client_says(client, "3");
    gets_message("2");
    gets_nothing();
    answers(id, 200, NULL);
    gets_message("3");
}

static void one_let_in_too_late_is_not_known(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    broker_falls_silent();
    hears_head(client);
    client_leaves(client);
    broker_comes_back();
    gets_list(NULL, 0);
    answers(id, 200, NULL);
    gets_nothing();
    nothing_is_left();
}

static void one_who_left_the_gate_is_forgotten_with_the_broker(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    gets_connect();
    client_leaves(client);
    assert_false(hub_is_empty(gateway.hub));
    broker_falls_silent();
    assert_true(hub_is_empty(gateway.hub));
}

static void a_disconnect_is_said_again_after_the_list(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_closes(client, 4000, "bye");
    client_leaves(client);
    uint64_t id = gets_disconnect(client, 4000, "bye");
    broker_falls_silent();
    broker_comes_back();
    gets_list(&client, 1);
    uint64_t again = gets_disconnect(client, 4000, "bye");
    assert_int_not_equal(id, again);
    answers(id, 200, NULL);
    assert_false(hub_is_empty(gateway.hub));
    answers(again, 200, NULL);
    nothing_is_left();
    gets_nothing();
}

static void who_left_while_it_was_away_is_listed_and_then_ended(void **state)
{
    (void)state;
    client_t *left = a_client(), *stays = a_client();
    client_t *both[] = {left, stays};
    broker_falls_silent();
    client_leaves(left);
    broker_comes_back();
    gets_list(both, 2);
    answers(gets_disconnect(left, 1006, ""), 200, NULL);
    gets_nothing();
    assert_int_equal(gateway.hub->sessions, 1);
}

/* --- another broker ------------------------------------------------------ */

static void a_restarted_broker_gets_the_list(void **state)
{
    (void)state;
    client_t *client = a_client(), *left = a_client(), *ended = a_client();
    client_t *listed[] = {client, left};
    client_leaves(ended);
    answers(gets_disconnect(ended, 1006, ""), 200, NULL);
    client_leaves(left);
    gets_disconnect(left, 1006, "");
    client_t *newcomer = a_newcomer(UPGRADE); /* known to nobody */
    gets_connect();
    broker_falls_silent();
    gets_greeting();
    another_broker_welcomes();
    gets_list(listed, 2);
    gets_disconnect(left, 1006, "");
    gets_nothing();
    hears_nothing(client);
    assert_non_null(strstr(hears_head(newcomer), "HTTP/1.1 502 "));
}

static void requests_to_the_former_one_are_over(void **state)
{
    (void)state;
    gateway.window = 1;
    gateway_restarts();
    client_t *client = a_client();
    client_says(client, "1");
    client_says(client, "2");
    uint64_t id = gets_message("1");
    broker_says_bare(KIND_WHO); /* before its end was noticed */
    gets(KIND_HELLO);
    another_broker_welcomes();
    hears_error(client, "Internal server error", id);
    gets_list(&client, 1);
    gets_message("2"); /* the window is the new one's, and whole */
    answers(id, 200, "late");
    hears_nothing(client);
    assert_int_equal(gateway.hub->stats.replies_unknown, 1);
}

static void the_context_of_a_list_is_that_of_the_reply(void **state)
{
    wire_bytes_t conn, context;
    uint32_t count;
    buf_t options;
    (void)state;

    buf_init(&options, 256);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "user") == 0);
    must(wire_put_text(&options, "ada") == 0);
    a_newcomer(UPGRADE);
    answers_with(gets_connect(), 200, text_body(NULL), &options);
    buf_fini(&options);
    broker_says_bare(KIND_WHO);
    gets(KIND_HELLO);
    another_broker_welcomes();
    message_t sync = gets(KIND_SYNC);
    wire_cursor_t in = wire_cursor(sync.sync.connections);
    must(wire_get_array(&in, &count) == 0 && count == 1);
    must(wire_get_array(&in, &count) == 0 && count == 2);
    must(wire_get_str(&in, &conn) == 0);
    must(wire_get_raw_map(&in, &context) == 0);
    assert_true(wire_is(wire_map_str(context, "user"), "ada"));
    assert_true(wire_is(wire_map_str(context, "domain"), "example.org"));
}

/* Its SYNCs name so many connections, all but the last with `more`. */
static void gets_list_in_parts(uint32_t connections)
{
    uint32_t listed = 0, parts = 0, count;
    message_t message;

    do {
        message = gets(KIND_SYNC);
        wire_cursor_t in = wire_cursor(message.sync.connections);
        assert_int_equal(message.sync.session, gateway.broker_session);
        assert_int_equal(wire_get_array(&in, &count), 0);
        listed += count;
        parts++;
        broker_says_bare(KIND_PONG); /* to the PING behind each part */
    } while (message.sync.more);
    assert_true(parts > 1);
    assert_int_equal(listed, connections);
}

static void a_long_list_goes_in_parts(void **state)
{
    char head[LONG_HEAD], agent[500];
    (void)state;

    gateway.options.max_connections = 0;
    gateway_restarts();
    memset(agent, 'a', sizeof agent - 1);
    agent[sizeof agent - 1] = '\0';
    snprintf(head, sizeof head,
             "GET / HTTP/1.1\r\nHost: %.250s\r\nUser-Agent: %s\r\n" HANDSHAKE
             "\r\n",
             agent, agent);
    for (int i = 0; i < MANY; i++) {
        a_newcomer(head);
        answers(gets_connect(), 200, NULL);
    }
    broker_says_bare(KIND_WHO);
    gets(KIND_HELLO);
    another_broker_welcomes();
    gets_list_in_parts(MANY);
}

/* --- the same broker, another session ------------------------------------ */

static void given_up_it_closes_all_and_its_list_is_empty(void **state)
{
    (void)state;
    client_t *client = a_client(), *left = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    client_leaves(left);
    gets_disconnect(left, 1006, "");
    broker_says_bare(KIND_WHO);
    gets(KIND_HELLO);
    another_session_begins();
    gets_list(NULL, 0);
    gets_nothing();
    hears_error(client, "Internal server error", id);
    hears_close(client, 1012, LOST);
    assert_int_equal(gateway.hub->stats.given_up, 1);
    client_leaves(client);
    gets_nothing(); /* the broker has ended it already */
    nothing_is_left();
}

static void after_that_it_serves_as_before(void **state)
{
    (void)state;
    a_client();
    broker_falls_silent();
    gets_greeting();
    another_session_begins();
    gets_list(NULL, 0);
    client_t *client = a_client();
    client_says(client, "x");
    answers(gets_message("x"), 200, "y");
    hears_text(client, "y");
    client_leaves(client);
    gets_disconnect(client, 1006, "");
}

static void who_waits_at_the_gate_then_is_let_in_all_the_same(void **state)
{
    (void)state;
    broker_says_bare(KIND_WHO);
    gets(KIND_HELLO);
    client_t *client = a_newcomer(UPGRADE);
    another_session_begins();
    gets_list(NULL, 0);
    answers(gets_connect(), 200, NULL);
    hears_head(client);
    hears_nothing(client);
}

/* Says which session it remembers, and of which broker. */
static void gets_greeting_of(const char *boot, uint64_t session)
{
    wire_bytes_t options = gets(KIND_HELLO).hello.options;

    assert_true(wire_is(wire_map_str(options, "broker"), boot));
    assert_int_equal(wire_map_uint(options, "session", 0), session);
}

static void a_list_that_did_not_arrive_is_sent_again(void **state)
{
    (void)state;
    gets_greeting_of("", 0);
    broker_welcomes();
    gets_list(NULL, 0);
    client_t *client = a_client();
    broker_says_bare(KIND_WHO);
    gets_greeting_of("broker-1", 7);
    gateway.broker_session = 8;
    broker_welcomes(); /* which has ended nobody */
    gets_list(&client, 1);
    hears_nothing(client);
    assert_int_equal(gateway.hub->stats.given_up, 0);
    broker_says_bare(KIND_WHO);
    gets_greeting_of("broker-1", 8);
    another_session_begins();
    gets_list(NULL, 0);
    hears_close(client, 1012, LOST);
}

static void credit_is_not_given_to_a_broker_that_did_not_push(void **state)
{
    (void)state;
    client_t *client = a_client();
    put_push(client->id, text_body("x"), 0);
    put_message(&(message_t){.kind = KIND_WHO}); /* before the turn is over */
    broker_speaks();
    hears_text(client, "x");
    gets(KIND_HELLO);
    another_broker_welcomes();
    gets_list(&client, 1);
    gets_nothing();
}

static void
credit_that_a_greeting_held_up_is_given_to_the_same_broker(void **state)
{
    (void)state;
    client_t *client = a_client();
    put_push(client->id, text_body("x"), 0);
    put_message(&(message_t){.kind = KIND_WHO});
    broker_speaks();
    gets(KIND_HELLO);
    broker_welcomes();
    gets_list(&client, 1);
    assert_int_equal(gets(KIND_CREDIT).credit.messages, 1);
}

static void credit_is_kept_back_while_workers_have_much(void **state)
{
    (void)state;
    gateway.push_window = 8;
    gateway.push_window_bytes = 1000;
    another_broker_welcomes();
    gets_list(NULL, 0);
    client_t *client = a_client();

    pushes(client->id, "x");
    gets_nothing();
    pushes(client->id, "x");
    assert_int_equal(gets(KIND_CREDIT).credit.messages, 2);
    pushes(client->id, "x");
    time_passes(CREDIT_MS / 2);
    gets_nothing();
    time_passes(CREDIT_MS / 2);
    assert_int_equal(gets(KIND_CREDIT).credit.messages, 1);
}

static void credit_for_many_bytes_is_not(void **state)
{
    (void)state;
    gateway.push_window = 1000;
    gateway.push_window_bytes = 8;
    another_broker_welcomes();
    gets_list(NULL, 0);
    client_t *client = a_client();

    pushes(client->id, "x");
    gets_nothing();
    pushes(client->id, "y");
    assert_int_equal(gets(KIND_CREDIT).credit.bytes, 2);
}

static void credit_goes_with_what_is_said_anyway(void **state)
{
    (void)state;
    gateway.push_window = gateway.push_window_bytes = 1000;
    another_broker_welcomes();
    gets_list(NULL, 0);
    client_t *client = a_client();

    pushes(client->id, "x");
    gets_nothing();
    client_says(client, "hello");
    gets_message("hello");
    assert_int_equal(gets(KIND_CREDIT).credit.messages, 1);
}

/* --- what waits to be sent ----------------------------------------------- */

static void what_a_full_socket_does_not_take_goes_later_in_order(void **state)
{
    (void)state;
    client_t *client = a_client();
    gateway.broker_is_stuck = true;
    client_says(client, "1");
    client_says(client, "2");
    client_vanishes(client);
    time_passes(500);
    gets_nothing();
    gateway.broker_is_stuck = false;
    time_passes(50);
    gets_message("1");
    gets_message("2");
    gets_disconnect(client, 1006, "");
    gets_nothing();
}

/* --- the end ------------------------------------------------------------- */

static void at_the_end_every_client_is_told_so(void **state)
{
    (void)state;
    client_t *client = a_client(), *newcomer = a_newcomer(UPGRADE);
    client_t *half = a_newcomer("GET / HT");
    uint64_t gate = gets_connect();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    gateway_drains();
    assert_non_null(strstr(hears_head(newcomer), "HTTP/1.1 503 "));
    assert_non_null(strstr(hears_head(half), "HTTP/1.1 503 "));
    hears_nothing(client); /* which waits for an answer */
    client_says(client, "not read any more");
    gets_nothing();
    answers(id, 200, "y");
    hears_text(client, "y");
    hears_close(client, 1012, "service restart");
    uint64_t farewell = gets_disconnect(client, 1012, "service restart");
    client_leaves(client);
    client_leaves(newcomer);
    client_leaves(half);
    assert_false(hub_is_empty(gateway.hub));
    answers(farewell, 200, NULL);
    answers(gate, 200, NULL);
    assert_false(hub_is_empty(gateway.hub));
    answers(gets_disconnect(newcomer, 1006, ""), 200, NULL);
    nothing_is_left();
}

static void who_waits_for_too_long_is_closed_while_there_is_time(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    gateway_drains();
    time_passes(gateway.options.drain_ms / 2);
    hears_nothing(client);
    time_passes(gateway.options.drain_ms / 4 + 100);
    hears_close(client, 1012, "service restart");
    uint64_t farewell = gets_disconnect(client, 1012, "service restart");
    client_leaves(client);
    answers(id, 200, "y");
    answers(farewell, 200, NULL);
    nothing_is_left();
}

static void many_are_closed_one_after_the_other(void **state)
{
    enum { CLIENTS = 500 };
    client_t *first = NULL, *last = NULL;
    (void)state;

    for (int i = 0; i < CLIENTS; i++) {
        last = a_client();
        first = first == NULL ? last : first;
    }
    gateway_drains();
    hears_close(first, 1012, "service restart");
    hears_nothing(last);
    time_passes(gateway.options.drain_ms / 4);
    hears_nothing(last);
    time_passes(gateway.options.drain_ms / 4 + 100);
    hears_close(last, 1012, "service restart");
}

/* --- the end of a broker ------------------------------------------------- */

static void a_broker_that_drains_gets_no_more_requests(void **state)
{
    (void)state;
    client_t *client = a_client(), *leaver = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    broker_says_bare(KIND_DRAIN);
    gets(KIND_DRAIN);
    client_says(client, "y");
    client_t *newcomer = a_newcomer(UPGRADE);
    client_leaves(leaver);
    uint64_t farewell = gets_disconnect(leaver, 1006, ""); /* but for these */
    gets_nothing();
    answers(id, 200, "to x");
    hears_text(client, "to x");
    answers(farewell, 200, NULL);
    broker_says_bare(KIND_BYE);
    hears_nothing(client);
    gets(KIND_HELLO);
    another_broker_welcomes();
    gets_list(&client, 1);
    answers(gets_message("y"), 200, "to y");
    hears_text(client, "to y");
    answers(gets_connect(), 200, NULL);
    hears_head(newcomer);
}

static void while_it_drains_nobody_gets_in(void **state)
{
    (void)state;
    client_t *early = a_socket();
    gateway_drains();
    assert_non_null(strstr(hears_head(early), "HTTP/1.1 503 "));
    client_t *late = a_newcomer(UPGRADE); /* accepted just before */
    assert_non_null(strstr(hears_head(late), "HTTP/1.1 503 "));
    gets_nothing();
}

static void
a_broker_that_comes_back_while_it_drains_hears_the_ends(void **state)
{
    (void)state;
    client_t *client = a_client();
    broker_falls_silent();
    gateway_drains();
    hears_close(client, 1012, "service restart");
    client_leaves(client);
    broker_comes_back();
    gets_list(&client, 1);
    answers(gets_disconnect(client, 1012, "service restart"), 200, NULL);
    nothing_is_left();
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)
#define TEST_ALONE(name)                                                       \
    cmocka_unit_test_setup_teardown(name, gateway_set_up_alone,                \
                                    gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ALONE(the_first_word_is_hello),
        TEST_ALONE(it_is_said_again_each_second_while_nobody_answers),
        TEST_ALONE(greetings_do_not_pile_up_where_nobody_takes_them),
        TEST_ALONE(behind_the_welcome_comes_a_list),
        TEST(a_second_welcome_means_nothing),
        TEST(asked_who_it_greets_and_says_nothing_else_until_welcome),
        TEST(a_gateway_with_nothing_to_say_pings),
        TEST_ALONE(a_taken_loop_number_is_exchanged),
        TEST_ALONE(those_who_wait_get_an_id_of_the_new_loop_number),
        TEST(those_with_an_id_of_the_old_loop_number_are_closed),
        TEST(any_other_error_is_only_for_the_log),
        TEST(what_stands_before_a_fault_in_a_frame_counts),
        TEST(an_unknown_kind_is_skipped),
        TEST(what_a_broker_may_not_say_is_ignored),
        TEST(a_silent_broker_is_lost_and_greeted),
        TEST(a_pause_of_ours_is_not_held_against_it),
        TEST(a_broker_that_asks_who_and_goes_is_lost),
        TEST(a_broker_that_says_bye_is_lost_at_once),
        TEST(one_that_has_done_its_work_has_left),
        TEST_ALONE(a_broker_is_missed_until_it_welcomes_us),
        TEST(requests_on_their_way_to_it_have_failed),
        TEST(clients_are_not_read_until_it_comes_back),
        TEST(late_replies_of_it_are_ignored),
        TEST(until_then_they_take_their_share_of_its_window),
        TEST(one_let_in_too_late_is_not_known),
        TEST(one_who_left_the_gate_is_forgotten_with_the_broker),
        TEST(a_disconnect_is_said_again_after_the_list),
        TEST(who_left_while_it_was_away_is_listed_and_then_ended),
        TEST(a_restarted_broker_gets_the_list),
        TEST(requests_to_the_former_one_are_over),
        TEST(the_context_of_a_list_is_that_of_the_reply),
        TEST(a_long_list_goes_in_parts),
        TEST(given_up_it_closes_all_and_its_list_is_empty),
        TEST(after_that_it_serves_as_before),
        TEST(who_waits_at_the_gate_then_is_let_in_all_the_same),
        TEST_ALONE(a_list_that_did_not_arrive_is_sent_again),
        TEST(credit_is_not_given_to_a_broker_that_did_not_push),
        TEST(credit_that_a_greeting_held_up_is_given_to_the_same_broker),
        TEST(credit_is_kept_back_while_workers_have_much),
        TEST(credit_for_many_bytes_is_not),
        TEST(credit_goes_with_what_is_said_anyway),
        TEST(what_a_full_socket_does_not_take_goes_later_in_order),
        TEST(at_the_end_every_client_is_told_so),
        TEST(who_waits_for_too_long_is_closed_while_there_is_time),
        TEST(many_are_closed_one_after_the_other),
        TEST(a_broker_that_drains_gets_no_more_requests),
        TEST(while_it_drains_nobody_gets_in),
        TEST(a_broker_that_comes_back_while_it_drains_hears_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
