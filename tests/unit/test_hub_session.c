/* SPDX-License-Identifier: MIT
 *
 * An open WebSocket: windows, replies, pushes, pings, and how it ends.
 */
#include "base/xalloc.h"
#include "tests/unit/hub_fixture.h"

#define FIN    0x80
#define SLOW   "client reads too slowly"
#define NOBODY "AAAAAAAAAAAAAAAA"
#define LARGE  ((size_t)300000) /* several reads, and several writes */

/* An 8 byte body, so that what a test sends is easy to count. */
static const char eight[] = "12345678";

static session_t *session_of(const client_t *client)
{
    return client->user;
}

static void client_says_number(client_t *client, int number)
{
    char text[16];

    snprintf(text, sizeof text, "%d", number);
    client_says(client, text);
}

/* --- windows ------------------------------------------------------------- */

static void reading_pauses_when_the_connections_window_is_spent(void **state)
{
    (void)state;
    gateway.options.conn_window = 2;
    gateway_restarts();
    client_t *client = a_client();
    client_says(client, "1");
    client_says(client, "2");
    assert_false(client->is_paused);
    client_says(client, "3");
    client_says(client, "4");
    assert_true(client->is_paused);
    uint64_t first = gets_message("1");
    uint64_t second = gets_message("2");
    gets_nothing();
    answers(second, 200, NULL);
    gets_message("3");
    gets_nothing();
    answers(first, 200, NULL);
    gets_message("4");
    assert_int_equal(gateway.hub->stats.paused, 1);
}

static void reading_goes_on_when_there_is_room_again(void **state)
{
    (void)state;
    gateway.options.conn_window = 1;
    gateway_restarts();
    client_t *client = a_client();
    client_says(client, "1");
    client_says(client, "2");
    answers(gets_message("1"), 200, NULL);
    uint64_t second = gets_message("2");
    assert_true(client->is_paused); /* nothing is kept, but no room either */
    answers(second, 200, NULL);
    assert_false(client->is_paused);
    assert_int_equal(session_of(client)->in.cap, 0);
}

static void the_connections_window_counts_bytes_too(void **state)
{
    char body[201];
    (void)state;

    memset(body, 'x', 200);
    body[200] = '\0';
    gateway.options.conn_window_bytes = 300;
    gateway_restarts();
    client_t *client = a_client();
    for (int i = 0; i < 3; i++) {
        client_says(client, body);
    }
    uint64_t first = gets_message(body);
    gets_message(body);
    gets_nothing();
    assert_true(client->is_paused);
    answers(first, 200, NULL);
    gets_message(body);
}

static void a_full_connection_does_not_hold_up_another(void **state)
{
    (void)state;
    gateway.options.conn_window = 1;
    gateway_restarts();
    client_t *client = a_client(), *other = a_client();
    client_says(client, "1");
    client_says(client, "2");
    client_says(other, "other's");
    gets_message("1");
    answers(gets_message("other's"), 200, NULL);
    gets_nothing();
    assert_true(client->is_paused);
    assert_false(other->is_paused);
}

static void the_gateways_window_is_for_all_in_the_order_they_came(void **state)
{
    (void)state;
    gateway.window = 1;
    gateway_restarts();
    client_t *first = a_client(), *second = a_client(), *third = a_client();
    client_says(first, "1");
    client_says(third, "3");
    client_says(second, "2");
    uint64_t id = gets_message("1");
    gets_nothing();
    assert_true(second->is_paused && third->is_paused);
    answers(id, 200, NULL);
    id = gets_message("3");
    gets_nothing();
    answers(id, 200, NULL);
    answers(gets_message("2"), 200, NULL);
    time_passes(50);
    assert_false(first->is_paused || second->is_paused || third->is_paused);
}

static void one_request_fits_whatever_the_windows_bytes(void **state)
{
    (void)state;
    gateway.window_bytes = 1;
    gateway_restarts();
    client_t *client = a_client();
    client_says(client, "1");
    client_says(client, "2");
    uint64_t id = gets_message("1");
    gets_nothing();
    answers(id, 200, NULL);
    gets_message("2");
}

static void who_may_send_less_than_there_is_room_for_stays_paused(void **state)
{
    (void)state;
    gateway.window = 2;
    gateway.options.conn_window = 1;
    gateway_restarts();
    client_t *client = a_client(), *other = a_client();
    client_says(client, "1");
    client_says(other, "2");
    client_says(client, "3");
    uint64_t id = gets_message("1");
    answers(gets_message("2"), 200, NULL);
    gets_nothing();
    assert_true(client->is_paused);
    answers(id, 200, NULL);
    gets_message("3");
}

