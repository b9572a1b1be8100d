/* SPDX-License-Identifier: MIT
 *
 * The rows of connections in a store that brokers share, and what workers ask
 * of it.
 */
#include "base/log.h"
#include "base/xalloc.h"
#include "tests/unit/core_fixture.h"

#include <errno.h>

/* What a handler says of whom it lets in. */
static void lets_in(node_t *worker, uint64_t id, const char *user,
                    uint64_t ttl_s)
{
    message_t reply = {.kind = KIND_REPLY};
    buf_t options;

    buf_init(&options, OPTIONS_MAX);
    must(wire_put_map(&options, 2) == 0);
    must(wire_put_text(&options, "user") == 0);
    must(wire_put_text(&options, user) == 0);
    must(wire_put_text(&options, "ttl") == 0);
    must(wire_put_uint(&options, ttl_s) == 0);
    reply.reply = (message_reply_t){
        .id = id, .status = 200, .options = {options.data, options.len}};
    says(worker, &reply);
    buf_fini(&options);
}

/* A connection that its handler let in. */
static client_t *a_guest(node_t *gateway, node_t *gate, const char *user)
{
    client_t *client = a_newcomer(gateway);
    uint64_t id = client_knocks(client);

    lets_in(gate, takes_event(gate, EVENT_CONNECT), user, 0);
    gets_reply(gateway, id, 200);
    return client;
}

/* --- getting in ---------------------------------------------------------- */

static void a_client_gets_in_when_its_row_is_written(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *gate = a_worker("gate", "$connect", 8);
    client_t *client = a_newcomer(gateway);
    (void)state;

    broker.model.holds = true;
    uint64_t id = client_knocks(client);
    lets_in(gate, takes_event(gate, EVENT_CONNECT), "ann", 0);
    gets_nothing(gateway);
    assert_int_equal(rows(), 0);
    assert_true(model_store_answer(&broker.model));
    time_passes(50);
    message_reply_t reply = gets_reply(gateway, id, 200).reply;
    assert_true(is_text(wire_map_str(reply.options, "user"), "ann"));
    assert_int_equal(rows(), 1);
}

/* Nobody would find it if we died. */
static void no_row_is_written_before_its_lease(void **state)
{
    (void)state;
    broker.model.holds = true;
    node_t *gateway = a_gateway(1);
    uint64_t id = client_knocks(a_newcomer(gateway));
    gets_nothing(gateway);
    assert_int_equal(broker.model.held_count, 1); /* the lease */
    assert_true(model_store_answer(&broker.model));
    assert_int_equal(broker.model.held_count, 1); /* the row */
    assert_true(model_store_answer(&broker.model));
    time_passes(50);
    gets_reply(gateway, id, 200);
    assert_int_equal(rows(), 1);
}

static void who_waits_for_a_lease_that_fails_gets_in_without_a_row(void **state)
{
    (void)state;
    broker.model.holds = true;
    node_t *gateway = a_gateway(1);
    uint64_t id = client_knocks(a_newcomer(gateway));
    model_store_fail(&broker.model, -EBUSY);
    time_passes(50);
    gets_reply(gateway, id, 200);
    broker.model.holds = false;
    model_store_fail(&broker.model, 0);
    time_passes(1000);
    assert_int_equal(rows(), 1);
}

static void who_is_lost_while_it_waits_for_a_lease_is_told_of(void **state)
{
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    broker.model.holds = true;
    node_t *gateway = a_gateway(1);
    client_knocks(a_newcomer(gateway));
    dies(gateway);
    takes_event(worker, EVENT_DISCONNECT);
}

static void who_is_refused_leaves_no_row(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *gate = a_worker("gate", "$connect", 8);
    (void)state;

    uint64_t id = client_knocks(a_newcomer(gateway));
    answers(gate, takes_event(gate, EVENT_CONNECT), 401, "who are you?");
    gets_reply(gateway, id, 401);
    time_passes(1000);
    assert_int_equal(rows(), 0);
}

