/* SPDX-License-Identifier: MIT
 *
 * Pushes by name at the gateway: who has which name, who hears what and in
 * which order, what is counted, and what brokers are told.
 */
#include "base/xalloc.h"
#include "tests/unit/hub_fixture.h"

#define FROM 77 /* the broker's word for the worker that pushes */
#define MANY (FANOUT_AT_ONCE + 4)

/* --- words --------------------------------------------------------------- */

/* What a worker asks for beside the push. */
typedef struct {
    uint64_t ack; /* 0: not asked for */
    uint64_t ttl_ms;
    const char *except; /* an id, or NULL */
} wish_t;

static void put_options(buf_t *out, const wish_t *wish)
{
    must(wire_put_map(out, 4) == 0);
    must(wire_put_text(out, "from") == 0);
    must(wire_put_uint(out, FROM) == 0);
    must(wire_put_text(out, wish->ack > 0 ? "ack" : "no ack") == 0);
    must(wire_put_uint(out, wish->ack) == 0);
    must(wire_put_text(out, "ttl") == 0);
    must(wire_put_uint(out, wish->ttl_ms) == 0);
    must(wire_put_text(out, "except") == 0);
    must(wire_put_array(out, wish->except != NULL ? 1 : 0) == 0);
    if (wish->except != NULL) {
        must(wire_put_text(out, wish->except) == 0);
    }
}

static void put_name_push(const char *word, const char *name, const char *text,
                          wish_t wish)
{
    message_t message = {.kind = KIND_PUSH};
    buf_t target, options;

    buf_init(&target, 4096);
    buf_init(&options, 4096);
    must(wire_put_array(&target, name != NULL ? 2 : 1) == 0);
    must(wire_put_text(&target, word) == 0);
    if (name != NULL) {
        must(wire_put_text(&target, name) == 0);
    }
    put_options(&options, &wish);
    message.push = (message_push_t){.target = {target.data, target.len},
                                    .body = text_body(text),
                                    .options = {options.data, options.len}};
    put_message(&message);
    buf_fini(&target);
    buf_fini(&options);
}

static void pushes_to(const char *word, const char *name, const char *text)
{
    put_name_push(word, name, text, (wish_t){0});
    broker_speaks();
}

static void asks(const char *word, const char *name, wish_t wish)
{
    put_name_push(word, name, "asked", wish);
    broker_speaks();
}

static void put_join(message_kind_t kind, const char *group, const char *conn)
{
    message_t message = {.kind = kind};

    message.join = (message_join_t){wire_bytes(group), wire_bytes(conn), FROM};
    put_message(&message);
}

static void joins(const char *group, const client_t *client)
{
    put_join(KIND_JOIN, group, client->id);
    broker_speaks();
}

static void leaves(const char *group, const client_t *client)
{
    put_join(KIND_LEAVE, group, client->id);
    broker_speaks();
}

/* Accepted with these options of the REPLY: pairs of words, and groups. */
static client_t *a_client_with(const char *user, const char *tenant,
                               const char *group)
{
    client_t *client = a_newcomer(UPGRADE);
    buf_t options;

    buf_init(&options, 4096);
    must(wire_put_map(&options, 3) == 0);
    must(wire_put_text(&options, "user") == 0);
    must(wire_put_text(&options, user) == 0);
    must(wire_put_text(&options, "tenant") == 0);
    must(wire_put_text(&options, tenant) == 0);
    must(wire_put_text(&options, "groups") == 0);
    must(wire_put_array(&options, group != NULL ? 1 : 0) == 0);
    if (group != NULL) {
        must(wire_put_text(&options, group) == 0);
    }
    answers_with(gets_connect(), 200, (body_t){.type = BODY_NONE}, &options);
    buf_fini(&options);
    assert_non_null(strstr(hears_head(client), "HTTP/1.1 101 "));
    return client;
}

/* So many that a push to them takes more than a turn. */
static void a_crowd(client_t **clients, const char *group)
{
    for (size_t i = 0; i < MANY; i++) {
        clients[i] = a_client();
        joins(group, clients[i]);
        forgets();
    }
    gateway.hub->fanout.per_turn = 3;
}

static size_t count_hearers(client_t *const *clients)
{
    size_t count = 0;

    for (size_t i = 0; i < MANY; i++) {
        count += clients[i]->heard.len > clients[i]->heard_at;
    }
    return count;
}