static void who_waits_for_room_comes_before_who_has_been_answered(void **state)
{
    (void)state;
    gateway.window = 2;
    gateway_restarts();
    client_t *greedy = a_client(), *other = a_client();
    client_says(greedy, "1");
    client_says(greedy, "2");
    client_says(greedy, "3");
    client_says(greedy, "4");
    client_says(other, "5");
    uint64_t first = gets_message("1"), second = gets_message("2");
    gets_nothing();
    answers(first, 200, NULL);
    gets_message("3"); /* it has waited longest */
    answers(second, 200, NULL);
    uint64_t others = gets_message("5");
    gets_nothing();
    answers(others, 200, NULL);
    gets_message("4");
}

/* --- messages and replies ------------------------------------------------ */

static void text_and_binary_stay_what_they_are(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "text");
    message_request_t request = gets_request(EVENT_MESSAGE);
    assert_int_equal(request.body.type, BODY_TEXT);
    answers_with(request.id, 200, (body_t){BODY_BINARY, wire_bytes("bin")},
                 NULL);
    hears_frame(client, WS_BINARY, "bin", 3);
    client_says_bytes(client, "bytes");
    request = gets_request(EVENT_MESSAGE);
    assert_int_equal(request.body.type, BODY_BINARY);
    answers(request.id, 200, "text");
    hears_text(client, "text");
    client_says(client, "");
    request = gets_request(EVENT_MESSAGE);
    assert_int_equal(request.body.type, BODY_TEXT);
    answers(request.id, 200, "");
    hears_text(client, "");
}

static void the_body_of_a_text_names_its_route(void **state)
{
    static const char *const cases[][2] = {
        {"{\"action\":\"join\"}", "join"},
        {"{\"action\":\"\"}", "$default"},
        {"{\"other\":\"join\"}", "$default"},
        {"{\"action\":\"join\"", "$default"},
        {"join", "$default"},
    };
    (void)state;

    client_t *client = a_client();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        client_says(client, cases[i][0]);
        message_request_t request = gets_request(EVENT_MESSAGE);
        assert_true(wire_is(request.route, cases[i][1]));
        assert_true(wire_is(request.conn, client->id));
        assert_int_equal(request.id, request.number);
    }
    client_says_bytes(client, cases[0][0]);
    assert_true(wire_is(gets_request(EVENT_MESSAGE).route, "$default"));
}

static void fragments_are_one_message(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_sends_frame(client, WS_TEXT, "one ", 4);
    client_sends_frame(client, WS_CONTINUATION, "mess", 4);
    client_sends_frame(client, FIN | WS_PING, "between", 7);
    hears_frame(client, WS_PONG, "between", 7);
    gets_nothing();
    client_sends_frame(client, FIN | WS_CONTINUATION, "age", 3);
    gets_message("one message");
}

static void a_message_may_be_longer_than_a_read(void **state)
{
    char *body = xcalloc(1, LARGE + 1);
    (void)state;

    memset(body, 'x', LARGE);
    gateway.options.max_message = gateway.options.max_frame = LARGE;
    gateway_restarts();
    client_t *client = a_client();
    client_says(client, body);
    client_says(client, "behind");
    gets_message(body);
    gets_message("behind");
    assert_int_equal(session_of(client)->in.cap, 0);
    free(body);
}

static void each_status_without_a_body_has_its_error_frame(void **state)
{
    static const struct {
        uint64_t status;
        const char *message;
    } cases[] = {
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Bad Request"},
        {413, "Message too long"},
        {429, "Too Many Requests"},
        {499, "Bad Request"},
        {500, "Internal server error"},
        {502, "Internal server error"},
        {504, "Endpoint request timed out"},
        {599, "Internal server error"},
    };
    (void)state;

    client_t *client = a_client();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        client_says(client, "x");
        uint64_t id = gets_message("x");
        answers(id, cases[i].status, NULL);
        hears_error(client, cases[i].message, id);
        hears_nothing(client);
    }
    assert_int_equal(gateway.hub->stats.error_frames, 10);
}

