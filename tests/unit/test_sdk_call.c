/* SPDX-License-Identifier: MIT
 *
 * Handlers that call other routes of their app.
 */
#include "base/xalloc.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/call.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- the routes that are called ------------------------------------------ */

static int upper(hoist_ctx *ctx)
{
    hoist_text body = hoist_body(ctx);
    char text[32];

    assert_int_equal(hoist_event_of(ctx), HOIST_MESSAGE);
    assert_true(hoist_is(hoist_route(ctx), "upper"));
    assert_true(hoist_is(hoist_connection(ctx), CONN_A));
    assert_int_equal(hoist_request_number(ctx), 70);
    assert_non_null(hoist_ws(ctx));
    note("upper");
    for (size_t i = 0; i < body.len; i++) {
        text[i] = (char)(body.data[i] - 'a' + 'A');
    }
    return hoist_reply(ctx, 201, HOIST_TEXT, hoist_bytes(text, body.len));
}

static int push(hoist_ctx *ctx)
{
    return hoist_push_one(ctx, hoist_connection(ctx), HOIST_TEXT,
                          hoist_body(ctx));
}

static int conflict(hoist_ctx *ctx)
{
    return hoist_fail(ctx, 409, "conflict", "It is taken");
}

static int refuse_all(hoist_ctx *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return -EACCES;
}

static hoist_ticket ticket;

static int tell(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)ctx;
    (void)answer;
    (void)data;
    fail();
    return 0;
}

static int told(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    (void)pushed;
    (void)data;
    assert_int_equal(hoist_event_of(ctx), HOIST_TASK);
    note("told");
    return 0;
}

static int try_to_wait(hoist_ctx *ctx)
{
    const hoist_push_options options = {.told = told};
    hoist_target all = hoist_to_all();
    hoist_text news = hoist_str("news");

    assert_int_equal(hoist_wait(ctx, &ticket), -EDEADLK);
    assert_int_equal(hoist_find_count(ctx, NULL, tell, NULL), -EDEADLK);
    assert_int_equal(hoist_push_then(ctx, all, HOIST_TEXT, news, &options),
                     -EDEADLK);
    assert_int_equal(hoist_push_to(ctx, all, HOIST_TEXT, news, &options), 0);
    return hoist_reply_status(ctx, 204);
}

static void note_outcome(hoist_ctx *ctx, void *data)
{
    char word[32];

    (void)snprintf(word, sizeof word, "%s:%d", (const char *)data,
                   hoist_replied(ctx));
    note(word);
}

static int around(hoist_ctx *ctx, void *state)
{
    note("around");
    assert_int_equal(hoist_finally(ctx, note_outcome, state), 0);
    return hoist_next(ctx);
}

static int set_up(void **state)
{
    static char name[] = "done";

    worker_set_up(state);
    must(hoist_on(worker.app, "upper", upper) == 0);
    must(hoist_on(worker.app, "push", push) == 0);
    must(hoist_on(worker.app, "conflict", conflict) == 0);
    must(hoist_on(worker.app, "closed", upper) == 0);
    must(hoist_wrap_on(worker.app, "closed", refuse_all, NULL) == 0);
    must(hoist_on(worker.app, "waits", try_to_wait) == 0);
    must(hoist_on(worker.app, "around", push) == 0);
    must(hoist_wrap_on(worker.app, "around", around, name) == 0);
    must(hoist_on(worker.app, "$connect", push) == 0);
    return 0;
}

static hoist_called call(hoist_ctx *ctx, const char *route, const char *body)
{
    hoist_called called;

    assert_int_equal(
        hoist_call(ctx, route, HOIST_TEXT, hoist_str(body), &called), 0);
    return called;
}

/* --- what the caller gets ------------------------------------------------ */

static int reply_the_same(hoist_ctx *ctx)
{
    return hoist_reply(ctx, 200, hoist_body_type(ctx), hoist_body(ctx));
}

