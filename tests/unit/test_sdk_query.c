/* SPDX-License-Identifier: MIT
 *
 * Handlers that ask who is connected and reply when they know: what is said
 * and who waits.
 */
#include "base/xalloc.h"
#include "tests/unit/query_fixture.h"
#include "tests/unit/random_wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- question and answer ------------------------------------------------- */

/* The QUERY that it says, which asks for that. */
static const message_query_t *says_query_of(const char *word, const char *name)
{
    const message_query_t *query = &says(KIND_QUERY)->query;
    wire_cursor_t what = wire_cursor(query->what);
    wire_bytes_t said_word, said_name;
    uint32_t count;

    must(wire_get_array(&what, &count) == 0 && count == 2);
    must(wire_get_str(&what, &said_word) == 0 &&
         wire_get_str(&what, &said_name) == 0);
    assert_true(wire_is(said_word, word) && wire_is(said_name, name));
    return query;
}

static void a_handler_asks_and_replies_when_it_knows(void **state)
{
    (void)state;
    message_comes(CONN_A, "ask", 7);
    const message_query_t *query = says_query_of("user", "ada");
    says_no_more();
    assert_trace("ask");
    status_comes(query->id, 200);
    says_reply(7, 200);
    says_no_more();
    assert_trace("told:200");
    assert_int_equal(worker.link.asked.count, 0);
    assert_int_equal(worker.link.mail.boxes, 0);
}

static void limit_and_cursor_are_told_and_left_out_when_not_set(void **state)
{
    (void)state;
    message_comes(CONN_A, "ask", 1);
    const message_query_t *query = &says(KIND_QUERY)->query;
    assert_int_equal(wire_map_uint(query->options, "limit", 0), 0);
    assert_int_equal(wire_map_str(query->options, "cursor").len, 0);
    asking.options =
        (hoist_find_options){.limit = 1000, .cursor = hoist_str("here")};
    message_comes(CONN_B, "ask", 2);
    query = &says(KIND_QUERY)->query;
    assert_int_equal(wire_map_uint(query->options, "limit", 0), 1000);
    assert_true(wire_is(wire_map_str(query->options, "cursor"), "here"));
}

static void an_answer_leads_to_the_next_page(void **state)
{
    buf_t options;
    (void)state;

    buf_init(&options, 100);
    must(wire_put_map(&options, 1) == 0 &&
         wire_put_text(&options, "cursor") == 0 &&
         wire_put_text(&options, "next") == 0);
    asking.pages = 1;
    message_comes(CONN_A, "ask", 7);
    result_comes(&(message_result_t){.id = says_query(),
                                     .status = 200,
                                     .options = {options.data, options.len}});
    const message_query_t *query = &says(KIND_QUERY)->query;
    assert_true(wire_is(wire_map_str(query->options, "cursor"), "next"));
    says_no_more();
    status_comes(query->id, 200);
    says_reply(7, 200);
    assert_trace("ask told:200 told:200");
    buf_fini(&options);
}

static int read_rows(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    hoist_row row;
    (void)data;

    assert_true(hoist_answer_next(answer, &row));
    assert_true(hoist_is(row.connection, CONN_B));
    assert_true(hoist_is(row.user, "ada"));
    assert_null(row.tenant.data);
    assert_int_equal(row.ttl_s, 90);
    assert_true(hoist_is(hoist_row_attribute(&row, "room"), "den"));
    assert_null(hoist_row_attribute(&row, "door").data);
    assert_true(hoist_answer_next(answer, &row));
    assert_true(hoist_is(row.connection, CONN_A));
    assert_null(row.user.data);
    assert_null(hoist_row_attribute(&row, "room").data);
    assert_false(hoist_answer_next(answer, &row));
    assert_null(hoist_answer_cursor(answer).data);
    assert_int_equal(hoist_answer_count(answer), 0);
    return hoist_reply_status(ctx, 204);
}

static int ask_rows(hoist_ctx *ctx)
{
    return hoist_find_tenant(ctx, hoist_str("t"), NULL, read_rows, NULL);
}