static void a_status_below_400_without_a_body_says_nothing(void **state)
{
    (void)state;
    client_t *client = a_client();
    for (uint64_t status = 100; status < 400; status += 299) {
        client_says(client, "x");
        answers(gets_message("x"), status, NULL);
    }
    hears_nothing(client);
}

static void a_body_goes_to_the_client_whatever_the_status(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    answers(gets_message("x"), 500, "my own words");
    hears_text(client, "my own words");
    hears_nothing(client);
}

static void a_request_has_one_outcome(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    answers(id, 200, "first");
    answers(id, 200, "second");
    answers(id + 1, 200, "never asked");
    answers(0, 200, "never asked");
    answers(UINT64_MAX, 200, "never asked");
    hears_text(client, "first");
    hears_nothing(client);
    assert_int_equal(gateway.hub->stats.replies_unknown, 4);
}

static void a_reply_finds_nobody_when_the_client_has_left(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    client_leaves(client);
    uint64_t farewell = gets_disconnect(client, 1006, "");
    answers(id, 500, NULL);
    answers(farewell, 200, NULL);
    nothing_is_left();
}

static void an_error_frame_counts_when_somebody_is_there_for_it(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    client_leaves(client);
    answers(id, 500, NULL);
    assert_int_equal(gateway.hub->stats.error_frames, 0);
}

static void a_late_reply_is_not_for_the_next_client_in_the_slot(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    uint64_t id = gets_message("x");
    client_leaves(client);
    answers(gets_disconnect(client, 1006, ""), 200, NULL);
    client_t *next = a_client();
    assert_int_equal(session_of(next)->id.slot, 0);
    answers(id, 200, "not for you");
    hears_nothing(next);
}

/* --- pushes -------------------------------------------------------------- */

static void a_push_goes_to_each_that_it_names(void **state)
{
    char ids[100];
    (void)state;

    client_t *one = a_client(), *two = a_client(), *three = a_client();
    snprintf(ids, sizeof ids, "%s %s", one->id, three->id);
    pushes(ids, "news");
    hears_text(one, "news");
    hears_nothing(two);
    hears_text(three, "news");
    put_push(two->id, (body_t){BODY_BINARY, wire_bytes("bin")}, 0);
    broker_speaks();
    hears_frame(two, WS_BINARY, "bin", 3);
}

static void each_id_that_is_gone_is_said_with_where_it_came_from(void **state)
{
    char ids[100];
    (void)state;

    client_t *client = a_client(), *left = a_client();
    client_leaves(left);
    gets_disconnect(left, 1006, "");
    snprintf(ids, sizeof ids, "%s %s %s", NOBODY, client->id, left->id);
    put_push(ids, text_body("x"), 77);
    broker_speaks();
    const char *gone[] = {NOBODY, left->id};
    for (size_t i = 0; i < 2; i++) {
        message_gone_t message = gets(KIND_GONE).gone;
        assert_true(wire_is(message.conn, gone[i]));
        assert_int_equal(message.from, 77);
    }
    hears_text(client, "x");
    gets(KIND_CREDIT);
    assert_int_equal(gateway.hub->stats.gone, 2);
}

static void a_broker_that_names_what_is_no_id_is_malformed(void **state)
{
    char ids[100];
    (void)state;

    client_t *client = a_client();
    snprintf(ids, sizeof ids, "%s short", client->id);
    pushes(ids, "x");
    hears_text(client, "x");
    gets(KIND_CREDIT);
    gets_nothing();
    assert_int_equal(gateway.hub->stats.broker_malformed, 1);
    assert_int_equal(gateway.hub->stats.gone, 0);
}

static void an_id_is_known_by_each_of_its_parts(void **state)
{
    char id[CONN_ID_TEXT + 1] = "";
    (void)state;

    client_t *client = a_client();
    conn_id_t real = session_of(client)->id;
    conn_id_t wrong[] = {real, real, real, real};
    wrong[0].loop ^= 1;
    wrong[1].slot ^= 1;
    wrong[2].generation ^= 1;
    wrong[3].random ^= 1;
    for (size_t i = 0; i < 4; i++) {
        conn_id_format(&wrong[i], id);
        pushes(id, "not yours");
        gets(KIND_GONE);
        gets(KIND_CREDIT);
    }
    hears_nothing(client);
}

