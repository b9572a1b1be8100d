/* SPDX-License-Identifier: MIT
 *
 * The management API's core between a scripted asker and scripted brokers.
 */
#include "base/log.h"
#include "manage/manager.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID      "AAAAAAAAAAAAAAAA"
#define BROKERS 2
#define TOKEN   "a-token-that-is-long-enough"

/* What was answered last. */
static struct {
    uint64_t number, count;
    unsigned status;
    char headers[1024], body[4096];
} told;

static manager_t *manager;
static auth_t *auth; /* TOKEN is a bearer's */
static uplink_t *uplinks[BROKERS];
static int64_t now_ms;
static uint64_t sessions;

static void on_answer(void *user, manager_caller_t caller,
                      const api_reply_t *reply)
{
    (void)user;

    told.number = caller.number;
    told.count++;
    told.status = reply->status;
    snprintf(told.headers, sizeof told.headers, "%.*s", (int)reply->headers.len,
             (const char *)reply->headers.data);
    snprintf(told.body, sizeof told.body, "%.*s", (int)reply->body.len,
             (const char *)reply->body.data);
}

static int set_up(void **state)
{
    manager_options_t options = {
        .name = "n", .stage = "", .body_max = 100, .answer = on_answer};
    (void)state;

    log_set_level(LEVEL_ERROR);
    options.auth = auth = auth_new(false);
    assert_int_equal(auth_add_tokens(auth, wire_bytes(TOKEN)), 0);
    memset(&told, 0, sizeof told);
    memset(uplinks, 0, sizeof uplinks);
    now_ms = 1000;
    manager = manager_new(&options, "boot");
    manager_begin(manager, now_ms, now_ms);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;

    manager_destroy(&manager);
    auth_destroy(&auth);
    return 0;
}

static void time_passes(int64_t ms)
{
    now_ms += ms;
    manager_begin(manager, now_ms, now_ms);
    manager_end(manager);
}

/* --- the broker's side --------------------------------------------------- */

/* The next message to that broker. */
static message_t is_sent(size_t broker, message_kind_t kind)
{
    static uint8_t bytes[65536];
    buf_t *out = &uplinks[broker]->out;
    message_t message;

    assert_in_range(out->len, 1, sizeof bytes);
    memcpy(bytes, out->data, out->len);
    wire_cursor_t in = wire_cursor((wire_bytes_t){bytes, out->len});
    assert_int_equal(message_decode(&in, &message), 1);
    assert_int_equal(message.kind, kind);
    buf_drop(out, message.size);
    return message;
}

static void says(size_t broker, const message_t *message)
{
    buf_t out;

    buf_init(&out, FRAME_MAX);
    assert_int_equal(message_put(&out, message), 0);
    manager_frame(manager, broker, (wire_bytes_t){out.data, out.len});
    buf_fini(&out);
}

static void welcomes(size_t broker, uint64_t window)
{
    message_t hello = is_sent(broker, KIND_HELLO);
    message_t welcome = {.kind = KIND_WELCOME};
    buf_t options;

    assert_true(wire_is(hello.hello.role, "manager"));
    buf_init(&options, 1024);
    assert_int_equal(wire_put_map(&options, 4), 0);
    assert_int_equal(wire_put_text(&options, "peer"), 0);
    assert_int_equal(wire_put_str(&options, hello.hello.boot), 0);
    assert_int_equal(wire_put_text(&options, "session"), 0);
    assert_int_equal(wire_put_uint(&options, ++sessions), 0);
    assert_int_equal(wire_put_text(&options, "push_window"), 0);
    assert_int_equal(wire_put_uint(&options, window), 0);
    assert_int_equal(wire_put_text(&options, "push_window_bytes"), 0);
    assert_int_equal(wire_put_uint(&options, 1 << 20), 0);
    welcome.welcome = (message_welcome_t){
        .version = 1,
        .boot = wire_bytes("broker"),
        .heartbeat_ms = 1000,
        .liveness_ms = 3000,
        .options = {options.data, options.len},
    };
    says(broker, &welcome);
    buf_fini(&options);
}

