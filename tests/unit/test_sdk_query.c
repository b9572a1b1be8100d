/* SPDX-License-Identifier: MIT
 *
 * Handlers that ask who is connected and reply when they know: what is said,
 * who waits, and what happens when no answer comes.
 */
#include "base/xalloc.h"
#include "tests/unit/random_wire.h"
#include "tests/unit/sdk.h"
#include "workers/c/link.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEARTBEAT 1000

typedef struct {
    hoist_app *app;
    core_t core;
    link_t link;
    buf_t in;    /* the frame that is fed next */
    buf_t frame; /* what a message of the worker lends from */
    message_t said;
    char trace[1024]; /* what handlers noted */
    size_t told;      /* answers that came */
    size_t pages;     /* that the answer's handler still asks for */
    bool retries;     /* the middleware tries again what failed */
    bool refuses;     /* the middleware fails what went well */
    hoist_find_options options;
    int result; /* of the handler behind its question */
    int64_t now_ms;
} fixture_t;

static fixture_t *fixture; /* of the test that runs, for its handlers */

static void note(const char *word)
{
    size_t len = strlen(fixture->trace);

    if (len < sizeof fixture->trace - 32) { /* of a thousand, none reads on */
        (void)snprintf(fixture->trace + len, sizeof fixture->trace - len,
                       "%s%s", len > 0 ? " " : "", word);
    }
}

static void note_status(const hoist_answer *answer)
{
    char word[32];

    (void)snprintf(word, sizeof word, "told:%d", hoist_answer_status(answer));
    note(word);
}

static void assert_trace(const char *expected)
{
    assert_string_equal(fixture->trace, expected);
    fixture->trace[0] = '\0';
}

/* --- handlers ------------------------------------------------------------ */

static int tell(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    assert_ptr_equal(data, fixture);
    note_status(answer);
    fixture->told++;
    if (fixture->pages > 0) {
        fixture->pages--;
        hoist_find_options next = {.cursor = hoist_answer_cursor(answer)};
        return hoist_find_user(ctx, hoist_str("ada"), &next, tell, fixture);
    }
    return hoist_reply_text(ctx, "told");
}

static int ask(hoist_ctx *ctx)
{
    note("ask");
    int rc = hoist_find_user(ctx, hoist_str("ada"), &fixture->options, tell,
                             fixture);
    return rc < 0 ? rc : fixture->result;
}

static int plain(hoist_ctx *ctx)
{
    note("plain");
    return hoist_reply_text(ctx, "plain");
}

static int around(hoist_ctx *ctx, void *config)
{
    (void)config;
    int rc = hoist_next(ctx);

    if (rc < 0 && fixture->retries) {
        fixture->result = 0;
        rc = hoist_next(ctx);
    }
    return rc == 0 && fixture->refuses ? -EACCES : rc;
}

/* --- the story ----------------------------------------------------------- */

static void feed(int64_t now_ms)
{
    buf_t *in = &fixture->in;

    link_feed(&fixture->link, (wire_bytes_t){in->data, in->len}, now_ms);
    while (link_step(&fixture->link, now_ms)) {
    }
    in->len = 0;
    while (link_resume(&fixture->link)) {
    }
    link_tick(&fixture->link, now_ms);
}

static void comes(event_t event, const char *conn, const char *route,
                  uint64_t id)
{
    message_request_t request =
        event == EVENT_MESSAGE ? sdk_message(route) : sdk_event(event);

    request.id = id;
    request.conn = wire_bytes(conn);
    must(message_put_request(&fixture->in, &request) == 0);
    feed(fixture->now_ms);
}

static void message_comes(const char *conn, const char *route, uint64_t id)
{
    comes(EVENT_MESSAGE, conn, route, id);
}

static void result_comes(const message_result_t *result)
{
    must(message_put_result(&fixture->in, result) == 0);
    feed(fixture->now_ms);
}