static void each_push_is_credited_in_the_turn_that_took_it(void **state)
{
    (void)state;
    client_t *client = a_client();
    put_push(client->id, text_body(eight), 0);
    put_push(NOBODY, text_body(eight), 0);
    put_push(client->id, text_body(""), 0);
    broker_speaks();
    gets(KIND_GONE);
    message_credit_t credit = gets(KIND_CREDIT).credit;
    assert_int_equal(credit.messages, 3);
    assert_int_equal(credit.bytes, 16);
    pushes(client->id, eight);
    credit = gets(KIND_CREDIT).credit;
    assert_int_equal(credit.messages, 1);
    assert_int_equal(credit.bytes, 8);
    time_passes(500);
    gets_nothing();
}

static void replies_and_pushes_arrive_in_the_order_sent(void **state)
{
    message_t reply = {.kind = KIND_REPLY};
    (void)state;

    client_t *client = a_client();
    client_says(client, "x");
    reply.reply = (message_reply_t){
        .id = gets_message("x"), .status = 200, .body = text_body("2")};
    put_push(client->id, text_body("1"), 0);
    put_message(&reply);
    put_push(client->id, text_body("3"), 0);
    broker_speaks();
    hears_text(client, "1");
    hears_text(client, "2");
    hears_text(client, "3");
}

static void a_close_ends_the_connection_with_its_code_and_reason(void **state)
{
    (void)state;
    client_t *client = a_client();
    closes(client->id, 4001, "enough", 5);
    hears_close(client, 4001, "enough");
    assert_true(client->is_finished);
    uint64_t id = gets_disconnect(client, 4001, "enough");
    closes(client->id, 4002, "again", 6);
    message_gone_t gone = gets(KIND_GONE).gone;
    assert_true(wire_is(gone.conn, client->id));
    assert_int_equal(gone.from, 6);
    pushes(client->id, "behind the close");
    assert_true(wire_is(gets(KIND_GONE).gone.conn, client->id));
    gets(KIND_CREDIT);
    hears_nothing(client);
    client_leaves(client);
    answers(id, 200, NULL);
    nothing_is_left();
}

static void a_close_whose_reason_is_no_text_comes_without_it(void **state)
{
    (void)state;
    client_t *client = a_client();
    closes(client->id, 4001, "caf\xe9", 0);
    hears_close(client, 4001, "");
    gets_disconnect(client, 4001, "");
    assert_int_equal(gateway.hub->stats.broker_malformed, 1);
}

static void a_close_to_nobody_is_gone(void **state)
{
    (void)state;
    closes(NOBODY, 1000, "", 9);
    message_gone_t gone = gets(KIND_GONE).gone;
    assert_true(wire_is(gone.conn, NOBODY));
    assert_int_equal(gone.from, 9);
}

/* --- before the 101 ------------------------------------------------------ */

static void what_is_pushed_while_connect_decides_follows_the_101(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    pushes(client->id, "one");
    gets(KIND_CREDIT);
    pushes(client->id, "two");
    gets(KIND_CREDIT);
    hears_nothing(client);
    answers(id, 200, NULL);
    hears_head(client);
    hears_text(client, "one");
    hears_text(client, "two");
    assert_int_equal(gateway.hub->stats.messages_out, 2);
    gets_nothing();
}

static void a_close_while_connect_decides_comes_behind_the_pushes(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    pushes(client->id, "full");
    closes(client->id, 4003, "later", 1);
    closes(client->id, 4004, "again", 2);
    pushes(client->id, "too late");
    gets(KIND_CREDIT);
    assert_int_equal(gets(KIND_GONE).gone.from, 2);
    gets(KIND_GONE);
    gets(KIND_CREDIT);
    answers(id, 200, NULL);
    hears_head(client);
    hears_text(client, "full");
    hears_close(client, 4003, "later");
    gets_disconnect(client, 4003, "later");
}

static void pushes_to_who_is_refused_are_gone(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    pushes(client->id, "never");
    gets(KIND_CREDIT);
    answers(id, 403, NULL);
    gets(KIND_GONE);
    gets_nothing();
}

static void pushes_to_who_left_before_the_reply_are_gone(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    pushes(client->id, "never");
    gets(KIND_CREDIT);
    client_leaves(client);
    gets(KIND_GONE);
    answers(id, 200, NULL);
    gets_disconnect(client, 1006, "");
    gets_nothing();
}

/* --- pings and idleness -------------------------------------------------- */

static void with_pings(int64_t ping_ms, int64_t pong_ms)
{
    gateway.options.ping_ms = ping_ms;
    gateway.options.pong_ms = pong_ms;
    gateway_restarts();
}

