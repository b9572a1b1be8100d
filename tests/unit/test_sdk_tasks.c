/* SPDX-License-Identifier: MIT
 *
 * What a worker does without an event: what its context may do, timers, and
 * what other threads post.
 */
#include "base/xalloc.h"
#include "tests/unit/worker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pthread.h>

#define POSTERS 4
#define POSTS   3000 /* of each */

static void run(hoist_task *task, void *data)
{
    link_run(&worker.link, &(task_t){task, data});
}

/* --- the context --------------------------------------------------------- */

static int look_around(hoist_ctx *ctx, void *data)
{
    static const char key;

    assert_ptr_equal(data, &worker);
    assert_ptr_equal(hoist_ctx_app(ctx), worker.app);
    assert_int_equal(hoist_event_of(ctx), HOIST_TASK);
    assert_null(hoist_ws(ctx));
    assert_null(hoist_connection(ctx).data);
    assert_null(hoist_route(ctx).data);
    assert_null(hoist_user(ctx).data);
    assert_null(hoist_attribute(ctx, "a").data);
    assert_null(hoist_header(ctx, "a").data);
    assert_null(hoist_subprotocol(ctx, 0).data);
    assert_int_equal(hoist_body_type(ctx), HOIST_NONE);
    assert_int_equal(hoist_attempt(ctx), 1);
    assert_true(hoist_deadline_left_ms(ctx) > 1000000000);
    assert_null(hoist_get(ctx, &key));
    assert_int_equal(hoist_set(ctx, &key, data), 0);
    assert_ptr_equal(hoist_get(ctx, &key), data);
    note("looked");
    return 0;
}

static void a_task_has_no_event(void **state)
{
    (void)state;
    run(look_around, &worker);
    run(look_around, &worker); /* nothing of the one before is there */
    assert_trace("looked looked");
    says_no_more();
}

static int reply_in_vain(hoist_ctx *ctx, void *data)
{
    (void)data;
    assert_int_equal(hoist_reply_text(ctx, "to nobody"), -EINVAL);
    assert_int_equal(hoist_reply_status(ctx, 200), -EINVAL);
    assert_int_equal(hoist_replied(ctx), 0);
    assert_int_equal(hoist_accept_user(ctx, hoist_str("ada")), -EINVAL);
    assert_int_equal(hoist_accept_group(ctx, hoist_str("lobby")), -EINVAL);
    assert_int_equal(hoist_next(ctx), -EINVAL);
    note("tried");
    return 0;
}

static void there_is_nobody_to_reply_to(void **state)
{
    (void)state;
    run(reply_in_vain, NULL);
    assert_trace("tried");
    says_no_more();
}

static int push_and_more(hoist_ctx *ctx, void *data)
{
    hoist_text lobby = hoist_str("lobby"), conn = hoist_str(CONN_A);
    (void)data;

    assert_int_equal(hoist_join(ctx, lobby, conn), 0);
    assert_int_equal(hoist_push_to(ctx, hoist_to_group(lobby), HOIST_TEXT,
                                   hoist_str("news"), NULL),
                     0);
    assert_int_equal(hoist_leave(ctx, lobby, conn), 0);
    return hoist_close(ctx, conn, 1000, "bye");
}

static void it_pushes_joins_leaves_and_closes(void **state)
{
    (void)state;
    run(push_and_more, NULL);
    says(KIND_JOIN);
    says(KIND_PUSH);
    says(KIND_LEAVE);
    says(KIND_CLOSE);
    says_no_more();
}

static int tell(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    char word[32];
    int *pages = data;

    assert_int_equal(hoist_event_of(ctx), HOIST_TASK);
    assert_null(hoist_ws(ctx));
    assert_int_equal(hoist_reply_text(ctx, "to nobody"), -EINVAL);
    (void)snprintf(word, sizeof word, "told:%d", hoist_answer_status(answer));
    note(word);
    return --*pages > 0 ? hoist_find_count(ctx, NULL, tell, data) : 0;
}