static void who_needs_no_handler_has_a_row_too(void **state)
{
    (void)state;
    a_client(a_gateway(1));
    assert_int_equal(rows(), 1);
}

static void a_row_goes_when_its_disconnect_was_handled(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t id = client_leaves(client);
    uint64_t event = takes_event(worker, EVENT_DISCONNECT);
    assert_int_equal(rows(), 1);
    answers(worker, event, 200, NULL);
    gets_reply(gateway, id, 200);
    assert_int_equal(rows(), 0);
}

static void who_is_lost_while_its_row_is_written_leaves_none(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$connect $disconnect", 8);
    client_t *client = a_newcomer(gateway);
    (void)state;

    broker.model.holds = true;
    client_knocks(client);
    lets_in(worker, takes_event(worker, EVENT_CONNECT), "ann", 0);
    dies(gateway);
    uint64_t event = takes_event(worker, EVENT_DISCONNECT);
    while (model_store_answer(&broker.model)) {
    }
    answers(worker, event, 200, NULL);
    while (model_store_answer(&broker.model)) {
    }
    assert_int_equal(rows(), 0);
    gets_nothing(worker);
}

static void a_lost_gateways_rows_go_one_by_one(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    a_client(gateway);
    a_client(gateway);
    dies(gateway);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    assert_int_equal(rows(), 1);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    assert_int_equal(rows(), 0);
}

static void who_goes_to_another_broker_keeps_its_row(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    drops(gateway, client);
    time_passes(1000);
    assert_int_equal(rows(), 1);
}

static void who_comes_from_another_broker_gets_its_row(void **state)
{
    node_t *gateway = a_gateway(1);
    (void)state;

    adds(gateway, a_newcomer(gateway));
    assert_int_equal(rows(), 1);
}

static void a_broker_that_ends_leaves_its_rows(void **state)
{
    (void)state;
    a_client(a_gateway(1));
    broker.model.holds = true;
    a_gateway(2);
    broker_restarts();
    assert_int_equal(rows(), 1);
}

/* Another broker has it by then, and has written its row. */
static void a_list_that_broke_off_takes_no_row_away(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    broker_restarts();
    gateway->broker[0] = '\0';
    put_hello(gateway);
    speaks(gateway);
    gets(gateway, KIND_WELCOME);
    time_passes(50);
    syncs(gateway, &client, 1, true); /* more is to come */
    dies(gateway);
    time_passes(1000);
    assert_int_equal(rows(), 1);
}

/* More than go in a turn, and less than are written in one. */
static void who_comes_back_before_its_row_could_go_keeps_it(void **state)
{
    enum { N = 700 };
    static client_t *clients[N];
    node_t *gateway = a_gateway(1);
    (void)state;

    for (int i = 0; i < N; i++) {
        clients[i] = a_client(gateway);
    }
    model_store_fail(&broker.model, -EBUSY);
    for (int i = 0; i < N; i++) {
        gets_reply(gateway, client_leaves(clients[i]), 200);
    }
    for (int i = 0; i < N; i++) {
        adds(gateway, clients[i]); /* as a gateway would that errs */
    }
    model_store_fail(&broker.model, 0);
    time_passes(2000);
    assert_int_equal(rows(), N);
}

/* --- a store that fails -------------------------------------------------- */

static void a_store_that_fails_keeps_nobody_out(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *gate = a_worker("gate", "$connect echo", 8);
    (void)state;

    model_store_fail(&broker.model, -ENOTCONN);
    client_t *client = a_guest(gateway, gate, "ann");
    client_says(client, "echo", "x");
    takes_message(gate, "x");
    assert_int_equal(rows(), 0);
    model_store_fail(&broker.model, 0);
    time_passes(1000);
    assert_int_equal(rows(), 1);
    assert_int_equal(core_stats(broker.core)->repaired, 1);
}

