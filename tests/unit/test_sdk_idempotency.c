/* SPDX-License-Identifier: MIT
 *
 * hoist_idempotency: what is done once, what a second message is told, what is
 * kept and for how long, and what happens while nobody knows.
 */
#include "base/xalloc.h"
#include "tests/unit/ledger_fixture.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ORDER "{\"idempotencyKey\":\"k1\",\"item\":7}"

static uint64_t last_number; /* of a request */

static int set_up(void **state)
{
    test_ledger_opens();
    last_number = 0;
    return worker_set_up(state);
}

static int tear_down(void **state)
{
    test_ledger.fails = 0; /* nobody waits for it to come back */
    int rc = worker_tear_down(state);

    test_ledger_closes();
    return rc;
}

/* With the ledger of the test. */
static void uses(hoist_idempotency_config config)
{
    config.ledger = &test_ledger.ledger;
    config.name = "orders";
    assert_int_equal(hoist_use(worker.app, hoist_idempotency, &config), 0);
    worker_freezes();
}

/* A message of this user, or of who has none (""); its request has a number of
 * its own, or that of the one before. */
static void comes_from(const char *user, const char *route, body_t body,
                       bool is_again)
{
    message_request_t request = sdk_message(route);
    buf_t map;

    buf_init(&map, 1000);
    must(wire_put_map(&map, 1) == 0 && wire_put_text(&map, "user") == 0 &&
         wire_put_text(&map, user) == 0);
    request.context = (wire_bytes_t){map.data, map.len};
    request.number = is_again ? last_number : ++last_number;
    request.body = body;
    must(message_put_request(&worker.in, &request) == 0);
    buf_fini(&map);
    feed(worker.now_ms);
}

static void order_comes(const char *body)
{
    comes_from("ada", "a", (body_t){BODY_TEXT, wire_bytes(body)}, false);
}

/* The status, and the body, "" for none, with a blank between. */
static void replies(const char *expected)
{
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    char text[400];

    (void)snprintf(text, sizeof text, "%u %.*s", (unsigned)reply->status,
                   (int)reply->body.bytes.len,
                   (const char *)reply->body.bytes.data);
    assert_string_equal(text, expected);
}

static const char *answer; /* of the handler */
static int fails;          /* or the status that it fails with */

static int do_it(hoist_ctx *ctx)
{
    note("done");
    if (fails != 0) {
        return hoist_fail(ctx, fails, "no", "No");
    }
    return answer != NULL ? hoist_reply_text(ctx, answer) : 0;
}

static void serves_orders(const char *text, int status)
{
    answer = text;
    fails = status;
    serves("a", do_it);
}

/* --- what is done once --------------------------------------------------- */

static void a_second_message_gets_the_reply_of_the_first_marked(void **state)
{
    (void)state;
    serves_orders("{\"id\":1}", 0);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    replies("200 {\"id\":1}");
    order_comes(ORDER);
    replies("200 {\"replayed\":true,\"id\":1}");
    assert_trace("done");
    says_no_more();
}

static void a_reply_that_is_no_object_is_repeated_as_it_was(void **state)
{
    static const char *const texts[] = {"hello", "[1]", "{\"a\"", "{} x", ""};
    char body[64];
    (void)state;

    serves_orders("", 0);
    uses((hoist_idempotency_config){0});
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char expected[64];
        answer = texts[i];
        (void)snprintf(body, sizeof body, "{\"idempotencyKey\":%zu}", i);
        (void)snprintf(expected, sizeof expected, "200 %s", texts[i]);
        order_comes(body);
        replies(expected);
        order_comes(body);
        replies(expected);
    }
    assert_trace("done done done done done");
}

static void an_empty_object_is_marked_too(void **state)
{
    (void)state;
    serves_orders(" { }", 0);
    uses((hoist_idempotency_config){.mark = "again"});
    order_comes(ORDER);
    replies("200  { }");
    order_comes(ORDER);
    replies("200  {\"again\":true }");
}

static void the_mark_may_be_left_out(void **state)
{
    (void)state;
    serves_orders("{}", 0);
    uses((hoist_idempotency_config){.mark = ""});
    order_comes(ORDER);
    replies("200 {}");
    order_comes(ORDER);
    replies("200 {}");
}