static void a_clients_ping_is_answered_with_what_it_says(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_sends_frame(client, FIN | WS_PING, "are you there", 13);
    hears_frame(client, WS_PONG, "are you there", 13);
    client_sends_frame(client, FIN | WS_PONG, "unasked", 7);
    hears_nothing(client);
    gets_nothing();
}

static void a_silent_client_is_pinged_and_then_dead(void **state)
{
    (void)state;
    with_pings(5000, 2000);
    client_t *client = a_client();
    time_passes(4950);
    hears_nothing(client);
    time_passes(100);
    hears_frame(client, WS_PING, "", 0);
    time_passes(1800);
    assert_false(is_closed(client));
    time_passes(200);
    assert_true(is_closed(client));
    hears_nothing(client);
    gets_disconnect(client, 1006, "ping timeout");
    assert_int_equal(gateway.hub->stats.dead_closed, 1);
}

static void any_sign_of_life_answers_a_ping(void **state)
{
    (void)state;
    with_pings(5000, 2000);
    client_t *client = a_client();
    for (int i = 0; i < 5; i++) {
        time_passes(5100);
        hears_frame(client, WS_PING, "", 0);
        time_passes(1500);
        client_sends_frame(client, FIN | WS_PONG, "", 0);
        hears_nothing(client);
    }
    assert_false(is_closed(client));
}

static void whom_we_do_not_read_is_not_dead_while_its_tcp_lives(void **state)
{
    (void)state;
    gateway.options.conn_window = 1;
    with_pings(5000, 2000);
    client_t *client = a_client();
    client_says(client, "1");
    client_says(client, "2");
    assert_true(client->is_paused);
    client->silent_ms = 100;
    time_passes(60000);
    assert_false(is_closed(client));
    client->silent_ms = 60000;
    time_passes(8000);
    assert_true(is_closed(client));
}

static void an_idle_connection_is_sent_away(void **state)
{
    (void)state;
    gateway.options.idle_ms = 5000;
    with_pings(1000, 500);
    client_t *client = a_client();
    for (int i = 0; i < 4; i++) {
        time_passes(1100); /* pings and their answers do not count */
        hears_frame(client, WS_PING, "", 0);
        client_sends_frame(client, FIN | WS_PONG, "", 0);
    }
    time_passes(700);
    hears_close(client, 1001, "Going away");
    gets_disconnect(client, 1001, "Going away");
    assert_int_equal(gateway.hub->stats.idle_closed, 1);
}

static void messages_of_either_side_keep_it_open(void **state)
{
    (void)state;
    gateway.options.idle_ms = 5000;
    gateway_restarts();
    client_t *client = a_client();
    time_passes(4000);
    client_says(client, "x");
    time_passes(4000);
    pushes(client->id, "y");
    time_passes(4000);
    hears_text(client, "y");
    hears_nothing(client);
}

/* --- a client that does not read ----------------------------------------- */

static void
a_client_that_reads_nothing_is_closed_at_the_hard_limit(void **state)
{
    (void)state;
    gateway.options.out_hard = 20;
    gateway_restarts();
    client_t *client = a_client();
    client->is_stuck = true;
    pushes(client->id, eight); /* this one is with its kernel */
    pushes(client->id, eight);
    forgets();
    assert_false(client->is_finished);
    put_push(client->id, text_body(eight), 3);
    put_push(client->id, text_body(eight), 4);
    broker_speaks();
    gets_disconnect(client, 1013, SLOW);
    assert_int_equal(gets(KIND_GONE).gone.from, 4);
    gets(KIND_CREDIT);
    assert_int_equal(gateway.hub->stats.slow_closed, 1);
    client_reads_on(client);
    hears_text(client, eight); /* what was put before goes first */
    hears_text(client, eight);
    hears_text(client, eight);
    hears_close(client, 1013, SLOW);
    assert_true(client->is_finished);
}

static void one_that_stays_above_the_soft_limit_is_closed_in_time(void **state)
{
    (void)state;
    gateway.options.out_soft = 15;
    gateway_restarts();
    client_t *client = a_client();
    client->is_stuck = true;
    pushes(client->id, eight);
    pushes(client->id, eight);
    time_passes(30000); /* below it: no clock runs */
    pushes(client->id, eight);
    forgets();
    time_passes(9900);
    gets_nothing();
    time_passes(200);
    gets_disconnect(client, 1013, SLOW);
    client_reads_on(client);
    for (int i = 0; i < 3; i++) {
        hears_text(client, eight);
    }
    hears_close(client, 1013, SLOW);
}

