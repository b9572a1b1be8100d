/* SPDX-License-Identifier: MIT
 *
 * The middleware that keep a worker well: timeout, bulkhead, breaker, shed and
 * retry.
 */
#include "base/xalloc.h"
#include "tests/unit/driven_clock.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>

#include <sys/wait.h>
#include <unistd.h>

static int runs;       /* of the handler */
static int failures;   /* of its first runs so many fail */
static int fails_with; /* so */
static int64_t takes_ms;

static int set_up(void **state)
{
    runs = 0;
    failures = 0;
    fails_with = -EIO;
    takes_ms = 0;
    driven_us = 10000000;
    driven_sleeps = 0;
    driven_slept_ms = 0;
    worker_set_up(state);
    worker.now_ms = 10000;
    return 0;
}

static void pass(int64_t ms)
{
    driven_us += ms * 1000;
    worker.now_ms += ms;
}

/* What the handlers of these tests do. */
static int work(hoist_ctx *ctx)
{
    driven_us += takes_ms * 1000;
    return runs++ < failures ? fails_with : hoist_reply_text(ctx, "done");
}

static void uses(const hoist_middleware *middleware, const void *config)
{
    serves("a", work);
    assert_int_equal(hoist_use(worker.app, middleware, config), 0);
    worker_freezes();
}

static void is_answered(unsigned status)
{
    message_comes(CONN_A, "a", 1);
    says_reply(1, status);
}

/* A $disconnect and a $presence are handled whatever becomes of others. */
static void serves_edges(void)
{
    serves("$disconnect", work);
    serves("$presence", work);
}

static void edges_are_handled(void)
{
    int before = runs;

    comes(EVENT_DISCONNECT, CONN_A, "$disconnect", 8);
    says_reply(8, 200);
    comes(EVENT_PRESENCE, CONN_A, "$presence", 9);
    says_reply(9, 200);
    assert_int_equal(runs, before + 2);
}

static uint64_t counted(const char *name)
{
    return hoist_counted(hoist_counter_of(worker.app, name, "", NULL));
}

/* --- timeout ------------------------------------------------------------- */

static const hoist_timeout_config half_a_second = {.ms = 500};

static void who_answers_in_time_is_heard(void **state)
{
    (void)state;
    uses(hoist_timeout, &half_a_second);
    takes_ms = 500;
    is_answered(200);
    assert_int_equal(counted("hoist_worker_timeouts_total"), 0);
}

static void who_answers_too_late_has_failed(void **state)
{
    (void)state;
    uses(hoist_timeout, &half_a_second);
    takes_ms = 501;
    is_answered(504);
    assert_int_equal(counted("hoist_worker_timeouts_total"), 1);
}

static int say_nothing(hoist_ctx *ctx)
{
    (void)ctx;
    driven_us += takes_ms * 1000;
    return 0;
}

static void so_has_who_accepts_too_late_without_a_word(void **state)
{
    (void)state;
    serves("$connect", say_nothing);
    uses(hoist_timeout, &half_a_second);
    takes_ms = 501;
    comes(EVENT_CONNECT, CONN_A, "$connect", 8);
    says_reply(8, 504);
}

static void a_failure_that_comes_late_stays_what_it_is(void **state)
{
    (void)state;
    uses(hoist_timeout, &half_a_second);
    takes_ms = 501;
    failures = 1;
    fails_with = -ENOENT;
    is_answered(404);
}

static void what_comes_too_late_is_not_begun(void **state)
{
    (void)state;
    uses(hoist_timeout, NULL);
    driven_us += 1001 * INT64_C(1000); /* requests of this test have 1000 ms */
    is_answered(504);
    assert_int_equal(runs, 0);
}

static int64_t left_inside, left_outside;

static int see_inside(hoist_ctx *ctx)
{
    left_inside = hoist_deadline_left_ms(ctx);
    return 0;
}

static int see_outside(hoist_ctx *ctx, void *state)
{
    int rc = hoist_next(ctx);
    (void)state;

    left_outside = hoist_deadline_left_ms(ctx);
    return rc;
}