static int reply_bytes(hoist_ctx *ctx)
{
    note("done");
    return hoist_reply_binary(ctx, "{}", 2);
}

static void bytes_stay_bytes_and_are_not_marked(void **state)
{
    (void)state;
    serves("a", reply_bytes);
    uses((hoist_idempotency_config){0});
    for (int i = 0; i < 2; i++) {
        order_comes(ORDER);
        replies("200 {}");
        assert_int_equal(worker.said.reply.body.type, BODY_BINARY);
    }
    assert_trace("done");
}

static void where_nothing_was_replied_nothing_is_again(void **state)
{
    (void)state;
    serves_orders(NULL, 0);
    uses((hoist_idempotency_config){0});
    for (int i = 0; i < 2; i++) {
        order_comes(ORDER);
        replies("200 ");
        assert_int_equal(worker.said.reply.body.type, BODY_NONE);
    }
    assert_trace("done");
}

static void
another_body_under_the_key_is_422_and_so_is_another_route(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    serves("b", do_it);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    replies("200 ok");
    order_comes("{\"idempotencyKey\":\"k1\",\"item\":8}");
    says_reply(7, 422);
    comes_from("ada", "b", (body_t){BODY_TEXT, wire_bytes(ORDER)}, false);
    says_reply(7, 422);
    assert_trace("done");
}

static void each_user_has_keys_of_its_own(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    replies("200 ok");
    comes_from("bob", "a", (body_t){BODY_TEXT, wire_bytes(ORDER)}, false);
    replies("200 ok");
    comes_from("", "a", (body_t){BODY_TEXT, wire_bytes(ORDER)}, false);
    replies("200 ok");
    assert_trace("done done done");
    assert_string_equal(test_ledger.names,
                        "orders:u:ada:k1:2 orders:u:bob:k1:2 "
                        "orders:c:" CONN_A ":k1:2");
}

/* An order under the key k1. */
static void order_comes_of(const char *user, const char *tenant)
{
    const char *const context[] = {"user", user, "tenant", tenant};
    message_request_t request = sdk_message("a");
    buf_t map;

    buf_init(&map, 1000);
    must(wire_put_map(&map, 2) == 0);
    for (size_t i = 0; i < 4; i++) {
        must(wire_put_text(&map, context[i]) == 0);
    }
    request.context = (wire_bytes_t){map.data, map.len};
    request.number = ++last_number;
    request.body = (body_t){BODY_TEXT, wire_bytes(ORDER)};
    must(message_put_request(&worker.in, &request) == 0);
    buf_fini(&map);
    feed(worker.now_ms);
}

static void a_user_of_another_tenant_has_other_keys(void **state)
{
    (void)state;
    serves_orders("{}", 0);
    uses((hoist_idempotency_config){0});
    order_comes_of("eve", "a");
    replies("200 {}");
    order_comes_of("eve", "b");
    replies("200 {}");
    order_comes_of("eve", "a");
    replies("200 {\"replayed\":true}");
    assert_trace("done done");
    assert_string_equal(test_ledger.names,
                        "orders:U:eve:a:1:k1:2 orders:U:eve:b:1:k1:2 "
                        "orders:U:eve:a:1:k1:2");
}

static void no_two_users_and_tenants_are_one_name(void **state)
{
    static const char *const pairs[][2] = {
        {"a", "b:1:c"}, {"a:b:1", "c"}, {"a:b", "1:c"}, {"a:c:1", ""}};
    (void)state;

    serves_orders("ok", 0);
    uses((hoist_idempotency_config){0});
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        order_comes_of(pairs[i][0], pairs[i][1]);
        replies("200 ok");
    }
    assert_trace("done done done done");
}

static void the_longest_names_of_all_are_claimed(void **state)
{
    char longest[257];
    (void)state;

    memset(longest, 'n', 256);
    longest[256] = '\0';
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){0});
    for (int i = 0; i < 2; i++) {
        order_comes_of(longest, longest);
        replies("200 ok");
    }
    assert_trace("done");
}

