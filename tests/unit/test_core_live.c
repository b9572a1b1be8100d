/* SPDX-License-Identifier: MIT
 *
 * What workers ask of gateways.
 */
#include "base/xalloc.h"
#include "broker/live.h"
#include "tests/unit/core_fixture.h"

/* --- words --------------------------------------------------------------- */

/* What is asked beside the name; {0}: nothing. */
typedef struct {
    bool is_live, is_count;
    uint64_t limit;
    const char *cursor;
} wish_t;

static void put_wish(buf_t *out, wish_t wish)
{
    must(wire_put_map(out, 4) == 0);
    must(wire_put_entry_bool(out, "live", wish.is_live) == 0);
    must(wire_put_entry_bool(out, "count", wish.is_count) == 0);
    must(wire_put_entry_uint(out, "limit", wish.limit) == 0);
    must(wire_put_entry_str(
             out, "cursor",
             wire_bytes(wish.cursor != NULL ? wish.cursor : "")) == 0);
}

static void put_query(node_t *worker, uint64_t id, const char *word,
                      const char *name, wish_t wish)
{
    message_t query = {.kind = KIND_QUERY};
    buf_t what, options;

    buf_init(&what, 1024);
    buf_init(&options, 8192);
    must(wire_put_array(&what, 2) == 0);
    must(wire_put_text(&what, word) == 0);
    must(wire_put_text(&what, name) == 0);
    put_wish(&options, wish);
    query.query = (message_query_t){.id = id,
                                    .what = {what.data, what.len},
                                    .options = {options.data, options.len}};
    put_message(worker, &query);
    buf_fini(&what);
    buf_fini(&options);
}

static void put_question(node_t *worker, uint64_t id, const char *conn)
{
    put_query(worker, id, "connection", conn, (wish_t){.is_live = true});
}

static void asks(node_t *worker, uint64_t id, const char *conn)
{
    put_question(worker, id, conn);
    speaks(worker);
}

/* The gateway's next message is this question. */
static message_query_t is_asked_for(node_t *gateway, const char *type,
                                    const char *name)
{
    message_query_t query = gets(gateway, KIND_QUERY).query;
    wire_cursor_t what = wire_cursor(query.what);
    wire_bytes_t word;
    uint32_t count;

    assert_int_equal(wire_get_array(&what, &count), 0);
    assert_int_equal(wire_get_str(&what, &word), 0);
    assert_true(is_text(word, type));
    assert_int_equal(wire_get_str(&what, &word), 0);
    assert_true(is_text(word, name));
    return query;
}

/* … about a connection; returns its id there. */
static uint64_t is_asked(node_t *gateway, const char *conn)
{
    message_query_t query = is_asked_for(gateway, "connection", conn);

    assert_true(wire_map_bool(query.options, "live", false));
    return query.id;
}

static void tells(node_t *gateway, uint64_t id, uint64_t status,
                  const buf_t *rows)
{
    says(gateway, &(message_t){.kind = KIND_RESULT,
                               .result = {.id = id,
                                          .status = status,
                                          .rows = {rows->data, rows->len}}});
}

static void tells_status(node_t *gateway, uint64_t id, uint64_t status)
{
    tells(gateway, id, status, &(buf_t){.data = NULL});
}

/* [[conn, {"user": …}]], the text being so long. */
static void put_row(buf_t *rows, const char *conn, size_t len)
{
    char *user = malloc(len + 1);

    must(user != NULL);
    memset(user, 'u', len);
    user[len] = '\0';
    must(wire_put_array(rows, 1) == 0);
    must(wire_put_array(rows, 2) == 0);
    must(wire_put_text(rows, conn) == 0);
    must(wire_put_map(rows, 1) == 0);
    must(wire_put_entry_str(rows, "user", wire_bytes(user)) == 0);
    free(user);
}

static wire_bytes_t gets_result(node_t *worker, uint64_t id, uint64_t status)
{
    message_result_t result = gets(worker, KIND_RESULT).result;

    assert_int_equal(result.id, id);
    assert_int_equal(result.status, status);
    return result.rows;
}