static void status_comes(uint64_t id, unsigned status)
{
    result_comes(&(message_result_t){.id = id, .status = status});
}

/* The next thing that the worker says, which must be of this kind. */
static const message_t *says(message_kind_t kind)
{
    must(
        sdk_take(&fixture->link.outbox.ready, &fixture->frame, &fixture->said));
    assert_int_equal(fixture->said.kind, kind);
    return &fixture->said;
}

static void says_reply(uint64_t id, unsigned status)
{
    const message_reply_t *reply = &says(KIND_REPLY)->reply;

    assert_int_equal(reply->id, id);
    assert_int_equal(reply->status, status);
}

/* The id of the QUERY that it says. */
static uint64_t says_query(void)
{
    return says(KIND_QUERY)->query.id;
}

static void says_no_more(void)
{
    assert_string_equal(sdk_kinds(&fixture->link.outbox.ready), "");
}

static void put_welcome(void)
{
    message_welcome_t welcome = {.version = 1,
                                 .boot = wire_bytes("broker-boot"),
                                 .heartbeat_ms = HEARTBEAT,
                                 .liveness_ms = 3500};

    must(message_put_welcome(&fixture->in, &welcome) == 0);
}

static void come_up(int64_t now_ms)
{
    link_sent(&fixture->link, fixture->link.outbox.ready.len, now_ms);
    put_welcome();
    feed(now_ms);
    assert_int_equal(fixture->link.state, LINK_UP);
}

/* The time passes; PINGs are of no interest here. */
static void time_is(int64_t now_ms)
{
    buf_t *ready = &fixture->link.outbox.ready;
    size_t start = ready->len;
    message_t message;

    link_tick(&fixture->link, now_ms);
    wire_bytes_t more = {ready->data + start, ready->len - start};
    wire_cursor_t at = wire_cursor(more);
    while (message_decode(&at, &message) == 1) {
        if (message.kind == KIND_PING) {
            ready->len = start;
            return;
        }
    }
}

static void open_link(void)
{
    link_init(&fixture->link,
              &(link_options_t){.core = &fixture->core,
                                .endpoint = "tcp://broker",
                                .boot = "boot",
                                .name = "name",
                                .window = 4096,
                                .window_bytes = 8 << 20},
              1);
}

/* The worker ends; another opens in its place, for the teardown. */
static void ends(void)
{
    link_fini(&fixture->link);
    open_link();
}

static int setup(void **state)
{
    log_set_level(LEVEL_ERROR);
    fixture = xcalloc(1, sizeof *fixture);
    fixture->now_ms = 10;
    fixture->app = hoist_app_new();
    hoist_on(fixture->app, "$connect", ask);
    hoist_on(fixture->app, "ask", ask);
    hoist_on(fixture->app, "plain", plain);
    hoist_on(fixture->app, "loose", plain);
    hoist_unordered(fixture->app, "loose");
    hoist_on(fixture->app, "loose-ask", ask);
    hoist_unordered(fixture->app, "loose-ask");
    hoist_on(fixture->app, "$disconnect", plain);
    hoist_use(fixture->app, around, NULL);
    buf_init(&fixture->in, FRAME_MAX);
    buf_init(&fixture->frame, FRAME_MAX);
    core_init(&fixture->core, fixture->app);
    open_link();
    come_up(1);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    link_fini(&fixture->link);
    core_fini(&fixture->core);
    hoist_app_destroy(&fixture->app);
    buf_fini(&fixture->in);
    buf_fini(&fixture->frame);
    free(fixture);
    return 0;
}

/* --- question and answer ------------------------------------------------- */