static void
handlers_see_the_nearer_deadline_and_who_is_outside_his_own(void **state)
{
    static const hoist_timeout_config long_time = {.ms = 5000};
    (void)state;

    hoist_wrap(worker.app, see_outside, NULL);
    serves("a", see_inside);
    serves("b", see_inside);
    hoist_use_on(worker.app, "a", hoist_timeout, &half_a_second);
    hoist_use_on(worker.app, "b", hoist_timeout, &long_time);
    worker_freezes();
    is_answered(200);
    assert_int_equal(left_inside, 500);
    assert_int_equal(left_outside, 1000);
    message_comes(CONN_A, "b", 2);
    says_reply(2, 200);
    assert_int_equal(left_inside, 1000);
}

static int answer_status;

static int take_answer(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)data;
    answer_status = hoist_answer_status(answer);
    return hoist_reply_status(ctx, answer_status);
}

static int ask(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, take_answer, NULL);
}

static void who_waits_for_an_answer_waits_no_longer(void **state)
{
    (void)state;
    serves("b", ask);
    uses(hoist_timeout, &half_a_second);
    message_comes(CONN_A, "b", 1);
    (void)says_query();
    pass(499);
    time_is(worker.now_ms);
    says_no_more();
    pass(1);
    time_is(worker.now_ms);
    says_reply(1, 504);
    assert_int_equal(answer_status, 504);
}

static int take_news(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    (void)data;
    answer_status = pushed->status;
    assert_true(hoist_deadline_left_ms(ctx) <= 0);
    return hoist_reply_status(ctx, answer_status);
}

static int push_and_wait(hoist_ctx *ctx)
{
    const hoist_push_options options = {.told = take_news};

    return hoist_push_then(ctx, hoist_to_all(), HOIST_TEXT, hoist_str("hello"),
                           &options);
}

static void who_waits_for_news_of_a_push_waits_no_longer(void **state)
{
    (void)state;
    serves("b", push_and_wait);
    uses(hoist_timeout, &half_a_second);
    message_comes(CONN_A, "b", 1);
    (void)says(KIND_PUSH);
    pass(500);
    time_is(worker.now_ms);
    says_reply(1, 504);
    assert_int_equal(answer_status, 504);
}

static void no_edge_is_ever_late(void **state)
{
    (void)state;
    serves_edges();
    uses(hoist_timeout, &half_a_second);
    takes_ms = 100000;
    edges_are_handled();
}

/* --- bulkhead ------------------------------------------------------------ */

static void so_many_at_once_and_no_more(void **state)
{
    static const hoist_bulkhead_config two = {.limit = 2};
    (void)state;

    serves_edges();
    serves("b", ask);
    uses(hoist_bulkhead, &two);
    message_comes("aaaaaaaaaaaaaaa1", "b", 1); /* both wait for an answer */
    message_comes("aaaaaaaaaaaaaaa2", "b", 2);
    uint64_t first = says_query();
    (void)says_query();
    is_answered(503);
    assert_int_equal(runs, 0);
    edges_are_handled();
    status_comes(first, 200);
    says_reply(1, 200);
    is_answered(200);
    is_answered(200);
    assert_int_equal(counted("hoist_worker_bulkhead_refused_total"), 1);
}

/* --- breaker ------------------------------------------------------------- */

static const hoist_breaker_config brief = {.name = "db",
                                           .failures = 3,
                                           .open_ms = 2000,
                                           .probes = 2};

static void it_opens_refuses_tries_and_closes(void **state)
{
    (void)state;
    serves_edges();
    uses(hoist_breaker, &brief);
    failures = 3;
    is_answered(500);
    is_answered(500);
    is_answered(500);
    is_answered(503);
    assert_int_equal(runs, 3);
    edges_are_handled();
    pass(2000);
    is_answered(200);
    is_answered(200);
    is_answered(200);
    assert_int_equal(hoist_counted(hoist_counter_of(
                         worker.app, "hoist_worker_breaker_refused_total", "",
                         "breaker=\"db\"")),
                     1);
    assert_int_equal(hoist_counted(hoist_counter_of(
                         worker.app, "hoist_worker_breaker_opened_total", "",
                         "breaker=\"db\"")),
                     1);
}

static void what_clients_do_wrong_opens_nothing(void **state)
{
    (void)state;
    uses(hoist_breaker, &brief);
    failures = 10;
    fails_with = -ENOENT;
    for (int i = 0; i < 10; i++) {
        is_answered(404);
    }
    is_answered(200);
}

