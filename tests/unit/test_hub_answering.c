/* SPDX-License-Identifier: MIT
 *
 * What brokers ask a gateway about its connections.
 */
#include "base/xalloc.h"
#include "tests/unit/hub_fixture.h"

#define QUESTION 77

/* --- words --------------------------------------------------------------- */

static void asks(const char *conn, bool is_live)
{
    message_t message = {.kind = KIND_QUERY};
    buf_t what, options;

    buf_init(&what, 1024);
    buf_init(&options, 1024);
    must(wire_put_array(&what, 2) == 0);
    must(wire_put_text(&what, "connection") == 0);
    must(wire_put_text(&what, conn) == 0);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "live") == 0);
    must(wire_put_bool(&options, is_live) == 0);
    message.query = (message_query_t){.id = QUESTION,
                                      .what = {what.data, what.len},
                                      .options = {options.data, options.len}};
    broker_says(&message);
    buf_fini(&what);
    buf_fini(&options);
}

static message_result_t gets_result(uint64_t status)
{
    message_result_t result = gets(KIND_RESULT).result;

    assert_int_equal(result.id, QUESTION);
    assert_int_equal(result.status, status);
    return result;
}

/* The context of the one row, which is of this client. */
static wire_bytes_t gets_context(const client_t *client)
{
    wire_cursor_t in = wire_cursor(gets_result(200).rows);
    wire_bytes_t conn, context;
    uint32_t count;

    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(wire_get_str(&in, &conn), 0);
    assert_true(wire_is(conn, client->id));
    assert_int_equal(wire_get_raw_map(&in, &context), 0);
    assert_true(wire_at_end(&in));
    return context;
}

static void is_last_active_at(const client_t *client, int64_t ms)
{
    asks(client->id, true);
    wire_bytes_t context = gets_context(client);
    assert_int_equal(wire_map_uint(context, "last_active_at", 0), WALL_MS + ms);
}

static int64_t now(void)
{
    return gateway.now_ms - START_MS;
}

/* --- rules --------------------------------------------------------------- */

static void
an_open_connection_has_its_context_and_when_it_was_last_active(void **state)
{
    client_t *client = a_client();
    (void)state;

    asks(client->id, true);
    wire_bytes_t context = gets_context(client);
    assert_true(wire_map_str(context, "ip").len > 0);
    assert_int_equal(wire_map_uint(context, "connected_at", 0), WALL_MS);
    asks(client->id, false);
    context = gets_context(client);
    assert_int_equal(wire_map_uint(context, "last_active_at", 0), 0);
    assert_int_equal(wire_map_uint(context, "connected_at", 0), WALL_MS);
}

static void what_either_side_says_is_activity(void **state)
{
    client_t *client = a_client();
    (void)state;

    time_passes(3000);
    client_says(client, "hello");
    int64_t asked_ms = now();
    uint64_t id = gets_message("hello");
    time_passes(2000);
    is_last_active_at(client, asked_ms);
    answers(id, 200, "hi");
    int64_t answered_ms = now();
    time_passes(2000);
    is_last_active_at(client, answered_ms);
}

static void live_is_who_is_open(void **state)
{
    client_t *client = a_newcomer(UPGRADE);
    (void)state;

    uint64_t id = gets_connect();
    asks(client->id, true);
    gets_result(404);
    asks(client->id, false);
    gets_context(client);
    answers(id, 200, NULL);
    asks(client->id, true);
    gets_context(client);
    client_vanishes(client);
    id = gets_disconnect(client, 1006, "");
    asks(client->id, true);
    gets_result(404);
    asks(client->id, false);
    gets_context(client); /* its end is still to be handled */
    answers(id, 200, NULL);
    asks(client->id, true);
    gets_result(410);
    asks("AAAAAAAAAAAAAAAA", true);
    gets_result(404);
}

/* --- members of a group -------------------------------------------------- */

#define ROWS_MAX 1000

/* A page as the gateway answered it. */
typedef struct {
    uint32_t count;
    char conns[ROWS_MAX][CONN_ID_TEXT + 1];
    char cursor[65];
} members_t;

static void put_join(message_kind_t kind, const client_t *client,
                     wire_bytes_t name)
{
    message_t message = {.kind = kind};

    message.join = (message_join_t){name, wire_bytes(client->id), QUESTION};
    put_message(&message);
}

static void joins_named(const client_t *client, wire_bytes_t name)
{
    put_join(KIND_JOIN, client, name);
    broker_speaks();
    gets(KIND_CREDIT);
}

static void joins(const client_t *client)
{
    joins_named(client, wire_bytes("den"));
}

static void leaves(const client_t *client)
{
    put_join(KIND_LEAVE, client, wire_bytes("den"));
    broker_speaks();
    gets(KIND_CREDIT);
}