static void no_two_pairs_of_user_and_key_are_one_name(void **state)
{
    static const char *const pairs[][2] = {
        {"a", "{\"idempotencyKey\":\"b:1:c\"}"},
        {"a:b:1", "{\"idempotencyKey\":\"c\"}"},
        {"a:b", "{\"idempotencyKey\":\"1:c\"}"},
    };
    (void)state;

    serves_orders("ok", 0);
    uses((hoist_idempotency_config){0});
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        comes_from(pairs[i][0], "a",
                   (body_t){BODY_TEXT, wire_bytes(pairs[i][1])}, false);
        replies("200 ok");
    }
    assert_trace("done done done");
}

static hoist_text key_in_body(hoist_ctx *ctx, void *data)
{
    (void)data;
    return hoist_body(ctx);
}

static void the_program_may_say_the_key(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){.key = key_in_body});
    order_comes("x");
    replies("200 ok");
    order_comes("x");
    replies("200 ok");
    order_comes("y");
    replies("200 ok");
    assert_trace("done done");
}

static void a_key_may_be_made_of_several_members(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){
        .expression = "${request.body.shop}/${request.body.n}"});
    order_comes("{\"shop\":\"s\",\"n\":1}");
    replies("200 ok");
    order_comes("{\"shop\":\"s\",\"n\":1}");
    replies("200 ok");
    assert_trace("done");
    order_comes("{\"item\":7}"); /* has none */
    replies("200 ok");
    assert_trace("done");
    assert_string_equal(test_ledger.names,
                        "orders:u:ada:s/1:3 orders:u:ada:s/1:3");
}

static void what_has_no_key_passes(void **state)
{
    static const char *const bodies[] = {"", "no JSON", "{}",
                                         "{\"idempotencyKey\":null}",
                                         "{\"idempotencyKey\":\"\"}"};
    (void)state;

    serves_orders("ok", 0);
    uses((hoist_idempotency_config){0});
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        order_comes(bodies[i]);
        replies("200 ok");
    }
    comes_from("ada", "a", (body_t){BODY_BINARY, wire_bytes(ORDER)}, false);
    replies("200 ok");
    assert_string_equal(test_ledger.names, "");
}

static void or_it_is_refused_where_a_key_is_required(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){.required = true});
    order_comes("{}");
    says_reply(7, 400);
    order_comes(ORDER);
    replies("200 ok");
}

static void a_key_that_is_too_long_is_refused(void **state)
{
    char body[200] = "{\"idempotencyKey\":\"";
    (void)state;

    memset(body + strlen(body), 'k', 129);
    memcpy(body + strlen(body), "\"}", 3);
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){0});
    order_comes(body);
    says_reply(7, 400);
    assert_trace("");
}

/* --- while it is under way ----------------------------------------------- */

static int go_on(hoist_ctx *ctx, hoist_answer *found, void *data)
{
    (void)data;
    note("answered");
    return hoist_answer_status(found) == 200 ? hoist_reply_text(ctx, "late")
                                             : 0;
}

static int ask(hoist_ctx *ctx)
{
    note("asked");
    return hoist_find_count(ctx, NULL, go_on, NULL);
}

/* From another connection of hers: events of one wait for each other. */
static void order_comes_elsewhere(void)
{
    message_request_t request = sdk_message("a");
    static const uint8_t context[] = {0x81, 0xa4, 'u', 's', 'e',
                                      'r',  0xa3, 'a', 'd', 'a'};

    request.id = 8;
    request.conn = wire_bytes(CONN_B);
    request.number = ++last_number;
    request.context = (wire_bytes_t){context, sizeof context};
    request.body = (body_t){BODY_TEXT, wire_bytes(ORDER)};
    must(message_put_request(&worker.in, &request) == 0);
    feed(worker.now_ms);
}

static void a_duplicate_meanwhile_is_409_and_later_the_reply(void **state)
{
    (void)state;
    serves("a", ask);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    uint64_t query = says_query();
    order_comes_elsewhere();
    says_reply(8, 409);
    status_comes(query, 200);
    replies("200 late");
    order_comes_elsewhere();
    replies("200 late");
    assert_trace("asked answered");
}