static void a_handler_asks_and_replies_when_it_knows(void **state)
{
    wire_bytes_t word, name;
    uint32_t count;
    (void)state;

    message_comes(CONN_A, "ask", 7);
    const message_query_t *query = &says(KIND_QUERY)->query;
    wire_cursor_t what = wire_cursor(query->what);
    must(wire_get_array(&what, &count) == 0 && count == 2);
    must(wire_get_str(&what, &word) == 0 && wire_get_str(&what, &name) == 0);
    assert_true(wire_is(word, "user") && wire_is(name, "ada"));
    says_no_more();
    assert_trace("ask");
    status_comes(query->id, 200);
    says_reply(7, 200);
    says_no_more();
    assert_trace("told:200");
    assert_int_equal(fixture->link.asked.count, 0);
    assert_int_equal(fixture->link.mail.boxes, 0);
}

static void limit_and_cursor_are_told_and_left_out_when_not_set(void **state)
{
    (void)state;
    message_comes(CONN_A, "ask", 1);
    const message_query_t *query = &says(KIND_QUERY)->query;
    assert_int_equal(wire_map_uint(query->options, "limit", 0), 0);
    assert_int_equal(wire_map_str(query->options, "cursor").len, 0);
    fixture->options =
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
    fixture->pages = 1;
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
    hoist_on(fixture->app, "rows", ask_rows);
    routes_freeze(&fixture->app->routes);
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
                             hoist_app_data(fixture->app));
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

    hoist_app_set_data(fixture->app, &rows);
    hoist_on(fixture->app, "all", ask_all);
    routes_freeze(&fixture->app->routes);
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
    hoist_on(fixture->app, "count", ask_count);
    routes_freeze(&fixture->app->routes);
    message_comes(CONN_A, "count", 7);
    result_comes(&(message_result_t){.id = says_query(),
                                     .status = 200,
                                     .options = {options.data, options.len}});
    says_reply(7, 204);
    buf_fini(&options);
}

static int ask_group(hoist_ctx *ctx)
{
    return hoist_find_group(ctx, hoist_str("den"), &fixture->options, tell,
                            fixture);
}