/* Where its groups are, behind their number, which is that. */
static wire_cursor_t gets_groups(const client_t *client, uint32_t number)
{
    wire_cursor_t in;
    uint32_t count;

    asks(client->id, true);
    assert_true(wire_map_find(gets_context(client), "groups", &in));
    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(count, number);
    return in;
}

static void live_has_its_groups(void **state)
{
    client_t *client = a_client();
    wire_bytes_t name;
    (void)state;

    gets_groups(client, 0);
    joins_named(client, wire_bytes("den"));
    joins_named(client, wire_bytes("attic"));
    wire_cursor_t in = gets_groups(client, 2);
    assert_int_equal(wire_get_str(&in, &name), 0);
    assert_true(wire_is(name, "den"));
    assert_int_equal(wire_get_str(&in, &name), 0);
    assert_true(wire_is(name, "attic"));
    leaves(client);
    in = gets_groups(client, 1);
    assert_int_equal(wire_get_str(&in, &name), 0);
    assert_true(wire_is(name, "attic"));
}

static void there_is_room_for_all_its_groups(void **state)
{
    client_t *client = a_client();
    uint8_t name[GROUP_MAX];
    (void)state;

    memset(name, 'x', sizeof name);
    for (uint8_t i = 0; i < GROUPS_MAX; i++) {
        name[0] = (uint8_t)('0' + i);
        joins_named(client, (wire_bytes_t){name, sizeof name});
    }
    gets_groups(client, GROUPS_MAX);
}

static client_t *a_member(void)
{
    client_t *client = a_client();

    joins(client);
    return client;
}

static void asks_group(const char *group, uint64_t limit, const char *cursor,
                       bool is_count)
{
    message_t message = {.kind = KIND_QUERY};
    buf_t what, options;

    buf_init(&what, 1024);
    buf_init(&options, 1024);
    must(wire_put_array(&what, 2) == 0);
    must(wire_put_text(&what, "group") == 0);
    must(wire_put_text(&what, group) == 0);
    must(wire_put_map(&options, 3) == 0);
    must(wire_put_text(&options, "limit") == 0);
    must(wire_put_uint(&options, limit) == 0);
    must(wire_put_text(&options, "cursor") == 0);
    must(wire_put_text(&options, cursor) == 0);
    must(wire_put_text(&options, "count") == 0);
    must(wire_put_bool(&options, is_count) == 0);
    message.query = (message_query_t){.id = QUESTION,
                                      .what = {what.data, what.len},
                                      .options = {options.data, options.len}};
    broker_says(&message);
    buf_fini(&what);
    buf_fini(&options);
}

static members_t page(uint64_t limit, const char *cursor)
{
    members_t members = {0};
    wire_bytes_t conn, context;
    uint32_t fields;

    asks_group("den", limit, cursor, false);
    message_result_t result = gets_result(200);
    wire_cursor_t in = wire_cursor(result.rows);
    assert_int_equal(wire_get_array(&in, &members.count), 0);
    must(members.count <= ROWS_MAX);
    for (uint32_t i = 0; i < members.count; i++) {
        assert_int_equal(wire_get_array(&in, &fields), 0);
        assert_int_equal(wire_get_str(&in, &conn), 0);
        assert_int_equal(wire_get_raw_map(&in, &context), 0);
        assert_true(wire_map_str(context, "ip").len > 0);
        memcpy(members.conns[i], conn.data, CONN_ID_TEXT);
    }
    wire_bytes_t next = wire_map_str(result.options, "cursor");
    must(next.len < sizeof members.cursor);
    if (next.len > 0) {
        memcpy(members.cursor, next.data, next.len);
    }
    return members;
}

static void has(const members_t *members, uint32_t at, const client_t *client)
{
    assert_true(at < members->count);
    assert_string_equal(members->conns[at], client->id);
}

static uint64_t members_of(const char *group)
{
    asks_group(group, 100, "", true);
    return wire_map_uint(gets_result(200).options, "count", 99);
}

static void
members_come_page_by_page_in_the_order_in_which_they_joined(void **state)
{
    client_t *first = a_client(), *second = a_member(), *third = a_member();
    (void)state;

    joins(first);
    members_t one = page(2, "");
    assert_int_equal(one.count, 2);
    has(&one, 0, second);
    has(&one, 1, third);
    members_t two = page(2, one.cursor);
    assert_int_equal(two.count, 1);
    has(&two, 0, first);
    assert_string_equal(two.cursor, "");
    assert_string_equal(page(3, "").cursor, "");
    assert_int_equal(members_of("den"), 3);
}

static void a_group_that_nobody_is_in_has_no_members(void **state)
{
    client_t *client = a_member();
    (void)state;

    assert_int_equal(members_of("attic"), 0);
    asks_group("attic", 10, "", false);
    assert_int_equal(gets_result(200).rows.len, 1); /* an empty array */
    leaves(client);
    assert_int_equal(page(10, "").count, 0);
    assert_int_equal(members_of("den"), 0);
}