static void who_waits_when_the_store_fails_gets_in(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *gate = a_worker("gate", "$connect", 8);
    (void)state;

    broker.model.holds = true;
    uint64_t id = client_knocks(a_newcomer(gateway));
    lets_in(gate, takes_event(gate, EVENT_CONNECT), "ann", 0);
    gets_nothing(gateway);
    model_store_fail(&broker.model, -ETIMEDOUT);
    time_passes(50);
    gets_reply(gateway, id, 200);
    broker.model.holds = false;
    model_store_fail(&broker.model, 0);
    time_passes(1000);
    assert_int_equal(rows(), 1);
}

static void with_require_store_nobody_gets_in_without_a_row(void **state)
{
    (void)state;
    broker.options.require_store = true;
    broker_restarts();
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$connect $disconnect", 8);

    model_store_fail(&broker.model, -ENOTCONN);
    uint64_t id = client_knocks(a_newcomer(gateway));
    lets_in(worker, takes_event(worker, EVENT_CONNECT), "ann", 0);
    gets_reply(gateway, id, 503);
    message_t event = gets(worker, KIND_REQUEST);
    assert_int_equal(event.request.event, EVENT_DISCONNECT);
    assert_int_equal(wire_map_uint(event.request.details, "code", 0), 1011);
    answers(worker, event.request.id, 200, NULL);
    model_store_fail(&broker.model, 0);
    time_passes(1000);
    assert_int_equal(rows(), 0);
    assert_int_equal(core_stats(broker.core)->unstored, 1);
}

static void a_row_that_could_not_go_goes_later(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    model_store_fail(&broker.model, -EBUSY);
    gets_reply(gateway, client_leaves(client), 200);
    time_passes(1000);
    assert_int_equal(rows(), 1);
    model_store_fail(&broker.model, 0);
    time_passes(1000);
    assert_int_equal(rows(), 0);
}

static void rows_that_cannot_go_are_remembered_up_to_a_bound(void **state)
{
    enum { BOUND = 3, N = 5 };
    client_t *clients[N];
    (void)state;

    broker.options.store_queue = BOUND;
    broker_restarts();
    node_t *gateway = a_gateway(1);
    for (int i = 0; i < N; i++) {
        clients[i] = a_client(gateway);
    }
    log_set_level(LEVEL_ERROR);
    model_store_fail(&broker.model, -EBUSY);
    for (int i = 0; i < N; i++) {
        gets_reply(gateway, client_leaves(clients[i]), 200);
    }
    model_store_fail(&broker.model, 0);
    time_passes(1000);
    assert_int_equal(rows(), N - BOUND);
}

static void an_emptied_store_is_filled_again(void **state)
{
    node_t *gateway = a_gateway(1);
    (void)state;

    a_client(gateway);
    a_client(gateway);
    time_passes(1000); /* its lease is kept */
    model_table_empty(&broker.table);
    assert_int_equal(rows(), 0);
    time_passes(broker.options.store_lease_ms);
    assert_int_equal(rows(), 2);
}

static void a_row_is_written_again_before_its_time_is_over(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *gate = a_worker("gate", "$connect", 8);
    (void)state;

    uint64_t id = client_knocks(a_newcomer(gateway));
    lets_in(gate, takes_event(gate, EVENT_CONNECT), "ann", 60);
    gets_reply(gateway, id, 200);
    for (int i = 0; i < 20; i++) {
        time_passes(10000);
        put_message(gate, &(message_t){
                              .kind = KIND_QUERY,
                              .query = {.id = 1,
                                        .what = {(const uint8_t *)"\x92\xa4user"
                                                                  "\xa3"
                                                                  "ann",
                                                 10}}});
        speaks(gate);
        message_result_t result = gets(gate, KIND_RESULT).result;
        wire_cursor_t in = wire_cursor(result.rows);
        uint32_t count = 0;
        assert_int_equal(wire_get_array(&in, &count), 0);
        assert_int_equal(count, 1);
    }
}

/* --- queries ------------------------------------------------------------- */