static void one_that_reads_on_in_time_is_not_closed(void **state)
{
    (void)state;
    gateway.options.out_soft = 15;
    gateway_restarts();
    client_t *client = a_client();
    for (int i = 0; i < 5; i++) {
        client->is_stuck = true;
        for (int j = 0; j < 3; j++) {
            pushes(client->id, eight);
        }
        time_passes(9000);
        client_reads_on(client);
    }
    forgets();
    assert_int_equal(gateway.hub->stats.slow_closed, 0);
    for (int i = 0; i < 15; i++) {
        hears_text(client, eight);
    }
    hears_nothing(client);
}

static void a_large_push_goes_in_pieces_as_the_socket_takes_them(void **state)
{
    char *body = xcalloc(1, LARGE + 1);
    (void)state;

    for (size_t i = 0; i < LARGE; i++) {
        body[i] = (char)('a' + i % 26);
    }
    client_t *client = a_client();
    client->is_stuck = true;
    pushes(client->id, body);
    size_t pieces = 0;
    for (size_t before = client->heard_at; client->is_held; pieces++) {
        assert_true(client->heard.len - before <= TRANSPORT_WRITE_MAX);
        before = client->heard.len;
        client_takes_a_piece(client);
    }
    assert_int_equal(pieces, LARGE / TRANSPORT_WRITE_MAX + 1);
    hears_text(client, body);
    hears_nothing(client);
    time_passes(61000);
    assert_int_equal(session_of(client)->out.cap, 0);
    free(body);
}

static void a_write_that_fails_ends_the_connection(void **state)
{
    (void)state;
    client_t *client = a_client();
    client->is_broken = true;
    pushes(client->id, "x");
    assert_true(is_closed(client));
    gets_disconnect(client, 1006, "");
    gets(KIND_CREDIT);
    client_t *other = a_client();
    other->is_broken = true;
    client_says(other, "y");
    answers(gets_message("y"), 200, "z");
    answers(gets_disconnect(other, 1006, ""), 200, NULL);
}

/* --- how it ends --------------------------------------------------------- */

static void a_clients_close_comes_behind_all_its_messages(void **state)
{
    static const uint8_t close[] = {4000 >> 8, 4000 & 255, 'b', 'y', 'e'};
    buf_t bytes;
    (void)state;

    client_t *client = a_client();
    buf_init(&bytes, 4096);
    put_frame(&bytes, FIN | WS_TEXT, "1", 1);
    put_frame(&bytes, FIN | WS_TEXT, "2", 1);
    put_frame(&bytes, FIN | WS_CLOSE, close, sizeof close);
    put_frame(&bytes, FIN | WS_TEXT, "3", 1);
    client_sends(client, bytes.data, bytes.len);
    buf_fini(&bytes);
    gets_message("1");
    gets_message("2");
    uint64_t id = gets_disconnect(client, 4000, "bye");
    hears_close(client, 4000, "bye");
    assert_true(client->is_finished);
    client_leaves(client);
    gets_nothing();
    answers(id, 200, NULL);
    gets_nothing();
}

/* 262144 bytes, but for the read that goes beyond. */
static void who_sends_on_after_its_end_is_not_read_for_long(void **state)
{
    static const uint8_t broken[] = {0x80, 0x80, 0, 0, 0, 0};
    static const uint8_t more[262144 + 2 * TRANSPORT_READ_MAX];
    (void)state;

    client_t *client = a_client();
    client_sends(client, broken, sizeof broken);
    gets_disconnect(client, 1002, "nothing to continue");
    client_sends(client, more, 262144);
    assert_false(client->is_paused);
    client_sends(client, more, sizeof more);
    assert_true(client->is_paused);
    assert_int_equal(client->unread.len, sizeof more - TRANSPORT_READ_MAX);
    hears_close(client, 1002, "nothing to continue"); /* it may still read */
    time_passes(3000);
    assert_true(is_closed(client));
}

static void a_close_without_a_code_is_1005(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_sends_frame(client, FIN | WS_CLOSE, "", 0);
    hears_frame(client, WS_CLOSE, "", 0);
    gets_disconnect(client, 1005, "Client-side close frame status not set");
}

