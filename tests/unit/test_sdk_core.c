/* SPDX-License-Identifier: MIT
 *
 * From a REQUEST to its REPLY: routes, middleware, context, reply, push.
 */
#include "base/xalloc.h"
#include "tests/unit/sdk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct {
    hoist_app *app;
    core_t core;
    outbox_t outbox;
    buf_t frame, map; /* what a message lends from; what a request carries */
    char trace[256];  /* what handlers and middleware noted */
} fixture_t;

static fixture_t *fixture; /* of the test that runs, for its handlers */

static int setup(void **state)
{
    fixture = xcalloc(1, sizeof *fixture);
    fixture->app = hoist_app_new();
    outbox_init(&fixture->outbox);
    buf_init(&fixture->frame, FRAME_MAX);
    buf_init(&fixture->map, FRAME_MAX);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    core_fini(&fixture->core);
    hoist_app_destroy(&fixture->app);
    outbox_fini(&fixture->outbox);
    buf_fini(&fixture->frame);
    buf_fini(&fixture->map);
    free(fixture);
    return 0;
}

static void note(const char *word)
{
    size_t len = strlen(fixture->trace);
    snprintf(fixture->trace + len, sizeof fixture->trace - len, "%s%s",
             len > 0 ? " " : "", word);
}

/* Run one event and return its REPLY, which must be the only thing left. */
static message_reply_t run(message_request_t request)
{
    message_t message;

    routes_freeze(&fixture->app->routes, &fixture->app->around);
    core_init(&fixture->core, fixture->app);
    core_handle(&fixture->core, &request, 0, &fixture->outbox, NULL);
    assert_true(sdk_take(&fixture->outbox.ready, &fixture->frame, &message));
    assert_int_equal(message.kind, KIND_REPLY);
    assert_int_equal(message.reply.id, request.id);
    assert_int_equal(fixture->outbox.ready.len, 0);
    core_fini(&fixture->core);
    return message.reply;
}

static void assert_status(message_request_t request, unsigned status)
{
    assert_int_equal(run(request).status, status);
}