static void a_message_whose_worker_died_takes_its_claim_over(void **state)
{
    (void)state;
    serves("a", ask);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    test_ledger.fails = -ENOTCONN; /* who is dead releases nothing */
    worker_ends();
    test_ledger.fails = 0;
    come_up(1);
    assert_trace("asked answered");
    order_comes_elsewhere();
    says_reply(8, 409);
    last_number = 1;
    comes_from("ada", "a", (body_t){BODY_TEXT, wire_bytes(ORDER)}, true);
    assert_trace("asked");
}

static void
an_event_that_is_over_without_a_reply_can_be_done_again(void **state)
{
    (void)state;
    serves("a", ask);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    worker_ends();
    assert_trace("asked answered");
    come_up(1);
    order_comes(ORDER);
    assert_trace("asked");
}

static int retry(hoist_ctx *ctx, void *data)
{
    (void)data;
    (void)hoist_next(ctx);
    fails = 0;
    return hoist_next(ctx);
}

static void who_tries_again_outside_claims_it_again(void **state)
{
    static const int statuses[] = {500, 409};
    (void)state;

    serves_orders("ok", 0);
    must(hoist_wrap(worker.app, retry, NULL) == 0);
    uses((hoist_idempotency_config){.keep_s = 1});
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        fails = statuses[i];
        order_comes(ORDER);
        replies("200 ok");
        assert_trace("done done");
        order_comes(ORDER);
        replies("200 ok");
        assert_trace("");
        test_ledger.now_ms += 1000;
    }
}

/* --- while those outside fail it ------------------------------------------ */

static int refuse(hoist_ctx *ctx, void *data)
{
    const int *status = data;

    (void)hoist_next(ctx);
    return hoist_fail(ctx, *status, "outside", "Outside");
}

static int fail_elsewhere(hoist_ctx *ctx, void *data)
{
    int rc = hoist_next(ctx);
    (void)data;

    return hoist_is(hoist_connection(ctx), CONN_B)
               ? hoist_fail(ctx, 500, "outside", "Outside")
               : rc;
}

static int runs; /* of the layers inside */

static int run_twice(hoist_ctx *ctx, void *data)
{
    int rc = hoist_next(ctx);
    (void)data;

    return rc < 0 && hoist_error_of(ctx).status == 500 ? hoist_next(ctx) : rc;
}

static int fail_first(hoist_ctx *ctx, void *data)
{
    int rc = hoist_next(ctx);
    (void)data;

    return ++runs == 1 ? hoist_fail(ctx, 500, "outside", "Outside") : rc;
}

/* Its handler may be about to do it, so nobody else is to begin meanwhile; but
 * what those outside have said is no outcome of it. */
static void
what_waits_and_is_failed_outside_can_be_done_behind_its_answer(void **state)
{
    int status = 402;
    (void)state;

    serves("a", ask);
    must(hoist_wrap(worker.app, refuse, &status) == 0);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    uint64_t query = says_query();
    says_reply(7, 402);
    status = 418;
    order_comes_elsewhere();
    says_reply(8, 418);
    assert_trace("asked"); /* once: that was a duplicate */
    status_comes(query, 200);
    assert_trace("answered");
    order_comes_elsewhere();
    assert_trace("asked");
}

static int ask_again_and_fail(hoist_ctx *ctx, hoist_answer *found, void *data)
{
    (void)found;
    (void)data;
    note("answered");
    (void)hoist_find_count(ctx, NULL, go_on, NULL);
    return -EIO;
}

static int ask_for_more(hoist_ctx *ctx)
{
    note("asked");
    return hoist_find_count(ctx, NULL, ask_again_and_fail, NULL);
}

static void
what_asks_again_and_fails_can_be_done_behind_that_answer(void **state)
{
    (void)state;
    serves("a", ask_for_more);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    status_comes(says_query(), 200);
    uint64_t query = says_query();
    says_reply(7, 500);
    order_comes_elsewhere();
    says_reply(8, 409);
    assert_trace("asked answered");
    status_comes(query, 200);
    assert_trace("answered");
    order_comes_elsewhere();
    assert_trace("asked");
}