static void put_row(buf_t *rows, const char *conn)
{
    must(wire_put_array(rows, 2) == 0 && wire_put_text(rows, conn) == 0);
}

static void rows_show_user_attributes_and_ttl(void **state)
{
    buf_t rows;
    (void)state;

    buf_init(&rows, 1000);
    must(wire_put_array(&rows, 3) == 0);
    put_row(&rows, CONN_B);
    must(wire_put_map(&rows, 3) == 0 && wire_put_text(&rows, "user") == 0 &&
         wire_put_text(&rows, "ada") == 0 && wire_put_text(&rows, "ttl") == 0 &&
         wire_put_uint(&rows, 90) == 0 &&
         wire_put_text(&rows, "attributes") == 0 &&
         wire_put_map(&rows, 1) == 0 && wire_put_text(&rows, "room") == 0 &&
         wire_put_text(&rows, "den") == 0);
    put_row(&rows, CONN_A);
    must(wire_put_map(&rows, 0) == 0);
    must(wire_put_text(&rows, "no row: the list ends here") == 0);
    serves("rows", ask_rows);
    message_comes(CONN_A, "rows", 7);
    result_comes(&(message_result_t){
        .id = says_query(), .status = 200, .rows = {rows.data, rows.len}});
    says_reply(7, 204);
    buf_fini(&rows);
}

static int read_all(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    size_t *rows = data;
    hoist_row row;

    while (hoist_answer_next(answer, &row)) {
        (void)hoist_row_attribute(&row, "room");
        ++*rows;
    }
    assert_false(hoist_answer_next(answer, &row));
    return hoist_reply_status(ctx, 204);
}

static int ask_all(hoist_ctx *ctx)
{
    return hoist_find_tenant(ctx, hoist_str(NULL), NULL, read_all,
                             hoist_app_data(worker.app));
}

/* Half of the rows are such, with whatever attributes; half is anything. */
static wire_bytes_t random_rows(random_t *random, uint32_t count)
{
    buf_t rows;

    buf_init(&rows, FRAME_MAX);
    must(wire_put_array(&rows, count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        if (random_below(random, 2) == 0) {
            random_element(random, &rows, 3);
            continue;
        }
        wire_bytes_t map = random_map(random);
        put_row(&rows, CONN_B);
        must(buf_put(&rows, map.data, map.len) == 0);
    }
    wire_bytes_t kept = random_keep(random, rows.data, rows.len);
    buf_fini(&rows);
    return kept;
}

static void whatever_rows_come_they_end(void **state)
{
    random_t random;
    size_t rows = 0;
    (void)state;

    hoist_app_set_data(worker.app, &rows);
    serves("all", ask_all);
    random_init(&random, 1);
    for (uint64_t i = 1; i <= 2000; i++) {
        random_reuse(&random);
        message_comes(CONN_A, "all", i);
        message_result_t result = {.id = says_query(), .status = 200};
        result.rows = random_rows(&random, (uint32_t)(i % 8));
        result_comes(&result);
        says_reply(i, 204);
    }
    assert_true(rows > 1000); /* the first of a list is one in every second */
    random_fini(&random);
}

static int read_count(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    hoist_row row;
    (void)data;

    assert_int_equal(hoist_answer_count(answer), 12);
    assert_false(hoist_answer_next(answer, &row));
    return hoist_reply_status(ctx, 204);
}

static int ask_count(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, read_count, NULL);
}

static void a_count_is_a_number(void **state)
{
    buf_t options;
    (void)state;

    buf_init(&options, 100);
    must(wire_put_map(&options, 1) == 0 &&
         wire_put_text(&options, "count") == 0 &&
         wire_put_uint(&options, 12) == 0);
    serves("count", ask_count);
    message_comes(CONN_A, "count", 7);
    result_comes(&(message_result_t){.id = says_query(),
                                     .status = 200,
                                     .options = {options.data, options.len}});
    says_reply(7, 204);
    buf_fini(&options);
}

static int ask_group(hoist_ctx *ctx)
{
    return hoist_find_group(ctx, hoist_str("den"), &asking.options, tell,
                            &asking);
}