static void gets_pushed(uint64_t id, uint64_t delivered, uint64_t gone,
                        uint64_t refused)
{
    message_pushed_t pushed = gets(KIND_PUSHED).pushed;

    assert_int_equal(pushed.id, id);
    assert_int_equal(pushed.delivered, delivered);
    assert_int_equal(pushed.gone, gone);
    assert_int_equal(pushed.refused, refused);
}

static void gets_credit(uint64_t messages)
{
    assert_int_equal(gets(KIND_CREDIT).credit.messages, messages);
}

/* --- names --------------------------------------------------------------- */

static void a_push_to_a_name_goes_to_those_who_have_it(void **state)
{
    client_t *ada = a_client_with("ada", "acme", NULL);
    client_t *bob = a_client_with("bob", "acme", "red");
    client_t *eve = a_client();
    (void)state;

    pushes_to("user", "ada", "to ada");
    pushes_to("tenant", "acme", "to acme");
    pushes_to("group", "red", "to red");
    pushes_to("all", NULL, "to all");
    pushes_to("user", "nobody", "to nobody");
    hears_text(ada, "to ada");
    hears_text(ada, "to acme");
    hears_text(ada, "to all");
    hears_nothing(ada);
    hears_text(bob, "to acme");
    hears_text(bob, "to red");
    hears_text(bob, "to all");
    hears_nothing(bob);
    hears_text(eve, "to all");
    hears_nothing(eve);
    gets_credit(1);
}

static void who_joins_hears_until_it_leaves(void **state)
{
    client_t *client = a_client();
    (void)state;

    pushes_to("group", "g", "before");
    joins("g", client);
    joins("g", client);
    pushes_to("group", "g", "while");
    leaves("g", client);
    leaves("g", client);
    pushes_to("group", "g", "after");
    hears_text(client, "while");
    hears_nothing(client);
}

static void joins_pushes_and_leaves_of_one_turn_keep_their_order(void **state)
{
    client_t *client = a_client();
    (void)state;

    put_name_push("group", "g", "1", (wish_t){0});
    put_join(KIND_JOIN, "g", client->id);
    put_name_push("group", "g", "2", (wish_t){0});
    put_join(KIND_LEAVE, "g", client->id);
    put_name_push("group", "g", "3", (wish_t){0});
    broker_speaks();
    hears_text(client, "2");
    hears_nothing(client);
    gets_credit(5);
}

static void membership_ends_with_the_connection(void **state)
{
    client_t *client = a_client_with("ada", "acme", "red");
    (void)state;

    client_leaves(client);
    asks("user", "ada", (wish_t){.ack = 1});
    (void)gets(KIND_REQUEST);
    gets_pushed(1, 0, 0, 0);
    gets_credit(1);
    joins("red", client);
    assert_true(wire_is(gets(KIND_GONE).gone.conn, client->id));
    gets_credit(1);
}

static void a_join_of_nobody_is_answered_with_gone(void **state)
{
    (void)state;
    put_join(KIND_JOIN, "g", "AAAAAAAAAAAAAAAA");
    broker_speaks();
    message_gone_t gone = gets(KIND_GONE).gone;
    assert_true(wire_is(gone.conn, "AAAAAAAAAAAAAAAA"));
    assert_int_equal(gone.from, FROM);
    gets_credit(1);
}

static void the_sixty_fifth_group_is_refused(void **state)
{
    client_t *client = a_client();
    char name[8];
    (void)state;

    for (int i = 0; i < GROUPS_MAX; i++) {
        snprintf(name, sizeof name, "g%d", i);
        put_join(KIND_JOIN, name, client->id);
    }
    broker_speaks();
    gets_credit(GROUPS_MAX);
    joins("one more", client);
    message_error_t error = gets(KIND_ERROR).error;
    assert_true(wire_is(error.code, "groups"));
    assert_int_equal(error.from, FROM);
    gets_credit(1);
    leaves("g0", client);
    joins("one more", client);
    pushes_to("group", "one more", "x");
    hears_text(client, "x");
}

/* --- at the gate --------------------------------------------------------- */

static void who_is_at_the_gate_can_join_and_hears_behind_its_101(void **state)
{
    client_t *client = a_newcomer(UPGRADE);
    message_request_t connect = gets_request(EVENT_CONNECT);
    char id[CONN_ID_TEXT + 1] = "";
    (void)state;

    memcpy(id, connect.conn.data, CONN_ID_TEXT);
    put_join(KIND_JOIN, "g", id);
    put_name_push("group", "g", "early", (wish_t){.ack = 3});
    put_name_push("all", NULL, "not yet", (wish_t){0});
    broker_speaks();
    gets_pushed(3, 1, 0, 0);
    gets_credit(3);
    answers(connect.id, 200, NULL);
    assert_non_null(strstr(hears_head(client), "HTTP/1.1 101 "));
    hears_text(client, "early");
    pushes_to("group", "g", "late");
    hears_text(client, "late");
    hears_nothing(client);
}