static void who_is_refused_is_told_when_to_come_again(void **state)
{
    const message_t *reply;
    (void)state;

    assert_int_equal(hoist_use(worker.app, hoist_recover,
                               &(hoist_recover_config){.silent = true}),
                     0);
    uses(hoist_breaker, &brief);
    failures = 3;
    for (int i = 0; i < 3; i++) {
        is_answered(500);
    }
    pass(500);
    message_comes(CONN_A, "a", 1);
    reply = says(KIND_REPLY);
    assert_int_equal(reply->reply.status, 503);
    assert_true(hoist_is(lend(reply->reply.body.bytes),
                         "{\"code\":\"unavailable\","
                         "\"message\":\"Service Unavailable\","
                         "\"details\":{\"retryAfterMs\":1500},"
                         "\"requestId\":\"AAAAAAAAAEY=\"}"));
}

/* Of a $connect, in a header, too. */
static void so_is_who_may_not_connect(void **state)
{
    (void)state;
    serves("$connect", work);
    assert_int_equal(hoist_use(worker.app, hoist_breaker, &brief), 0);
    worker_freezes();
    failures = 3;
    for (uint64_t i = 1; i <= 3; i++) {
        comes(EVENT_CONNECT, CONN_A, "$connect", i);
        says_reply(i, 500);
    }
    pass(500);
    comes(EVENT_CONNECT, CONN_A, "$connect", 4);
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    assert_int_equal(reply->status, 503);
    assert_non_null(memmem(reply->options.data, reply->options.len,
                           "Retry-After\xa1"
                           "2",
                           13));
}

static void an_event_that_waits_counts_with_its_outcome(void **state)
{
    (void)state;
    serves("b", ask);
    uses(hoist_breaker, &brief);
    for (uint64_t i = 1; i <= 3; i++) {
        message_comes(CONN_A, "b", i);
        status_comes(says_query(), 503);
        says_reply(i, 503);
    }
    is_answered(503);
    assert_int_equal(runs, 0);
}

static void refuses_breaker(const hoist_breaker_config *config, const char *why)
{
    assert_int_equal(hoist_use(worker.app, hoist_breaker, config), -EINVAL);
    assert_string_equal(worker.app->refusal.reason, why);
}

static void a_wrong_rule_is_refused(void **state)
{
    char name[129] = {0};
    (void)state;

    refuses_breaker(&(hoist_breaker_config){.percent = 101},
                    "hoist_breaker: percent=101 is more than 100");
    memset(name, 'a', sizeof name - 1);
    refuses_breaker(&(hoist_breaker_config){.name = name},
                    "hoist_breaker: name: it is too long");
    refuses_breaker(&(hoist_breaker_config){.name = "a\"b"},
                    "hoist_breaker: name: it has a quote, a backslash or the "
                    "end of a line");
}

/* --- shed ---------------------------------------------------------------- */

/* A request with so much of its time left. */
static void comes_from(const char *connection, uint64_t left_ms,
                       unsigned status)
{
    message_request_t request = sdk_message("a");

    request.conn = wire_bytes(connection);
    request.deadline_ms = left_ms;
    must(message_put_request(&worker.in, &request) == 0);
    feed(worker.now_ms);
    says_reply(request.id, status);
}

/* Of one that has 1000 ms when it begins. */
static void comes_with(uint64_t left_ms, unsigned status)
{
    comes_from(CONN_A, left_ms, status);
}

static void a_queue_that_stays_long_is_thinned_out(void **state)
{
    (void)state;
    serves_edges();
    uses(hoist_shed, NULL);
    comes_with(1000, 200); /* as long as they are when they begin */
    pass(100);
    comes_with(500, 200);
    pass(99);
    comes_with(500, 200);
    pass(1);
    comes_with(500, 503);
    comes_with(801, 200); /* not twice the target */
    edges_are_handled();
    comes_with(950, 200); /* it is short again */
    comes_with(500, 200);
    assert_int_equal(counted("hoist_worker_shed_total"), 1);
}