static void assert_text(hoist_text text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

/* --- routes -------------------------------------------------------------- */

static int note_route(hoist_ctx *ctx)
{
    char route[ROUTE_KEY_MAX + 1];
    hoist_text key = hoist_route(ctx);

    snprintf(route, sizeof route, "%.*s", (int)key.len, key.data);
    note(route);
    return 0;
}

static int note_default(hoist_ctx *ctx)
{
    note("default:");
    return note_route(ctx);
}

static void a_message_goes_to_its_route_or_to_default(void **state)
{
    (void)state;
    hoist_on(fixture->app, "chat", note_route);
    hoist_on(fixture->app, "$default", note_default);
    assert_status(sdk_message("chat"), 200);
    assert_status(sdk_message("cha"), 200);
    assert_status(sdk_message("chat"), 200);
    assert_status(sdk_message("chat"), 200);
    assert_string_equal(fixture->trace, "chat default: $default chat chat");
}

static void connect_and_disconnect_never_go_to_default(void **state)
{
    (void)state;
    hoist_on(fixture->app, "$default", note_default);
    assert_status(sdk_event(EVENT_CONNECT), 403);
    assert_status(sdk_event(EVENT_DISCONNECT), 200);
    assert_string_equal(fixture->trace, "");
}

static void a_message_without_handler_is_forbidden(void **state)
{
    (void)state;
    hoist_on(fixture->app, "chat", note_route);
    assert_status(sdk_message("other"), 403);
}

static void wrong_routes_are_refused_and_the_first_error_is_kept(void **state)
{
    hoist_app *app = fixture->app;
    char long_key[ROUTE_KEY_MAX + 2];
    (void)state;

    memset(long_key, 'r', sizeof long_key);
    long_key[ROUTE_KEY_MAX + 1] = '\0';
    assert_int_equal(hoist_on(app, "chat", note_route), 0);
    assert_int_equal(app->refusal.rc, 0);
    assert_int_equal(hoist_on(app, "chat", note_route), -EEXIST);
    assert_int_equal(hoist_on(app, "$other", note_route), -EINVAL);
    assert_int_equal(hoist_on(app, "", note_route), -EINVAL);
    assert_int_equal(hoist_on(app, NULL, note_route), -EINVAL);
    assert_int_equal(hoist_on(app, "a", NULL), -EINVAL);
    assert_int_equal(hoist_on(app, long_key, note_route), -EINVAL);
    assert_int_equal(hoist_on(app, long_key + 1, note_route), 0);
    assert_int_equal(app->refusal.rc, -EEXIST);
    assert_int_equal(hoist_redeliver(app, "chat", 100), 0);
    assert_int_equal(hoist_redeliver(app, "chat", 101), -EINVAL);
    assert_int_equal(hoist_redeliver(app, "who", 1), -ENOENT);
    assert_int_equal(hoist_redeliver(app, NULL, 1), -ENOENT);
    assert_int_equal(hoist_unordered(app, "chat"), 0);
    assert_int_equal(hoist_unordered(app, "who"), -ENOENT);
    assert_int_equal(app->refusal.rc, -EEXIST);
}

static void routes_end_at_their_limit_and_all_are_found(void **state)
{
    char key[16];
    (void)state;

    for (int i = 0; i < ROUTES_MAX; i++) {
        snprintf(key, sizeof key, "route-%d", i);
        assert_int_equal(hoist_on(fixture->app, key, note_route), 0);
    }
    assert_int_equal(hoist_on(fixture->app, "more", note_route), -ENOSPC);
    for (int i = 0; i < ROUTES_MAX; i++) {
        snprintf(key, sizeof key, "route-%d", i);
        fixture->trace[0] = '\0';
        assert_status(sdk_message(key), 200);
        assert_string_equal(fixture->trace, key);
    }
    assert_status(sdk_message("route-"), 403);
}

static void methods_and_paths_name_the_same_routes(void **state)
{
    hoist_app *app = fixture->app;
    (void)state;

    assert_int_equal(hoist_handle(app, "CONNECT", "/connect", note_route), 0);
    assert_int_equal(hoist_handle(app, "MESSAGE", "/message", note_route), 0);
    assert_int_equal(hoist_handle(app, "MESSAGE", "/chat", note_route), 0);
    assert_int_equal(hoist_handle(app, "GET", "/x", note_route), -EINVAL);
    assert_int_equal(hoist_handle(app, "CONNECT", "/x", note_route), -EINVAL);
    assert_int_equal(hoist_handle(app, "MESSAGE", "/", note_route), -EINVAL);
    assert_int_equal(hoist_handle(app, "MESSAGE", "/$connect", note_route),
                     -EINVAL);
    assert_int_equal(hoist_handle(app, NULL, NULL, note_route), -EINVAL);
    assert_status(sdk_event(EVENT_CONNECT), 200);
    assert_status(sdk_message("chat"), 200);
    assert_status(sdk_message("else"), 200);
    assert_string_equal(fixture->trace, "$connect chat $default");
}

static void be_told(hoist_app *app, hoist_text connection)
{
    (void)app;
    (void)connection;
}

static void look_again(hoist_app *app)
{
    (void)app;
}

static int begin_well(hoist_app *app)
{
    (void)app;
    return 0;
}

static void nothing_is_registered_while_the_app_runs(void **state)
{
    static int data;
    (void)state;
    fixture->app->running = true;
    assert_int_equal(hoist_on(fixture->app, "a", note_route), -EBUSY);
    assert_int_equal(hoist_use(fixture->app, NULL, NULL), -EBUSY);
    assert_int_equal(hoist_option(fixture->app, "window", "1"), -EBUSY);
    assert_int_equal(hoist_on_gone(fixture->app, be_told), -EBUSY);
    assert_int_equal(hoist_on_reload(fixture->app, look_again), -EBUSY);
    assert_int_equal(hoist_on_start(fixture->app, begin_well), -EBUSY);
    assert_int_equal(hoist_on_stop(fixture->app, begin_well), -EBUSY);
    assert_int_equal(hoist_app_set_data(fixture->app, &data), -EBUSY);
    assert_null(hoist_app_data(fixture->app));
    fixture->app->running = false;
    assert_int_equal(fixture->app->refusal.rc, 0);
    assert_int_equal(hoist_app_set_data(fixture->app, &data), 0);
    assert_ptr_equal(hoist_app_data(fixture->app), &data);
}

/* --- middleware ---------------------------------------------------------- */

static char in_1[] = "in1", in_2[] = "in2", in_3[] = "in3";

static int around(hoist_ctx *ctx, void *config)
{
    const char *name = config;

    note(name);
    int rc = hoist_next(ctx);
    note(rc < 0 ? "failed" : "out");
    note(name + 2);
    return rc;
}

static int note_handler(hoist_ctx *ctx)
{
    note("handler");
    return hoist_reply_text(ctx, "done");
}

static void
middleware_runs_outermost_first_and_comes_back_inside_out(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", note_handler);
    hoist_wrap(fixture->app, around, in_1);
    hoist_wrap(fixture->app, around, in_2);
    hoist_wrap(fixture->app, around, in_3);
    assert_status(sdk_message("a"), 200);
    assert_string_equal(fixture->trace,
                        "in1 in2 in3 handler out 3 out 2 out 1");
}

static int refuse(hoist_ctx *ctx, void *config)
{
    (void)config;
    note("refuse");
    return hoist_reply_status(ctx, 401);
}

static void a_middleware_that_does_not_go_on_has_decided(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", note_handler);
    hoist_wrap(fixture->app, around, in_1);
    hoist_wrap(fixture->app, refuse, NULL);
    assert_status(sdk_message("a"), 401);
    assert_string_equal(fixture->trace, "in1 refuse out 1");
}

static int fail_once(hoist_ctx *ctx)
{
    if (strstr(fixture->trace, "first") == NULL) {
        note("first");
        (void)hoist_reply_text(ctx, "half");
        return hoist_fail(ctx, 503, "busy", "not now");
    }
    note("second");
    return hoist_reply_text(ctx, "whole");
}

static int retry(hoist_ctx *ctx, void *config)
{
    (void)config;
    int rc = hoist_next(ctx);

    if (rc < 0) {
        assert_int_equal(hoist_replied(ctx), 0);
        assert_string_equal(hoist_error_code(ctx), "busy");
        rc = hoist_next(ctx);
        assert_string_equal(hoist_error_code(ctx), "");
        assert_string_equal(hoist_error_message(ctx), "");
    }
    return rc;
}

static void a_retry_begins_without_the_reply_and_error_before(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", fail_once);
    hoist_wrap(fixture->app, retry, NULL);
    message_reply_t reply = run(sdk_message("a"));
    assert_int_equal(reply.status, 200);
    assert_text(lend(reply.body.bytes), "whole");
    assert_string_equal(fixture->trace, "first second");
}

static int drop_result(hoist_ctx *ctx, void *config)
{
    (void)config;
    (void)hoist_next(ctx);
    return 0;
}

static int fail_conflict(hoist_ctx *ctx)
{
    return hoist_fail(ctx, 409, "taken", "\"Ada\" is here");
}

static void a_failure_stays_one_though_a_middleware_drops_it(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", fail_conflict);
    hoist_wrap(fixture->app, drop_result, NULL);
    assert_status(sdk_message("a"), 409);
}

static char key_a, key_b, keys[KEYS_MAX];

static int set_value(hoist_ctx *ctx, void *config)
{
    assert_null(hoist_get(ctx, &key_a));
    assert_int_equal(hoist_set(ctx, &key_a, config), 0);
    return hoist_next(ctx);
}

static int get_value(hoist_ctx *ctx)
{
    note(hoist_get(ctx, &key_a));
    assert_null(hoist_get(ctx, &key_b));
    for (int i = 1; i < KEYS_MAX; i++) {
        assert_int_equal(hoist_set(ctx, &keys[i], ctx), 0);
    }
    assert_int_equal(hoist_set(ctx, &key_b, ctx), -ENOBUFS);
    assert_int_equal(hoist_set(ctx, &key_a, NULL), 0);
    return 0;
}

static void values_go_inwards_and_are_gone_at_the_next_event(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", get_value);
    hoist_wrap(fixture->app, set_value, in_1);
    assert_status(sdk_message("a"), 200);
    assert_status(sdk_message("a"), 200);
    assert_string_equal(fixture->trace, "in1 in1");
}

static void middleware_has_a_limit(void **state)
{
    (void)state;
    for (int i = 0; i < MIDDLEWARE_MAX; i++) {
        assert_int_equal(hoist_wrap(fixture->app, drop_result, NULL), 0);
    }
    assert_int_equal(hoist_wrap(fixture->app, drop_result, NULL), -ENOSPC);
    assert_int_equal(hoist_use(fixture->app, NULL, NULL), -EINVAL);
    assert_int_equal(fixture->app->refusal.rc, -ENOSPC);
}

/* --- reply --------------------------------------------------------------- */

static int silent(hoist_ctx *ctx)
{
    assert_int_equal(hoist_replied(ctx), 0);
    return 0;
}

static void a_handler_that_never_replies_has_replied_200(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", silent);
    message_reply_t reply = run(sdk_message("a"));
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.type, BODY_NONE);
}