/* --- rules --------------------------------------------------------------- */

static void the_gateway_that_has_the_connection_answers(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *other = a_gateway(1), *gateway = a_gateway(2);
    client_t *client = a_newcomer(gateway); /* another broker's, say */
    buf_t rows;
    (void)state;

    buf_init(&rows, 1024);
    put_row(&rows, client->id, 3);
    asks(worker, 7, client->id);
    gets_nothing(other);
    gets_nothing(worker);
    tells(gateway, is_asked(gateway, client->id), 200, &rows);
    wire_bytes_t got = gets_result(worker, 7, 200);
    assert_int_equal(got.len, rows.len);
    assert_memory_equal(got.data, rows.data, rows.len);
    assert_int_equal(core_stats(broker.core)->queries_live, 1);
    buf_fini(&rows);
}

static void who_has_ended_is_not_there(void **state)
{
    node_t *worker = a_worker("w", "echo", 8), *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    asks(worker, 1, client->id);
    tells_status(gateway, is_asked(gateway, client->id), 410);
    gets_result(worker, 1, 404);
    asks(worker, 2, client->id);
    tells_status(gateway, is_asked(gateway, client->id), 404);
    gets_result(worker, 2, 404);
    asks(worker, 3, "no id");
    gets_result(worker, 3, 404);
}

static void a_gateway_that_is_not_there_is_503(void **state)
{
    node_t *worker = a_worker("w", "echo", 8), *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    asks(worker, 1, client->id);
    is_asked(gateway, client->id);
    dies(gateway);
    gets_result(worker, 1, 503);
    asks(worker, 2, client->id);
    gets_result(worker, 2, 503);
    gets_nothing(worker);
}

static void a_gateway_that_says_nothing_in_time_is_504(void **state)
{
    node_t *worker = a_worker("w", "echo", 8), *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    asks(worker, 1, client->id);
    uint64_t late = is_asked(gateway, client->id);
    time_passes(LIVE_MS - SWEEP_MS);
    forgets(gateway);
    asks(worker, 2, client->id);
    message_t message;
    while (takes(worker, &message)) {
        assert_int_not_equal(message.kind, KIND_RESULT);
    }
    time_passes((int64_t)2 * SWEEP_MS);
    gets_result(worker, 1, 504);
    tells_status(gateway, late, 200);
    tells_status(gateway, is_asked(gateway, client->id), 404);
    gets_result(worker, 2, 404);
    gets_nothing(worker);
}

static void answers_may_come_in_any_order(void **state)
{
    node_t *worker = a_worker("w", "echo", 8),
           *other = a_worker("o", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    asks(worker, 5, client->id);
    asks(other, 5, client->id);
    uint64_t first = is_asked(gateway, client->id);
    tells_status(gateway, is_asked(gateway, client->id), 404);
    gets_result(other, 5, 404);
    gets_nothing(worker);
    tells_status(gateway, first, 404);
    gets_result(worker, 5, 404);
}

static void they_are_among_the_sixteen(void **state)
{
    node_t *worker = a_worker("w", "echo", 8), *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    for (uint64_t id = 1; id <= 16; id++) {
        put_question(worker, id, client->id);
    }
    speaks(worker);
    gets_nothing(worker);
    asks(worker, 17, client->id);
    gets_result(worker, 17, 429);
    for (uint64_t id = 1; id <= 16; id++) {
        tells_status(gateway, is_asked(gateway, client->id), 404);
        gets_result(worker, id, 404);
    }
    asks(worker, 18, client->id);
    tells_status(gateway, is_asked(gateway, client->id), 404);
    gets_result(worker, 18, 404);
}

static void a_worker_that_left_is_told_nothing(void **state)
{
    node_t *worker = a_worker("w", "echo", 8), *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    asks(worker, 1, client->id);
    uint64_t id = is_asked(gateway, client->id);
    dies(worker);
    tells_status(gateway, id, 404);
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->workers, 0);
}