static void put_query(node_t *worker, uint64_t id, const char *word,
                      const char *name, const char *cursor, uint64_t limit)
{
    message_t query = {.kind = KIND_QUERY};
    buf_t what, options;

    buf_init(&what, 1024);
    buf_init(&options, 1024);
    must(wire_put_array(&what, name == NULL ? 1 : 2) == 0);
    must(wire_put_text(&what, word) == 0);
    if (name != NULL) {
        must(wire_put_text(&what, name) == 0);
    }
    must(wire_put_map(&options, 2) == 0);
    must(wire_put_text(&options, "limit") == 0);
    must(wire_put_uint(&options, limit) == 0);
    must(wire_put_text(&options, "cursor") == 0);
    must(wire_put_text(&options, cursor) == 0);
    query.query = (message_query_t){.id = id,
                                    .what = {what.data, what.len},
                                    .options = {options.data, options.len}};
    put_message(worker, &query);
    buf_fini(&what);
    buf_fini(&options);
}

static message_result_t asks(node_t *worker, const char *word, const char *name)
{
    put_query(worker, 7, word, name, "", 100);
    speaks(worker);
    message_result_t result = gets(worker, KIND_RESULT).result;
    assert_int_equal(result.id, 7);
    return result;
}

static uint32_t rows_of(const message_result_t *result)
{
    wire_cursor_t in = wire_cursor(result->rows);
    uint32_t count = 0;

    assert_int_equal(wire_get_array(&in, &count), 0);
    return count;
}

static void a_worker_asks_who_a_connection_is(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *gate = a_worker("gate", "$connect", 8);
    client_t *client = a_guest(gateway, gate, "ann");
    wire_bytes_t id, context;
    uint32_t fields;
    (void)state;

    message_result_t result = asks(gate, "connection", client->id);
    assert_int_equal(result.status, 200);
    assert_int_equal(rows_of(&result), 1);
    wire_cursor_t in = wire_cursor(result.rows);
    must(wire_get_array(&in, &fields) == 0);
    assert_int_equal(wire_get_array(&in, &fields), 0);
    assert_int_equal(fields, 2);
    assert_int_equal(wire_get_str(&in, &id), 0);
    assert_true(is_text(id, client->id));
    assert_int_equal(wire_get_raw_map(&in, &context), 0);
    assert_true(is_text(wire_map_str(context, "user"), "ann"));
}

static void who_is_not_there_is_404(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    assert_int_equal(asks(worker, "connection", "AAAAAAAAAAAAAAAA").status,
                     404);
    assert_int_equal(asks(worker, "connection", "bob").status, 404);
}

static void a_worker_asks_how_many_there_are(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    a_client(gateway);
    a_client(gateway);
    message_result_t result = asks(worker, "count", NULL);
    assert_int_equal(result.status, 200);
    assert_int_equal(wire_map_uint(result.options, "count", 99), 2);
}

static void a_list_comes_page_by_page(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *gate = a_worker("gate", "$connect", 8);
    char cursor[256] = "";
    uint32_t total = 0, pages = 0;
    (void)state;

    for (int i = 0; i < 25; i++) {
        a_guest(gateway, gate, i < 23 ? "ann" : "bob");
    }
    do {
        put_query(gate, 1, "user", "ann", cursor, 10);
        speaks(gate);
        message_result_t result = gets(gate, KIND_RESULT).result;
        wire_bytes_t next = wire_map_str(result.options, "cursor");
        total += rows_of(&result);
        pages++;
        snprintf(cursor, sizeof cursor, "%.*s", (int)next.len,
                 (const char *)next.data);
    } while (cursor[0] != '\0' && pages < 10);
    assert_int_equal(total, 23);
    assert_int_equal(pages, 3);
}

static void a_question_that_breaks_a_rule_is_400(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    assert_int_equal(asks(worker, "weather", "today").status, 400);
    assert_int_equal(asks(worker, "user", NULL).status, 400);
    put_query(worker, 1, "user", "ann", "*", 10);
    speaks(worker);
    assert_int_equal(gets(worker, KIND_RESULT).result.status, 400);
}

