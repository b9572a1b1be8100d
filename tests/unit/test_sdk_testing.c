/* SPDX-License-Identifier: MIT
 *
 * The kit that workers are tested with: it stands in the broker's place, and
 * shows what a program outside would see.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hoist.h>
#include <hoist_middleware.h>
#include <hoist_test.h>

static hoist_app *app;
static hoist_test *test;
static char heard[256]; /* what answers and the like brought */

static int setup(void **state)
{
    (void)state;
    app = hoist_app_new();
    heard[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hoist_test_destroy(&test);
    hoist_app_destroy(&app);
    return 0;
}

static void serves(const char *route, hoist_handler *handler)
{
    assert_int_equal(hoist_on(app, route, handler), 0);
}

static void opens(void)
{
    assert_int_equal(hoist_test_new(app, &test), 0);
}

static const hoist_test_outcome *runs(hoist_handler *handler)
{
    serves("a", handler);
    opens();
    return hoist_test_send(test, &(hoist_test_event){.route = "a"});
}

static void assert_text(hoist_text text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

static const hoist_test_said *says(hoist_test_kind kind)
{
    const hoist_test_said *said = hoist_test_next(test);

    assert_non_null(said);
    assert_int_equal(said->kind, kind);
    return said;
}

static int pass(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

/* --- an app under test --------------------------------------------------- */

static void an_app_is_tested_where_it_would_run(void **state)
{
    (void)state;
    assert_int_equal(hoist_test_new(app, &test), -EINVAL);
    assert_null(test);
    serves("a", pass);
    opens();
    hoist_test *second;
    assert_int_equal(hoist_test_new(app, &second), -EBUSY);
    assert_int_equal(hoist_on(app, "b", pass), -EBUSY);
    hoist_test_destroy(&test);
    assert_null(test);
    serves("b", pass);
    opens();
    hoist_test_destroy(&test);
    hoist_test_destroy(&test);
    assert_int_equal(hoist_on(app, "b", pass), -EEXIST);
    assert_int_equal(hoist_test_new(app, &test), -EEXIST);
}

/* Its broker says so, and asks nobody. */
static void is_unserved(const hoist_test_event *event, int status)
{
    const hoist_test_outcome *outcome = hoist_test_send(test, event);

    assert_false(outcome->is_served);
    assert_true(outcome->is_over);
    assert_int_equal(outcome->status, status);
    assert_int_equal(outcome->error.status, 0);
    assert_null(outcome->user.data);
    assert_null(hoist_test_header(outcome, "x-id").data);
}

static void what_nobody_serves_ends_as_a_broker_ends_it(void **state)
{
    (void)state;
    serves("a", pass);
    opens();
    is_unserved(&(hoist_test_event){.route = "b"}, 403);
    is_unserved(&(hoist_test_event){0}, 403); /* $default */
    is_unserved(&(hoist_test_event){.event = HOIST_CONNECT}, 200);
    is_unserved(&(hoist_test_event){.event = HOIST_PRESENCE}, 200);
    is_unserved(&(hoist_test_event){.event = HOIST_DISCONNECT}, 200);
    assert_true(
        hoist_test_send(test, &(hoist_test_event){.route = "a"})->is_served);
}

static int reply_route(hoist_ctx *ctx)
{
    return hoist_reply(ctx, 200, HOIST_TEXT, hoist_route(ctx));
}

static void what_has_no_route_of_its_own_goes_to_default(void **state)
{
    (void)state;
    serves("$default", reply_route);
    opens();
    const hoist_test_outcome *outcome =
        hoist_test_send(test, &(hoist_test_event){.route = "b"});
    assert_text(outcome->body, "$default");
    outcome = hoist_test_send(test, &(hoist_test_event){0});
    assert_text(outcome->body, "$default");
}

/* --- what an event brings ------------------------------------------------ */

static int look_at_connect(hoist_ctx *ctx)
{
    assert_int_equal(hoist_event_of(ctx), HOIST_CONNECT);
    assert_text(hoist_connection(ctx), HOIST_TEST_CONNECTION);
    assert_text(hoist_path(ctx), "/app");
    assert_text(hoist_query(ctx, "name"), "Ada");
    assert_text(hoist_query(ctx, "empty"), "");
    assert_text(hoist_header(ctx, "origin"), "https://example.org");
    assert_text(hoist_subprotocol(ctx, 1), "v2");
    assert_null(hoist_subprotocol(ctx, 2).data);
    assert_text(hoist_ip(ctx), "192.0.2.7");
    assert_text(hoist_ws_user_agent(hoist_ws(ctx)), "cmocka");
    assert_text(hoist_ws_domain(hoist_ws(ctx)), "example.org");
    assert_text(hoist_ws_stage(hoist_ws(ctx)), "prod");
    assert_int_equal(hoist_accept_user(ctx, hoist_query(ctx, "name")), 0);
    assert_int_equal(hoist_accept_tenant(ctx, hoist_str("acme")), 0);
    assert_int_equal(hoist_accept_attribute(ctx, "role", hoist_str("boss")), 0);
    assert_int_equal(hoist_accept_group(ctx, hoist_str("den")), 0);
    assert_int_equal(hoist_accept_ttl(ctx, 90), 0);
    assert_int_equal(hoist_accept_subprotocol(ctx, hoist_str("v2")), 0);
    assert_int_equal(hoist_accept_header(ctx, "X-Id", hoist_str("7")), 0);
    return 0;
}

static void
a_connect_brings_its_handshake_and_shows_what_was_accepted(void **state)
{
    const hoist_test_event hello = {
        .event = HOIST_CONNECT,
        .path = "/app",
        .query = {{"name", "Ada"}, {"empty", ""}},
        .headers = {{"origin", "https://example.org"}},
        .subprotocols = {"v1", "v2"},
        .ip = "192.0.2.7",
        .user_agent = "cmocka",
        .domain = "example.org",
        .stage = "prod",
    };
    (void)state;

    serves("$connect", look_at_connect);
    opens();
    const hoist_test_outcome *outcome = hoist_test_send(test, &hello);
    assert_true(outcome->is_over);
    assert_int_equal(outcome->status, 200);
    assert_text(outcome->user, "Ada");
    assert_text(outcome->tenant, "acme");
    assert_text(outcome->subprotocol, "v2");
    assert_int_equal(outcome->ttl_s, 90);
    assert_text(hoist_test_attribute(outcome, "role"), "boss");
    assert_null(hoist_test_attribute(outcome, "rank").data);
    assert_text(hoist_test_header(outcome, "x-id"), "7");
    assert_null(hoist_test_header(outcome, "x-no").data);
    assert_true(hoist_test_in_group(outcome, "den"));
    assert_false(hoist_test_in_group(outcome, "attic"));
}

static int reply_ip(hoist_ctx *ctx)
{
    assert_non_null(hoist_ip(ctx).data);
    return hoist_reply(ctx, 200, HOIST_TEXT, hoist_ip(ctx));
}

static void a_client_has_an_address(void **state)
{
    (void)state;
    assert_text(runs(reply_ip)->body, HOIST_TEST_IP);
    const hoist_test_event other = {.route = "a", .ip = "::1"};
    assert_text(hoist_test_send(test, &other)->body, "::1");
    const hoist_test_event nowhere = {.route = "a", .ip = ""};
    assert_text(hoist_test_send(test, &nowhere)->body, "");
}

static int look_at_message(hoist_ctx *ctx)
{
    assert_int_equal(hoist_event_of(ctx), HOIST_MESSAGE);
    assert_text(hoist_connection(ctx), "adas-connection-");
    assert_text(hoist_user(ctx), "Ada");
    assert_text(hoist_tenant(ctx), "acme");
    assert_text(hoist_attribute(ctx, "role"), "boss");
    assert_int_equal(hoist_attempt(ctx), 2);
    return hoist_reply(ctx, 200, hoist_body_type(ctx), hoist_body(ctx));
}

static void a_message_brings_text_or_bytes_and_whose_it_is(void **state)
{
    hoist_test_event event = {
        .route = "a",
        .connection = "adas-connection-",
        .user = "Ada",
        .tenant = "acme",
        .attributes = {{"role", "boss"}},
        .attempt = 2,
        .text = "hello",
    };
    (void)state;

    serves("a", look_at_message);
    opens();
    const hoist_test_outcome *text = hoist_test_send(test, &event);
    event.text = NULL;
    event.binary = hoist_bytes("\0\1", 2);
    const hoist_test_outcome *bytes = hoist_test_send(test, &event);
    assert_int_equal(text->type, HOIST_TEXT);
    assert_text(text->body, "hello");
    assert_int_equal(bytes->type, HOIST_BINARY);
    assert_int_equal(bytes->body.len, 2);
}

static int look_at_end(hoist_ctx *ctx)
{
    assert_int_equal(hoist_close_code(ctx), 1001);
    assert_text(hoist_close_reason(ctx), "away");
    return 0;
}

static int look_at_presence(hoist_ctx *ctx)
{
    assert_text(hoist_joined(ctx, 0), "den");
    assert_text(hoist_left(ctx, 1), "hall");
    assert_null(hoist_joined(ctx, 1).data);
    return 0;
}

static void ends_and_presence_bring_theirs(void **state)
{
    (void)state;
    serves("$disconnect", look_at_end);
    serves("$presence", look_at_presence);
    opens();
    const hoist_test_event end = {
        .event = HOIST_DISCONNECT, .close_code = 1001, .close_reason = "away"};
    const hoist_test_event presence = {
        .event = HOIST_PRESENCE, .joined = {"den"}, .left = {"attic", "hall"}};
    assert_true(hoist_test_send(test, &end)->is_over);
    assert_true(hoist_test_send(test, &presence)->is_over);
}

/* --- what comes back ----------------------------------------------------- */

static int fail_taken(hoist_ctx *ctx)
{
    return hoist_fail_with(
        ctx, &(hoist_error){409, hoist_str("taken"), hoist_str("Ada is here"),
                            hoist_str("{\"name\":\"Ada\"}")});
}

static void a_failure_shows_its_words_whatever_the_client_gets(void **state)
{
    (void)state;
    const hoist_test_outcome *outcome = runs(fail_taken);
    assert_int_equal(outcome->status, 409);
    assert_int_equal(outcome->type, HOIST_NONE);
    assert_int_equal(outcome->error.status, 409);
    assert_text(outcome->error.code, "taken");
    assert_text(outcome->error.message, "Ada is here");
    assert_text(outcome->error.details, "{\"name\":\"Ada\"}");
}

static int fail_bare(hoist_ctx *ctx)
{
    (void)ctx;
    return -EACCES;
}

static void middleware_of_the_app_stands_around_its_handlers(void **state)
{
    (void)state;
    assert_int_equal(
        hoist_use(app, hoist_recover, &(hoist_recover_config){.silent = true}),
        0);
    const hoist_test_outcome *outcome = runs(fail_bare);
    assert_int_equal(outcome->status, 403);
    assert_int_equal(outcome->error.status, 403);
    assert_text(outcome->error.code, "");
    assert_int_equal(outcome->type, HOIST_TEXT);
    assert_non_null(strstr(outcome->body.data, "\"code\":\"forbidden\""));
}

static int go_on(hoist_ctx *ctx, void *state)
{
    (void)state;
    return hoist_next(ctx);
}

static void an_app_may_have_all_layers_that_it_may_have(void **state)
{
    (void)state;
    serves("a", pass);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(hoist_wrap(app, go_on, NULL), 0);
        assert_int_equal(hoist_wrap_on(app, "a", go_on, NULL), 0);
    }
    opens();
    assert_int_equal(
        hoist_test_send(test, &(hoist_test_event){.route = "a"})->status, 200);
}

static void hear_the_outcome(hoist_ctx *ctx, void *count)
{
    assert_int_equal(hoist_replied(ctx), 200);
    ++*(int *)count;
}

static int outcomes;

static int watch_as_often_as_may_be(hoist_ctx *ctx)
{
    for (int i = 0; i < 16; i++) {
        assert_int_equal(hoist_finally(ctx, hear_the_outcome, &outcomes), 0);
    }
    assert_int_equal(hoist_finally(ctx, hear_the_outcome, &outcomes), -ENOBUFS);
    return 0;
}

static void an_event_may_be_watched_as_often_as_it_may_be(void **state)
{
    (void)state;
    outcomes = 0;
    assert_int_equal(runs(watch_as_often_as_may_be)->status, 200);
    assert_int_equal(outcomes, 16);
}

static int say_all(hoist_ctx *ctx)
{
    const hoist_text ids[] = {hoist_str("adas-connection-"),
                              hoist_str("bobs-connection-")};
    const hoist_push_options options = {
        .except = ids, .except_count = 2, .ttl_ms = 50};

    assert_int_equal(hoist_join(ctx, hoist_str("den"), ids[0]), 0);
    assert_int_equal(hoist_push_to(ctx, hoist_to_group(hoist_str("den")),
                                   HOIST_TEXT, hoist_str("hi"), &options),
                     0);
    assert_int_equal(hoist_push(ctx, ids, 2, HOIST_BINARY, hoist_str("two")),
                     0);
    assert_int_equal(hoist_push_one(ctx, ids[1], HOIST_TEXT, hoist_str("you")),
                     0);
    assert_int_equal(
        hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, hoist_str("all"), NULL),
        0);
    assert_int_equal(hoist_leave(ctx, hoist_str("den"), ids[0]), 0);
    return hoist_close(ctx, ids[1], 4000, "bye");
}

static void all_that_is_said_is_there_in_the_order_said(void **state)
{
    (void)state;
    assert_int_equal(runs(say_all)->status, 200);
    const hoist_test_said *said = says(HOIST_TEST_JOIN);
    assert_text(said->group, "den");
    assert_text(said->target.name, "adas-connection-");
    said = says(HOIST_TEST_PUSH);
    assert_int_equal(said->target.kind, HOIST_TO_GROUP);
    assert_text(said->target.name, "den");
    assert_text(said->body, "hi");
    assert_int_equal(said->except_count, 2);
    assert_text(said->except[1], "bobs-connection-");
    assert_int_equal(said->ttl_ms, 50);
    assert_false(said->is_told);
    said = says(HOIST_TEST_PUSH);
    assert_int_equal(said->target.kind, HOIST_TO_CONNECTIONS);
    assert_int_equal(said->target.count, 2);
    assert_text(said->target.names[1], "bobs-connection-");
    assert_int_equal(said->type, HOIST_BINARY);
    said = says(HOIST_TEST_PUSH);
    assert_int_equal(said->target.kind, HOIST_TO_CONNECTION);
    assert_text(said->target.name, "bobs-connection-");
    assert_int_equal(says(HOIST_TEST_PUSH)->target.kind, HOIST_TO_ALL);
    assert_text(says(HOIST_TEST_LEAVE)->group, "den");
    said = says(HOIST_TEST_CLOSE);
    assert_int_equal(said->code, 4000);
    assert_text(said->reason, "bye");
    assert_null(hoist_test_next(test));
    (void)hoist_test_send(test, &(hoist_test_event){.route = "a"});
    assert_text(says(HOIST_TEST_JOIN)->group, "den");
}

/* --- answers ------------------------------------------------------------- */

static void hear(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void hear(const char *format, ...)
{
    size_t len = strlen(heard);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(heard + len, sizeof heard - len, format, args);
    va_end(args);
}

static void assert_heard(const char *expected)
{
    assert_string_equal(heard, expected);
    heard[0] = '\0';
}

static int on_rows(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    const hoist_find_options next = {.cursor = hoist_answer_cursor(answer)};
    hoist_row row;

    hear("%d:", hoist_answer_status(answer));
    while (hoist_answer_next(answer, &row)) {
        hoist_text role = hoist_row_attribute(&row, "role");
        hear(" %.*s/%.*s", (int)row.connection.len, row.connection.data,
             (int)role.len, role.data);
    }
    if (next.cursor.len > 0) {
        return hoist_find_user(ctx, hoist_str("Ada"), &next, on_rows, data);
    }
    return hoist_reply_status(ctx, hoist_answer_status(answer));
}

static int ask(hoist_ctx *ctx)
{
    return hoist_find_user(ctx, hoist_str("Ada"), NULL, on_rows, NULL);
}

static void an_event_waits_for_its_answers(void **state)
{
    const hoist_test_answer first = {
        .rows = {{.connection = "adas-connection-",
                  .attributes = {{"role", "boss"}}}},
        .cursor = "more"};
    (void)state;

    const hoist_test_outcome *outcome = runs(ask);
    assert_false(outcome->is_over);
    const hoist_test_said *said = says(HOIST_TEST_FIND);
    assert_int_equal(said->target.kind, HOIST_TO_USER);
    assert_text(said->target.name, "Ada");
    assert_int_equal(hoist_test_tell(test, &first), 0);
    assert_heard("200: adas-connection-/boss");
    assert_text(says(HOIST_TEST_FIND)->cursor, "more");
    assert_false(outcome->is_over);
    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){.status = 404}),
                     0);
    assert_heard("404:");
    assert_int_equal(outcome->status, 404);
    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){0}), -ENOENT);
}