static void rows_without_end_are_not_passed_on(void **state)
{
    node_t *worker = a_worker("w", "echo", 8), *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    buf_t rows;
    (void)state;

    buf_init(&rows, 1 << 20);
    put_row(&rows, client->id, LIVE_ROWS_MAX);
    asks(worker, 1, client->id);
    tells(gateway, is_asked(gateway, client->id), 200, &rows);
    assert_int_equal(gets_result(worker, 1, 503).len, 1); /* an empty array */
    buf_fini(&rows);
}

/* --- members of a group -------------------------------------------------- */

static void says_names(node_t *gateway, interest_change_t change,
                       const char *group)
{
    message_t message = {.kind = KIND_INTEREST};
    buf_t names;

    buf_init(&names, 1024);
    must(wire_put_array(&names, group != NULL ? 1 : 0) == 0);
    if (group != NULL) {
        must(wire_put_array(&names, 2) == 0);
        must(wire_put_text(&names, "group") == 0);
        must(wire_put_text(&names, group) == 0);
    }
    message.interest = (message_interest_t){.change = change,
                                            .names = {names.data, names.len}};
    says(gateway, &message);
    buf_fini(&names);
}

/* One that has this group, or none. */
static node_t *a_gateway_with(uint32_t loop, const char *group)
{
    node_t *gateway = a_gateway(loop);

    says_names(gateway, INTEREST_LIST, group);
    return gateway;
}

static void asks_page(node_t *worker, uint64_t id, const char *cursor)
{
    put_query(worker, id, "group", "den",
              (wish_t){.limit = 10, .cursor = cursor});
    speaks(worker);
}

static void asks_count(node_t *worker, uint64_t id)
{
    put_query(worker, id, "group", "den", (wish_t){.is_count = true});
    speaks(worker);
}

/* The gateway's next message asks for a page of "den" behind this cursor. */
static uint64_t is_asked_page(node_t *gateway, const char *cursor)
{
    message_query_t query = is_asked_for(gateway, "group", "den");

    assert_int_equal(wire_map_uint(query.options, "limit", 0), 10);
    assert_true(is_text(wire_map_str(query.options, "cursor"), cursor));
    assert_false(wire_map_bool(query.options, "count", false));
    return query.id;
}

static uint64_t is_asked_count(node_t *gateway)
{
    message_query_t query = is_asked_for(gateway, "group", "den");

    assert_true(wire_map_bool(query.options, "count", false));
    return query.id;
}

/* A page of this one connection (NULL: of none), and a cursor or NULL. */
static void tells_page(node_t *gateway, uint64_t id, const char *conn,
                       const char *cursor)
{
    message_t message = {.kind = KIND_RESULT};
    buf_t rows, options;

    buf_init(&rows, 1024);
    buf_init(&options, 8192);
    if (conn != NULL) {
        put_row(&rows, conn, 1);
    }
    must(wire_put_map(&options, cursor != NULL ? 1 : 0) == 0);
    if (cursor != NULL) {
        must(wire_put_entry_str(&options, "cursor", wire_bytes(cursor)) == 0);
    }
    message.result = (message_result_t){.id = id,
                                        .status = 200,
                                        .rows = {rows.data, rows.len},
                                        .options = {options.data, options.len}};
    says(gateway, &message);
    buf_fini(&rows);
    buf_fini(&options);
}

static void tells_count(node_t *gateway, uint64_t id, uint64_t count)
{
    message_t message = {.kind = KIND_RESULT};
    buf_t options;

    buf_init(&options, 64);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_entry_uint(&options, "count", count) == 0);
    message.result = (message_result_t){
        .id = id, .status = 200, .options = {options.data, options.len}};
    says(gateway, &message);
    buf_fini(&options);
}