static void a_name_that_is_too_long_is_400(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    char name[USER_MAX + 2];
    (void)state;

    memset(name, 'x', sizeof name);
    name[USER_MAX + 1] = '\0';
    assert_int_equal(asks(worker, "user", name).status, 400);
    name[USER_MAX] = '\0';
    assert_int_equal(asks(worker, "user", name).status, 200);
}

static void a_store_that_is_down_is_503(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    model_store_fail(&broker.model, -ENOTCONN);
    assert_int_equal(asks(worker, "count", NULL).status, 503);
    model_store_fail(&broker.model, -ETIMEDOUT);
    assert_int_equal(asks(worker, "count", NULL).status, 504);
}

static void a_worker_has_sixteen_queries_under_way_and_no_more(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *other = a_worker("o", "echo", 8);
    (void)state;

    broker.model.holds = true;
    for (uint64_t i = 0; i < 16; i++) {
        put_query(worker, i, "count", NULL, "", 1);
    }
    speaks(worker);
    gets_nothing(worker);
    assert_int_equal(asks(worker, "count", NULL).status, 429);
    put_query(other, 1, "count", NULL, "", 1);
    speaks(other);
    gets_nothing(other);
    while (model_store_answer(&broker.model)) {
    }
    time_passes(50);
    for (uint64_t i = 0; i < 16; i++) {
        assert_int_equal(gets(worker, KIND_RESULT).result.id, i);
    }
    assert_int_equal(gets(other, KIND_RESULT).result.status, 200);
}

static void the_answer_to_a_worker_that_left_goes_nowhere(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    broker.model.holds = true;
    put_query(worker, 1, "count", NULL, "", 1);
    speaks(worker);
    assert_true(model_store_holds(&broker.model, STORE_COUNT));
    dies(worker);
    while (model_store_answer(&broker.model)) {
    }
    time_passes(50);
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->workers, 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up_shared,                \
                                    broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_gets_in_when_its_row_is_written),
        TEST(no_row_is_written_before_its_lease),
        TEST(who_waits_for_a_lease_that_fails_gets_in_without_a_row),
        TEST(who_is_lost_while_it_waits_for_a_lease_is_told_of),
        TEST(who_is_refused_leaves_no_row),
        TEST(who_needs_no_handler_has_a_row_too),
        TEST(a_row_goes_when_its_disconnect_was_handled),
        TEST(who_is_lost_while_its_row_is_written_leaves_none),
        TEST(a_lost_gateways_rows_go_one_by_one),
        TEST(who_goes_to_another_broker_keeps_its_row),
        TEST(who_comes_from_another_broker_gets_its_row),
        TEST(a_broker_that_ends_leaves_its_rows),
        TEST(a_list_that_broke_off_takes_no_row_away),
        TEST(who_comes_back_before_its_row_could_go_keeps_it),
        TEST(a_store_that_fails_keeps_nobody_out),
        TEST(who_waits_when_the_store_fails_gets_in),
        TEST(with_require_store_nobody_gets_in_without_a_row),
        TEST(a_row_that_could_not_go_goes_later),
        TEST(rows_that_cannot_go_are_remembered_up_to_a_bound),
        TEST(an_emptied_store_is_filled_again),
        TEST(a_row_is_written_again_before_its_time_is_over),
        TEST(a_worker_asks_who_a_connection_is),
        TEST(who_is_not_there_is_404),
        TEST(a_worker_asks_how_many_there_are),
        TEST(a_list_comes_page_by_page),
        TEST(a_question_that_breaks_a_rule_is_400),
        TEST(a_name_that_is_too_long_is_400),
        TEST(a_store_that_is_down_is_503),
        TEST(a_worker_has_sixteen_queries_under_way_and_no_more),
        TEST(the_answer_to_a_worker_that_left_goes_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