static void each_row_without_a_connection_has_one_of_its_own(void **state)
{
    const hoist_test_answer answer = {
        .rows = {{.user = "Ada"},
                 {.connection = "bobs-connection-"},
                 {.attributes = {{"role", "boss"}}}}};
    (void)state;

    (void)runs(ask);
    assert_int_equal(hoist_test_tell(test, &answer), 0);
    assert_heard("200: test-connection0/ bobs-connection-/ "
                 "test-connection2/boss");
}

/* --- mistakes of the test ------------------------------------------------ */

/* Who makes it says so, and aborts. */
static void aborts(void (*make)(void), const char *words)
{
    char said[256];
    int fds[2], status;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        make();
        _exit(0);
    }
    close(fds[1]);
    ssize_t len = read(fds[0], said, sizeof said - 1);
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(len > 0 && WIFSIGNALED(status));
    said[len] = '\0';
    assert_string_equal(said, words);
}

static void send_from_ada(void)
{
    (void)hoist_test_send(
        test, &(hoist_test_event){.route = "a", .connection = "ada"});
}

static void tell_of_ada(void)
{
    (void)hoist_test_tell(
        test, &(hoist_test_answer){.rows = {{.connection = "ada"}}});
}

static void a_connection_that_is_none_is_named(void **state)
{
    const char *words = "hoist_test: the connection \"ada\" is none: "
                        "an id has 16 characters\n";
    (void)state;

    (void)runs(ask);
    aborts(send_from_ada, words);
    aborts(tell_of_ada, words);
}