static void members_of_a_group_are_asked_for_or_their_number(void **state)
{
    wire_bytes_t word, name;
    uint32_t count;
    (void)state;

    hoist_on(fixture->app, "group", ask_group);
    routes_freeze(&fixture->app->routes);
    message_comes(CONN_A, "group", 1);
    const message_query_t *query = &says(KIND_QUERY)->query;
    wire_cursor_t what = wire_cursor(query->what);
    must(wire_get_array(&what, &count) == 0 && count == 2);
    must(wire_get_str(&what, &word) == 0 && wire_get_str(&what, &name) == 0);
    assert_true(wire_is(word, "group") && wire_is(name, "den"));
    assert_false(wire_map_bool(query->options, "count", false));
    fixture->options = (hoist_find_options){.count = true};
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
    hoist_on(fixture->app, "live", ask_live);
    routes_freeze(&fixture->app->routes);
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
    hoist_text ada = hoist_str("ada");
    hoist_find_options options = {.limit = 1001};

    memset(large, 'l', sizeof large);
    assert_int_equal(
        hoist_find_user(ctx, hoist_bytes(large, sizeof large), NULL, tell, 0),
        -EINVAL);
    assert_int_equal(hoist_find_user(ctx, hoist_str("\xff"), NULL, tell, NULL),
                     -EILSEQ);
    assert_int_equal(hoist_find_user(ctx, ada, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(hoist_find_group(ctx, hoist_str(""), NULL, tell, NULL),
                     -EINVAL);
    assert_int_equal(hoist_find_group(ctx, hoist_bytes(large, GROUP_MAX + 1),
                                      NULL, tell, NULL),
                     -EINVAL);
    assert_int_equal(hoist_find_user(ctx, ada, &options, tell, NULL), -EINVAL);
    options = (hoist_find_options){.timeout_ms = 60001};
    assert_int_equal(hoist_find_user(ctx, ada, &options, tell, NULL), -EINVAL);
    options = (hoist_find_options){.cursor = hoist_str("\xff")};
    assert_int_equal(hoist_find_user(ctx, ada, &options, tell, NULL), -EILSEQ);
    assert_int_equal(hoist_find_user(ctx, ada, NULL, tell, fixture), 0);
    assert_int_equal(hoist_find_user(ctx, ada, NULL, tell, NULL), -EALREADY);
    assert_int_equal(hoist_reply_text(ctx, "too early"), -EALREADY);
    return 0;
}

static void a_wrong_question_is_refused_and_one_at_a_time_is_asked(void **state)
{
    (void)state;
    hoist_on(fixture->app, "wrong", ask_wrongly);
    routes_freeze(&fixture->app->routes);
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
    hoist_on(fixture->app, "hasty", reply_and_ask);
    routes_freeze(&fixture->app->routes);
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
    return hoist_find_user(ctx, hoist_str("ada"), NULL, tell, fixture);
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
    fixture->core.ctx.app = app;
    routes_freeze(&app->routes);
    must(message_put_request(&fixture->in, &request) == 0);
    feed(fixture->now_ms);
    uint64_t id = says_query();
    must(buf_put(&fixture->in, "\xc1", 1) ==
         0); /* nothing of the frame stays */
    feed(fixture->now_ms);
    status_comes(id, 200);
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    assert_true(wire_is(wire_map_str(reply->options, "user"), "ada"));
    assert_true(wire_is(wire_map_str(reply->options, "subprotocol"), "v1"));
    assert_int_equal(wire_map_uint(reply->options, "ttl", 0), 60);
    assert_true(wire_is(context_attribute(reply->options, "room"), "den"));
    fixture->core.ctx.app = fixture->app;
    hoist_app_destroy(&app);
    buf_fini(&details);
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
    assert_int_equal(fixture->link.mail.boxes, 0);
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
        fixture->trace[0] = '\0';
    }
    for (size_t i = 0; i < ASKED_AT_ONCE; i++) {
        (void)says_query();
    }
    says_reply(ASKED_MAX + 1, 503);
    says_no_more();
    ends();
    assert_int_equal(fixture->told, ASKED_MAX);
}

static void events_that_wait_count_as_held(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    message_comes(CONN_A, "ask", 1);
    (void)says_query();
    message_comes(CONN_A, "plain", 2);
    fixture->trace[0] = '\0';
    link_tick(link, 10 + HEARTBEAT);
    const message_ping_t *ping = &says(KIND_PING)->ping;
    assert_int_equal(ping->in_flight, 2);
    assert_int_equal(ping->oldest_ms, HEARTBEAT);
}

/* --- failures ------------------------------------------------------------ */

static void a_failure_behind_a_question_ends_the_event_at_once(void **state)
{
    (void)state;
    fixture->result = -ENOENT;
    message_comes(CONN_A, "ask", 1);
    uint64_t id = says_query();
    says_reply(1, 404);
    message_comes(CONN_A, "plain", 2);
    says_reply(2, 200);
    status_comes(id, 200);
    says_no_more();
    assert_trace("ask plain told:200");
    assert_int_equal(fixture->link.asked.count, 0);
}

static void so_does_a_failure_of_middleware(void **state)
{
    (void)state;
    fixture->refuses = true;
    message_comes(CONN_A, "ask", 1);
    uint64_t id = says_query();
    says_reply(1, 403);
    status_comes(id, 200);
    says_no_more();
    assert_trace("ask told:200");
}

static void a_retry_asks_anew_and_each_answer_comes_once(void **state)
{
    (void)state;
    fixture->retries = true;
    fixture->result = -EBUSY;
    message_comes(CONN_A, "ask", 1);
    uint64_t first = says_query(), second = says_query();
    says_no_more();
    status_comes(first, 200);
    says_no_more();
    status_comes(second, 200);
    says_reply(1, 200);
    assert_trace("ask ask told:200 told:200");
}

static int ask_and_fail(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)hoist_find_user(ctx, hoist_str("ada"), NULL, tell, data);
    return hoist_fail(ctx, 409, "taken", "it is taken");
}