static void who_joined_too_many_before_the_reply_gets_502_alone(void **state)
{
    client_t *client = a_newcomer(UPGRADE);
    message_request_t connect = gets_request(EVENT_CONNECT);
    char id[CONN_ID_TEXT + 1] = "", name[8];
    buf_t options;
    (void)state;

    memcpy(id, connect.conn.data, CONN_ID_TEXT);
    put_join(KIND_JOIN, "one more", id);
    broker_speaks();
    gets_credit(1);
    buf_init(&options, 4096);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "groups") == 0);
    must(wire_put_array(&options, GROUPS_MAX) == 0);
    for (int i = 0; i < GROUPS_MAX; i++) {
        snprintf(name, sizeof name, "g%d", i);
        must(wire_put_text(&options, name) == 0);
    }
    answers_with(connect.id, 200, (body_t){.type = BODY_NONE}, &options);
    buf_fini(&options);
    uint64_t end = gets_disconnect(client, 1011, "handshake failed");
    assert_non_null(strstr(hears_head(client), "HTTP/1.1 502 "));
    hears(client, "Bad Gateway");
    assert_true(client->is_finished);
    asks("group", "one more", (wish_t){.ack = 1});
    gets_pushed(1, 0, 0, 0);
    client_leaves(client);
    answers(end, 200, NULL);
    nothing_is_left();
}

static void who_is_refused_has_no_groups(void **state)
{
    (void)state;
    a_newcomer(UPGRADE);
    message_request_t connect = gets_request(EVENT_CONNECT);
    char id[CONN_ID_TEXT + 1] = "";
    memcpy(id, connect.conn.data, CONN_ID_TEXT);
    put_join(KIND_JOIN, "g", id);
    put_name_push("group", "g", "early", (wish_t){0});
    broker_speaks();
    gets_credit(2);
    answers(connect.id, 403, NULL);
    gets_nothing(); /* no GONE: nobody had named it */
    asks("group", "g", (wish_t){.ack = 1});
    gets_pushed(1, 0, 0, 0);
}

/* --- options ------------------------------------------------------------- */

static void who_is_excepted_does_not_hear(void **state)
{
    client_t *one = a_client_with("ada", "t", NULL);
    client_t *two = a_client_with("ada", "t", NULL);
    (void)state;

    asks("user", "ada", (wish_t){.ack = 1, .except = one->id});
    hears_nothing(one);
    hears_text(two, "asked");
    gets_pushed(1, 1, 0, 0);
}

static void a_push_to_ids_is_counted(void **state)
{
    client_t *slow, *client;
    char ids[128];
    message_t message = {.kind = KIND_PUSH};
    (void)state;

    gateway.options.out_hard = 10;
    gateway_restarts();
    client = a_client();
    slow = a_client();
    slow->is_stuck = true;
    pushes(slow->id, "held");
    forgets();
    snprintf(ids, sizeof ids, "%s", slow->id);
    pushes(ids, "waits 1"); /* 9 bytes, behind what its kernel holds */
    forgets();
    wire_bytes_t body = wire_bytes("too much");
    buf_t target, options;
    buf_init(&target, 4096);
    buf_init(&options, 4096);
    must(wire_put_array(&target, 4) == 0);
    must(wire_put_text(&target, "connection") == 0);
    must(wire_put_text(&target, slow->id) == 0);
    must(wire_put_text(&target, client->id) == 0);
    must(wire_put_text(&target, "AAAAAAAAAAAAAAAA") == 0);
    put_options(&options, &(wish_t){.ack = 9});
    message.push = (message_push_t){.target = {target.data, target.len},
                                    .body = {BODY_TEXT, body},
                                    .options = {options.data, options.len}};
    broker_says(&message);
    buf_fini(&target);
    buf_fini(&options);
    for (message_t told; takes(&told);) {
        if (told.kind == KIND_PUSHED) {
            assert_int_equal(told.pushed.delivered, 1);
            assert_int_equal(told.pushed.gone, 1);
            assert_int_equal(told.pushed.refused, 1);
            return;
        }
    }
    fail_msg("no PUSHED");
}