static int reply_twice(hoist_ctx *ctx)
{
    assert_int_equal(hoist_reply(ctx, 201, HOIST_TEXT, hoist_str("one")), 0);
    assert_int_equal(hoist_replied(ctx), 201);
    assert_int_equal(hoist_reply_text(ctx, "two"), -EALREADY);
    return 0;
}

static void only_the_first_reply_counts(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", reply_twice);
    message_reply_t reply = run(sdk_message("a"));
    assert_int_equal(reply.status, 201);
    assert_text(lend(reply.body.bytes), "one");
}

static int reply_wrongly(hoist_ctx *ctx)
{
    hoist_text large = {xcalloc(1, OUTBOX_BODY_MAX + 1), OUTBOX_BODY_MAX + 1};

    assert_int_equal(hoist_reply(ctx, 200, HOIST_BINARY, large), -EMSGSIZE);
    free((void *)(uintptr_t)large.data);
    assert_int_equal(hoist_reply_status(ctx, 99), -EINVAL);
    assert_int_equal(hoist_reply_status(ctx, 600), -EINVAL);
    assert_int_equal(hoist_reply(ctx, 200, (hoist_type)3, hoist_str("")),
                     -EINVAL);
    assert_int_equal(hoist_replied(ctx), 0);
    return hoist_reply_binary(ctx, "\0\1", 2);
}