static int begin_to_fail(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, ask_and_fail, fixture);
}

static void
an_answer_that_fails_behind_another_question_lets_the_next_go(void **state)
{
    (void)state;
    hoist_on(fixture->app, "fails", begin_to_fail);
    routes_freeze(&fixture->app->routes);
    message_comes(CONN_A, "fails", 1);
    message_comes(CONN_A, "ask", 2);
    status_comes(says_query(), 200);
    uint64_t abandoned = says_query();
    says_reply(1, 409);
    uint64_t next = says_query();
    status_comes(abandoned, 200);
    says_no_more();
    status_comes(next, 200);
    says_reply(2, 200);
    assert_trace("ask told:200 told:200");
}

static int fail_late(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    note("late");
    return hoist_fail(ctx, 409, "late", "the reply before stands");
}

static int fail_first(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)hoist_find_user(ctx, hoist_str("ada"), NULL, fail_late, data);
    return hoist_fail(ctx, 410, "first", "this one counts");
}

static int begin_to_fail_twice(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, fail_first, NULL);
}

/* fuzz_link: what had left long before was taken back. */
static void a_failure_that_comes_too_late_takes_nothing_back(void **state)
{
    (void)state;
    hoist_on(fixture->app, "twice", begin_to_fail_twice);
    routes_freeze(&fixture->app->routes);
    message_comes(CONN_A, "twice", 1);
    status_comes(says_query(), 200);
    uint64_t abandoned = says_query();
    says_reply(1, 410);
    status_comes(abandoned, 200);
    assert_trace("late");
    says_no_more();
}

static int next_again(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    return hoist_next(ctx);
}

static int ask_for_next(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, next_again, NULL);
}

static void an_answer_does_not_run_the_chain_again(void **state)
{
    (void)state;
    hoist_on(fixture->app, "again", ask_for_next);
    routes_freeze(&fixture->app->routes);
    message_comes(CONN_A, "again", 1);
    status_comes(says_query(), 200);
    says_reply(1, 400);
}

static void no_answer_in_time_is_504_and_a_late_one_is_nobodys(void **state)
{
    (void)state;
    message_comes(CONN_A, "ask", 1);
    uint64_t id = says_query();
    time_is(10 + ASKED_TIMEOUT_MS - 1);
    assert_trace("ask");
    time_is(10 + ASKED_TIMEOUT_MS);
    assert_trace("told:504");
    says_reply(1, 200);
    status_comes(id, 200);
    says_no_more();
    assert_trace("");
}

static void a_handler_may_be_less_patient(void **state)
{
    (void)state;
    message_comes(CONN_A, "ask", 1);
    fixture->options.timeout_ms = 20;
    message_comes(CONN_B, "ask", 2);
    (void)says_query();
    (void)says_query();
    assert_int_equal(link_due_ms(&fixture->link), 30);
    time_is(30);
    says_reply(2, 200);
    says_no_more();
}

static void a_query_that_is_late_keeps_its_place_at_the_broker(void **state)
{
    char conn[CONN_ID_TEXT + 1];
    uint64_t first = 0;
    (void)state;

    for (uint64_t i = 0; i < ASKED_AT_ONCE; i++) {
        (void)snprintf(conn, sizeof conn, "%016" PRIu64, i);
        message_comes(conn, "ask", i + 1);
        uint64_t id = says_query();
        first = i == 0 ? id : first;
    }
    time_is(10 + ASKED_TIMEOUT_MS);
    for (uint64_t i = 0; i < ASKED_AT_ONCE; i++) {
        says_reply(i + 1, 200);
    }
    message_comes(CONN_A, "ask", 100);
    says_no_more();
    status_comes(first, 200);
    (void)says_query();
}