static int ask(hoist_ctx *ctx, void *data)
{
    assert_int_equal(hoist_find_count(ctx, NULL, tell, data), 0);
    assert_int_equal(hoist_find_count(ctx, NULL, tell, data), -EALREADY);
    return 0;
}

static void it_asks_and_goes_on_with_the_answer(void **state)
{
    int pages = 2;
    (void)state;

    run(ask, &pages);
    status_comes(says_query(), 200);
    uint64_t second = says_query();
    assert_int_equal(worker.link.asked.count, 1);
    status_comes(second, 404);
    assert_trace("told:200 told:404");
    assert_int_equal(worker.link.asked.count, 0);
    says_no_more();
}

static void what_it_asks_is_no_request_that_is_held(void **state)
{
    int pages = 1;
    (void)state;

    run(ask, &pages);
    (void)says_query();
    link_tick(&worker.link, 10 + HEARTBEAT);
    const message_ping_t *ping = &says(KIND_PING)->ping;
    assert_int_equal(ping->in_flight, 0);
    assert_int_equal(ping->oldest_ms, 0);
    worker_ends(); /* `pages` is read for the last time */
    assert_trace("told:503");
}

static int ask_and_fail(hoist_ctx *ctx, void *data)
{
    assert_int_equal(hoist_find_count(ctx, NULL, tell, data), 0);
    return hoist_fail(ctx, 500, "sorry", "Not today");
}

static void a_failure_is_said_in_the_log_and_its_answer_comes(void **state)
{
    int pages = 1;
    (void)state;

    log_set_level(LEVEL_WARN);
    sdk_catch();
    run(ask_and_fail, &pages);
    assert_non_null(strstr(
        sdk_caught(), "WORKER-TASK-FAILED error=\"Not today\" code=sorry"));
    status_comes(says_query(), 200);
    assert_trace("told:200");
    says_no_more();
}

static int return_a_number(hoist_ctx *ctx, void *data)
{
    const int *number = data;

    (void)ctx;
    return *number;
}

static void a_positive_result_is_said_in_the_log(void **state)
{
    int number = EIO;
    (void)state;

    log_set_level(LEVEL_WARN);
    sdk_catch();
    run(return_a_number, &number);
    assert_non_null(
        strstr(sdk_caught(),
               "WORKER-TASK-FAILED error=\"Numerical result out of range\""));
}

static void a_task_whose_broker_is_lost_is_told(void **state)
{
    int pages = 1;
    (void)state;

    run(ask, &pages);
    bare_comes(KIND_BYE, 20);
    assert_trace("told:503");
}

static int never(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    (void)ctx;
    (void)data;
    fail_msg("told of a push that was not taken: %d", pushed->status);
    return 0;
}

static int speak_to_nobody(hoist_ctx *ctx, void *data)
{
    const hoist_push_options told = {.told = never};

    hoist_text lobby = hoist_str("lobby"), conn = hoist_str(CONN_A);

    assert_int_equal(hoist_push_one(ctx, conn, HOIST_TEXT, lobby), -ENOTCONN);
    assert_int_equal(hoist_join(ctx, lobby, conn), -ENOTCONN);
    assert_int_equal(hoist_close(ctx, conn, 1000, NULL), -ENOTCONN);
    assert_int_equal(hoist_find_count(ctx, NULL, tell, NULL), -ENOTCONN);
    assert_int_equal(
        hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, lobby, &told),
        -ENOTCONN);
    assert_int_equal(
        hoist_push_then(ctx, hoist_to_all(), HOIST_TEXT, lobby, &told),
        -ENOTCONN);

    ++*(size_t *)data;
    return 0;
}

static void without_a_broker_it_reaches_nobody(void **state)
{
    size_t runs = 0;
    (void)state;

    core_run(&worker.core, &(task_t){speak_to_nobody, &runs}, NULL, NULL);
    assert_int_equal(runs, 1);
    says_no_more();
}

/* --- timers -------------------------------------------------------------- */

static int idle(hoist_ctx *ctx, void *data)
{
    (void)ctx;
    (void)data;
    return 0;
}

