/* SPDX-License-Identifier: MIT
 *
 * The middleware that comes with the C SDK: recover, request id, logger.  And
 * the log that it writes to, as programs do.
 */
#include "base/xalloc.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>

#define NUMBER_70 "AAAAAAAAAEY=" /* the number of the fixture's requests */

static void uses(const hoist_middleware *middleware, const void *config)
{
    assert_int_equal(hoist_use(worker.app, middleware, config), 0);
    worker_freezes();
}

static void says_body(uint64_t id, unsigned status, const char *body)
{
    const message_reply_t *reply = &says(KIND_REPLY)->reply;

    assert_int_equal(reply->id, id);
    assert_int_equal(reply->status, status);
    assert_int_equal(reply->body.type, BODY_TEXT);
    assert_true(hoist_is(lend(reply->body.bytes), body));
}

/* What is logged from here on. */
static void watch_log(void)
{
    log_set_level(LEVEL_INFO);
    sdk_catch();
}

static void logs(const char *part)
{
    const char *text = sdk_caught();

    if (strstr(text, part) == NULL) {
        assert_string_equal(text, part);
    }
}

static void logs_nothing(void)
{
    assert_string_equal(sdk_caught(), "");
}

/* How often that was counted. */
static uint64_t counted(const char *name, const char *labels)
{
    return hoist_counted(hoist_counter_of(worker.app, name, "", labels));
}

/* --- recover ------------------------------------------------------------- */

static int failure;

static int fail_so(hoist_ctx *ctx)
{
    (void)ctx;
    return failure;
}

static int fail_taken(hoist_ctx *ctx)
{
    return hoist_fail_with(ctx, &(hoist_error){409, hoist_str("taken"),
                                               hoist_str("\"Ada\" is here"),
                                               hoist_str("[1]")});
}

static const hoist_recover_config silent = {.silent = true};

static void a_message_that_fails_is_told_code_message_and_details(void **state)
{
    (void)state;
    serves("a", fail_taken);
    uses(hoist_recover, &silent);
    message_comes(CONN_A, "a", 1);
    says_body(1, 409,
              "{\"code\":\"taken\",\"message\":\"\\\"Ada\\\" is here\","
              "\"details\":[1],\"requestId\":\"" NUMBER_70 "\"}");
}

static void a_failure_without_words_has_those_of_its_status(void **state)
{
    static const struct {
        int failure;
        unsigned status;
        const char *words;
    } cases[] = {
        {-EINVAL, 400, "\"bad-request\",\"message\":\"Bad Request\""},
        {-EACCES, 403, "\"forbidden\",\"message\":\"Forbidden\""},
        {-ENOENT, 404, "\"not-found\",\"message\":\"Not Found\""},
        {-EEXIST, 409, "\"conflict\",\"message\":\"Conflict\""},
        {-EMSGSIZE, 413, "\"too-long\",\"message\":\"Message too long\""},
        {-EAGAIN, 429,
         "\"too-many-requests\",\"message\":\"Too Many Requests\""},
        {-EBUSY, 503, "\"unavailable\",\"message\":\"Service Unavailable\""},
        {-ETIMEDOUT, 504,
         "\"timeout\",\"message\":\"Endpoint request timed out\""},
        {-EIO, 500, "\"internal\",\"message\":\"Internal server error\""},
    };
    char body[160];
    (void)state;

    serves("$connect", fail_so);
    uses(hoist_recover, &silent);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        failure = cases[i].failure;
        snprintf(body, sizeof body, "{\"code\":%s,\"requestId\":\"%s\"}",
                 cases[i].words, NUMBER_70);
        comes(EVENT_CONNECT, CONN_A, "$connect", i + 1);
        says_body(i + 1, cases[i].status, body);
    }
}

static int fail_bare(hoist_ctx *ctx)
{
    return hoist_fail(ctx, 402, NULL, NULL);
}

static void a_status_of_no_words_of_its_own_has_those_of_its_kind(void **state)
{
    (void)state;
    serves("a", fail_bare);
    uses(hoist_recover, &silent);
    message_comes(CONN_A, "a", 1);
    says_body(1, 402,
              "{\"code\":\"failed\",\"message\":\"Bad Request\","
              "\"requestId\":\"" NUMBER_70 "\"}");
}

static int fail_in_answer(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)ctx;
    (void)answer;
    (void)data;
    return -ENOENT;
}

static int ask(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, fail_in_answer, NULL);
}

static void a_failure_behind_an_answer_is_told_likewise(void **state)
{
    (void)state;
    serves("a", ask);
    uses(hoist_recover, &silent);
    message_comes(CONN_A, "a", 1);
    status_comes(says_query(), 200);
    says_body(1, 404,
              "{\"code\":\"not-found\",\"message\":\"Not Found\","
              "\"requestId\":\"" NUMBER_70 "\"}");
}