/* Pushes after the loss: of what was lost, nothing may be said. */
static int push_late(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)data;
    note_status(answer);
    assert_int_equal(
        hoist_push_one(ctx, hoist_str(CONN_B), HOIST_TEXT, hoist_str("push")),
        -ENOTCONN);
    assert_int_equal(hoist_close(ctx, hoist_str(CONN_B), 1000, NULL),
                     -ENOTCONN);
    assert_int_equal(hoist_find_count(ctx, NULL, push_late, NULL), -ENOTCONN);
    return hoist_reply_text(ctx, "late");
}

static int ask_before_the_loss(hoist_ctx *ctx)
{
    note("ask");
    return hoist_find_count(ctx, NULL, push_late, NULL);
}

static void lose_it(message_kind_t how)
{
    hoist_on(fixture->app, "lost", ask_before_the_loss);
    routes_freeze(&fixture->app->routes);
    message_comes(CONN_A, "lost", 1);
    uint64_t id = says_query();
    message_comes(CONN_A, "plain", 2);
    must(message_put_bare(&fixture->in, how) == 0);
    feed(10 + 2 * HEARTBEAT);
    assert_trace("ask told:503");
    assert_int_equal(fixture->link.mail.boxes, 0);
    status_comes(id, 200); /* of the life before */
    assert_trace("");
}

static void a_broker_that_leaves_answers_503(void **state)
{
    (void)state;
    lose_it(KIND_BYE);
    /* what comes behind is another life */
    says(KIND_HELLO);
    says(KIND_READY);
    says_no_more();
}

static void so_does_one_that_does_not_know_us_any_more(void **state)
{
    (void)state;
    lose_it(KIND_WHO);
    says(KIND_HELLO);
    says(KIND_READY);
    says_no_more();
    come_up(5000);
    message_comes(CONN_A, "ask", 1);
    status_comes(says_query(), 200);
    says_reply(1, 200);
}

static void a_worker_that_ends_tells_who_waits(void **state)
{
    (void)state;
    message_comes(CONN_A, "ask", 1);
    assert_trace("ask");
    ends();
    assert_trace("told:503");
}

static void draining_waits_for_the_answers(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    message_comes(CONN_A, "ask", 1);
    uint64_t id = says_query();
    message_comes(CONN_A, "plain", 2);
    link_drain(link, 20);
    says(KIND_DRAIN);
    says(KIND_PING);
    must(message_put_bare(&fixture->in, KIND_PONG) == 0);
    feed(30);
    assert_false(link_is_drained(link));
    status_comes(id, 200);
    says_reply(1, 200);
    says_reply(2, 200);
    assert_true(link_is_drained(link));
}

static void a_result_that_nobody_asked_for_is_nobodys(void **state)
{
    (void)state;
    status_comes(0, 200);
    status_comes(77, 200);
    says_no_more();
}

static int set_ttl(hoist_ctx *ctx)
{
    assert_int_equal(hoist_accept_ttl(ctx, 60), -EINVAL);
    return 0;
}

static void a_ttl_is_for_a_connect_alone(void **state)
{
    (void)state;
    hoist_on(fixture->app, "ttl", set_ttl);
    routes_freeze(&fixture->app->routes);
    message_comes(CONN_A, "ttl", 1);
    says_reply(1, 200);
}

/* --- whatever happens ---------------------------------------------------- */

#define CONNS     4
#define EVENTS    400 /* of one world */
#define STEPS     600
#define WORLDS    200
#define QUEUE_MAX 64

/* What the broker knows, and what handlers have seen. */
typedef struct {
    random_t random;
    uint64_t events;                  /* given to the worker so far */
    uint64_t queue[CONNS][QUEUE_MAX]; /* ids without a REPLY, in order */
    size_t waiting[CONNS];            /* of queue */
    uint64_t queries[ASKED_AT_ONCE];  /* without a RESULT */
    size_t query_count;
    uint64_t open[CONNS];        /* the event whose handler runs or waits */
    bool has_failed[EVENTS + 1]; /* behind a question */
    bool is_lost;
    size_t asked, told;
} world_t;