static void members_of_a_group_are_asked_for_or_their_number(void **state)
{
    (void)state;
    serves("group", ask_group);
    message_comes(CONN_A, "group", 1);
    const message_query_t *query = says_query_of("group", "den");
    assert_false(wire_map_bool(query->options, "count", false));
    asking.options = (hoist_find_options){.count = true};
    message_comes(CONN_B, "group", 2);
    query = &says(KIND_QUERY)->query;
    assert_true(wire_map_bool(query->options, "count", false));
    assert_false(wire_map_bool(query->options, "live", false));
}

static int read_live(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    hoist_row row;
    (void)data;

    assert_true(hoist_answer_next(answer, &row));
    assert_int_equal(row.last_active_at_ms, 1767225600000);
    assert_int_equal(row.connected_at_ms, 0);
    return hoist_reply_status(ctx, 204);
}

static int ask_live(hoist_ctx *ctx)
{
    const hoist_find_options options = {.live = true};

    return hoist_find_connection(ctx, hoist_str(CONN_B), &options, read_live,
                                 NULL);
}

static void a_live_connection_tells_when_it_was_last_active(void **state)
{
    buf_t rows;
    (void)state;

    buf_init(&rows, 100);
    must(wire_put_array(&rows, 1) == 0);
    put_row(&rows, CONN_B);
    must(wire_put_map(&rows, 1) == 0 &&
         wire_put_text(&rows, "last_active_at") == 0 &&
         wire_put_uint(&rows, 1767225600000) == 0);
    serves("live", ask_live);
    message_comes(CONN_A, "live", 7);
    const message_query_t *query = &says(KIND_QUERY)->query;
    assert_true(wire_map_bool(query->options, "live", false));
    result_comes(&(message_result_t){
        .id = query->id, .status = 200, .rows = {rows.data, rows.len}});
    says_reply(7, 204);
    buf_fini(&rows);
}