static void waiting_here_counts_as_well(void **state)
{
    (void)state;
    uses(hoist_shed, &(hoist_shed_config){.target_ms = 50, .interval_ms = 100});
    driven_us += 120000; /* it came 120 ms before its turn */
    comes_with(1000, 200);
    pass(100);
    comes_with(1000, 503);
}

static void the_whole_time_can_be_said(void **state)
{
    (void)state;
    uses(hoist_shed,
         &(hoist_shed_config){.interval_ms = 100, .request_ms = 600});
    comes_with(1000, 200);
    pass(100);
    comes_with(400, 200);
    pass(100);
    comes_with(401, 200);
    comes_with(400, 503);
}

static void what_one_gateway_gives_is_no_wait_at_another(void **state)
{
    (void)state;
    uses(hoist_shed, NULL);
    comes_from(CONN_A, 29000, 200);
    for (int i = 0; i < 20; i++) {
        pass(50);
        comes_from(CONN_B, 10000, 200);
    }
    comes_from(CONN_A, 28500, 200); /* has waited, but others have not */
    for (int i = 0; i < 4; i++) {
        pass(50);
        comes_from(CONN_B, 9850, 200);
    }
    comes_from(CONN_B, 9800, 503);
    comes_from(CONN_A, 28800, 503);
}

/* Each in the first 24 bits of its connections' ids. */
static void of_more_loops_than_256_those_seen_last_are_known(void **state)
{
    char connection[] = "AAAAaaaaaaaaaaaa";
    (void)state;

    uses(hoist_shed, NULL);
    comes_from(connection, 29000, 200);
    for (int i = 0; i < 1024; i++) {
        connection[2] = (char)('A' + i / 26 % 26);
        connection[3] = (char)('A' + i % 26);
        connection[1] = (char)('A' + i / 676);
        pass(1);
        comes_from(connection, 10000, 200);
    }
    pass(100);
    comes_from(connection, 9800, 200);
    pass(100);
    comes_from(connection, 9800, 503);
    comes_from("AAAAaaaaaaaaaaaa", 28000, 200); /* is new again */
    comes_from(connection, 9800, 200);          /* as somebody did not wait */
}

/* --- retry --------------------------------------------------------------- */

static void it_tries_three_times_and_pauses_in_between(void **state)
{
    (void)state;
    uses(hoist_retry, NULL);
    failures = 2;
    is_answered(200);
    assert_int_equal(runs, 3);
    assert_int_equal(driven_sleeps, 2);
    assert_in_range(driven_slept_ms, 5 + 10, 10 + 20);
    assert_int_equal(counted("hoist_worker_retries_total"), 2);
    assert_int_equal(counted("hoist_worker_retries_failed_total"), 0);
}

static void what_fails_all_the_time_fails(void **state)
{
    (void)state;
    uses(hoist_retry, NULL);
    failures = 10;
    is_answered(500);
    assert_int_equal(runs, 3);
    assert_int_equal(counted("hoist_worker_retries_failed_total"), 1);
}

static void what_a_client_did_wrong_is_not_tried_again(void **state)
{
    static const int wrong[] = {-EINVAL, -EACCES, -ENOENT, -EEXIST, -EAGAIN};
    (void)state;

    uses(hoist_retry, NULL);
    failures = 100;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fails_with = wrong[i];
        message_comes(CONN_A, "a", 1);
        (void)says(KIND_REPLY);
    }
    assert_int_equal(runs, 5);
    assert_int_equal(driven_sleeps, 0);
}

static void pauses_double_up_to_a_bound(void **state)
{
    (void)state;
    uses(hoist_retry,
         &(hoist_retry_config){.attempts = 6, .pause_ms = 10, .most_ms = 40});
    failures = 5;
    is_answered(200);
    assert_int_equal(driven_sleeps, 5);
    assert_in_range(driven_slept_ms, 5 + 10 + 20 + 20 + 20,
                    10 + 20 + 40 + 40 + 40);
}

static void it_does_not_sleep_beyond_the_deadline(void **state)
{
    (void)state;
    uses(hoist_retry, &(hoist_retry_config){
                          .attempts = 100, .pause_ms = 400, .most_ms = 400});
    failures = 100;
    is_answered(500);
    assert_true(runs <= 5); /* 1000 ms, at least 200 each */
    assert_true(driven_slept_ms < 1000);
}

static int take_or_not(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    note(data);
    return hoist_reply_text(ctx, "here");
}