static int ask_with_the_answer(hoist_ctx *ctx)
{
    hoist_called called = call(ctx, "upper", "abcdefghijklmnopqrstuvwxyz");
    const hoist_text first = called.body;

    assert_int_equal(hoist_call(ctx, "same", called.type, first, &called), 0);
    assert_true(hoist_is(called.body, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    assert_int_equal(hoist_call(ctx, "same", called.type, called.body, &called),
                     0);
    assert_true(hoist_is(called.body, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    return 0;
}

static void what_one_replied_may_be_the_body_of_the_next(void **state)
{
    (void)state;
    must(hoist_on(worker.app, "same", reply_the_same) == 0);
    must(hoist_on(worker.app, "asks", ask_with_the_answer) == 0);
    worker_freezes();
    comes(EVENT_MESSAGE, CONN_A, "asks", 1);
    assert_int_equal(says(KIND_REPLY)->reply.status, 200);
}

static int ask_upper(hoist_ctx *ctx)
{
    hoist_called called = call(ctx, "upper", "ada");

    assert_int_equal(called.status, 201);
    assert_int_equal(called.type, HOIST_TEXT);
    assert_true(hoist_is(called.body, "ADA"));
    assert_int_equal(called.error.status, 0);
    assert_int_equal(hoist_replied(ctx), 0);
    called = call(ctx, "upper", "bob");
    assert_true(hoist_is(hoist_route(ctx), "runs"));
    return hoist_reply(ctx, 200, called.type, called.body);
}

static void a_handler_gets_the_reply_of_another_route(void **state)
{
    (void)state;
    message_runs(ask_upper);
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    assert_int_equal(reply->id, 1);
    assert_true(wire_is(reply->body.bytes, "BOB"));
    says_no_more();
    assert_trace("upper upper");
}

static int reply_at_length(hoist_ctx *ctx)
{
    static char text[1 << 20];

    return hoist_reply(ctx, 200, HOIST_BINARY, hoist_bytes(text, sizeof text));
}

static int call_at_length(hoist_ctx *ctx)
{
    assert_int_equal(call(ctx, "long", "").body.len, 1 << 20);
    return 0;
}

static int ask_at_length(hoist_ctx *ctx)
{
    assert_int_equal(call(ctx, "calls-long", "").status, 200);
    assert_int_equal(ctx->call->ctx.call->body.cap, 0);
    return call_at_length(ctx);
}

static void the_memory_of_a_long_reply_is_given_back(void **state)
{
    (void)state;
    serves("long", reply_at_length);
    serves("calls-long", call_at_length);
    message_runs(ask_at_length);
    says_reply(1, 200);
    assert_int_equal(worker.core.ctx.call->body.cap, 0);
    assert_int_equal(worker.core.ctx.call->ctx.call->body.cap, 0);
}

static int push_twice(hoist_ctx *ctx)
{
    hoist_text self = hoist_connection(ctx);

    assert_int_equal(hoist_push_one(ctx, self, HOIST_TEXT, hoist_str("1")), 0);
    hoist_called called = call(ctx, "push", "2");
    assert_int_equal(called.status, 200);
    assert_int_equal(called.type, HOIST_NONE);
    assert_int_equal(called.body.len, 0);
    return hoist_push_one(ctx, self, HOIST_TEXT, hoist_str("3"));
}

static void what_it_pushes_leaves_in_order(void **state)
{
    static const char *const bodies[] = {"1", "2", "3"};
    (void)state;

    message_runs(push_twice);
    for (int i = 0; i < 3; i++) {
        assert_true(wire_is(says(KIND_PUSH)->push.body.bytes, bodies[i]));
    }
    says_reply(1, 200);
}

static int ask_for_failures(hoist_ctx *ctx)
{
    hoist_called called = call(ctx, "conflict", "");

    assert_int_equal(called.status, 409);
    assert_true(hoist_is(called.error.code, "conflict"));
    assert_true(hoist_is(called.error.message, "It is taken"));
    called = call(ctx, "closed", "");
    assert_int_equal(called.status, 403);
    assert_int_equal(called.error.status, 403);
    called = call(ctx, "upper", "a");
    assert_int_equal(called.error.status, 0);
    assert_int_equal(hoist_error_of(ctx).status, 0);
    return 0;
}

static void a_failure_is_the_callers_to_judge(void **state)
{
    (void)state;
    message_runs(ask_for_failures);
    says_reply(1, 200);
    says_no_more();
}

static int ask_around(hoist_ctx *ctx)
{
    static const char key;

    assert_int_equal(hoist_set(ctx, &key, &worker), 0);
    (void)call(ctx, "around", "a");
    assert_ptr_equal(hoist_get(ctx, &key), &worker);
    note("behind");
    return 0;
}

static void its_middleware_runs_and_is_told_of_its_outcome(void **state)
{
    (void)state;
    message_runs(ask_around);
    assert_trace("around done:200 behind");
}

static int note_who(hoist_ctx *ctx)
{
    char who[64];
    hoist_text user = hoist_user(ctx), tenant = hoist_tenant(ctx);
    hoist_text role = hoist_attribute(ctx, HOIST_ROLES);

    (void)snprintf(who, sizeof who, "%.*s/%.*s/%.*s", (int)user.len, user.data,
                   (int)tenant.len, tenant.data, (int)role.len, role.data);
    note(who);
    return 0;
}

static int ask_who(hoist_ctx *ctx)
{
    return hoist_reply_status(ctx, call(ctx, "who", "").status);
}

static int accept_and_ask(hoist_ctx *ctx)
{
    assert_int_equal(call(ctx, "who", "").status, 401);
    assert_int_equal(hoist_accept_user(ctx, hoist_str("ada")), 0);
    assert_int_equal(hoist_accept_tenant(ctx, hoist_str("acme")), 0);
    assert_int_equal(call(ctx, "who", "").status, 200);
    assert_int_equal(
        hoist_accept_attribute(ctx, HOIST_ROLES, hoist_str("admin")), 0);
    assert_int_equal(call(ctx, "ask", "").status, 200);
    return 0;
}

static void from_connect_it_sees_what_was_accepted_so_far(void **state)
{
    (void)state;
    serves("who", note_who);
    serves("ask", ask_who);
    serves("$connect", accept_and_ask);
    assert_int_equal(hoist_use_on(worker.app, "who", hoist_authorize, NULL), 0);
    worker_freezes();
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    says_reply(1, 200);
    assert_trace("ada/acme/ ada/acme/admin");
    message_comes(CONN_A, "who", 2); /* nothing is left of it */
    says_reply(2, 401);
}

/* --- what cannot be ------------------------------------------------------ */

static int ask_who_waits(hoist_ctx *ctx)
{
    assert_int_equal(call(ctx, "waits", "").status, 204);
    return 0;
}

static void what_is_called_cannot_wait_but_be_told_of_pushes(void **state)
{
    (void)state;
    message_runs(ask_who_waits);
    uint64_t ack = wire_map_uint(says(KIND_PUSH)->push.options, "ack", 0);
    says_reply(1, 200);
    must(message_put_pushed(&worker.in, &(message_pushed_t){.id = ack}) == 0);
    feed(worker.now_ms);
    assert_trace("told");
}

static int ask_wrongly(hoist_ctx *ctx)
{
    const hoist_text broken = hoist_bytes("\xff", 1), none = hoist_str(NULL);
    hoist_called called;

    assert_int_equal(hoist_call(ctx, "nobody", HOIST_TEXT, none, &called),
                     -ENOENT);
    assert_int_equal(hoist_call(ctx, NULL, HOIST_TEXT, none, &called), -ENOENT);
    assert_int_equal(hoist_call(ctx, "$connect", HOIST_TEXT, none, &called),
                     -ENOENT);
    assert_int_equal(hoist_call(ctx, "upper", HOIST_TEXT, broken, &called),
                     -EILSEQ);
    assert_int_equal(hoist_call(ctx, "upper", (hoist_type)3, none, &called),
                     -EINVAL);
    assert_int_equal(hoist_call(ctx, "push", HOIST_BINARY, broken, &called), 0);
    assert_int_equal(called.status, 400); /* it pushes text */
    return 0;
}

static void what_cannot_be_called_is_refused(void **state)
{
    (void)state;
    message_runs(ask_wrongly);
    says_reply(1, 200);
}

static unsigned depth;

static int ask_itself(hoist_ctx *ctx)
{
    hoist_called called;
    int rc = hoist_call(ctx, "itself", HOIST_NONE, hoist_str(NULL), &called);

    if (rc < 0) {
        return rc;
    }
    depth++;
    return hoist_reply_status(ctx, called.status);
}

static void a_route_that_calls_itself_comes_to_an_end(void **state)
{
    (void)state;
    depth = 0;
    serves("itself", ask_itself);
    message_comes(CONN_A, "itself", 1);
    says_reply(1, 500);
    assert_int_equal(depth, CALLS_MAX);
}

static int call_of_a_task(hoist_ctx *ctx, void *data)
{
    hoist_called called;
    (void)data;

    assert_int_equal(
        hoist_call(ctx, "upper", HOIST_NONE, hoist_str(NULL), &called),
        -EINVAL);
    note("tried");
    return 0;
}

static void a_task_has_no_connection_to_call_for(void **state)
{
    (void)state;
    worker_freezes();
    link_run(&worker.link, &(task_t){call_of_a_task, NULL});
    assert_trace("tried");
}

static int call_behind(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    assert_true(hoist_is(hoist_route(ctx), "runs"));
    hoist_called called = call(ctx, "upper", "late");
    return hoist_reply(ctx, 200, called.type, called.body);
}

static int ask_first(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, call_behind, NULL);
}

static void it_may_be_called_behind_an_answer(void **state)
{
    (void)state;
    message_runs(ask_first);
    status_comes(says_query(), 200);
    assert_true(wire_is(says(KIND_REPLY)->reply.body.bytes, "LATE"));
}

/* ------------------------------------------------------------------------- */

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up, worker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_one_replied_may_be_the_body_of_the_next),
        TEST(a_handler_gets_the_reply_of_another_route),
        TEST(the_memory_of_a_long_reply_is_given_back),
        TEST(what_it_pushes_leaves_in_order),
        TEST(a_failure_is_the_callers_to_judge),
        TEST(its_middleware_runs_and_is_told_of_its_outcome),
        WORKER_TEST(from_connect_it_sees_what_was_accepted_so_far),
        TEST(what_is_called_cannot_wait_but_be_told_of_pushes),
        TEST(what_cannot_be_called_is_refused),
        TEST(a_route_that_calls_itself_comes_to_an_end),
        TEST(a_task_has_no_connection_to_call_for),
        TEST(it_may_be_called_behind_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