static void who_leaves_between_two_pages_disturbs_nobody(void **state)
{
    client_t *clients[5];
    (void)state;

    for (size_t i = 0; i < 5; i++) {
        clients[i] = a_member();
    }
    members_t one = page(2, "");
    leaves(clients[0]);
    leaves(clients[1]); /* where the page ended */
    leaves(clients[3]);
    joins(clients[1]);
    joins(clients[3]);
    members_t two = page(10, one.cursor);
    assert_int_equal(two.count, 4);
    has(&two, 0, clients[2]);
    has(&two, 1, clients[4]);
    has(&two, 2, clients[1]);
    has(&two, 3, clients[3]);
}

static void a_stranger_in_the_slot_of_a_cursor_disturbs_nobody(void **state)
{
    client_t *first = a_member(), *second = a_member(), *third = a_member();
    (void)state;

    members_t one = page(2, "");
    has(&one, 0, first);
    client_vanishes(second);
    answers(gets_disconnect(second, 1006, ""), 200, NULL);
    client_t *stranger = a_member(); /* in its slot */
    members_t two = page(10, one.cursor);
    assert_int_equal(two.count, 2);
    has(&two, 0, third);
    has(&two, 1, stranger);
}

static void who_is_at_the_gate_counts_but_has_no_row(void **state)
{
    client_t *client = a_newcomer(UPGRADE);
    (void)state;

    uint64_t id = gets_connect();
    joins(client);
    assert_int_equal(page(10, "").count, 0);
    assert_int_equal(members_of("den"), 1);
    answers(id, 200, NULL);
    members_t members = page(10, "");
    has(&members, 0, client);
    client_vanishes(client);
    gets_disconnect(client, 1006, "");
    assert_int_equal(page(10, "").count, 0);
    assert_int_equal(members_of("den"), 0);
}

/* A member with an attribute of so many bytes. */
static void a_member_of(size_t len)
{
    char text[4096];
    buf_t options;

    must(len < sizeof text);
    memset(text, 'a', len);
    text[len] = '\0';
    client_t *client = a_newcomer(UPGRADE);
    buf_init(&options, 8192);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "attributes") == 0);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "a") == 0);
    must(wire_put_text(&options, text) == 0);
    answers_with(gets_connect(), 200, (body_t){.type = BODY_NONE}, &options);
    buf_fini(&options);
    joins(client);
}

static void a_page_has_so_many_rows_or_bytes_and_no_more(void **state)
{
    members_t members = {0};
    uint32_t told = 0, pages = 0;
    (void)state;

    for (int i = 0; i < 40; i++) {
        a_member_of(4000);
    }
    do {
        members = page(1000, members.cursor);
        assert_true(members.count > 0 && members.count <= 65536 / 4000 + 1);
        told += members.count;
        pages++;
    } while (members.cursor[0] != '\0');
    assert_int_equal(told, 40);
    assert_int_equal(pages, 3);
}

static void a_page_whose_place_is_lost_is_found_in_steps(void **state)
{
    client_t *clients[1030];
    (void)state;

    gateway.options.max_connections = 2000;
    gateway_restarts();
    for (size_t i = 0; i < 1030; i++) {
        clients[i] = a_member();
    }
    members_t members = {0};
    for (uint32_t told = 0; told < 1029; told += members.count) {
        members = page(1029 - told, members.cursor);
    }
    leaves(clients[1028]); /* where the page ended */
    members = page(10, members.cursor);
    assert_int_equal(members.count, 0);
    members = page(10, members.cursor);
    assert_int_equal(members.count, 1);
    has(&members, 0, clients[1029]);
    assert_string_equal(members.cursor, "");
}

static void what_is_no_cursor_is_400(void **state)
{
    static const char *const cursors[] = {
        "1",          ".",    "1.",
        ".1",         "1.1.", "-1.1",
        "1.16777216", "1 .1", "18446744073709551616.1"};
    (void)state;

    a_member();
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        asks_group("den", 10, cursors[i], false);
        gets_result(400);
    }
    assert_int_equal(page(10, "18446744073709551615.1").count, 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_open_connection_has_its_context_and_when_it_was_last_active),
        TEST(what_either_side_says_is_activity),
        TEST(live_is_who_is_open),
        TEST(live_has_its_groups),
        TEST(there_is_room_for_all_its_groups),
        TEST(members_come_page_by_page_in_the_order_in_which_they_joined),
        TEST(a_group_that_nobody_is_in_has_no_members),
        TEST(who_leaves_between_two_pages_disturbs_nobody),
        TEST(a_stranger_in_the_slot_of_a_cursor_disturbs_nobody),
        TEST(who_is_at_the_gate_counts_but_has_no_row),
        TEST(a_page_has_so_many_rows_or_bytes_and_no_more),
        TEST(a_page_whose_place_is_lost_is_found_in_steps),
        TEST(what_is_no_cursor_is_400),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