static void a_reason_is_passed_on_whole_even_with_a_zero_in_it(void **state)
{
    static const uint8_t close[] = {4000 >> 8, 4000 & 255, 'a', 0, 'b'};
    (void)state;

    client_t *client = a_client();
    client_sends_frame(client, FIN | WS_CLOSE, close, sizeof close);
    hears_frame(client, WS_CLOSE, close, sizeof close);
    message_request_t request = gets_request(EVENT_DISCONNECT);
    wire_bytes_t reason = wire_map_str(request.details, "reason");
    assert_int_equal(reason.len, 3);
    assert_memory_equal(reason.data, close + 2, 3);
}

static void a_client_that_just_goes_is_1006(void **state)
{
    (void)state;
    client_t *left = a_client(), *vanished = a_client();
    client_leaves(left);
    gets_disconnect(left, 1006, "");
    client_vanishes(vanished);
    gets_disconnect(vanished, 1006, "");
}

static void what_it_sent_before_it_left_is_delivered_first(void **state)
{
    (void)state;
    gateway.options.conn_window = 1;
    gateway_restarts();
    client_t *client = a_client();
    for (int i = 1; i <= 4; i++) {
        client_says_number(client, i);
    }
    client_leaves(client);
    answers(gets_message("1"), 200, NULL);
    answers(gets_message("2"), 200, NULL);
    answers(gets_message("3"), 200, NULL);
    answers(gets_message("4"), 200, NULL);
    answers(gets_disconnect(client, 1006, ""), 200, NULL);
    nothing_is_left();
}

static void a_disconnect_needs_no_room(void **state)
{
    (void)state;
    gateway.window = 1;
    gateway_restarts();
    client_t *client = a_client(), *other = a_client();
    client_says(client, "x");
    gets_message("x");
    client_vanishes(other);
    answers(gets_disconnect(other, 1006, ""), 200, NULL);
    client_vanishes(client);
    gets_disconnect(client, 1006, "");
}

static void a_client_that_breaks_the_rules_is_told_so(void **state)
{
    static const struct {
        uint8_t bytes[8];
        size_t len;
        unsigned code;
    } cases[] = {
        {{0x81, 0x01, 'x'}, 3, 1002},              /* not masked */
        {{0xc1, 0x80, 0, 0, 0, 0}, 6, 1002},       /* a reserved bit */
        {{0x80, 0x80, 0, 0, 0, 0}, 6, 1002},       /* continues nothing */
        {{0x81, 0x81, 0, 0, 0, 0, 0xff}, 7, 1007}, /* not UTF-8 */
        {{0x88, 0x81, 0, 0, 0, 0, 1}, 7, 1002},    /* half a code */
        {{0x82, 0xff, 0, 0, 0, 0, 1, 0}, 8, 0},    /* not whole yet */
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        client_t *client = a_client();
        frame_t frame = {0};
        client_sends(client, cases[i].bytes, cases[i].len);
        assert_true(hears_next(client, &frame) == (cases[i].code != 0));
        if (cases[i].code == 0) {
            continue;
        }
        char reason[WS_CONTROL_MAX] = "";
        memcpy(reason, frame.payload + 2, frame.len - 2);
        assert_int_equal(frame.first, FIN | WS_CLOSE);
        assert_int_equal(frame.payload[0] << 8 | frame.payload[1],
                         cases[i].code);
        gets_disconnect(client, cases[i].code, reason);
    }
    assert_int_equal(gateway.hub->stats.protocol_errors, 5);
}

static void a_message_that_is_too_big_is_1009(void **state)
{
    (void)state;
    gateway.options.max_message = 10;
    gateway_restarts();
    client_t *client = a_client();
    client_says(client, "0123456789");
    gets_message("0123456789");
    client_says(client, "0123456789a");
    frame_t frame = {0};
    assert_true(hears_next(client, &frame));
    assert_int_equal(frame.payload[0] << 8 | frame.payload[1], 1009);
    assert_int_equal(gateway.hub->stats.too_big, 1);
}

static void after_its_close_nothing_of_a_client_counts(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_closes(client, 1000, "done");
    hears_close(client, 1000, "done");
    gets_disconnect(client, 1000, "done");
    client_says(client, "ghost");
    client_closes(client, 4000, "again");
    client_sends(client, "garbage", 7);
    client_vanishes(client);
    hears_nothing(client);
    gets_nothing();
}