/* --- questions, and what goes on ----------------------------------------- */

static void the_next_event_of_its_connection_waits_behind_it(void **state)
{
    (void)state;
    serves("b", pass);
    const hoist_test_outcome *first = runs(ask);
    const hoist_test_outcome *second =
        hoist_test_send(test, &(hoist_test_event){.route = "b"});
    const hoist_test_outcome *other = hoist_test_send(
        test,
        &(hoist_test_event){.route = "b", .connection = "bobs-connection-"});
    assert_false(first->is_over || second->is_over);
    assert_true(other->is_over);
    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){0}), 0);
    assert_true(first->is_over && second->is_over);
}

static void a_question_has_its_time(void **state)
{
    (void)state;
    const hoist_test_outcome *outcome = runs(ask);
    hoist_test_pass(test, 4999);
    assert_false(outcome->is_over);
    hoist_test_pass(test, 1);
    assert_heard("504:");
    assert_int_equal(outcome->status, 504);
    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){0}), -ENOENT);
}

static void a_broker_that_is_lost_takes_events_along(void **state)
{
    (void)state;
    const hoist_test_outcome *outcome = runs(ask);
    hoist_test_lose_broker(test);
    assert_heard("503:");
    assert_true(outcome->is_over);
    assert_int_equal(outcome->status, 0);
    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){0}), -ENOENT);
    outcome = hoist_test_send(test, &(hoist_test_event){.route = "a"});
    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){0}), 0);
    assert_int_equal(outcome->status, 200);
}