static void a_refused_reply_leaves_room_for_a_right_one(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", reply_wrongly);
    message_reply_t reply = run(sdk_message("a"));
    assert_int_equal(reply.body.type, BODY_BINARY);
    assert_int_equal(reply.body.bytes.len, 2);
}

static int failure;

static int reply_and_fail(hoist_ctx *ctx)
{
    (void)hoist_reply_text(ctx, "all is well");
    return failure;
}

static void a_failure_takes_the_reply_back_and_becomes_a_status(void **state)
{
    static const struct {
        int error;
        unsigned status;
    } cases[] = {{-EINVAL, 400},    {-EBADMSG, 400},   {-EPROTO, 400},
                 {-EILSEQ, 400},    {-EACCES, 403},    {-EPERM, 403},
                 {-ENOENT, 404},    {-EEXIST, 409},    {-EMSGSIZE, 413},
                 {-EAGAIN, 429},    {-EBUSY, 503},     {-ENOBUFS, 503},
                 {-ETIMEDOUT, 504}, {-ECANCELED, 500}, {-1000, 500}};
    (void)state;

    hoist_on(fixture->app, "a", reply_and_fail);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        failure = cases[i].error;
        message_reply_t reply = run(sdk_message("a"));
        assert_int_equal(reply.status, cases[i].status);
        assert_int_equal(reply.body.type, BODY_NONE);
    }
}

static int return_a_number(hoist_ctx *ctx)
{
    (void)ctx;
    return failure;
}

static int return_its_number(hoist_ctx *ctx, void *state)
{
    const int *number = state;

    (void)ctx;
    return *number;
}

static void a_result_that_lacks_its_minus_lets_nobody_in(void **state)
{
    static int number = EACCES;
    (void)state;

    hoist_on(fixture->app, "$connect", return_a_number);
    failure = EACCES;
    assert_status(sdk_event(EVENT_CONNECT), 500);
    hoist_wrap(fixture->app, return_its_number, &number);
    failure = 0;
    assert_status(sdk_event(EVENT_CONNECT), 500);
}

static void
a_positive_result_takes_the_reply_back_and_is_a_failure(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", reply_and_fail);
    hoist_wrap(fixture->app, around, in_1);
    failure = 1;
    message_reply_t reply = run(sdk_message("a"));
    assert_int_equal(reply.status, 500);
    assert_int_equal(reply.body.type, BODY_NONE);
    assert_string_equal(fixture->trace, "in1 failed 1");
}

static void a_refused_connect_carries_code_and_message_as_json(void **state)
{
    (void)state;
    hoist_on(fixture->app, "$connect", fail_conflict);
    message_reply_t reply = run(sdk_event(EVENT_CONNECT));
    assert_int_equal(reply.status, 409);
    assert_text(lend(reply.body.bytes),
                "{\"code\":\"taken\",\"message\":\"\\\"Ada\\\" is here\"}");
}

static int fail_at_length(hoist_ctx *ctx)
{
    char message[ERROR_MESSAGE_MAX + 2];

    memset(message, 'm', sizeof message);
    memcpy(message + ERROR_MESSAGE_MAX - 1, "\xc3\xa4", 3);
    (void)hoist_fail(ctx, 200, NULL, message);
    assert_string_equal(hoist_error_code(ctx), "");
    /* The last character would have been cut in its middle. */
    assert_int_equal(strlen(hoist_error_message(ctx)), ERROR_MESSAGE_MAX - 1);
    return hoist_fail(ctx, 200, NULL, NULL);
}

static void a_message_too_long_is_cut_between_characters(void **state)
{
    (void)state;
    hoist_on(fixture->app, "a", fail_at_length);
    assert_status(sdk_message("a"), 500);
}

/* --- what a CONNECT accepts ---------------------------------------------- */

/* What it has already, again and in part. */
static int accept_its_own(hoist_ctx *ctx)
{
    assert_int_equal(hoist_accept_attribute(ctx, "room", hoist_str("two")), 0);
    for (int i = 0; i < 40; i++) { /* what it has, again and longer */
        char name[8];
        (void)snprintf(name, sizeof name, "copy%d", i);
        assert_int_equal(
            hoist_accept_attribute(ctx, name, hoist_attribute(ctx, "room")), 0);
        assert_true(hoist_is(hoist_attribute(ctx, name), "two"));
    }
    assert_int_equal(hoist_accept_user(ctx, hoist_str("auth0|ada-lovelace")),
                     0);
    hoist_text user = hoist_user(ctx);
    assert_int_equal(
        hoist_accept_user(ctx, hoist_bytes(user.data + 6, user.len - 6)), 0);
    assert_true(hoist_is(hoist_user(ctx), "ada-lovelace"));
    return 0;
}

