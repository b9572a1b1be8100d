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

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_open_connection_has_its_context_and_when_it_was_last_active),
        TEST(what_either_side_says_is_activity),
        TEST(live_is_who_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