static int ask_live(hoist_ctx *ctx)
{
    const hoist_find_options options = {.live = true, .limit = 7};

    return hoist_find_connection(ctx, hoist_str("bobs-connection-"), &options,
                                 on_rows, NULL);
}

static int on_count(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)data;
    hear("%llu", (unsigned long long)hoist_answer_count(answer));
    return ask_live(ctx);
}

static int ask_count(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, on_count, NULL);
}

static void questions_show_what_they_are(void **state)
{
    (void)state;
    runs(ask_count);
    assert_int_equal(says(HOIST_TEST_FIND)->target.kind, HOIST_TO_ALL);
    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){.count = 9}),
                     0);
    assert_heard("9");
    const hoist_test_said *said = says(HOIST_TEST_FIND);
    assert_int_equal(said->target.kind, HOIST_TO_CONNECTION);
    assert_true(said->live);
    assert_int_equal(said->limit, 7);
}

static int on_pushed(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    (void)ctx;
    hear("%s %d %llu/%llu/%llu", (const char *)data, pushed->status,
         (unsigned long long)pushed->delivered,
         (unsigned long long)pushed->gone, (unsigned long long)pushed->refused);
    return 0;
}

static int push_and_hear(hoist_ctx *ctx)
{
    static char aside[] = "aside", behind[] = "behind";
    const hoist_push_options told = {.told = on_pushed, .data = aside};
    const hoist_push_options then = {.told = on_pushed, .data = behind};
    int rc =
        hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, hoist_str("1"), &told);

    return rc < 0 ? rc
                  : hoist_push_then(ctx, hoist_to_all(), HOIST_TEXT,
                                    hoist_str("2"), &then);
}