/* A page with this one connection (NULL: with none); its cursor, or "". */
static const char *gets_page(node_t *worker, uint64_t id, const char *conn)
{
    static char cursor[128];
    message_result_t result = gets(worker, KIND_RESULT).result;
    wire_cursor_t rows = wire_cursor(result.rows);
    wire_bytes_t got = wire_map_str(result.options, "cursor"), word;
    uint32_t count;

    assert_int_equal(result.id, id);
    assert_int_equal(result.status, 200);
    assert_int_equal(wire_get_array(&rows, &count), 0);
    assert_int_equal(count, conn != NULL ? 1 : 0);
    if (conn != NULL) {
        assert_int_equal(wire_get_array(&rows, &count), 0);
        assert_int_equal(wire_get_str(&rows, &word), 0);
        assert_true(is_text(word, conn));
    }
    must(got.len < sizeof cursor);
    if (got.len > 0) {
        memcpy(cursor, got.data, got.len);
    }
    cursor[got.len] = '\0';
    return cursor;
}

static void gets_count(node_t *worker, uint64_t id, uint64_t count)
{
    message_result_t result = gets(worker, KIND_RESULT).result;

    assert_int_equal(result.id, id);
    assert_int_equal(result.status, 200);
    assert_int_equal(wire_map_uint(result.options, "count", 99), count);
}

static void members_come_from_one_gateway_after_the_other(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *last = a_gateway_with(9, "den"), *first = a_gateway_with(1, "den");
    node_t *other = a_gateway_with(5, "attic");
    (void)state;

    asks_page(worker, 1, "");
    gets_nothing(last);
    tells_page(first, is_asked_page(first, ""), "aaaa", "7.3");
    asks_page(worker, 2, gets_page(worker, 1, "aaaa"));
    tells_page(first, is_asked_page(first, "7.3"), "bbbb", NULL);
    asks_page(worker, 3, gets_page(worker, 2, "bbbb"));
    gets_nothing(first);
    tells_page(last, is_asked_page(last, ""), "cccc", NULL);
    assert_string_equal(gets_page(worker, 3, "cccc"), "");
    gets_nothing(other);
    assert_int_equal(core_stats(broker.core)->queries_live, 3);
}

static void a_gateway_without_members_is_passed_over(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *one = a_gateway(1); /* it has not told of its names yet */
    node_t *two = a_gateway_with(2, "den");
    (void)state;

    asks_page(worker, 1, NULL);
    tells_page(one, is_asked_page(one, ""), NULL, NULL);
    tells_page(two, is_asked_page(two, ""), "aaaa", NULL);
    assert_string_equal(gets_page(worker, 1, "aaaa"), "");
}

static void a_page_without_rows_may_have_a_next_one(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_with(1, "den");
    (void)state;

    asks_page(worker, 1, NULL);
    tells_page(gateway, is_asked_page(gateway, ""), NULL, "4096.1");
    asks_page(worker, 2, gets_page(worker, 1, NULL));
    tells_page(gateway, is_asked_page(gateway, "4096.1"), "aaaa", NULL);
    assert_string_equal(gets_page(worker, 2, "aaaa"), "");
}

static void a_group_of_nobody_has_no_members(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_with(1, "attic");
    (void)state;

    asks_page(worker, 1, NULL);
    assert_string_equal(gets_page(worker, 1, NULL), "");
    asks_count(worker, 2);
    gets_count(worker, 2, 0);
    gets_nothing(gateway);
}

static void the_count_is_that_of_all_gateways(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *one = a_gateway_with(1, "den"), *two = a_gateway_with(2, "den");
    (void)state;

    asks_count(worker, 1);
    tells_count(one, is_asked_count(one), 40);
    gets_nothing(worker);
    tells_count(two, is_asked_count(two), 2);
    gets_count(worker, 1, 42);
}

static void the_members_of_a_lost_gateway_are_not_there(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *one = a_gateway_with(1, "den"), *two = a_gateway_with(2, "den");
    (void)state;

    asks_count(worker, 1);
    asks_page(worker, 2, NULL);
    is_asked_count(one);
    is_asked_page(one, "");
    dies(one);
    tells_count(two, is_asked_count(two), 2);
    gets_count(worker, 1, 2);
    tells_page(two, is_asked_page(two, ""), "aaaa", NULL);
    gets_page(worker, 2, "aaaa");
    asks_page(worker, 3, "1.7.3"); /* where it had come to at the first */
    tells_page(two, is_asked_page(two, ""), "aaaa", NULL);
    gets_page(worker, 3, "aaaa");
    asks_page(worker, 4, NULL);
    is_asked_page(two, "");
    dies(two);
    gets_page(worker, 4, NULL);
}