/* The first is at its handler: what becomes of a duplicate is not its affair.
 */
static void
a_duplicate_that_is_failed_outside_leaves_the_claim_alone(void **state)
{
    (void)state;
    serves("a", ask);
    must(hoist_wrap(worker.app, fail_elsewhere, NULL) == 0);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    uint64_t query = says_query();
    for (int i = 0; i < 2; i++) {
        order_comes_elsewhere();
        says_reply(8, 500);
    }
    status_comes(query, 200);
    replies("200 late");
    order_comes(ORDER);
    replies("200 late");
    assert_trace("asked answered");
}

/* Nor is it released by the answer to a run that is over, when the event runs
 * again. */
static void a_run_that_waited_in_vain_leaves_the_claim_to_the_next(void **state)
{
    (void)state;
    serves("a", ask);
    must(hoist_wrap(worker.app, run_twice, NULL) == 0);
    must(hoist_wrap(worker.app, fail_first, NULL) == 0);
    uses((hoist_idempotency_config){0});
    runs = 0;
    order_comes(ORDER);
    uint64_t first = says_query(), second = says_query();
    status_comes(first, 200);
    order_comes_elsewhere();
    says_reply(8, 409);
    status_comes(second, 200);
    replies("200 late");
    order_comes_elsewhere();
    replies("200 late");
    assert_trace("asked asked answered answered");
}

/* Each of two uses has a claim, and neither is the other's. */
static void of_two_uses_both_leave_their_claims_to_the_next_run(void **state)
{
    const hoist_idempotency_config outer = {.ledger = &test_ledger.ledger,
                                            .name = "outer"};
    (void)state;

    serves("a", ask);
    must(hoist_wrap(worker.app, run_twice, NULL) == 0);
    must(hoist_wrap(worker.app, fail_first, NULL) == 0);
    must(hoist_use(worker.app, hoist_idempotency, &outer) == 0);
    uses((hoist_idempotency_config){0});
    runs = 0;
    order_comes(ORDER);
    uint64_t first = says_query(), second = says_query();
    status_comes(first, 200);
    assert_int_equal(keyed_count(&test_ledger.outcomes.table), 2);
    order_comes_elsewhere();
    says_reply(8, 409);
    status_comes(second, 200);
    replies("200 late");
    assert_trace("asked asked answered answered");
}

/* --- what is kept -------------------------------------------------------- */

static void a_refusal_is_kept_as_it_was_told(void **state)
{
    (void)state;
    serves_orders(NULL, 402);
    must(hoist_use(worker.app, hoist_recover, NULL) == 0);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    replies("402 {\"code\":\"no\",\"message\":\"No\","
            "\"requestId\":\"AAAAAAAAAAE=\"}");
    order_comes(ORDER);
    replies("402 {\"replayed\":true,\"code\":\"no\",\"message\":\"No\","
            "\"requestId\":\"AAAAAAAAAAE=\"}");
    assert_trace("done");
}

static void what_failed_may_go_well_the_next_time(void **state)
{
    static const int statuses[] = {500, 503, 429};
    (void)state;

    serves_orders("ok", 0);
    uses((hoist_idempotency_config){0});
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        fails = statuses[i];
        order_comes(ORDER);
        says_reply(7, (unsigned)statuses[i]);
    }
    fails = 0;
    order_comes(ORDER);
    replies("200 ok");
    assert_trace("done done done done");
}

static void failures_are_kept_where_that_is_wanted(void **state)
{
    (void)state;
    serves_orders(NULL, 500);
    uses((hoist_idempotency_config){.keep_failures = true});
    for (int i = 0; i < 2; i++) {
        order_comes(ORDER);
        says_reply(7, 500);
    }
    assert_trace("done");
}

static void a_reply_is_kept_for_a_day_or_as_long_as_said(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){.keep_s = 60});
    order_comes(ORDER);
    replies("200 ok");
    test_ledger.now_ms += 59999;
    order_comes(ORDER);
    replies("200 ok");
    assert_trace("done");
    test_ledger.now_ms += 1;
    order_comes(ORDER);
    replies("200 ok");
    assert_trace("done");
}