static int ask_wrongly(hoist_ctx *ctx)
{
    char large[USER_MAX + 1];
    static const char long_cursor[4096 + 1];
    hoist_text ada = hoist_str("ada");
    hoist_find_options options = {.limit = 1001};

    memset(large, 'l', sizeof large);
    assert_int_equal(
        hoist_find_user(ctx, hoist_bytes(large, sizeof large), NULL, tell, 0),
        -EMSGSIZE);
    assert_int_equal(hoist_find_user(ctx, hoist_str("\xff"), NULL, tell, NULL),
                     -EILSEQ);
    assert_int_equal(hoist_find_user(ctx, ada, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(hoist_find_group(ctx, hoist_str(""), NULL, tell, NULL),
                     -EINVAL);
    assert_int_equal(hoist_find_group(ctx, hoist_bytes(large, GROUP_MAX + 1),
                                      NULL, tell, NULL),
                     -EMSGSIZE);
    assert_int_equal(
        hoist_find_connection(ctx, hoist_bytes(large, CONN_NAMED_MAX + 1), NULL,
                              tell, NULL),
        -EMSGSIZE);
    assert_int_equal(hoist_find_user(ctx, ada, &options, tell, NULL), -EINVAL);
    options = (hoist_find_options){.timeout_ms = 60001};
    assert_int_equal(hoist_find_user(ctx, ada, &options, tell, NULL), -EINVAL);
    options = (hoist_find_options){.cursor = {long_cursor, sizeof long_cursor}};
    assert_int_equal(hoist_find_user(ctx, ada, &options, tell, NULL),
                     -EMSGSIZE);
    options = (hoist_find_options){.cursor = hoist_str("\xff")};
    assert_int_equal(hoist_find_user(ctx, ada, &options, tell, NULL), -EILSEQ);
    assert_int_equal(hoist_find_user(ctx, ada, NULL, tell, &asking), 0);
    assert_int_equal(hoist_find_user(ctx, ada, NULL, tell, NULL), -EALREADY);
    assert_int_equal(hoist_reply_text(ctx, "too early"), -EALREADY);
    return 0;
}

static void a_wrong_question_is_refused_and_one_at_a_time_is_asked(void **state)
{
    (void)state;
    serves("wrong", ask_wrongly);
    message_comes(CONN_A, "wrong", 7);
    status_comes(says_query(), 200);
    says_reply(7, 200);
    says_no_more();
}

static int reply_and_ask(hoist_ctx *ctx)
{
    assert_int_equal(hoist_reply_text(ctx, "first"), 0);
    assert_int_equal(hoist_find_count(ctx, NULL, tell, NULL), -EALREADY);
    return 0;
}

static void who_has_replied_asks_no_more(void **state)
{
    (void)state;
    serves("hasty", reply_and_ask);
    message_comes(CONN_A, "hasty", 7);
    says_reply(7, 200);
    says_no_more();
}

static int accept_and_ask(hoist_ctx *ctx)
{
    must(hoist_accept_user(ctx, hoist_str("ada")) == 0);
    must(hoist_accept_attribute(ctx, "room", hoist_str("den")) == 0);
    must(hoist_accept_ttl(ctx, 59) == -EINVAL);
    must(hoist_accept_ttl(ctx, 60) == 0);
    must(hoist_accept_subprotocol(ctx, hoist_str("v1")) == 0);
    return hoist_find_user(ctx, hoist_str("ada"), NULL, tell, &asking);
}

static void
what_a_connect_accepted_before_it_asked_is_in_its_reply(void **state)
{
    hoist_app *app = hoist_app_new();
    message_request_t request = sdk_event(EVENT_CONNECT);
    buf_t details;
    (void)state;

    buf_init(&details, 100);
    must(wire_put_map(&details, 1) == 0 &&
         wire_put_text(&details, "subprotocols") == 0 &&
         wire_put_array(&details, 1) == 0 &&
         wire_put_text(&details, "v1") == 0);
    request.details = (wire_bytes_t){details.data, details.len};
    hoist_on(app, "$connect", accept_and_ask);
    worker.core.ctx.app = app;
    routes_freeze(&app->routes, &app->around);
    must(message_put_request(&worker.in, &request) == 0);
    feed(worker.now_ms);
    uint64_t id = says_query();
    must(buf_put(&worker.in, "\xc1", 1) == 0); /* nothing of the frame stays */
    feed(worker.now_ms);
    status_comes(id, 200);
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    assert_true(wire_is(wire_map_str(reply->options, "user"), "ada"));
    assert_true(wire_is(wire_map_str(reply->options, "subprotocol"), "v1"));
    assert_int_equal(wire_map_uint(reply->options, "ttl", 0), 60);
    assert_true(wire_is(context_attribute(reply->options, "room"), "den"));
    worker.core.ctx.app = worker.app;
    hoist_app_destroy(&app);
    buf_fini(&details);
}

static int set_ttl(hoist_ctx *ctx)
{
    assert_int_equal(hoist_accept_ttl(ctx, 60), -EINVAL);
    return 0;
}

static void a_ttl_is_for_a_connect_alone(void **state)
{
    (void)state;
    serves("ttl", set_ttl);
    message_comes(CONN_A, "ttl", 1);
    says_reply(1, 200);
}

/* --- who waits ----------------------------------------------------------- */

static void the_connections_next_events_wait_and_others_do_not(void **state)
{
    (void)state;
    message_comes(CONN_A, "ask", 1);
    uint64_t id = says_query();
    message_comes(CONN_A, "plain", 2);
    comes(EVENT_DISCONNECT, CONN_A, NULL, 3);
    assert_trace("ask");
    message_comes(CONN_B, "plain", 4);
    assert_trace("plain");
    says_reply(4, 200);
    says_no_more();
    status_comes(id, 200);
    assert_trace("told:200 plain plain");
    says_reply(1, 200);
    says_reply(2, 200);
    says_reply(3, 200);
    says_no_more();
}

static void events_behind_one_that_asks_again_keep_their_order(void **state)
{
    (void)state;
    message_comes(CONN_A, "ask", 1);
    uint64_t id = says_query();
    for (uint64_t i = 2; i <= 5; i++) {
        message_comes(CONN_A, i % 2 == 0 ? "ask" : "plain", i);
    }
    status_comes(id, 200);
    says_reply(1, 200);
    id = says_query();
    assert_trace("ask told:200 ask");
    message_comes(CONN_A, "plain", 6);
    status_comes(id, 200);
    says_reply(2, 200);
    says_reply(3, 200);
    id = says_query();
    says_no_more();
    status_comes(id, 200);
    for (uint64_t i = 4; i <= 6; i++) {
        says_reply(i, 200);
    }
    assert_int_equal(worker.link.mail.boxes, 0);
}

static void unordered_messages_neither_wait_nor_let_others_wait(void **state)
{
    (void)state;
    message_comes(CONN_A, "ask", 1);
    (void)says_query();
    message_comes(CONN_A, "loose", 2);
    says_reply(2, 200);
    message_comes(CONN_B, "loose-ask", 3);
    (void)says_query();
    message_comes(CONN_B, "plain", 4);
    says_reply(4, 200);
}

static void sixteen_are_asked_at_once_and_more_wait_their_turn(void **state)
{
    char conn[CONN_ID_TEXT + 1];
    uint64_t ids[ASKED_AT_ONCE];
    (void)state;

    for (uint64_t i = 0; i < ASKED_AT_ONCE + 2; i++) {
        (void)snprintf(conn, sizeof conn, "%016" PRIu64, i);
        message_comes(conn, "ask", i + 1);
        if (i < ASKED_AT_ONCE) {
            ids[i] = says_query();
        }
    }
    says_no_more();
    status_comes(ids[3], 200);
    (void)says_query();
    says_reply(4, 200);
    says_no_more();
    status_comes(ids[0], 200);
    (void)says_query();
    says_reply(1, 200);
    says_no_more();
}

static void more_events_than_1024_do_not_wait(void **state)
{
    char conn[CONN_ID_TEXT + 1];
    (void)state;

    for (uint64_t i = 0; i <= ASKED_MAX; i++) {
        (void)snprintf(conn, sizeof conn, "%016" PRIu64, i);
        message_comes(conn, "ask", i + 1);
        worker.trace[0] = '\0';
    }
    for (size_t i = 0; i < ASKED_AT_ONCE; i++) {
        (void)says_query();
    }
    says_reply(ASKED_MAX + 1, 503);
    says_no_more();
    worker_ends();
    assert_int_equal(asking.told, ASKED_MAX);
}

static void events_that_wait_count_as_held(void **state)
{
    link_t *link = &worker.link;
    (void)state;

    message_comes(CONN_A, "ask", 1);
    (void)says_query();
    message_comes(CONN_A, "plain", 2);
    worker.trace[0] = '\0';
    link_tick(link, 10 + HEARTBEAT);
    const message_ping_t *ping = &says(KIND_PING)->ping;
    assert_int_equal(ping->in_flight, 2);
    assert_int_equal(ping->oldest_ms, HEARTBEAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASKING_TEST(a_handler_asks_and_replies_when_it_knows),
        ASKING_TEST(limit_and_cursor_are_told_and_left_out_when_not_set),
        ASKING_TEST(an_answer_leads_to_the_next_page),
        ASKING_TEST(rows_show_user_attributes_and_ttl),
        ASKING_TEST(whatever_rows_come_they_end),
        ASKING_TEST(a_count_is_a_number),
        ASKING_TEST(members_of_a_group_are_asked_for_or_their_number),
        ASKING_TEST(a_live_connection_tells_when_it_was_last_active),
        ASKING_TEST(a_wrong_question_is_refused_and_one_at_a_time_is_asked),
        ASKING_TEST(who_has_replied_asks_no_more),
        ASKING_TEST(what_a_connect_accepted_before_it_asked_is_in_its_reply),
        ASKING_TEST(a_ttl_is_for_a_connect_alone),
        ASKING_TEST(the_connections_next_events_wait_and_others_do_not),
        ASKING_TEST(events_behind_one_that_asks_again_keep_their_order),
        ASKING_TEST(unordered_messages_neither_wait_nor_let_others_wait),
        ASKING_TEST(sixteen_are_asked_at_once_and_more_wait_their_turn),
        ASKING_TEST(more_events_than_1024_do_not_wait),
        ASKING_TEST(events_that_wait_count_as_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