static void a_disconnect_that_fails_is_told_nobody(void **state)
{
    (void)state;
    failure = -EIO;
    serves("$disconnect", fail_so);
    uses(hoist_recover, &silent);
    comes(EVENT_DISCONNECT, CONN_A, "$disconnect", 1);
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    assert_int_equal(reply->status, 500);
    assert_int_equal(reply->body.type, BODY_NONE);
}

static void only_failures_of_500_and_above_are_logged(void **state)
{
    (void)state;
    failure = -ENOENT;
    serves("a", fail_so);
    uses(hoist_recover, NULL);
    watch_log();
    message_comes(CONN_A, "a", 1);
    logs_nothing();
    failure = -EIO;
    watch_log();
    message_comes(CONN_A, "a", 2);
    logs("warn WORKER-HANDLER-FAILED request=" NUMBER_70
         " route=a connection=" CONN_A " status=500 code=internal "
         "error=\"Input/output error\"");
}

static int fail_in_words(hoist_ctx *ctx)
{
    return hoist_fail(ctx, 503, "stock-down", "The stock does not answer");
}

static int reply_with_500(hoist_ctx *ctx)
{
    return hoist_reply_status(ctx, 500);
}

static void who_fails_on_purpose_is_logged_with_its_own_words(void **state)
{
    (void)state;
    serves("a", fail_in_words);
    serves("b", reply_with_500);
    uses(hoist_recover, NULL);
    watch_log();
    message_comes(CONN_A, "a", 1);
    logs(" status=503 code=stock-down error=\"The stock does not answer\" "
         "suppressed=0\n");
    watch_log();
    message_comes(CONN_A, "b", 2);
    logs(" status=500 code= error=\"\" suppressed=0\n"); /* its own reply */
}

static void failures_are_counted_by_their_status(void **state)
{
    (void)state;
    serves("a", fail_so);
    serves("b", reply_with_500);
    uses(hoist_recover, &silent);
    failure = -ENOENT;
    message_comes(CONN_A, "a", 1);
    failure = -EIO;
    message_comes(CONN_A, "a", 2);
    message_comes(CONN_A, "a", 3);
    failure = 0;
    message_comes(CONN_A, "a", 4);
    message_comes(CONN_A, "b", 5); /* which is a reply */
    assert_int_equal(counted("hoist_worker_recovered_total", "status=\"4xx\""),
                     1);
    assert_int_equal(counted("hoist_worker_recovered_total", "status=\"5xx\""),
                     2);
}

/* --- request id ---------------------------------------------------------- */

static int note_id(hoist_ctx *ctx)
{
    char text[200];
    hoist_text id = hoist_request_id_of(ctx);

    snprintf(text, sizeof text, "%.*s", (int)id.len, id.data);
    note(text);
    return 0;
}

/* A CONNECT with this header; the name of the response's header and its value
 * are noted behind what the handler noted. */
static void connects_with(const char *name, const char *value)
{
    message_request_t request = sdk_event(EVENT_CONNECT);
    wire_cursor_t at;
    wire_bytes_t answer;
    uint32_t count, pair;
    char text[300];
    buf_t details;

    buf_init(&details, 1000);
    must(wire_put_map(&details, 1) == 0);
    must(wire_put_text(&details, "headers") == 0);
    must(wire_put_array(&details, 1) == 0 && wire_put_array(&details, 2) == 0);
    must(wire_put_text(&details, name) == 0);
    must(wire_put_text(&details, value) == 0);
    request.details = (wire_bytes_t){details.data, details.len};
    must(message_put_request(&worker.in, &request) == 0);
    buf_fini(&details);
    feed(worker.now_ms);
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    assert_true(wire_map_find(reply->options, "headers", &at));
    assert_int_equal(wire_get_array(&at, &count), 0);
    assert_int_equal(wire_get_array(&at, &pair), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wire_get_str(&at, &answer), 0);
        snprintf(text, sizeof text, "%.*s", (int)answer.len,
                 (const char *)answer.data);
        note(text);
    }
}

static void a_connect_has_the_clients_id_and_is_told_it(void **state)
{
    (void)state;
    serves("$connect", note_id);
    uses(hoist_request_id, NULL);
    connects_with("x-request-id", "trace/7@home");
    assert_trace("trace/7@home X-Request-ID trace/7@home");
}

static void an_id_that_is_not_plain_or_too_long_does_not_count(void **state)
{
    char id[130] = "";
    (void)state;

    serves("$connect", note_id);
    uses(hoist_request_id, NULL);
    memset(id, 'i', 129);
    connects_with("x-request-id", id);
    assert_trace(NUMBER_70 " X-Request-ID " NUMBER_70);
    connects_with("x-request-id", "");
    assert_trace(NUMBER_70 " X-Request-ID " NUMBER_70);
    connects_with("x-request-id", "two words");
    assert_trace(NUMBER_70 " X-Request-ID " NUMBER_70);
    connects_with("x-request-id", "a\"b");
    assert_trace(NUMBER_70 " X-Request-ID " NUMBER_70);
}