static void of_a_reply_too_long_to_be_kept_only_the_status_is(void **state)
{
    (void)state;
    serves_orders("12345", 0);
    must(hoist_use(worker.app, hoist_recover, NULL) == 0);
    uses((hoist_idempotency_config){.max_reply = 4});
    order_comes(ORDER);
    replies("200 12345");
    order_comes(ORDER);
    replies(
        "409 {\"code\":\"already-done\",\"message\":\"The reply was too long "
        "to be kept\",\"details\":{\"status\":200},"
        "\"requestId\":\"AAAAAAAAAAI=\"}");
    assert_trace("done");
}

static int note_replay(hoist_ctx *ctx, void *data)
{
    int rc = hoist_next(ctx);
    (void)data;

    note(hoist_is_replay(ctx) ? "replay" : "first");
    return rc;
}

static void layers_outside_know_a_repetition(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    must(hoist_wrap(worker.app, note_replay, NULL) == 0);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    order_comes(ORDER);
    order_comes("{}");
    assert_trace("done first replay done first");
}

/* --- while nobody knows -------------------------------------------------- */

static void while_nobody_knows_nothing_is_done(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){0});
    test_ledger.fails = -ENOTCONN;
    order_comes(ORDER);
    says_reply(7, 503);
    order_comes("{}"); /* has no key */
    replies("200 ok");
    assert_trace("done");
}

static void or_it_is_where_that_is_wanted(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){.when_down = HOIST_WHEN_DOWN_PASS});
    test_ledger.fails = -ENOTCONN;
    for (int i = 0; i < 2; i++) {
        order_comes(ORDER);
        replies("200 ok");
    }
    assert_trace("done done");
}

static void an_outcome_that_cannot_be_kept_is_logged(void **state)
{
    (void)state;
    serves("a", ask);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    uint64_t query = says_query();
    test_ledger.fails = -ETIMEDOUT;
    log_set_level(LEVEL_WARN);
    sdk_catch();
    status_comes(query, 200);
    const char *caught = sdk_caught();
    assert_non_null(
        strstr(caught, "warn WORKER-LEDGER-FAILED middleware=idempotency"));
    assert_non_null(strstr(caught, "reason=\"the test says so\""));
    replies("200 late");
}

static uint64_t late(const char *labels)
{
    return hoist_counted(hoist_counter_of(
        worker.app, "hoist_worker_idempotency_late_total", "", labels));
}

static void what_could_not_be_kept_is_known_here_and_told_later(void **state)
{
    task_t task;
    (void)state;

    serves("a", ask);
    uses((hoist_idempotency_config){.when_down = HOIST_WHEN_DOWN_PASS});
    order_comes(ORDER);
    uint64_t query = says_query();
    test_ledger.fails = -ENOTCONN;
    status_comes(query, 200);
    replies("200 late");
    order_comes_elsewhere();
    replies("200 late");
    assert_trace("asked answered");
    test_ledger.fails = 0;
    timers_start(&worker.app->timers, 0);
    assert_true(timers_take(&worker.app->timers, 250, &task));
    core_run(&worker.core, &task, NULL, NULL);
    assert_int_equal(late("name=\"orders\",outcome=\"told\""), 1);
    assert_int_equal(late("name=\"orders\",outcome=\"dropped\""), 0);
    assert_int_equal(keyed_count(&test_ledger.outcomes.table), 1);
}

static void in_memory_what_is_under_way_is_not_forgotten(void **state)
{
    (void)state;
    serves("a", ask);
    assert_int_equal(hoist_use(worker.app, hoist_idempotency,
                               &(hoist_idempotency_config){.keys = 1}),
                     0);
    worker_freezes();
    order_comes(ORDER);
    uint64_t query = says_query();
    message_request_t request = sdk_message("a");
    request.id = 9;
    request.conn = wire_bytes(CONN_B);
    request.body =
        (body_t){BODY_TEXT, wire_bytes("{\"idempotencyKey\":\"k2\"}")};
    must(message_put_request(&worker.in, &request) == 0);
    feed(worker.now_ms);
    says_reply(9, 503);
    status_comes(query, 200);
    replies("200 late");
    order_comes(ORDER);
    replies("200 late");
}