static void what_was_accepted_may_be_accepted_again(void **state)
{
    (void)state;
    hoist_on(fixture->app, "$connect", accept_its_own);
    message_reply_t reply = run(sdk_event(EVENT_CONNECT));
    assert_text(lend(wire_map_str(reply.options, "user")), "ada-lovelace");
}

static int accept_all(hoist_ctx *ctx)
{
    char large[ATTRIBUTES_MAX];

    memset(large, 'l', sizeof large);
    assert_int_equal(hoist_accept_user(ctx, hoist_str("ada")), 0);
    assert_int_equal(hoist_accept_user(ctx, hoist_bytes(large, USER_MAX + 1)),
                     -EMSGSIZE);
    assert_int_equal(hoist_accept_attribute(ctx, "room", hoist_str("one")), 0);
    assert_int_equal(hoist_accept_attribute(ctx, "room", hoist_str("two")), 0);
    assert_int_equal(
        hoist_accept_attribute(ctx, "room", hoist_bytes(large, sizeof large)),
        -EMSGSIZE);
    assert_int_equal(hoist_accept_attribute(ctx, "", hoist_str("x")), -EINVAL);
    assert_int_equal(hoist_accept_user(ctx, hoist_str("\xff")), -EILSEQ);
    assert_int_equal(hoist_accept_tenant(ctx, hoist_str("\xff")), -EILSEQ);
    assert_int_equal(hoist_accept_attribute(ctx, "room", hoist_str("\xff")),
                     -EILSEQ);
    assert_int_equal(hoist_accept_attribute(ctx, "\xff", hoist_str("x")),
                     -EILSEQ);
    assert_int_equal(hoist_accept_header(ctx, "X", hoist_str("a\r\nY: b")),
                     -EINVAL);
    assert_int_equal(hoist_accept_header(ctx, "X\n", hoist_str("a")), -EINVAL);
    assert_int_equal(hoist_accept_subprotocol(ctx, hoist_str("none")), -EINVAL);
    assert_int_equal(hoist_reply_status(ctx, 200), 0);
    assert_int_equal(hoist_accept_user(ctx, hoist_str("eve")), -EALREADY);
    return 0;
}

static void what_was_accepted_stands_when_a_later_value_is_refused(void **state)
{
    wire_cursor_t at;
    wire_bytes_t attributes;
    (void)state;

    hoist_on(fixture->app, "$connect", accept_all);
    message_reply_t reply = run(sdk_event(EVENT_CONNECT));
    assert_text(lend(wire_map_str(reply.options, "user")), "ada");
    assert_true(wire_map_find(reply.options, "attributes", &at));
    assert_int_equal(wire_get_raw_map(&at, &attributes), 0);
    assert_text(lend(wire_map_str(attributes, "room")), "two");
    assert_false(wire_map_find(reply.options, "headers", &at));
}