static void timers_have_limits(void **state)
{
    hoist_app *app = hoist_app_new();
    (void)state;

    assert_int_equal(hoist_every(app, 1, idle, NULL), 0);
    for (int i = 1; i < TIMERS_MAX; i++) {
        assert_int_equal(hoist_every(app, 86400000, idle, NULL), 0);
    }
    assert_int_equal(app->refusal.rc, 0);
    assert_int_equal(hoist_every(app, 1, idle, NULL), -ENOSPC);
    assert_int_equal(app->refusal.rc, -ENOSPC);
    assert_int_equal(hoist_every(app, 0, idle, NULL), -EINVAL);
    assert_int_equal(hoist_every(app, 86400001, idle, NULL), -EINVAL);
    assert_int_equal(hoist_every(app, 1, NULL, NULL), -EINVAL);
    hoist_app_destroy(&app);
}

static timers_t two_timers(void)
{
    static int data[2];
    timers_t timers = {.count = 0};

    must(timers_add(&timers, 100, &(task_t){idle, &data[0]}) == 0);
    must(timers_add(&timers, 250, &(task_t){idle, &data[1]}) == 0);
    timers_start(&timers, 1000);
    return timers;
}

static void each_comes_round_in_its_time(void **state)
{
    timers_t timers = two_timers();
    size_t first = 0, second = 0;
    task_t task;
    (void)state;

    assert_int_equal(timers_due_ms(&timers), 1100);
    for (int64_t now_ms = 1000; now_ms <= 2000; now_ms++) {
        while (timers_take(&timers, now_ms, &task)) {
            bool is_first = task.data == timers.timers[0].task.data;
            assert_int_equal((now_ms - 1000) % (is_first ? 100 : 250), 0);
            first += is_first;
            second += !is_first;
        }
    }
    assert_int_equal(first, 10);
    assert_int_equal(second, 4);
}

static void what_was_missed_is_not_made_up_for(void **state)
{
    timers_t timers = two_timers();
    task_t task;
    (void)state;

    assert_true(timers_take(&timers, 1460, &task));
    assert_true(timers_take(&timers, 1460, &task));
    assert_false(timers_take(&timers, 1460, &task));
    assert_int_equal(timers_due_ms(&timers), 1500);
}

/* --- posts --------------------------------------------------------------- */

static void posts_are_taken_in_order_up_to_4096(void **state)
{
    static int data[POSTS_MAX + 1];
    posts_t posts;
    task_t task;
    (void)state;

    must(posts_init(&posts) == 0);
    for (int i = 0; i < POSTS_MAX; i++) {
        assert_int_equal(posts_put(&posts, &(task_t){idle, &data[i]}), 0);
    }
    errno = 77; /* signal handlers post, too */
    assert_int_equal(posts_put(&posts, &(task_t){idle, NULL}), -EAGAIN);
    assert_int_equal(errno, 77);
    assert_int_equal(posts_count(&posts), POSTS_MAX);
    for (int i = 0; i < POSTS_MAX; i++) {
        assert_true(posts_take(&posts, &task));
        assert_ptr_equal(task.data, &data[i]);
    }
    assert_false(posts_take(&posts, &task));
    posts_close(&posts);
    assert_int_equal(posts_put(&posts, &(task_t){idle, NULL}), -ENOTCONN);
    posts_fini(&posts);
}

static void a_post_without_a_task_is_refused(void **state)
{
    (void)state;
    assert_int_equal(hoist_post(worker.app, NULL, NULL), -EINVAL);
}

static void what_never_ran_is_run_when_the_app_goes(void **state)
{
    hoist_app *app = hoist_app_new();
    size_t runs = 0;
    (void)state;

    for (int i = 0; i < 3; i++) {
        must(hoist_post(app, speak_to_nobody, &runs) == 0);
    }
    hoist_app_destroy(&app);
    assert_int_equal(runs, 3);
}