static world_t *world;

static size_t index_of(const hoist_ctx *ctx)
{
    return (size_t)(hoist_connection(ctx).data[CONN_ID_TEXT - 1] - '0');
}

static int told_any(hoist_ctx *ctx, hoist_answer *answer, void *data);

/* End the event, ask, or both. */
static int do_any(hoist_ctx *ctx)
{
    uint64_t *open = &world->open[index_of(ctx)];
    uint64_t what = random_below(&world->random, 8);
    unsigned patience = 1 + (unsigned)random_below(&world->random, 1500);
    hoist_find_options options = {.timeout_ms = patience};

    if (what < 2) {
        *open = 0;
        return what == 0 ? hoist_reply_text(ctx, "done") : -ENOENT;
    }
    assert_int_equal(hoist_find_count(ctx, &options, told_any, world), 0);
    world->asked++;
    if (what == 2) {
        world->has_failed[hoist_request_number(ctx)] = true;
        *open = 0;
        return -EBUSY;
    }
    return 0;
}

static int told_any(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    uint64_t number = hoist_request_number(ctx);

    assert_ptr_equal(data, world);
    assert_true(hoist_answer_status(answer) >= 200);
    world->told++;
    if (world->is_lost) {
        assert_int_equal(hoist_reply_status(ctx, 200), -ENOTCONN);
        return 0;
    }
    if (world->has_failed[number]) {
        assert_int_equal(hoist_reply_status(ctx, 200), -EALREADY);
        return 0;
    }
    assert_int_equal(world->open[index_of(ctx)], number);
    return do_any(ctx);
}

static int handle_any(hoist_ctx *ctx)
{
    uint64_t *open = &world->open[index_of(ctx)];

    assert_int_equal(*open, 0); /* the one before has ended */
    *open = hoist_request_number(ctx);
    return do_any(ctx);
}

static void broker_takes_reply(uint64_t id)
{
    for (size_t i = 0; i < CONNS; i++) {
        uint64_t *queue = world->queue[i];
        if (world->waiting[i] > 0 && queue[0] == id) {
            world->waiting[i]--;
            memmove(queue, queue + 1, world->waiting[i] * sizeof *queue);
            return;
        }
    }
    fail_msg("a REPLY out of order, or to nothing: %" PRIu64, id);
}

static void broker_listens(void)
{
    message_t message;

    while (sdk_take(&fixture->link.outbox.ready, &fixture->frame, &message)) {
        if (message.kind == KIND_REPLY) {
            broker_takes_reply(message.reply.id);
        } else if (message.kind == KIND_QUERY) {
            assert_true(world->query_count < ASKED_AT_ONCE);
            world->queries[world->query_count++] = message.query.id;
        }
    }
}

static void broker_asks(void)
{
    char conn[] = "000000000000000?";
    size_t i = random_below(&world->random, CONNS);

    if (world->events == EVENTS || world->waiting[i] == QUEUE_MAX) {
        return;
    }
    message_request_t request = sdk_message("any");
    conn[CONN_ID_TEXT - 1] = (char)('0' + i);
    request.id = request.number = ++world->events;
    request.conn = wire_bytes(conn);
    world->queue[i][world->waiting[i]++] = request.id;
    must(message_put_request(&fixture->in, &request) == 0);
    feed(fixture->now_ms);
}

static void broker_answers(void)
{
    if (world->query_count == 0) {
        return;
    }
    size_t i = random_below(&world->random, world->query_count);
    uint64_t id = world->queries[i];
    world->queries[i] = world->queries[--world->query_count];
    status_comes(id, random_below(&world->random, 4) == 0 ? 503 : 200);
}

static void time_passes(void)
{
    fixture->now_ms += 1 + (int64_t)random_below(&world->random, 700);
    must(message_put_bare(&fixture->in, KIND_PONG) == 0);
    feed(fixture->now_ms);
}