static void a_broker(size_t broker, uint64_t window)
{
    uplinks[broker] = manager_add_broker(manager, broker, "tcp://b");
    welcomes(broker, window);
}

static void tells_pushed(size_t broker, uint64_t id, uint64_t delivered,
                         uint64_t gone, uint64_t refused)
{
    message_t message = {.kind = KIND_PUSHED};

    message.pushed = (message_pushed_t){id, delivered, gone, refused};
    says(broker, &message);
}

static void tells_result(size_t broker, uint64_t id, uint64_t status)
{
    message_t message = {.kind = KIND_RESULT};
    buf_t rows;

    buf_init(&rows, 1024);
    if (status == 200) {
        assert_int_equal(wire_put_array(&rows, 1), 0);
        assert_int_equal(wire_put_array(&rows, 2), 0);
        assert_int_equal(wire_put_text(&rows, ID), 0);
        assert_int_equal(wire_put_map(&rows, 6), 0);
        assert_int_equal(wire_put_text(&rows, "ip"), 0);
        assert_int_equal(wire_put_text(&rows, "::1"), 0);
        assert_int_equal(wire_put_text(&rows, "connected_at"), 0);
        assert_int_equal(wire_put_uint(&rows, 1001), 0);
        assert_int_equal(wire_put_text(&rows, "last_active_at"), 0);
        assert_int_equal(wire_put_uint(&rows, 86400000), 0);
        assert_int_equal(wire_put_text(&rows, "tenant"), 0);
        assert_int_equal(wire_put_text(&rows, "t"), 0);
        assert_int_equal(wire_put_text(&rows, "user"), 0);
        assert_int_equal(wire_put_text(&rows, "u"), 0);
        assert_int_equal(wire_put_text(&rows, "groups"), 0);
        assert_int_equal(wire_put_array(&rows, 2), 0);
        assert_int_equal(wire_put_text(&rows, "g"), 0);
        assert_int_equal(wire_put_text(&rows, "\"h\""), 0);
    }
    message.result = (message_result_t){
        .id = id, .status = status, .rows = {rows.data, rows.len}};
    says(broker, &message);
    buf_fini(&rows);
}

/* Which of two brokers was chosen, and who the other is. */
static size_t chosen(void)
{
    assert_true((uplinks[0]->out.len == 0) != (uplinks[1]->out.len == 0));
    return uplinks[0]->out.len > 0 ? 0 : 1;
}

/* What gathered has left. */
static void all_is_sent(void)
{
    for (size_t i = 0; i < BROKERS && uplinks[i] != NULL; i++) {
        uplink_sent(uplinks[i], now_ms);
    }
}

/* --- the asker's side ---------------------------------------------------- */

static void asks_with(uint64_t number, bool is_trusted, const char *line,
                      const char *headers, const char *body)
{
    char head[1024];
    http_request_t request;

    snprintf(head, sizeof head,
             "%s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n%s\r\n", line,
             strlen(body), headers);
    assert_int_equal(
        http_parse((const uint8_t *)head, strlen(head), sizeof head, &request),
        0);
    manager_ask(manager, (manager_caller_t){0, number}, is_trusted, &request,
                wire_bytes(body));
}

static void asks(uint64_t number, const char *line, const char *body)
{
    asks_with(number, true, line, "", body);
}

/* On the clients' listener. */
static void anybody_asks(uint64_t number, const char *headers, const char *body)
{
    asks_with(number, false, "POST /@all", headers, body);
}

static void is_told(uint64_t number, unsigned status, const char *text)
{
    assert_int_equal(told.number, number);
    assert_int_equal(told.status, status);
    assert_non_null(strstr(text[0] == '{' ? told.body : told.headers, text));
}

static void shows_its_head(uint64_t number, const char *token)
{
    char head[256];
    http_request_t request;

    snprintf(head, sizeof head,
             "POST /@all HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n"
             "Authorization: Bearer %s\r\n\r\n",
             token);
    assert_int_equal(
        http_parse((const uint8_t *)head, strlen(head), sizeof head, &request),
        0);
    manager_look(manager, (manager_caller_t){0, number}, &request);
}