static void
the_header_is_the_programs_choice_and_so_is_whose_id_counts(void **state)
{
    (void)state;
    serves("$connect", note_id);
    uses(hoist_request_id,
         &(hoist_request_id_config){.header = "Trace", .own = true});
    connects_with("trace", "mine");
    assert_trace(NUMBER_70 " Trace " NUMBER_70);
}

static void whose_id_a_connection_has_is_counted(void **state)
{
    (void)state;
    serves("$connect", note_id);
    serves("a", note_id);
    uses(hoist_request_id, NULL);
    connects_with("x-request-id", "mine");
    connects_with("x-request-id", "two words");
    connects_with("x-other", "mine");
    message_comes(CONN_A, "a", 1);
    assert_int_equal(
        counted("hoist_worker_request_ids_total", "outcome=\"taken\""), 1);
    assert_int_equal(
        counted("hoist_worker_request_ids_total", "outcome=\"made\""), 2);
}

static void a_message_has_the_number_of_its_request(void **state)
{
    (void)state;
    serves("a", note_id);
    uses(hoist_request_id, NULL);
    message_comes(CONN_A, "a", 1);
    says_reply(1, 200);
    assert_trace(NUMBER_70);
}

static void a_name_that_is_no_header_is_refused(void **state)
{
    static const char *const names[] = {"", "X:Y", "X Y", "X\r\nY"};
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(
            hoist_use(worker.app, hoist_request_id,
                      &(hoist_request_id_config){.header = names[i]}),
            -EINVAL);
    }
}

static int join_nobody(hoist_ctx *ctx)
{
    return hoist_join(ctx, hoist_str("room"), hoist_str("bob"));
}

static int call_nothing(hoist_ctx *ctx)
{
    hoist_called called;

    return hoist_call(ctx, "nothing", HOIST_NONE, hoist_str(NULL), &called);
}

static int reply_with_no_text(hoist_ctx *ctx)
{
    return hoist_reply_text(ctx, "\xff");
}

static void wrong_calls_of_the_library_are_logged(void **state)
{
    (void)state;
    serves("joins", join_nobody);
    serves("calls", call_nothing);
    serves("replies", reply_with_no_text);
    watch_log();
    message_comes(CONN_A, "joins", 1);
    logs("warn WORKER-HANDLER-FAILED request=" NUMBER_70
         " route=joins connection=" CONN_A
         " status=400 code= error=\"Invalid argument\"");
    watch_log();
    message_comes(CONN_A, "calls", 2);
    logs("status=404 code= error=\"No such file or directory\"");
    watch_log();
    message_comes(CONN_A, "replies", 3);
    logs("status=400 code= error=\"Invalid or incomplete multibyte");
}

static int fails_here(hoist_ctx *ctx)
{
    (void)ctx;
    return -EIO;
}

static int fails_by_the_client(hoist_ctx *ctx)
{
    return hoist_fail(ctx, 409, "taken", "That name is taken");
}

static void a_failure_is_logged_without_middleware(void **state)
{
    (void)state;
    serves("fails", fails_here);
    watch_log();
    message_comes(CONN_A, "fails", 1);
    logs("warn WORKER-HANDLER-FAILED request=" NUMBER_70
         " route=fails connection=" CONN_A
         " status=500 code= error=\"Input/output error\" suppressed=0\n");
}

static void one_that_the_client_can_help_is_not(void **state)
{
    (void)state;
    serves("fails", fails_by_the_client);
    watch_log();
    message_comes(CONN_A, "fails", 1);
    logs_nothing();
}

/* --- logger -------------------------------------------------------------- */

static void an_event_is_a_line_with_its_outcome(void **state)
{
    (void)state;
    serves("a", fail_taken);
    uses(hoist_logger, NULL);
    watch_log();
    message_comes(CONN_A, "a", 1);
    logs("info WORKER-EVENT request=" NUMBER_70
         " kind=MESSAGE route=a connection=" CONN_A
         " status=409 code=taken us=");
    says_reply(1, 409);
}

static void the_line_has_the_code_that_the_client_was_told(void **state)
{
    (void)state;
    failure = -EINVAL;
    serves("a", fail_so);
    uses(hoist_logger, NULL);
    watch_log();
    message_comes(CONN_A, "a", 1);
    logs("status=400 code= "); /* a bare status */
    uses(hoist_recover, NULL);
    watch_log();
    message_comes(CONN_A, "a", 2);
    logs("status=400 code=bad-request ");
}