static int post_again(hoist_ctx *ctx, void *data)
{
    assert_int_equal(hoist_post(hoist_ctx_app(ctx), post_again, data),
                     -ENOTCONN);
    ++*(size_t *)data;
    return 0;
}

static void what_posts_itself_again_then_ends_all_the_same(void **state)
{
    hoist_app *app = hoist_app_new();
    size_t runs = 0;
    (void)state;

    must(hoist_post(app, post_again, &runs) == 0);
    hoist_app_destroy(&app);
    assert_int_equal(runs, 1);
}

/* --- an app that runs, and threads that post ----------------------------- */

typedef struct {
    hoist_app *app;
    size_t runs; /* of the loop's thread alone */
} posted_t;

static int count(hoist_ctx *ctx, void *data)
{
    posted_t *posted = data;

    assert_ptr_equal(hoist_ctx_app(ctx), posted->app);
    if (++posted->runs == (size_t)POSTERS * POSTS) {
        hoist_stop(posted->app);
    }
    return 0;
}

static void *post_many(void *data)
{
    posted_t *posted = data;

    for (int i = 0; i < POSTS; i++) {
        while (hoist_post(posted->app, count, posted) == -EAGAIN) {
            sched_yield();
        }
    }
    return NULL;
}

static int handler(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static void threads_post_and_each_task_is_run_once(void **state)
{
    pthread_t threads[POSTERS];
    posted_t posted = {.app = hoist_app_new()};
    (void)state;

    hoist_on(posted.app, "a", handler);
    must(hoist_option(posted.app, "broker", "ipc:///tmp/hoist-no-broker") == 0);
    for (int i = 0; i < POSTERS; i++) {
        must(pthread_create(&threads[i], NULL, post_many, &posted) == 0);
    }
    assert_int_equal(hoist_run(posted.app), 0);
    for (int i = 0; i < POSTERS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    assert_int_equal(posted.runs, POSTERS * POSTS);
    hoist_app_destroy(&posted.app);
}

static int stop_the_third_time(hoist_ctx *ctx, void *data)
{
    if (++*(size_t *)data == 3) {
        hoist_stop(hoist_ctx_app(ctx));
    }
    return 0;
}

static void a_timer_runs_until_the_stop(void **state)
{
    hoist_app *app = hoist_app_new();
    size_t runs = 0, last = 0;
    (void)state;

    hoist_on(app, "a", handler);
    hoist_every(app, 1, stop_the_third_time, &runs);
    must(hoist_option(app, "broker", "ipc:///tmp/hoist-no-broker") == 0);
    must(hoist_post(app, speak_to_nobody, &last) == 0);
    assert_int_equal(hoist_run(app), 0);
    assert_int_equal(runs, 3);
    assert_int_equal(last, 1);
    hoist_app_destroy(&app);
}

/* ------------------------------------------------------------------------- */

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(a_task_has_no_event),
        WORKER_TEST(there_is_nobody_to_reply_to),
        WORKER_TEST(it_pushes_joins_leaves_and_closes),
        WORKER_TEST(it_asks_and_goes_on_with_the_answer),
        WORKER_TEST(what_it_asks_is_no_request_that_is_held),
        WORKER_TEST(a_failure_is_said_in_the_log_and_its_answer_comes),
        WORKER_TEST(a_positive_result_is_said_in_the_log),
        WORKER_TEST(a_task_whose_broker_is_lost_is_told),
        WORKER_TEST(without_a_broker_it_reaches_nobody),
        cmocka_unit_test(timers_have_limits),
        cmocka_unit_test(each_comes_round_in_its_time),
        cmocka_unit_test(what_was_missed_is_not_made_up_for),
        cmocka_unit_test(posts_are_taken_in_order_up_to_4096),
        WORKER_TEST(a_post_without_a_task_is_refused),
        cmocka_unit_test(what_never_ran_is_run_when_the_app_goes),
        cmocka_unit_test(what_posts_itself_again_then_ends_all_the_same),
        cmocka_unit_test(threads_post_and_each_task_is_run_once),
        cmocka_unit_test(a_timer_runs_until_the_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