static uint64_t ack_of(const message_t *push)
{
    return wire_map_uint(push->push.options, "ack", 0);
}

static uint64_t posts(uint64_t number, const char *body)
{
    asks(number, "POST /@connections/" ID, body);
    message_t push = is_sent(0, KIND_PUSH);
    assert_true(wire_is(push.push.body.bytes, body));
    return ack_of(&push);
}

/* --- tests --------------------------------------------------------------- */

static void a_post_is_a_push_and_what_came_of_it_the_answer(void **state)
{
    (void)state;

    a_broker(0, 10);
    tells_pushed(0, posts(1, "x"), 1, 0, 0);
    is_told(1, 200, "x-amzn-RequestId: ");
    tells_pushed(0, posts(2, "x"), 0, 1, 0);
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 404);
    is_told(2, 410, "x-amzn-ErrorType: GoneException\r\n");
    tells_pushed(0, posts(3, "x"), 0, 0, 1);
    is_told(3, 429, "LimitExceededException");
    assert_int_equal(told.count, 3);
}

static void a_head_is_judged_before_its_body(void **state)
{
    (void)state;

    shows_its_head(1, TOKEN);
    assert_int_equal(told.status, 100);
    assert_int_equal(manager_stats(manager)->requests, 0);
    shows_its_head(2, "nobody's");
    is_told(2, 403, "ForbiddenException");
    assert_int_equal(manager_stats(manager)->requests, 1);
    assert_int_equal(manager_stats(manager)->denied, 1);
}

static void text_is_text_and_the_rest_is_binary(void **state)
{
    (void)state;

    a_broker(0, 10);
    asks(1, "POST /@connections/" ID, "\xc3\xa4");
    assert_int_equal(is_sent(0, KIND_PUSH).push.body.type, BODY_TEXT);
    asks(1, "POST /@connections/" ID, "\xe4");
    assert_int_equal(is_sent(0, KIND_PUSH).push.body.type, BODY_BINARY);
    asks(1, "POST /@connections/" ID, "");
    assert_int_equal(is_sent(0, KIND_PUSH).push.body.type, BODY_TEXT);
}

static void a_post_to_a_name_is_counted(void **state)
{
    (void)state;

    a_broker(0, 10);
    asks(1, "POST /@users/bob", "x");
    message_t push = is_sent(0, KIND_PUSH);
    tells_pushed(0, ack_of(&push), 3, 1, 2);
    is_told(1, 200, "{\"delivered\":3,\"gone\":1,\"refused\":2}");
}

static void a_get_is_told_by_the_gateway(void **state)
{
    (void)state;

    a_broker(0, 10);
    asks(1, "GET /@connections/" ID, "");
    message_t query = is_sent(0, KIND_QUERY);
    assert_true(wire_map_bool(query.query.options, "live", false));
    tells_result(0, query.query.id, 200);
    is_told(1, 200,
            "{\"connectedAt\":\"1970-01-01T00:00:01.001Z\",\"identity\":"
            "{\"sourceIp\":\"::1\",\"userAgent\":\"\"},"
            "\"lastActiveAt\":\"1970-01-02T00:00:00.000Z\",\"user\":\"u\","
            "\"tenant\":\"t\",\"groups\":[\"g\",\"\\\"h\\\"\"]}");
}

/* A broker that has stood for some time, and is heard. */
static void all_are_known(void)
{
    for (int i = 0; i < 3; i++) {
        for (size_t j = 0; j < BROKERS && uplinks[j] != NULL; j++) {
            uplink_heard(uplinks[j], now_ms + 1000);
        }
        time_passes(1000);
    }
    all_is_sent();
}

static void who_is_gone_for_a_broker_may_be_at_a_gateway(void **state)
{
    static const struct {
        uint64_t live;
        unsigned answer;
    } cases[] = {{200, 503}, {404, 410}, {504, 504}};
    (void)state;

    a_broker(0, 10);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tells_pushed(0, posts(i, "x"), 0, 1, 0);
        message_t query = is_sent(0, KIND_QUERY);
        assert_true(wire_map_bool(query.query.options, "live", false));
        tells_result(0, query.query.id, cases[i].live);
        is_told(i, cases[i].answer, "x-amzn-ErrorType: ");
    }
}