static void pushes_are_told_of_in_the_order_made(void **state)
{
    (void)state;
    const hoist_test_outcome *outcome = runs(push_and_hear);
    assert_true(says(HOIST_TEST_PUSH)->is_told);
    assert_int_equal(hoist_test_tell_pushed(test, 3, 2, 1), 0);
    assert_heard("aside 200 3/2/1");
    assert_false(outcome->is_over);
    assert_int_equal(hoist_test_tell_pushed(test, 0, 1, 0), 0);
    assert_heard("behind 200 0/1/0");
    assert_true(outcome->is_over);
    assert_int_equal(hoist_test_tell_pushed(test, 0, 0, 0), -ENOENT);
}

static void on_gone(hoist_app *of, hoist_text connection)
{
    assert_ptr_equal(of, app);
    hear("%.*s has gone", (int)connection.len, connection.data);
}

static void a_connection_that_has_gone_is_told_of(void **state)
{
    (void)state;
    hoist_on_gone(app, on_gone);
    serves("a", pass);
    opens();
    hoist_test_gone(test, "bobs-connection-");
    assert_heard("bobs-connection- has gone");
}

static hoist_ticket ticket;

static int wait_for_thread(hoist_ctx *ctx)
{
    return hoist_wait(ctx, &ticket);
}