/* --- crowds -------------------------------------------------------------- */

static void a_large_group_is_served_some_in_each_turn(void **state)
{
    client_t *clients[MANY];
    (void)state;

    a_crowd(clients, "g");
    asks("group", "g", (wish_t){.ack = 1});
    assert_int_equal(count_hearers(clients), 3);
    assert_int_equal(gateway.hub->stats.push_jobs, 1);
    gets_nothing(); /* neither PUSHED nor CREDIT */
    time_passes(50);
    assert_int_equal(count_hearers(clients), 6);
    time_passes((int64_t)50 * MANY);
    for (size_t i = 0; i < MANY; i++) {
        hears_text(clients[i], "asked");
        hears_nothing(clients[i]);
    }
    gets_pushed(1, MANY, 0, 0);
    gets_credit(1);
    assert_int_equal(gateway.hub->stats.push_jobs, 0);
}

static void a_turn_puts_so_many_bytes_and_no_more(void **state)
{
    client_t *clients[MANY];
    (void)state;

    a_crowd(clients, "g");
    gateway.hub->fanout.per_turn = MANY;
    gateway.hub->fanout.turn_bytes = 1; /* but for one frame */
    pushes_to("group", "g", "bulky");
    assert_int_equal(count_hearers(clients), 1);
    gateway.hub->fanout.turn_bytes = 2 * strlen("..bulky");
    time_passes(50);
    assert_int_equal(count_hearers(clients), 3);
}

static void what_else_is_said_comes_behind_what_was_pushed(void **state)
{
    client_t *clients[MANY];
    (void)state;

    a_crowd(clients, "g");
    client_t *last = clients[MANY - 1], *other = clients[MANY - 2];
    client_says(last, "question");
    pushes_to("group", "g", "1");
    pushes(last->id, "2");
    pushes_to("group", "g", "3");
    answers(gets_message("question"), 200, "4");
    put_name_push("group", "g", "5", (wish_t){0});
    broker_speaks();
    leaves("g", last);
    closes(other->id, 1000, "why", 0);
    time_passes((int64_t)50 * 3 * MANY);
    hears_text(last, "1");
    hears_text(last, "2");
    hears_text(last, "3");
    hears_text(last, "4");
    hears_text(last, "5");
    hears_nothing(last);
    hears_text(other, "1");
    hears_text(other, "3");
    hears_text(other, "5");
    hears_close(other, 1000, "why");
}

static void who_joins_meanwhile_does_not_hear_what_came_before(void **state)
{
    client_t *clients[MANY];
    (void)state;

    a_crowd(clients, "g");
    client_t *late = a_client();
    forgets();
    pushes_to("group", "g", "old");
    joins("g", late);
    pushes_to("group", "g", "new");
    time_passes((int64_t)50 * 2 * MANY);
    hears_text(late, "new");
    hears_nothing(late);
    hears_text(clients[0], "old");
    hears_text(clients[0], "new");
}

/* The broker gives credit in the order that it sent. */
static void what_came_later_is_not_credited_first(void **state)
{
    client_t *clients[MANY];
    (void)state;

    a_crowd(clients, "g");
    pushes_to("group", "g", "1");
    pushes(clients[0]->id, "2");
    joins("h", clients[0]);
    gets_nothing();
    time_passes((int64_t)50 * MANY);
    gets_credit(3);
}

static void who_leaves_while_it_waits_is_gone(void **state)
{
    client_t *clients[MANY];
    (void)state;

    a_crowd(clients, "g");
    asks("group", "g", (wish_t){.ack = 1});
    client_vanishes(clients[MANY - 1]);
    time_passes((int64_t)50 * MANY);
    (void)gets(KIND_REQUEST);
    gets_pushed(1, MANY - 1, 1, 0);
}

static void what_is_late_is_not_sent(void **state)
{
    client_t *clients[MANY];
    (void)state;

    a_crowd(clients, "g");
    asks("group", "g", (wish_t){.ack = 1, .ttl_ms = 120});
    time_passes((int64_t)50 * MANY);
    gets_pushed(1, 9, MANY - 9, 0);
    assert_int_equal(count_hearers(clients), 9);
    assert_int_equal(gateway.hub->stats.push_late, MANY - 9);
}