static void whom_one_broker_cannot_reach_another_is_asked_for(void **state)
{
    (void)state;

    a_broker(0, 10);
    a_broker(1, 10);
    asks(1, "GET /@connections/" ID, "");
    size_t first = chosen();
    tells_result(first, is_sent(first, KIND_QUERY).query.id, 503);
    message_t query = is_sent(1 - first, KIND_QUERY);
    assert_true(wire_map_bool(query.query.options, "live", false));
    tells_result(1 - first, query.query.id, 200);
    is_told(1, 200, "");
}

static void nobody_is_gone_while_a_broker_may_know_better(void **state)
{
    (void)state;

    a_broker(0, 10); /* it may have been started just now */
    asks(1, "GET /@connections/" ID, "");
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 503);
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 404);
    is_told(1, 503, "ServiceUnavailableException");
    all_are_known();
    uplinks[1] = manager_add_broker(manager, 1, "tcp://c"); /* nor greets it */
    asks(2, "GET /@connections/" ID, "");
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 503);
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 404);
    is_told(2, 503, "ServiceUnavailableException");
}

/* The store may not know of a connection that stands at its gateway. */
static void who_came_since_is_asked_before_anybody_is_gone(void **state)
{
    (void)state;

    a_broker(0, 10);
    a_broker(1, 10);
    all_are_known();
    manager_broken(manager, 1);
    asks(1, "GET /@connections/" ID, "");
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 503);
    welcomes(1, 10); /* it is the one that it was */
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 404);
    message_t query = is_sent(1, KIND_QUERY);
    assert_true(wire_map_bool(query.query.options, "live", false));
    tells_result(1, query.query.id, 200);
    is_told(1, 200, "");
}

static void who_was_lost_under_a_question_is_asked_once_more(void **state)
{
    (void)state;

    a_broker(0, 10);
    a_broker(1, 10);
    all_are_known();
    asks(1, "GET /@connections/" ID, "");
    size_t first = chosen();
    is_sent(first, KIND_QUERY);
    manager_broken(manager, first);
    welcomes(first, 10);
    tells_result(1 - first, is_sent(1 - first, KIND_QUERY).query.id, 503);
    message_t query = is_sent(first, KIND_QUERY);
    assert_true(wire_map_bool(query.query.options, "live", false));
    tells_result(first, query.query.id, 200);
    is_told(1, 200, "");
}

static void whom_no_gateway_has_the_store_may_know(void **state)
{
    static const struct {
        uint64_t status;
        unsigned answer;
    } stored[] = {{404, 410}, {200, 503}, {503, 503}, {504, 504}};
    (void)state;

    a_broker(0, 10);
    all_are_known();
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        asks(i, "GET /@connections/" ID, "");
        tells_result(0, is_sent(0, KIND_QUERY).query.id, 503);
        message_t query = is_sent(0, KIND_QUERY);
        assert_false(wire_map_bool(query.query.options, "live", false));
        tells_result(0, query.query.id, stored[i].status);
        is_told(i, stored[i].answer, "x-amzn-ErrorType: ");
    }
}

static void a_delete_looks_and_closes(void **state)
{
    (void)state;

    a_broker(0, 10);
    asks(1, "DELETE /@connections/" ID "?code=4000", "");
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 200);
    assert_int_equal(is_sent(0, KIND_CLOSE).close.code, 4000);
    assert_int_equal(told.count, 0);
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 404); /* not any more */
    is_told(1, 204, "");
    asks(2, "DELETE /@connections/" ID, "");
    tells_result(0, is_sent(0, KIND_QUERY).query.id, 404);
    is_told(2, 410, "GoneException");
    assert_int_equal(uplinks[0]->out.len, 0);
}

static void without_a_broker_it_is_503(void **state)
{
    (void)state;

    asks(1, "POST /@all", "x");
    is_told(1, 503, "{\"message\":\"Service Unavailable\"}");
}