static void an_event_goes_on_when_another_thread_has_an_answer(void **state)
{
    (void)state;
    const hoist_test_outcome *outcome = runs(wait_for_thread);
    assert_false(outcome->is_over);
    assert_int_equal(
        hoist_reply_later(ticket, 201, HOIST_TEXT, hoist_str("at last")), 0);
    assert_false(outcome->is_over);
    hoist_test_pass(test, 0);
    assert_int_equal(outcome->status, 201);
    assert_text(outcome->body, "at last");
}

static void what_goes_on_waits_for_what_was_said_before(void **state)
{
    enum { EVENTS = 40 }; /* a megabyte each: more than a worker lets wait */
    static char text[1 << 20];
    const hoist_test_outcome *events[EVENTS];
    char id[17];
    (void)state;

    serves("a", wait_for_thread);
    opens();
    for (int i = 0; i < EVENTS; i++) {
        (void)snprintf(id, sizeof id, "conn%012d", i);
        events[i] = hoist_test_send(
            test, &(hoist_test_event){.route = "a", .connection = id});
        assert_int_equal(hoist_reply_later(ticket, 200, HOIST_BINARY,
                                           hoist_bytes(text, sizeof text)),
                         0);
    }
    hoist_test_pass(test, 0);
    for (int i = 0; i < EVENTS; i++) {
        assert_int_equal(events[i]->status, 200);
        assert_int_equal(events[i]->body.len, sizeof text);
    }
}

static int call_taken(hoist_ctx *ctx)
{
    hoist_called called;
    int rc = hoist_call(ctx, "taken", HOIST_NONE, hoist_str(NULL), &called);

    hear("%d %d", rc, called.status);
    return rc < 0 ? rc : hoist_reply_text(ctx, "all the same");
}

static void a_call_that_fails_is_no_failure_of_the_event(void **state)
{
    (void)state;
    serves("taken", fail_taken);
    const hoist_test_outcome *outcome = runs(call_taken);
    assert_heard("0 409");
    assert_int_equal(outcome->status, 200);
    assert_int_equal(outcome->error.status, 0);
    assert_text(outcome->body, "all the same");
}

/* --- time ---------------------------------------------------------------- */

static int look_at_deadline(hoist_ctx *ctx)
{
    return (int)hoist_deadline_left_ms(ctx) == 250 ? 0 : -EIO;
}