static void a_close_from_both_sides_is_said_once(void **state)
{
    (void)state;
    client_t *client = a_client();
    closes(client->id, 4001, "ours", 0);
    client_closes(client, 4002, "theirs");
    client_leaves(client);
    hears_close(client, 4001, "ours");
    uint64_t id = gets_disconnect(client, 4001, "ours");
    gets_nothing();
    answers(id, 200, NULL);
    nothing_is_left();
}

static void an_idle_connection_holds_no_buffers(void **state)
{
    (void)state;
    client_t *client = a_client();
    client_says(client, "x");
    answers(gets_message("x"), 200, "y");
    time_passes(61000);
    assert_int_equal(session_of(client)->out.cap, 0);
    assert_int_equal(session_of(client)->in.cap, 0);
    assert_null(session_of(client)->reader.gather);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reading_pauses_when_the_connections_window_is_spent),
        TEST(reading_goes_on_when_there_is_room_again),
        TEST(the_connections_window_counts_bytes_too),
        TEST(a_full_connection_does_not_hold_up_another),
        TEST(the_gateways_window_is_for_all_in_the_order_they_came),
        TEST(one_request_fits_whatever_the_windows_bytes),
        TEST(who_may_send_less_than_there_is_room_for_stays_paused),
        TEST(who_waits_for_room_comes_before_who_has_been_answered),
        TEST(text_and_binary_stay_what_they_are),
        TEST(the_body_of_a_text_names_its_route),
        TEST(fragments_are_one_message),
        TEST(a_message_may_be_longer_than_a_read),
        TEST(each_status_without_a_body_has_its_error_frame),
        TEST(a_status_below_400_without_a_body_says_nothing),
        TEST(a_body_goes_to_the_client_whatever_the_status),
        TEST(a_request_has_one_outcome),
        TEST(a_reply_finds_nobody_when_the_client_has_left),
        TEST(an_error_frame_counts_when_somebody_is_there_for_it),
        TEST(a_late_reply_is_not_for_the_next_client_in_the_slot),
        TEST(a_push_goes_to_each_that_it_names),
        TEST(each_id_that_is_gone_is_said_with_where_it_came_from),
        TEST(a_broker_that_names_what_is_no_id_is_malformed),
        TEST(an_id_is_known_by_each_of_its_parts),
        TEST(each_push_is_credited_in_the_turn_that_took_it),
        TEST(replies_and_pushes_arrive_in_the_order_sent),
        TEST(a_close_ends_the_connection_with_its_code_and_reason),
        TEST(a_close_whose_reason_is_no_text_comes_without_it),
        TEST(a_close_to_nobody_is_gone),
        TEST(what_is_pushed_while_connect_decides_follows_the_101),
        TEST(a_close_while_connect_decides_comes_behind_the_pushes),
        TEST(pushes_to_who_is_refused_are_gone),
        TEST(pushes_to_who_left_before_the_reply_are_gone),
        TEST(a_clients_ping_is_answered_with_what_it_says),
        TEST(a_silent_client_is_pinged_and_then_dead),
        TEST(any_sign_of_life_answers_a_ping),
        TEST(whom_we_do_not_read_is_not_dead_while_its_tcp_lives),
        TEST(an_idle_connection_is_sent_away),
        TEST(messages_of_either_side_keep_it_open),
        TEST(a_client_that_reads_nothing_is_closed_at_the_hard_limit),
        TEST(one_that_stays_above_the_soft_limit_is_closed_in_time),
        TEST(one_that_reads_on_in_time_is_not_closed),
        TEST(a_large_push_goes_in_pieces_as_the_socket_takes_them),
        TEST(a_write_that_fails_ends_the_connection),
        TEST(a_clients_close_comes_behind_all_its_messages),
        TEST(who_sends_on_after_its_end_is_not_read_for_long),
        TEST(a_close_without_a_code_is_1005),
        TEST(a_reason_is_passed_on_whole_even_with_a_zero_in_it),
        TEST(a_client_that_just_goes_is_1006),
        TEST(what_it_sent_before_it_left_is_delivered_first),
        TEST(a_disconnect_needs_no_room),
        TEST(a_client_that_breaks_the_rules_is_told_so),
        TEST(a_message_that_is_too_big_is_1009),
        TEST(after_its_close_nothing_of_a_client_counts),
        TEST(a_close_from_both_sides_is_said_once),
        TEST(an_idle_connection_holds_no_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