static void a_broker_that_does_not_answer_is_504(void **state)
{
    (void)state;

    a_broker(0, 10);
    uint64_t id = posts(1, "x");
    for (int64_t ms = 0; ms < CALLS_ANSWER_MS; ms += 1000) {
        assert_int_equal(told.count, 0);
        uplink_heard(uplinks[0], now_ms);
        time_passes(1000);
    }
    is_told(1, 504, "{\"message\":\"Endpoint request timed out\"}");
    tells_pushed(0, id, 1, 0, 0);
    assert_int_equal(told.count, 1);
}

static void a_broker_that_is_lost_is_503_and_greeted_again(void **state)
{
    message_t who = {.kind = KIND_WHO};
    (void)state;

    a_broker(0, 10);
    uint64_t id = posts(1, "x");
    says(0, &who);
    is_told(1, 503, "ServiceUnavailableException");
    welcomes(0, 10);
    tells_pushed(0, id, 1, 0, 0); /* of the life before */
    assert_int_equal(told.count, 1);
    posts(2, "y");
    time_passes(3001);
    is_told(2, 503, "ServiceUnavailableException");
    assert_int_equal(manager_stats(manager)->brokers, 0);
}

static void a_broken_transport_ends_what_waits_for_it_at_once(void **state)
{
    (void)state;

    a_broker(0, 10);
    uint64_t id = posts(1, "x");
    manager_broken(manager, 0);
    is_told(1, 503, "ServiceUnavailableException");
    asks(2, "POST /@connections/" ID, "x");
    is_told(2, 503, "ServiceUnavailableException");
    welcomes(0, 10);
    tells_pushed(0, id, 1, 0, 0); /* of the life before */
    tells_pushed(0, posts(3, "x"), 1, 0, 0);
    is_told(3, 200, "");
    assert_int_equal(told.count, 3);
}

static void a_greeting_that_was_lost_is_said_again_at_once(void **state)
{
    (void)state;

    uplinks[0] = manager_add_broker(manager, 0, "tcp://b");
    is_sent(0, KIND_HELLO);
    manager_broken(manager, 0);
    welcomes(0, 10);
    assert_int_equal(manager_stats(manager)->failed, 0);
    posts(1, "x");
}

static void a_question_goes_on_at_another_broker(void **state)
{
    static const char *const lines[] = {"GET /@connections/" ID,
                                        "DELETE /@connections/" ID};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        manager_remove_broker(manager, 0);
        manager_remove_broker(manager, 1);
        a_broker(0, 10);
        a_broker(1, 10);
        asks(i, lines[i], "");
        size_t first = chosen();
        is_sent(first, KIND_QUERY);
        manager_broken(manager, first);
        assert_int_equal(told.count, i);
        message_t query = is_sent(1 - first, KIND_QUERY);
        assert_true(wire_map_bool(query.query.options, "live", false));
        tells_result(1 - first, query.query.id, 404);
        is_told(i, 410, "GoneException");
    }
}

static void what_was_to_be_closed_is_closed_by_another_broker(void **state)
{
    (void)state;

    a_broker(0, 10);
    a_broker(1, 10);
    asks(1, "DELETE /@connections/" ID "?code=4000", "");
    size_t first = chosen();
    tells_result(first, is_sent(first, KIND_QUERY).query.id, 200);
    manager_broken(manager, first);
    assert_int_equal(is_sent(1 - first, KIND_CLOSE).close.code, 4000);
    tells_result(1 - first, is_sent(1 - first, KIND_QUERY).query.id, 404);
    is_told(1, 204, "");
}

static void a_push_goes_to_no_second_broker(void **state)
{
    (void)state;

    a_broker(0, 10);
    a_broker(1, 10);
    asks(1, "POST /@connections/" ID, "x");
    size_t first = chosen();
    manager_broken(manager, first);
    is_told(1, 503, "ServiceUnavailableException");
    assert_int_equal(uplinks[1 - first]->out.len, 0);
}

/* --- lanes ---------------------------------------------------------------- */

#define OTHER_ID "BBBBBBBBBBBBBBBB" /* of another gateway */

static void asks_often(uint64_t number, uint64_t count, const char *line)
{
    for (uint64_t i = 0; i < count; i++) {
        asks(number + i, line, "x");
    }
}