static int wait_until_late(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    hear("left %d", (int)hoist_deadline_left_ms(ctx));
    return 0;
}

static int ask_and_look(hoist_ctx *ctx)
{
    int rc = look_at_deadline(ctx);

    return rc < 0 ? rc : hoist_find_count(ctx, NULL, wait_until_late, NULL);
}

static void a_deadline_is_as_far_as_the_test_says(void **state)
{
    (void)state;
    serves("a", ask_and_look);
    opens();
    hoist_test_send(test,
                    &(hoist_test_event){.route = "a", .deadline_ms = 250});
    hoist_test_pass(test, 300);
    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){0}), 0);
    assert_heard("left -50");
}

static void two_tests_have_each_their_time(void **state)
{
    hoist_app *other = hoist_app_new();
    hoist_test *second;
    (void)state;

    assert_int_equal(hoist_on(other, "a", ask_and_look), 0);
    assert_int_equal(hoist_test_new(other, &second), 0);
    serves("a", ask_and_look);
    opens();
    const hoist_test_event event = {.route = "a", .deadline_ms = 250};
    hoist_test_send(second, &event);
    hoist_test_send(test, &event);
    hoist_test_pass(second, 300);
    assert_int_equal(hoist_test_tell(test, &(hoist_test_answer){0}), 0);
    assert_heard("left 250");
    assert_int_equal(hoist_test_tell(second, &(hoist_test_answer){0}), 0);
    assert_heard("left -50");
    hoist_test_destroy(&second);
    hoist_app_destroy(&other);
}

static void middleware_of_the_library_goes_by_the_time_of_the_test(void **state)
{
    const hoist_test_event event = {.route = "a", .user = "Ada"};
    (void)state;

    assert_int_equal(
        hoist_use(app, hoist_rate_limit,
                  &(hoist_rate_limit_config){.rate = 1, .per_s = 60}),
        0);
    serves("a", pass);
    opens();
    assert_int_equal(hoist_test_send(test, &event)->status, 200);
    hoist_test_pass(test, 59000);
    assert_int_equal(hoist_test_send(test, &event)->status, 429);
    hoist_test_pass(test, 1000);
    assert_int_equal(hoist_test_send(test, &event)->status, 200);
}

static int take_300_ms(hoist_ctx *ctx)
{
    int64_t began_us = hoist_now_us(ctx);

    hoist_test_pass(test, 300);
    hear("%d took %d left %d ", hoist_event_of(ctx),
         (int)(hoist_now_us(ctx) - began_us) / 1000,
         (int)hoist_deadline_left_ms(ctx));
    return 0;
}

static void a_handler_takes_the_time_that_passes_in_it(void **state)
{
    const hoist_timeout_config config = {.ms = 250};
    (void)state;

    serves("a", take_300_ms);
    assert_int_equal(hoist_use(app, hoist_timeout, &config), 0);
    opens();
    const hoist_test_outcome *outcome =
        hoist_test_send(test, &(hoist_test_event){.route = "a"});
    assert_heard("2 took 300 left -50 ");
    assert_int_equal(outcome->status, 504);
    assert_text(outcome->error.code, "timeout");
}

static int take_its_time(hoist_ctx *ctx, void *data)
{
    int64_t *start_us = data;

    if (*start_us == 0) {
        *start_us = hoist_now_us(ctx);
    }
    hear("%d ", (int)(hoist_now_us(ctx) - *start_us) / 1000);
    hoist_test_pass(test, 2500);
    return 0;
}

static void what_a_task_takes_is_not_made_up_for(void **state)
{
    int64_t start_us = 0;
    (void)state;

    serves("a", pass);
    assert_int_equal(hoist_every(app, 1000, take_its_time, &start_us), 0);
    opens();
    hoist_test_pass(test, 1000);
    assert_heard("0 ");
    hoist_test_pass(test, 0);
    assert_heard("2500 ");
    hoist_test_pass(test, 0);
    assert_heard("5000 ");
}

static int fail_and_look(hoist_ctx *ctx)
{
    hear("%d ", hoist_deadline_left_ms(ctx) == 2000);
    return -EBUSY;
}