static void an_event_that_waits_is_logged_when_it_has_its_outcome(void **state)
{
    (void)state;
    serves("a", ask);
    uses(hoist_logger, &(hoist_logger_config){.starts = true});
    watch_log();
    message_comes(CONN_A, "a", 1);
    logs("info WORKER-EVENT-BEGUN request=" NUMBER_70
         " kind=MESSAGE route=a connection=" CONN_A " attempt=1\n");
    uint64_t query = says_query();
    watch_log();
    status_comes(query, 200);
    logs("info WORKER-EVENT request=" NUMBER_70);
}

static void what_is_neither_slow_nor_broken_may_be_left_out(void **state)
{
    (void)state;
    serves("$connect", fail_so);
    uses(hoist_logger, &(hoist_logger_config){.slow_ms = 60000});
    watch_log();
    failure = -EACCES;
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    logs_nothing();
    watch_log();
    failure = -EIO;
    comes(EVENT_CONNECT, CONN_A, "$connect", 2);
    logs("WORKER-EVENT request=" NUMBER_70 " kind=CONNECT route=$connect");
    sdk_catch();
    log_set_level(LEVEL_ERROR); /* which leaves lines of info out */
    comes(EVENT_CONNECT, CONN_A, "$connect", 3);
    logs_nothing();
    assert_int_equal(
        counted("hoist_worker_logger_events_total", "outcome=\"logged\""), 1);
    assert_int_equal(
        counted("hoist_worker_logger_events_total", "outcome=\"suppressed\""),
        2);
}

/* --- the log ------------------------------------------------------------- */

static void a_line_of_a_program_is_like_those_of_the_library(void **state)
{
    (void)state;
    watch_log();
    hoist_log(HOIST_LOG_WARN, "ORDER-LOST", "order=%u of=\"%s\"", 7u, "a\nb");
    logs(" warn ORDER-LOST order=7 of=\"a?b\"\n");
    sdk_catch();
    hoist_log(HOIST_LOG_WARN, "ORDER-LOST", "of=\"%s\" took=%.1f",
              "a\" role=\"admin", 1.5);
    logs(" warn ORDER-LOST of=\"a\\\" role=\\\"admin\" took=1.5\n");
    log_set_level(LEVEL_ERROR);
    sdk_catch();
    hoist_log(HOIST_LOG_INFO, "ORDER-SENT", "order=%u", 7u);
    logs_nothing();
}

static void a_level_that_is_none_counts_as_the_nearest(void **state)
{
    (void)state;
    watch_log();
    hoist_log((hoist_log_level)-1, "ORDER-LOST", "order=%u", 7u);
    logs(" error ORDER-LOST order=7\n");
    log_set_level(LEVEL_DEBUG);
    sdk_catch();
    hoist_log((hoist_log_level)(HOIST_LOG_DEBUG + 1), "ORDER-SEEN", "order=%u",
              7u);
    logs(" debug ORDER-SEEN order=7\n");
    log_set_level(LEVEL_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(a_message_that_fails_is_told_code_message_and_details),
        WORKER_TEST(a_failure_without_words_has_those_of_its_status),
        WORKER_TEST(a_status_of_no_words_of_its_own_has_those_of_its_kind),
        WORKER_TEST(a_failure_behind_an_answer_is_told_likewise),
        WORKER_TEST(a_disconnect_that_fails_is_told_nobody),
        WORKER_TEST(only_failures_of_500_and_above_are_logged),
        WORKER_TEST(who_fails_on_purpose_is_logged_with_its_own_words),
        WORKER_TEST(failures_are_counted_by_their_status),
        WORKER_TEST(a_connect_has_the_clients_id_and_is_told_it),
        WORKER_TEST(an_id_that_is_not_plain_or_too_long_does_not_count),
        WORKER_TEST(
            the_header_is_the_programs_choice_and_so_is_whose_id_counts),
        WORKER_TEST(whose_id_a_connection_has_is_counted),
        WORKER_TEST(a_message_has_the_number_of_its_request),
        WORKER_TEST(a_name_that_is_no_header_is_refused),
        WORKER_TEST(wrong_calls_of_the_library_are_logged),
        WORKER_TEST(a_failure_is_logged_without_middleware),
        WORKER_TEST(one_that_the_client_can_help_is_not),
        WORKER_TEST(an_event_is_a_line_with_its_outcome),
        WORKER_TEST(the_line_has_the_code_that_the_client_was_told),
        WORKER_TEST(an_event_that_waits_is_logged_when_it_has_its_outcome),
        WORKER_TEST(what_is_neither_slow_nor_broken_may_be_left_out),
        WORKER_TEST(a_line_of_a_program_is_like_those_of_the_library),
        WORKER_TEST(a_level_that_is_none_counts_as_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