static void a_slow_member_holds_up_nobody(void **state)
{
    client_t *clients[MANY];
    (void)state;

    gateway.options.out_hard = 64;
    gateway_restarts();
    a_crowd(clients, "g");
    clients[0]->is_stuck = true;
    for (int i = 0; i < 20; i++) {
        pushes_to("group", "g", "0123456789");
        time_passes((int64_t)50 * MANY);
    }
    assert_int_equal(gateway.hub->stats.slow_closed, 1);
    for (int i = 0; i < 20; i++) {
        hears_text(clients[1], "0123456789");
    }
}

static void a_broker_that_forgot_is_told_nothing_of_what_it_sent(void **state)
{
    client_t *clients[MANY];
    (void)state;

    a_crowd(clients, "g");
    asks("group", "g", (wish_t){.ack = 1});
    another_broker_welcomes();
    forgets();
    time_passes((int64_t)50 * MANY);
    for (message_t told; takes(&told);) {
        assert_int_not_equal(told.kind, KIND_PUSHED);
        assert_int_not_equal(told.kind, KIND_CREDIT);
    }
    assert_int_equal(count_hearers(clients), MANY);
}

/* --- what brokers are told ----------------------------------------------- */

static void gets_names(interest_change_t change, const char *word,
                       const char *name)
{
    message_interest_t interest = gets(KIND_INTEREST).interest;
    wire_cursor_t in = wire_cursor(interest.names);
    wire_bytes_t text;
    uint32_t count;

    assert_int_equal(interest.change, change);
    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(count, word != NULL ? 1 : 0);
    if (word != NULL) {
        assert_int_equal(wire_get_array(&in, &count), 0);
        assert_int_equal(wire_get_str(&in, &text), 0);
        assert_true(wire_is(text, word));
        assert_int_equal(wire_get_str(&in, &text), 0);
        assert_true(wire_is(text, name));
    }
}

static void the_first_who_comes_and_the_last_who_leaves_are_told(void **state)
{
    client_t *one = a_client(), *two = a_client();
    (void)state;

    forgets();
    gateway.hears_names = true;
    joins("g", one);
    gets_names(INTEREST_CAME, "group", "g");
    gets_credit(1);
    joins("g", two);
    gets_credit(1);
    leaves("g", one);
    gets_credit(1);
    gets_nothing();
    leaves("g", two);
    gets_names(INTEREST_LEFT, "group", "g");
    gets_credit(1);
    put_join(KIND_JOIN, "g", one->id);
    put_join(KIND_LEAVE, "g", one->id);
    broker_speaks();
    gets_credit(2); /* no news */
}

static void a_new_broker_hears_the_list_before_any_request(void **state)
{
    client_t *client = a_client_with("ada", "", "red");
    (void)state;

    forgets();
    gateway.hears_names = true;
    another_broker_welcomes();
    client_says(client, "hello");
    (void)gets(KIND_SYNC);
    message_interest_t interest = gets(KIND_INTEREST).interest;
    wire_cursor_t in = wire_cursor(interest.names);
    uint32_t count;
    assert_int_equal(interest.change, INTEREST_LIST);
    assert_false(interest.more);
    assert_int_equal(interest.session, gateway.broker_session);
    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(count, 2);
    gets_message("hello");
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_push_to_a_name_goes_to_those_who_have_it),
        TEST(who_joins_hears_until_it_leaves),
        TEST(joins_pushes_and_leaves_of_one_turn_keep_their_order),
        TEST(membership_ends_with_the_connection),
        TEST(a_join_of_nobody_is_answered_with_gone),
        TEST(the_sixty_fifth_group_is_refused),
        TEST(who_is_at_the_gate_can_join_and_hears_behind_its_101),
        TEST(who_joined_too_many_before_the_reply_gets_502_alone),
        TEST(who_is_refused_has_no_groups),
        TEST(who_is_excepted_does_not_hear),
        TEST(a_push_to_ids_is_counted),
        TEST(a_large_group_is_served_some_in_each_turn),
        TEST(a_turn_puts_so_many_bytes_and_no_more),
        TEST(what_else_is_said_comes_behind_what_was_pushed),
        TEST(who_joins_meanwhile_does_not_hear_what_came_before),
        TEST(what_came_later_is_not_credited_first),
        TEST(who_leaves_while_it_waits_is_gone),
        TEST(what_is_late_is_not_sent),
        TEST(a_slow_member_holds_up_nobody),
        TEST(a_broker_that_forgot_is_told_nothing_of_what_it_sent),
        TEST(the_first_who_comes_and_the_last_who_leaves_are_told),
        TEST(a_new_broker_hears_the_list_before_any_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
