/* SPDX-License-Identifier: MIT
 *
 * Handlers that ask who is connected, and what becomes of their events when
 * they fail, or no answer comes.
 */
#include "base/xalloc.h"
#include "tests/unit/query_fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- failures ------------------------------------------------------------ */

static void a_failure_behind_a_question_ends_the_event_at_once(void **state)
{
    (void)state;
    asking.result = -ENOENT;
    message_comes(CONN_A, "ask", 1);
    uint64_t id = says_query();
    says_reply(1, 404);
    message_comes(CONN_A, "plain", 2);
    says_reply(2, 200);
    status_comes(id, 200);
    says_no_more();
    assert_trace("ask plain told:200");
    assert_int_equal(worker.link.asked.count, 0);
}

static void so_does_a_failure_of_middleware(void **state)
{
    (void)state;
    asking.refuses = true;
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
    asking.retries = true;
    asking.result = -EBUSY;
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
    return hoist_find_count(ctx, NULL, ask_and_fail, &asking);
}

static void
an_answer_that_fails_behind_another_question_lets_the_next_go(void **state)
{
    (void)state;
    serves("fails", begin_to_fail);
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
    serves("twice", begin_to_fail_twice);
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
    serves("again", ask_for_next);
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
    asking.options.timeout_ms = 20;
    message_comes(CONN_B, "ask", 2);
    (void)says_query();
    (void)says_query();
    assert_int_equal(link_due_ms(&worker.link), 30);
    time_is(30);
    says_reply(2, 200);
    says_no_more();
}

/* As many ask as the broker has places for; the id of the first QUERY. */
static uint64_t sixteen_ask(void)
{
    char conn[CONN_ID_TEXT + 1];
    uint64_t first = 0;

    for (uint64_t i = 0; i < ASKED_AT_ONCE; i++) {
        (void)snprintf(conn, sizeof conn, "%016" PRIu64, i);
        message_comes(conn, "ask", i + 1);
        uint64_t id = says_query();
        first = i == 0 ? id : first;
    }
    return first;
}

static void a_query_that_is_late_keeps_its_place_at_the_broker(void **state)
{
    (void)state;
    uint64_t first = sixteen_ask();
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
    serves("lost", ask_before_the_loss);
    message_comes(CONN_A, "lost", 1);
    uint64_t id = says_query();
    message_comes(CONN_A, "plain", 2);
    must(message_put_bare(&worker.in, how) == 0);
    feed(10 + 2 * HEARTBEAT);
    assert_trace("ask told:503");
    assert_int_equal(worker.link.mail.boxes, 0);
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
    worker_ends();
    assert_trace("told:503");
}

static void draining_waits_for_the_answers(void **state)
{
    link_t *link = &worker.link;
    (void)state;

    message_comes(CONN_A, "ask", 1);
    uint64_t id = says_query();
    message_comes(CONN_A, "plain", 2);
    link_drain(link, 20);
    says(KIND_DRAIN);
    says(KIND_PING);
    must(message_put_bare(&worker.in, KIND_PONG) == 0);
    feed(30);
    assert_false(link_is_drained(link));
    status_comes(id, 200);
    says_reply(1, 200);
    says_reply(2, 200);
    assert_true(link_is_drained(link));
}

static void who_drains_and_was_given_up_tells_503_and_asks_on(void **state)
{
    (void)state;
    uint64_t first = sixteen_ask();
    worker.trace[0] = '\0';
    link_drain(&worker.link, 20);
    says(KIND_DRAIN);
    says(KIND_PING);
    sdk_put_welcome(&worker.in, &(sdk_welcome_t){.session = 2});
    feed(30);
    assert_int_equal(asking.told, ASKED_AT_ONCE);
    assert_non_null(strstr(worker.trace, "told:503 told:503"));
    worker.trace[0] = '\0';
    says_no_more(); /* of what is over */
    message_comes(CONN_A, "ask", 100);
    says_no_more(); /* the broker has sixteen of ours */
    status_comes(first, 200);
    status_comes(says_query(), 200);
    says_reply(100, 200);
}

static void a_result_that_nobody_asked_for_is_nobodys(void **state)
{
    (void)state;
    status_comes(0, 200);
    status_comes(77, 200);
    says_no_more();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASKING_TEST(a_failure_behind_a_question_ends_the_event_at_once),
        ASKING_TEST(so_does_a_failure_of_middleware),
        ASKING_TEST(a_retry_asks_anew_and_each_answer_comes_once),
        ASKING_TEST(
            an_answer_that_fails_behind_another_question_lets_the_next_go),
        ASKING_TEST(a_failure_that_comes_too_late_takes_nothing_back),
        ASKING_TEST(an_answer_does_not_run_the_chain_again),
        ASKING_TEST(no_answer_in_time_is_504_and_a_late_one_is_nobodys),
        ASKING_TEST(a_handler_may_be_less_patient),
        ASKING_TEST(a_query_that_is_late_keeps_its_place_at_the_broker),
        ASKING_TEST(a_broker_that_leaves_answers_503),
        ASKING_TEST(so_does_one_that_does_not_know_us_any_more),
        ASKING_TEST(a_worker_that_ends_tells_who_waits),
        ASKING_TEST(draining_waits_for_the_answers),
        ASKING_TEST(who_drains_and_was_given_up_tells_503_and_asks_on),
        ASKING_TEST(a_result_that_nobody_asked_for_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