static void broker_forgets(void)
{
    world->is_lost = true;
    must(message_put_bare(&fixture->in, KIND_WHO) == 0);
    feed(fixture->now_ms);
    world->is_lost = false;
    assert_int_equal(world->asked, world->told);
    memset(world->waiting, 0, sizeof world->waiting);
    memset(world->open, 0, sizeof world->open);
    world->query_count = 0;
    come_up(fixture->now_ms);
}

static void step(void)
{
    uint64_t what = random_below(&world->random, 100);

    if (what < 45) {
        broker_asks();
    } else if (what < 90) {
        broker_answers();
    } else if (what < 99) {
        time_passes();
    } else {
        broker_forgets();
    }
    broker_listens();
}

/* Answer all that is still asked; then each event has its reply. */
static void come_to_rest(void)
{
    while (world->query_count > 0) {
        broker_answers();
        broker_listens();
    }
    assert_int_equal(world->asked, world->told);
    assert_int_equal(fixture->link.asked.count, 0);
    assert_int_equal(fixture->link.mail.boxes, 0);
    assert_int_equal(fixture->link.mail.bytes, 0);
    for (size_t i = 0; i < CONNS; i++) {
        assert_int_equal(world->waiting[i], 0);
        assert_int_equal(world->open[i], 0);
    }
}

static void
each_event_has_one_reply_in_order_and_each_question_one_answer(void **state)
{
    (void)state;
    hoist_on(fixture->app, "any", handle_any);
    routes_freeze(&fixture->app->routes);
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        world = xcalloc(1, sizeof *world);
        random_init(&world->random, seed);
        for (int i = 0; i < STEPS; i++) {
            step();
        }
        come_to_rest();
        random_fini(&world->random);
        free(world);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handler_asks_and_replies_when_it_knows),
        TEST(limit_and_cursor_are_told_and_left_out_when_not_set),
        TEST(an_answer_leads_to_the_next_page),
        TEST(rows_show_user_attributes_and_ttl),
        TEST(whatever_rows_come_they_end),
        TEST(a_count_is_a_number),
        TEST(members_of_a_group_are_asked_for_or_their_number),
        TEST(a_live_connection_tells_when_it_was_last_active),
        TEST(a_wrong_question_is_refused_and_one_at_a_time_is_asked),
        TEST(who_has_replied_asks_no_more),
        TEST(what_a_connect_accepted_before_it_asked_is_in_its_reply),
        TEST(the_connections_next_events_wait_and_others_do_not),
        TEST(events_behind_one_that_asks_again_keep_their_order),
        TEST(unordered_messages_neither_wait_nor_let_others_wait),
        TEST(sixteen_are_asked_at_once_and_more_wait_their_turn),
        TEST(more_events_than_1024_do_not_wait),
        TEST(events_that_wait_count_as_held),
        TEST(a_failure_behind_a_question_ends_the_event_at_once),
        TEST(so_does_a_failure_of_middleware),
        TEST(a_retry_asks_anew_and_each_answer_comes_once),
        TEST(an_answer_that_fails_behind_another_question_lets_the_next_go),
        TEST(a_failure_that_comes_too_late_takes_nothing_back),
        TEST(an_answer_does_not_run_the_chain_again),
        TEST(no_answer_in_time_is_504_and_a_late_one_is_nobodys),
        TEST(a_handler_may_be_less_patient),
        TEST(a_query_that_is_late_keeps_its_place_at_the_broker),
        TEST(a_broker_that_leaves_answers_503),
        TEST(so_does_one_that_does_not_know_us_any_more),
        TEST(a_worker_that_ends_tells_who_waits),
        TEST(draining_waits_for_the_answers),
        TEST(a_result_that_nobody_asked_for_is_nobodys),
        TEST(a_ttl_is_for_a_connect_alone),
        TEST(each_event_has_one_reply_in_order_and_each_question_one_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