static void a_gateway_that_hangs_keeps_few_calls(void **state)
{
    (void)state;

    a_broker(0, 1000);
    asks_often(0, 40, "POST /@connections/" ID);
    assert_int_equal(told.count, 0); /* nobody hangs, as far as is known */
    time_passes(CALLS_LATE_MS);
    assert_int_equal(told.count, 40 - CALLS_LATE_MAX);
    is_told(39, 504, "GatewayTimeoutException");
    assert_int_equal(manager_stats(manager)->late, 40 - CALLS_LATE_MAX);
    asks(100, "GET /@connections/" ID, "");
    is_told(100, 503, "ServiceUnavailableException");
    assert_int_equal(manager_stats(manager)->under_way, CALLS_LATE_MAX);
}

static void others_do_not_wait_for_a_gateway_that_hangs(void **state)
{
    (void)state;

    a_broker(0, 1000);
    asks_often(0, CALLS_MAX, "POST /@connections/" ID);
    time_passes(CALLS_LATE_MS);
    all_is_sent();
    asks(1000, "POST /@connections/" OTHER_ID, "x");
    message_t push = is_sent(0, KIND_PUSH);
    tells_pushed(0, ack_of(&push), 1, 0, 0);
    is_told(1000, 200, "");
}

static void who_answers_again_is_asked_again(void **state)
{
    (void)state;

    a_broker(0, 1000);
    uint64_t ids[CALLS_LATE_MAX];
    for (uint64_t i = 0; i < CALLS_LATE_MAX; i++) {
        ids[i] = posts(i, "x");
    }
    time_passes(CALLS_LATE_MS);
    assert_int_equal(told.count, 0); /* no more than may wait */
    asks(50, "POST /@connections/" ID, "x");
    is_told(50, 503, "ServiceUnavailableException");
    for (uint64_t i = 0; i < CALLS_LATE_MAX; i++) {
        tells_pushed(0, ids[i], 1, 0, 0);
        is_told(i, 200, "");
    }
    all_is_sent();
    posts(51, "x");
}

static void pushes_to_names_have_a_share_of_their_own(void **state)
{
    (void)state;

    a_broker(0, 1000);
    asks_often(0, 40, "POST /@all");
    time_passes(CALLS_LATE_MS);
    assert_int_equal(told.count, 40 - CALLS_LATE_NAMES_MAX);
    is_told(39, 504, "GatewayTimeoutException");
    asks(100, "POST /@groups/g", "x");
    is_told(100, 503, "ServiceUnavailableException");
    all_is_sent();
    posts(101, "x");
}

static void a_broker_that_hangs_is_no_fault_of_another(void **state)
{
    (void)state;

    a_broker(0, 1000);
    a_broker(1, 1000);
    asks_often(0, CALLS_LATE_MAX, "POST /@connections/" ID);
    size_t first = chosen();
    time_passes(CALLS_LATE_MS);
    all_is_sent();
    asks(50, "POST /@connections/" ID, "x");
    is_told(50, 503, "ServiceUnavailableException");
    manager_broken(manager, first);
    asks(51, "POST /@connections/" ID, "x");
    is_sent(1 - first, KIND_PUSH);
}

/* --- limits --------------------------------------------------------------- */

static void a_spent_push_window_is_429_until_credit_comes(void **state)
{
    message_t credit = {.kind = KIND_CREDIT};
    (void)state;

    a_broker(0, 1);
    tells_pushed(0, posts(1, "x"), 1, 0, 0);
    asks(2, "POST /@all", "x");
    is_told(2, 429, "LimitExceededException");
    credit.credit = (message_credit_t){1, 1000};
    says(0, &credit);
    posts(3, "x");
}

static void more_than_256_at_once_are_too_many(void **state)
{
    (void)state;

    a_broker(0, 1000);
    for (uint64_t i = 0; i < CALLS_MAX; i++) {
        asks(i, "POST /@all", "x");
    }
    assert_int_equal(told.count, 0);
    asks(1000, "POST /@all", "x");
    is_told(1000, 429, "{\"message\":\"Too Many Requests\"}");
}