/* The header of a response: "Name: value", or "" where there is none. */
static const char *header_of(wire_bytes_t options)
{
    static char text[100];
    wire_cursor_t at;
    wire_bytes_t name, value;
    uint32_t count;

    if (!wire_map_find(options, "headers", &at)) {
        return "";
    }
    assert_int_equal(wire_get_array(&at, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(wire_get_array(&at, &count), 0);
    assert_int_equal(count, 2);
    must(wire_get_str(&at, &name) == 0 && wire_get_str(&at, &value) == 0);
    (void)snprintf(text, sizeof text, "%.*s: %.*s", (int)name.len,
                   (const char *)name.data, (int)value.len,
                   (const char *)value.data);
    return text;
}

static int set_headers(hoist_ctx *ctx)
{
    assert_int_equal(
        hoist_refuse_header(ctx, "Retry-After", hoist_str("1\r\n")), -EINVAL);
    assert_int_equal(hoist_refuse_header(ctx, "Retry-After", hoist_str("7")),
                     0);
    assert_int_equal(hoist_accept_header(ctx, "X-Seen", hoist_str("yes")), 0);
    return hoist_is(hoist_path(ctx), "/in")
               ? 0
               : hoist_fail(ctx, 429, "too-many", "Later");
}

static void a_refusal_has_headers_of_its_own(void **state)
{
    message_request_t request = sdk_event(EVENT_CONNECT);
    buf_t *map = &fixture->map;
    (void)state;

    hoist_on(fixture->app, "$connect", set_headers);
    message_reply_t reply = run(request);
    assert_int_equal(reply.status, 429);
    assert_text(lend(reply.body.bytes),
                "{\"code\":\"too-many\",\"message\":\"Later\"}");
    assert_string_equal(header_of(reply.options), "Retry-After: 7");
    must(wire_put_map(map, 1) == 0 && wire_put_text(map, "path") == 0 &&
         wire_put_text(map, "/in") == 0);
    request.details = (wire_bytes_t){map->data, map->len};
    reply = run(request);
    assert_int_equal(reply.status, 200);
    assert_string_equal(header_of(reply.options), "X-Seen: yes");
}

static int refuse_in_message(hoist_ctx *ctx)
{
    assert_int_equal(hoist_refuse_header(ctx, "A", hoist_str("b")), -EINVAL);
    return hoist_fail(ctx, 429, "too-many", "Later");
}

static void a_message_and_the_next_connect_have_none_of_them(void **state)
{
    (void)state;
    hoist_on(fixture->app, "$connect", set_headers);
    hoist_on(fixture->app, "a", refuse_in_message);
    (void)run(sdk_event(EVENT_CONNECT));
    assert_string_equal(header_of(run(sdk_message("a")).options), "");
    message_reply_t reply = run(sdk_event(EVENT_CONNECT));
    assert_string_equal(header_of(reply.options), "Retry-After: 7");
}

static int accept_in_message(hoist_ctx *ctx)
{
    assert_int_equal(hoist_accept_user(ctx, hoist_str("eve")), -EINVAL);
    return 0;
}

static void
a_message_accepts_nothing_and_nothing_is_left_of_a_connect(void **state)
{
    (void)state;
    hoist_on(fixture->app, "$connect", accept_all);
    hoist_on(fixture->app, "a", accept_in_message);
    (void)run(sdk_event(EVENT_CONNECT));
    assert_int_equal(wire_map_str(run(sdk_message("a")).options, "user").len,
                     0);
}

/* --- context ------------------------------------------------------------- */

static void put_pairs(buf_t *out, const char *const *texts, size_t pairs)
{
    must(wire_put_array(out, (uint32_t)pairs) == 0);
    for (size_t i = 0; i < pairs; i++) {
        must(wire_put_array(out, 2) == 0);
        must(wire_put_text(out, texts[2 * i]) == 0);
        must(wire_put_text(out, texts[2 * i + 1]) == 0);
    }
}

static int read_connect(hoist_ctx *ctx)
{
    assert_int_equal(hoist_event_of(ctx), HOIST_CONNECT);
    assert_text(hoist_connection(ctx), CONN_A);
    assert_int_equal(hoist_request_number(ctx), 70);
    assert_int_equal(hoist_attempt(ctx), 1);
    assert_ptr_equal(hoist_ctx_app(ctx), fixture->app);
    assert_text(hoist_path(ctx), "/chat");
    assert_text(hoist_header(ctx, "x-name"), "first");
    assert_null(hoist_header(ctx, "x-nam").data);
    assert_text(hoist_query(ctx, "room"), "one");
    assert_text(hoist_query(ctx, "ROOM"), "other");
    assert_null(hoist_query(ctx, "rooms").data);
    assert_text(hoist_subprotocol(ctx, 1), "v1");
    assert_null(hoist_subprotocol(ctx, 2).data);
    assert_null(hoist_user(ctx).data);
    assert_int_equal(hoist_body_type(ctx), HOIST_NONE);
    assert_int_equal(hoist_close_code(ctx), 0);
    assert_int_equal(hoist_accept_user(ctx, hoist_str("ada")), 0);
    assert_text(hoist_user(ctx), "ada");
    assert_int_equal(hoist_accept_subprotocol(ctx, hoist_str("v1")), 0);
    assert_int_equal(hoist_accept_header(ctx, "X-Seen", hoist_str("yes")), 0);
    return 0;
}

static void a_connect_shows_path_headers_query_and_subprotocols(void **state)
{
    static const char *const headers[] = {"X-Name", "first", "x-name", "then"};
    static const char *const query[] = {"Room", "other", "room", "one"};
    buf_t *map = &fixture->map;
    (void)state;

    must(wire_put_map(map, 4) == 0 && wire_put_text(map, "path") == 0 &&
         wire_put_text(map, "/chat") == 0 &&
         wire_put_text(map, "headers") == 0);
    put_pairs(map, headers, 2);
    must(wire_put_text(map, "query") == 0);
    put_pairs(map, query, 2);
    must(wire_put_text(map, "subprotocols") == 0 &&
         wire_put_array(map, 2) == 0 && wire_put_text(map, "v2") == 0 &&
         wire_put_text(map, "v1") == 0);
    message_request_t request = sdk_event(EVENT_CONNECT);
    request.details = (wire_bytes_t){map->data, map->len};
    hoist_on(fixture->app, "$connect", read_connect);
    message_reply_t reply = run(request);
    assert_int_equal(reply.status, 200);
    assert_text(lend(wire_map_str(reply.options, "subprotocol")), "v1");
}

static int read_place(hoist_ctx *ctx)
{
    const char *wanted = hoist_app_data(hoist_ctx_app(ctx));
    hoist_text place = hoist_traceparent(ctx);

    assert_true(hoist_equal(place, hoist_str(wanted)));
    assert_int_equal(place.data == NULL, wanted == NULL);
    return 0;
}

static void a_handler_sees_its_place_in_a_trace(void **state)
{
    static char place[] =
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    message_request_t request = sdk_message("a");
    (void)state;

    hoist_on(fixture->app, "a", read_place);
    assert_int_equal(run(request).status, 200);
    request.traceparent = wire_bytes("00-what is none");
    assert_int_equal(run(request).status, 200);
    hoist_app_set_data(fixture->app, place);
    request.traceparent = wire_bytes(place);
    assert_int_equal(run(request).status, 200);
}

static int read_presence(hoist_ctx *ctx)
{
    assert_int_equal(hoist_event_of(ctx), HOIST_PRESENCE);
    assert_text(hoist_joined(ctx, 0), "den");
    assert_null(hoist_joined(ctx, 1).data);
    assert_text(hoist_left(ctx, 0), "attic");
    assert_text(hoist_left(ctx, 1), "hall");
    assert_null(hoist_left(ctx, 2).data);
    return 0;
}

static void a_presence_shows_who_joined_and_left(void **state)
{
    buf_t *map = &fixture->map;
    (void)state;

    must(wire_put_map(map, 2) == 0 && wire_put_text(map, "joined") == 0 &&
         wire_put_array(map, 1) == 0 && wire_put_text(map, "den") == 0 &&
         wire_put_text(map, "left") == 0 && wire_put_array(map, 2) == 0 &&
         wire_put_text(map, "attic") == 0 && wire_put_text(map, "hall") == 0);
    message_request_t request = sdk_event(EVENT_PRESENCE);
    request.details = (wire_bytes_t){map->data, map->len};
    assert_int_equal(hoist_on(fixture->app, "$presence", read_presence), 0);
    assert_int_equal(run(request).status, 200);
}

static int read_message(hoist_ctx *ctx)
{
    hoist_websocket *ws = hoist_ws(ctx);

    assert_text(hoist_user(ctx), "ada");
    assert_null(hoist_tenant(ctx).data);
    assert_text(hoist_attribute(ctx, "room"), "two");
    assert_null(hoist_attribute(ctx, "floor").data);
    assert_text(hoist_body(ctx), "hello");
    assert_int_equal(hoist_body_type(ctx), HOIST_TEXT);
    assert_text(hoist_ws_connection(ws), CONN_A);
    assert_int_equal(hoist_ws_connected_at_ms(ws), 1234);
    assert_null(hoist_ws_user_agent(ws).data);
    assert_null(hoist_path(ctx).data);
    assert_null(hoist_header(ctx, "host").data);
    return 0;
}

static void a_message_shows_what_its_connection_was_accepted_with(void **state)
{
    buf_t *map = &fixture->map;
    (void)state;

    must(wire_put_map(map, 3) == 0 && wire_put_text(map, "user") == 0 &&
         wire_put_text(map, "ada") == 0 &&
         wire_put_text(map, "attributes") == 0 && wire_put_map(map, 1) == 0 &&
         wire_put_text(map, "room") == 0 && wire_put_text(map, "two") == 0 &&
         wire_put_text(map, "connected_at") == 0 &&
         wire_put_uint(map, 1234) == 0);
    message_request_t request = sdk_message("a");
    request.context = (wire_bytes_t){map->data, map->len};
    request.body = (body_t){BODY_TEXT, wire_bytes("hello")};
    hoist_on(fixture->app, "a", read_message);
    assert_int_equal(run(request).status, 200);
}

/* --- pushes -------------------------------------------------------------- */

static int push_around(hoist_ctx *ctx)
{
    hoist_text both[] = {hoist_str(CONN_A), hoist_str(CONN_B)};

    assert_int_equal(hoist_push(ctx, both, 2, HOIST_TEXT, hoist_str("x")), 0);
    assert_int_equal(hoist_push(ctx, both, 0, HOIST_TEXT, both[0]), -EINVAL);
    assert_int_equal(hoist_push(ctx, both, 2, HOIST_NONE, both[0]), -EINVAL);
    assert_int_equal(
        hoist_push_one(ctx, hoist_str("short"), HOIST_TEXT, both[0]), -EINVAL);
    (void)hoist_reply_text(ctx, "reply");
    assert_int_equal(hoist_ws_push(hoist_ws(ctx), HOIST_TEXT, both[0]), 0);
    assert_int_equal(hoist_close(ctx, both[1], 1005, NULL), -EINVAL);
    assert_int_equal(hoist_close(ctx, hoist_str("x"), 1000, NULL), -EINVAL);
    assert_int_equal(hoist_close(ctx, both[1], 4000, "bye"), 0);
    return failure;
}

static void assert_handled(const char *kinds)
{
    message_request_t request = sdk_message("a");

    hoist_on(fixture->app, "a", push_around);
    routes_freeze(&fixture->app->routes, &fixture->app->around);
    core_init(&fixture->core, fixture->app);
    core_handle(&fixture->core, &request, 0, &fixture->outbox, NULL);
    assert_string_equal(sdk_kinds(&fixture->outbox.ready), kinds);
}

static void pushes_and_reply_leave_in_the_order_made(void **state)
{
    (void)state;
    failure = 0;
    assert_handled("PUSH REPLY PUSH CLOSE");
}

static void a_failure_takes_back_the_reply_between_pushes(void **state)
{
    (void)state;
    failure = -EIO;
    assert_handled("PUSH PUSH CLOSE REPLY");
}

static int push_too_much(hoist_ctx *ctx)
{
    size_t len = OUTBOX_BODY_MAX;
    char *bytes = xcalloc(1, len + 1);
    hoist_text conn = hoist_str(CONN_B);
    hoist_text body = {bytes, len}, larger = {bytes, len + 1};

    assert_int_equal(hoist_push_one(ctx, conn, HOIST_BINARY, larger),
                     -EMSGSIZE);
    for (int i = 0; i < 2; i++) { /* more than 64 MiB, with what is around */
        assert_int_equal(hoist_push_one(ctx, conn, HOIST_BINARY, body), 0);
    }
    assert_int_equal(hoist_push_one(ctx, conn, HOIST_BINARY, body), -ENOBUFS);
    assert_int_equal(hoist_close(ctx, conn, 1000, NULL), -ENOBUFS);
    int rc = hoist_reply(ctx, 200, HOIST_BINARY, body);
    free(bytes);
    return rc;
}

static void
a_push_past_the_bound_is_refused_and_the_reply_has_room(void **state)
{
    message_request_t request = sdk_message("a");
    (void)state;

    hoist_on(fixture->app, "a", push_too_much);
    routes_freeze(&fixture->app->routes, &fixture->app->around);
    core_init(&fixture->core, fixture->app);
    core_handle(&fixture->core, &request, 0, &fixture->outbox, NULL);
    assert_string_equal(sdk_kinds(&fixture->outbox.ready), "PUSH PUSH REPLY");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_goes_to_its_route_or_to_default),
        TEST(connect_and_disconnect_never_go_to_default),
        TEST(a_message_without_handler_is_forbidden),
        TEST(wrong_routes_are_refused_and_the_first_error_is_kept),
        TEST(routes_end_at_their_limit_and_all_are_found),
        TEST(methods_and_paths_name_the_same_routes),
        TEST(nothing_is_registered_while_the_app_runs),
        TEST(middleware_runs_outermost_first_and_comes_back_inside_out),
        TEST(a_middleware_that_does_not_go_on_has_decided),
        TEST(a_retry_begins_without_the_reply_and_error_before),
        TEST(a_failure_stays_one_though_a_middleware_drops_it),
        TEST(values_go_inwards_and_are_gone_at_the_next_event),
        TEST(middleware_has_a_limit),
        TEST(a_handler_that_never_replies_has_replied_200),
        TEST(only_the_first_reply_counts),
        TEST(a_refused_reply_leaves_room_for_a_right_one),
        TEST(a_failure_takes_the_reply_back_and_becomes_a_status),
        TEST(a_result_that_lacks_its_minus_lets_nobody_in),
        TEST(a_positive_result_takes_the_reply_back_and_is_a_failure),
        TEST(a_refused_connect_carries_code_and_message_as_json),
        TEST(a_message_too_long_is_cut_between_characters),
        TEST(what_was_accepted_may_be_accepted_again),
        TEST(what_was_accepted_stands_when_a_later_value_is_refused),
        TEST(a_refusal_has_headers_of_its_own),
        TEST(a_message_and_the_next_connect_have_none_of_them),
        TEST(a_message_accepts_nothing_and_nothing_is_left_of_a_connect),
        TEST(a_connect_shows_path_headers_query_and_subprotocols),
        TEST(a_handler_sees_its_place_in_a_trace),
        TEST(a_presence_shows_who_joined_and_left),
        TEST(a_message_shows_what_its_connection_was_accepted_with),
        TEST(pushes_and_reply_leave_in_the_order_made),
        TEST(a_failure_takes_back_the_reply_between_pushes),
        TEST(a_push_past_the_bound_is_refused_and_the_reply_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