static void gateways_that_take_too_long_together_are_504(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *one = a_gateway_with(1, "den"), *two = a_gateway_with(2, "den");
    (void)state;

    asks_count(worker, 1);
    uint64_t id = is_asked_count(one);
    time_passes(LIVE_MS - 2 * SWEEP_MS);
    forgets(worker);
    tells_count(one, id, 40);
    forgets(two);
    time_passes((int64_t)3 * SWEEP_MS);
    gets_result(worker, 1, 504);
}

static void what_is_no_question_for_members_is_400(void **state)
{
    static const char *const cursors[] = {"1",  ".",   ".1.1",      "x.1.1",
                                          "-1", "1x.", "16777216.", "1 ."};
    char name[GROUP_MAX + 2], cursor[80];
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_with(1, "den");
    (void)state;

    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        asks_page(worker, i, cursors[i]);
        gets_result(worker, i, 400);
    }
    memset(cursor, '1', sizeof cursor - 1); /* too long behind the point */
    cursor[sizeof cursor - 1] = '\0';
    cursor[1] = '.';
    asks_page(worker, 50, cursor);
    gets_result(worker, 50, 400);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    put_query(worker, 51, "group", name, (wish_t){0});
    put_query(worker, 52, "group", "", (wish_t){0});
    speaks(worker);
    gets_result(worker, 51, 400);
    gets_result(worker, 52, 400);
    gets_nothing(gateway);
    asks_page(worker, 53, "1.nonsense"); /* the gateway's own part */
    tells_status(gateway, is_asked_page(gateway, "nonsense"), 400);
    gets_result(worker, 53, 400);
}

static void a_cursor_without_end_is_not_passed_on(void **state)
{
    char cursor[80];
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_with(1, "den");
    (void)state;

    memset(cursor, '1', sizeof cursor - 1);
    cursor[sizeof cursor - 1] = '\0';
    asks_page(worker, 1, NULL);
    tells_page(gateway, is_asked_page(gateway, ""), "aaaa", cursor);
    gets_result(worker, 1, 503);
}

static void what_a_dead_broker_asked_is_not_what_we_asked(void **state)
{
    node_t *gateway = a_gateway(1), *worker = a_worker("w", "echo", 8);
    client_t *one = a_newcomer(gateway), *two = a_newcomer(gateway);
    (void)state;

    asks(worker, 1, one->id);
    uint64_t dead = is_asked(gateway, one->id);
    broker_restarts();
    put_hello(gateway);
    speaks(gateway);
    gets(gateway, KIND_WELCOME);
    greets(worker, "echo", 8);
    asks(worker, 2, two->id);
    (void)is_asked(gateway, two->id);
    tells_status(gateway, dead, 404); /* of one */
    gets_nothing(worker);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_gateway_that_has_the_connection_answers),
        TEST(what_a_dead_broker_asked_is_not_what_we_asked),
        TEST(who_has_ended_is_not_there),
        TEST(a_gateway_that_is_not_there_is_503),
        TEST(a_gateway_that_says_nothing_in_time_is_504),
        TEST(answers_may_come_in_any_order),
        TEST(they_are_among_the_sixteen),
        TEST(a_worker_that_left_is_told_nothing),
        TEST(rows_without_end_are_not_passed_on),
        TEST(members_come_from_one_gateway_after_the_other),
        TEST(a_gateway_without_members_is_passed_over),
        TEST(a_page_without_rows_may_have_a_next_one),
        TEST(a_group_of_nobody_has_no_members),
        TEST(the_count_is_that_of_all_gateways),
        TEST(the_members_of_a_lost_gateway_are_not_there),
        TEST(gateways_that_take_too_long_together_are_504),
        TEST(what_is_no_question_for_members_is_400),
        TEST(a_cursor_without_end_is_not_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