/* Fails behind its first question, and waits for the answer to the second. */
static int ask_in_vain(hoist_ctx *ctx)
{
    static char first[] = "first", second[] = "second";
    bool is_first = runs++ == 0;

    int rc =
        hoist_find_count(ctx, NULL, take_or_not, is_first ? first : second);
    assert_int_equal(rc, 0);
    return is_first ? -EIO : 0;
}

static void a_question_of_a_run_that_failed_answers_nothing(void **state)
{
    (void)state;
    serves("b", ask_in_vain);
    uses(hoist_retry, NULL);
    message_comes(CONN_A, "b", 1);
    uint64_t first = says_query(), second = says_query();
    says_no_more(); /* it waits */
    status_comes(first, 200);
    assert_trace("first"); /* for what it has to free */
    says_no_more();
    status_comes(second, 200);
    assert_trace("second");
    says_reply(1, 200);
}

static void each_try_within_a_time_and_all_within_another(void **state)
{
    (void)state;
    serves("a", work);
    hoist_use(worker.app, hoist_timeout, &(hoist_timeout_config){.ms = 300});
    hoist_use(worker.app, hoist_retry,
              &(hoist_retry_config){.attempts = 10, .pause_ms = 1});
    hoist_use(worker.app, hoist_timeout, &(hoist_timeout_config){.ms = 100});
    worker_freezes();
    takes_ms = 120;
    is_answered(504);
    assert_in_range(runs, 2, 3);
}

/* How long a process sleeps that was forked from this one, in a pipe. */
static int64_t forked_pause(void)
{
    int64_t slept_ms = 0;
    int ends[2];

    must(pipe(ends) == 0);
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        comes(EVENT_DISCONNECT, CONN_A, "$disconnect", 1);
        must(write(ends[1], &driven_slept_ms, sizeof driven_slept_ms) ==
             sizeof driven_slept_ms);
        _exit(0);
    }
    must(read(ends[0], &slept_ms, sizeof slept_ms) == sizeof slept_ms &&
         waitpid(pid, NULL, 0) == pid);
    close(ends[0]);
    close(ends[1]);
    return slept_ms;
}

static void processes_that_fail_together_do_not_come_together(void **state)
{
    const hoist_retry_config slow = {.pause_ms = 100000000,
                                     .most_ms = 100000000};
    (void)state;

    serves_edges();
    uses(hoist_retry, &slow);
    failures = 1;
    int64_t one = forked_pause(), other = forked_pause();
    assert_in_range(one, 50000000, 100000000);
    assert_in_range(other, 50000000, 100000000);
    assert_int_not_equal(one, other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, worker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_answers_in_time_is_heard),
        T(who_answers_too_late_has_failed),
        T(so_has_who_accepts_too_late_without_a_word),
        T(a_failure_that_comes_late_stays_what_it_is),
        T(what_comes_too_late_is_not_begun),
        T(handlers_see_the_nearer_deadline_and_who_is_outside_his_own),
        T(who_waits_for_an_answer_waits_no_longer),
        T(who_waits_for_news_of_a_push_waits_no_longer),
        T(no_edge_is_ever_late),
        T(so_many_at_once_and_no_more),
        T(it_opens_refuses_tries_and_closes),
        T(what_clients_do_wrong_opens_nothing),
        T(who_is_refused_is_told_when_to_come_again),
        T(so_is_who_may_not_connect),
        T(an_event_that_waits_counts_with_its_outcome),
        T(a_wrong_rule_is_refused),
        T(a_queue_that_stays_long_is_thinned_out),
        T(waiting_here_counts_as_well),
        T(the_whole_time_can_be_said),
        T(what_one_gateway_gives_is_no_wait_at_another),
        T(of_more_loops_than_256_those_seen_last_are_known),
        T(it_tries_three_times_and_pauses_in_between),
        T(what_fails_all_the_time_fails),
        T(what_a_client_did_wrong_is_not_tried_again),
        T(pauses_double_up_to_a_bound),
        T(it_does_not_sleep_beyond_the_deadline),
        T(a_question_of_a_run_that_failed_answers_nothing),
        T(each_try_within_a_time_and_all_within_another),
        T(processes_that_fail_together_do_not_come_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