static void a_pause_of_middleware_lets_its_time_pass(void **state)
{
    const hoist_test_event event = {.route = "a", .deadline_ms = 2000};
    (void)state;

    assert_int_equal(
        hoist_use(app, hoist_retry, &(hoist_retry_config){.attempts = 2}), 0);
    serves("a", fail_and_look);
    opens();
    assert_int_equal(hoist_test_send(test, &event)->status, 503);
    assert_heard("1 0 ");
}

static int note_time(hoist_ctx *ctx, void *data)
{
    int64_t *start_us = data;

    if (*start_us == 0) {
        *start_us = hoist_now_us(ctx);
    }
    hear("%lld ", (long long)(hoist_now_us(ctx) - *start_us) / 1000);
    return hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, hoist_str("tick"),
                         NULL);
}

static void timers_run_when_their_time_has_passed(void **state)
{
    int64_t start_us = 0;
    (void)state;

    serves("a", pass);
    assert_int_equal(hoist_every(app, 1000, note_time, &start_us), 0);
    opens();
    hoist_test_pass(test, 999);
    assert_null(hoist_test_next(test));
    hoist_test_pass(test, 3001);
    assert_heard("0 1000 2000 3000 ");
    assert_text(says(HOIST_TEST_PUSH)->body, "tick");
}

static void what_is_posted_runs_when_time_passes(void **state)
{
    int64_t start_us = 0;
    (void)state;

    serves("a", pass);
    opens();
    assert_int_equal(hoist_post(app, note_time, &start_us), 0);
    assert_null(hoist_test_next(test));
    hoist_test_pass(test, 0);
    assert_heard("0 ");
    assert_text(says(HOIST_TEST_PUSH)->body, "tick");
}

static void a_day_passes(void **state)
{
    int64_t start_us = 0;
    (void)state;

    serves("a", pass);
    assert_int_equal(hoist_every(app, 86400000, note_time, &start_us), 0);
    opens();
    hoist_test_pass(test, 86400000);
    assert_heard("0 ");
    assert_true(
        hoist_test_send(test, &(hoist_test_event){.route = "a"})->is_over);
}

#define KIT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(an_app_is_tested_where_it_would_run),
        KIT_TEST(what_nobody_serves_ends_as_a_broker_ends_it),
        KIT_TEST(what_has_no_route_of_its_own_goes_to_default),
        KIT_TEST(a_connect_brings_its_handshake_and_shows_what_was_accepted),
        KIT_TEST(a_client_has_an_address),
        KIT_TEST(a_message_brings_text_or_bytes_and_whose_it_is),
        KIT_TEST(ends_and_presence_bring_theirs),
        KIT_TEST(a_failure_shows_its_words_whatever_the_client_gets),
        KIT_TEST(middleware_of_the_app_stands_around_its_handlers),
        KIT_TEST(an_app_may_have_all_layers_that_it_may_have),
        KIT_TEST(an_event_may_be_watched_as_often_as_it_may_be),
        KIT_TEST(all_that_is_said_is_there_in_the_order_said),
        KIT_TEST(an_event_waits_for_its_answers),
        KIT_TEST(each_row_without_a_connection_has_one_of_its_own),
        KIT_TEST(a_connection_that_is_none_is_named),
        KIT_TEST(the_next_event_of_its_connection_waits_behind_it),
        KIT_TEST(a_question_has_its_time),
        KIT_TEST(a_broker_that_is_lost_takes_events_along),
        KIT_TEST(questions_show_what_they_are),
        KIT_TEST(pushes_are_told_of_in_the_order_made),
        KIT_TEST(a_connection_that_has_gone_is_told_of),
        KIT_TEST(an_event_goes_on_when_another_thread_has_an_answer),
        KIT_TEST(what_goes_on_waits_for_what_was_said_before),
        KIT_TEST(a_call_that_fails_is_no_failure_of_the_event),
        KIT_TEST(a_deadline_is_as_far_as_the_test_says),
        KIT_TEST(middleware_of_the_library_goes_by_the_time_of_the_test),
        KIT_TEST(a_handler_takes_the_time_that_passes_in_it),
        KIT_TEST(what_a_task_takes_is_not_made_up_for),
        KIT_TEST(a_pause_of_middleware_lets_its_time_pass),
        KIT_TEST(two_tests_have_each_their_time),
        KIT_TEST(timers_run_when_their_time_has_passed),
        KIT_TEST(what_is_posted_runs_when_time_passes),
        KIT_TEST(a_day_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