/* An order of the n-th connection, without a user, from this address. */
static void order_comes_without_user(unsigned n, const char *ip)
{
    message_request_t request = sdk_message("a");
    char connection[] = "aaaaaaaaaaaaaaaa";
    buf_t map;

    connection[0] = (char)('A' + n);
    buf_init(&map, 1000);
    must(wire_put_map(&map, 1) == 0 && wire_put_text(&map, "ip") == 0 &&
         wire_put_text(&map, ip) == 0);
    request.conn = wire_bytes(connection);
    request.context = (wire_bytes_t){map.data, map.len};
    request.body = (body_t){BODY_TEXT, wire_bytes(ORDER)};
    must(message_put_request(&worker.in, &request) == 0);
    buf_fini(&map);
    feed(worker.now_ms);
}

static void in_memory_who_connects_often_takes_from_himself(void **state)
{
    static const char *const orders[] = {ORDER, "{\"idempotencyKey\":\"k2\"}"};
    (void)state;

    serves_orders("ok", 0);
    assert_int_equal(hoist_use(worker.app, hoist_idempotency,
                               &(hoist_idempotency_config){.keys = 8}),
                     0);
    worker_freezes();
    for (int i = 0; i < 2; i++) {
        order_comes(orders[i]);
        replies("200 ok");
    }
    assert_trace("done done");
    for (unsigned n = 0; n < 20; n++) {
        order_comes_without_user(n, n % 2 == 0 ? "2001:db8::1" : "2001:db8::2");
        replies("200 ok");
        assert_trace("done");
    }
    for (int i = 0; i < 2; i++) {
        order_comes(orders[i]);
        replies("200 ok");
    }
    assert_trace("");
}

static void a_connect_has_no_key(void **state)
{
    (void)state;
    serves("$connect", do_it);
    answer = NULL;
    fails = 0;
    uses((hoist_idempotency_config){.required = true});
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    says_reply(1, 200);
}

static uint64_t counted(const char *labels)
{
    return hoist_counted(hoist_counter_of(
        worker.app, "hoist_worker_idempotency_events_total", "", labels));
}

static void what_becomes_of_messages_is_counted(void **state)
{
    (void)state;
    serves_orders("ok", 0);
    uses((hoist_idempotency_config){0});
    order_comes(ORDER);
    order_comes(ORDER);
    order_comes("{\"idempotencyKey\":\"k1\"}");
    test_ledger.fails = -ENOTCONN;
    order_comes(ORDER);
    assert_int_equal(counted("name=\"orders\",outcome=\"done\""), 1);
    assert_int_equal(counted("name=\"orders\",outcome=\"replayed\""), 1);
    assert_int_equal(counted("name=\"orders\",outcome=\"reused\""), 1);
    assert_int_equal(counted("name=\"orders\",outcome=\"unavailable\""), 1);
    assert_int_equal(counted("name=\"orders\",outcome=\"in_progress\""), 0);
}

/* Compiled with a header that knew less. */
static const hoist_ledger_table half = {.size = sizeof half / 2};
static hoist_ledger half_ledger = {&half};

static void settings_that_are_none_are_refused(void **state)
{
    static const char long_mark[] = "a mark of more than sixty-four bytes, "
                                    "which is longer than it may be";
    const struct {
        hoist_idempotency_config config;
        const char *why;
    } wrong[] = {
        {{.expression = ""}, "expression: a route selection expression has "},
        {{.expression = "$request.headers.x"},
         "expression: a variable begins with $request.body (at character 2 "},
        {{.expression = "body.key"}, "expression: nothing in it is of the "},
        {{.keep_s = 2592001}, "keep_s=2592001 is more than 2592000"},
        {{.hold_s = 86401}, "hold_s=86401 is more than 86400"},
        {{.mark = "a\"b"}, "mark: it has a quote, "},
        {{.mark = long_mark}, "mark: it is longer than 64 bytes"},
        {{.by = (hoist_by)4}, "by: it is none of hoist_by"},
        {{.name = "a b"}, "name: it has to be 1 to 64 of "},
        {{.when_down = (hoist_when_down)3},
         "when_down: it is none of hoist_when_down"},
        {{.max_reply = 100, .bytes = 99}, "max_reply is more than bytes"},
        {{.ledger = &test_ledger.ledger}, "ledger without a name"},
        {{.ledger = &half_ledger, .name = "orders"},
         "ledger: its table lacks what this version needs"},
    };
    const char *reason = worker.app->refusal.reason;
    const size_t head = strlen("hoist_idempotency: ");
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            hoist_use(worker.app, hoist_idempotency, &wrong[i].config),
            -EINVAL);
        assert_memory_equal(reason, "hoist_idempotency: ", head);
        assert_memory_equal(reason + head, wrong[i].why, strlen(wrong[i].why));
    }
}

