/* SPDX-License-Identifier: MIT
 *
 * What workers ask of gateways.
 */
#include "base/xalloc.h"
#include "broker/live.h"
#include "tests/unit/core_fixture.h"

/* --- words --------------------------------------------------------------- */

static void put_question(node_t *worker, uint64_t id, const char *conn)
{
    message_t query = {.kind = KIND_QUERY};
    buf_t what, options;

    buf_init(&what, 1024);
    buf_init(&options, 1024);
    must(wire_put_array(&what, 2) == 0);
    must(wire_put_text(&what, "connection") == 0);
    must(wire_put_text(&what, conn) == 0);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "live") == 0);
    must(wire_put_bool(&options, true) == 0);
    query.query = (message_query_t){.id = id,
                                    .what = {what.data, what.len},
                                    .options = {options.data, options.len}};
    put_message(worker, &query);
    buf_fini(&what);
    buf_fini(&options);
}

static void asks(node_t *worker, uint64_t id, const char *conn)
{
    put_question(worker, id, conn);
    speaks(worker);
}

/* The gateway's next message is that question; returns its id there. */
static uint64_t is_asked(node_t *gateway, const char *conn)
{
    message_query_t query = gets(gateway, KIND_QUERY).query;
    wire_cursor_t what = wire_cursor(query.what);
    wire_bytes_t word;
    uint32_t count;

    assert_int_equal(wire_get_array(&what, &count), 0);
    assert_int_equal(wire_get_str(&what, &word), 0);
    assert_true(is_text(word, "connection"));
    assert_int_equal(wire_get_str(&what, &word), 0);
    assert_true(is_text(word, conn));
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
    must(wire_put_text(rows, "user") == 0);
    must(wire_put_text(rows, user) == 0);
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
    time_passes(2 * SWEEP_MS);
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

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_gateway_that_has_the_connection_answers),
        TEST(who_has_ended_is_not_there),
        TEST(a_gateway_that_is_not_there_is_503),
        TEST(a_gateway_that_says_nothing_in_time_is_504),
        TEST(answers_may_come_in_any_order),
        TEST(they_are_among_the_sixteen),
        TEST(a_worker_that_left_is_told_nothing),
        TEST(rows_without_end_are_not_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