static void one_name_goes_by_one_broker(void **state)
{
    (void)state;

    a_broker(0, 10);
    a_broker(1, 10);
    for (int i = 0; i < 4; i++) {
        asks(1, "POST /@users/bob", "x");
    }
    assert_true((uplinks[0]->out.len == 0) != (uplinks[1]->out.len == 0));
}

static void a_body_of_another_length_is_too_large(void **state)
{
    char large[102];
    (void)state;

    a_broker(0, 10);
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    asks(1, "POST /@all", large);
    is_told(1, 413, "PayloadTooLargeException");
}

static void who_is_not_trusted_needs_credentials(void **state)
{
    (void)state;

    a_broker(0, 10);
    anybody_asks(1, "", "x");
    is_told(1, 403, "MissingAuthenticationTokenException");
    anybody_asks(2, "Authorization: Bearer x\r\n", "x");
    is_told(2, 403, "ForbiddenException");
    anybody_asks(3, "Authorization: Bearer " TOKEN "\r\n", "x");
    is_sent(0, KIND_PUSH);
    assert_int_equal(manager_stats(manager)->denied, 2);
}

static void whether_there_are_any_is_asked_before_the_body(void **state)
{
    char large[102];
    (void)state;

    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    anybody_asks(1, "", large);
    is_told(1, 403, "MissingAuthenticationTokenException");
    anybody_asks(2, "Authorization: Bearer x\r\n", large);
    is_told(2, 413, "PayloadTooLargeException");
}

static void what_is_wrong_is_shown_and_cut(void **state)
{
    char line[600];
    (void)state;

    a_broker(0, 10);
    asks(1, "GET /@connections/%22%0a%ff", "");
    is_told(1, 400,
            "{\"message\":\"Invalid connectionId: \\\"\\u000a\xef\xbf\xbd\"}");
    snprintf(line, sizeof line, "GET /@connections/%0500d", 0);
    asks(2, line, "");
    is_told(2, 400, "BadRequestException");
    assert_in_range(strlen(told.body), 128, 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_post_is_a_push_and_what_came_of_it_the_answer),
        TEST(a_head_is_judged_before_its_body),
        TEST(text_is_text_and_the_rest_is_binary),
        TEST(a_post_to_a_name_is_counted),
        TEST(a_get_is_told_by_the_gateway),
        TEST(who_is_gone_for_a_broker_may_be_at_a_gateway),
        TEST(whom_one_broker_cannot_reach_another_is_asked_for),
        TEST(nobody_is_gone_while_a_broker_may_know_better),
        TEST(who_came_since_is_asked_before_anybody_is_gone),
        TEST(who_was_lost_under_a_question_is_asked_once_more),
        TEST(whom_no_gateway_has_the_store_may_know),
        TEST(a_delete_looks_and_closes),
        TEST(without_a_broker_it_is_503),
        TEST(a_broker_that_does_not_answer_is_504),
        TEST(a_broker_that_is_lost_is_503_and_greeted_again),
        TEST(a_broken_transport_ends_what_waits_for_it_at_once),
        TEST(a_greeting_that_was_lost_is_said_again_at_once),
        TEST(a_question_goes_on_at_another_broker),
        TEST(what_was_to_be_closed_is_closed_by_another_broker),
        TEST(a_push_goes_to_no_second_broker),
        TEST(a_gateway_that_hangs_keeps_few_calls),
        TEST(others_do_not_wait_for_a_gateway_that_hangs),
        TEST(who_answers_again_is_asked_again),
        TEST(pushes_to_names_have_a_share_of_their_own),
        TEST(a_broker_that_hangs_is_no_fault_of_another),
        TEST(a_spent_push_window_is_429_until_credit_comes),
        TEST(more_than_256_at_once_are_too_many),
        TEST(one_name_goes_by_one_broker),
        TEST(a_body_of_another_length_is_too_large),
        TEST(who_is_not_trusted_needs_credentials),
        TEST(whether_there_are_any_is_asked_before_the_body),
        TEST(what_is_wrong_is_shown_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