static void a_ledger_keeps_replies_of_a_mebibyte_at_most(void **state)
{
    const size_t most = (size_t)1 << 20;
    hoist_idempotency_config config = {.max_reply = most + 1};
    (void)state;

    assert_int_equal(hoist_use(worker.app, hoist_idempotency, &config), 0);
    config.ledger = &test_ledger.ledger;
    config.name = "orders";
    assert_int_equal(hoist_use(worker.app, hoist_idempotency, &config),
                     -EINVAL);
    config.max_reply = most;
    assert_int_equal(hoist_use(worker.app, hoist_idempotency, &config), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_message_gets_the_reply_of_the_first_marked),
        TEST(a_reply_that_is_no_object_is_repeated_as_it_was),
        TEST(an_empty_object_is_marked_too),
        TEST(the_mark_may_be_left_out),
        TEST(bytes_stay_bytes_and_are_not_marked),
        TEST(where_nothing_was_replied_nothing_is_again),
        TEST(another_body_under_the_key_is_422_and_so_is_another_route),
        TEST(each_user_has_keys_of_its_own),
        TEST(a_user_of_another_tenant_has_other_keys),
        TEST(no_two_users_and_tenants_are_one_name),
        TEST(the_longest_names_of_all_are_claimed),
        TEST(no_two_pairs_of_user_and_key_are_one_name),
        TEST(the_program_may_say_the_key),
        TEST(a_key_may_be_made_of_several_members),
        TEST(what_has_no_key_passes),
        TEST(or_it_is_refused_where_a_key_is_required),
        TEST(a_key_that_is_too_long_is_refused),
        TEST(a_duplicate_meanwhile_is_409_and_later_the_reply),
        TEST(a_message_whose_worker_died_takes_its_claim_over),
        TEST(an_event_that_is_over_without_a_reply_can_be_done_again),
        TEST(who_tries_again_outside_claims_it_again),
        TEST(what_waits_and_is_failed_outside_can_be_done_behind_its_answer),
        TEST(what_asks_again_and_fails_can_be_done_behind_that_answer),
        TEST(a_duplicate_that_is_failed_outside_leaves_the_claim_alone),
        TEST(a_run_that_waited_in_vain_leaves_the_claim_to_the_next),
        TEST(of_two_uses_both_leave_their_claims_to_the_next_run),
        TEST(a_refusal_is_kept_as_it_was_told),
        TEST(what_failed_may_go_well_the_next_time),
        TEST(failures_are_kept_where_that_is_wanted),
        TEST(a_reply_is_kept_for_a_day_or_as_long_as_said),
        TEST(of_a_reply_too_long_to_be_kept_only_the_status_is),
        TEST(layers_outside_know_a_repetition),
        TEST(while_nobody_knows_nothing_is_done),
        TEST(or_it_is_where_that_is_wanted),
        TEST(an_outcome_that_cannot_be_kept_is_logged),
        TEST(what_could_not_be_kept_is_known_here_and_told_later),
        TEST(in_memory_what_is_under_way_is_not_forgotten),
        TEST(in_memory_who_connects_often_takes_from_himself),
        TEST(a_connect_has_no_key),
        TEST(what_becomes_of_messages_is_counted),
        TEST(settings_that_are_none_are_refused),
        TEST(a_ledger_keeps_replies_of_a_mebibyte_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
