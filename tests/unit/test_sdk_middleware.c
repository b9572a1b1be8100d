/* SPDX-License-Identifier: MIT
 *
 * Middleware of the C SDK: around which handlers, in which order, with which
 * state; that a refusal stays one; what an event keeps, and who hears of its
 * outcome, also where it waits for an answer.
 */
#include "base/xalloc.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- around which handlers ----------------------------------------------- */

static char outer[] = "outer", inner[] = "inner", other[] = "other";

static int note_around(hoist_ctx *ctx, void *name)
{
    note(name);
    int rc = hoist_next(ctx);
    note(rc < 0 ? "failed" : "done");
    return rc;
}

static int note_handler(hoist_ctx *ctx)
{
    (void)ctx;
    note("handler");
    return 0;
}

static void what_is_around_a_route_is_inside_of_what_is_around_all(void **state)
{
    (void)state;
    serves("a", note_handler);
    serves("b", note_handler);
    assert_int_equal(hoist_wrap_on(worker.app, "a", note_around, inner), 0);
    assert_int_equal(hoist_wrap_on(worker.app, "b", note_around, other), 0);
    assert_int_equal(hoist_wrap(worker.app, note_around, outer), 0);
    worker_freezes();
    message_comes(CONN_A, "a", 1);
    says_reply(1, 200);
    assert_trace("outer inner handler done done");
    message_comes(CONN_A, "b", 2);
    says_reply(2, 200);
    assert_trace("outer other handler done done");
}

static void a_route_that_is_not_there_has_no_middleware(void **state)
{
    static const hoist_middleware nothing = {.run = note_around};
    (void)state;

    assert_int_equal(hoist_wrap_on(worker.app, "a", note_around, outer),
                     -ENOENT);
    assert_int_equal(hoist_use_on(worker.app, "a", &nothing, NULL), -ENOENT);
    assert_int_equal(hoist_use_on(worker.app, NULL, &nothing, NULL), -ENOENT);
    assert_int_equal(worker.app->refusal.rc, -ENOENT);
}

static void middleware_of_a_route_has_a_limit_of_its_own(void **state)
{
    (void)state;
    serves("a", note_handler);
    for (int i = 0; i < MIDDLEWARE_MAX; i++) {
        assert_int_equal(hoist_wrap_on(worker.app, "a", note_around, inner), 0);
    }
    assert_int_equal(hoist_wrap_on(worker.app, "a", note_around, inner),
                     -ENOSPC);
    assert_int_equal(hoist_wrap(worker.app, note_around, outer), 0);
}

static int next_of_all(hoist_ctx *ctx)
{
    note("handler");
    assert_int_equal(hoist_next(ctx), -EINVAL);
    return 0;
}

static void there_is_nothing_inside_of_a_handler(void **state)
{
    (void)state;
    message_runs(next_of_all);
    says_reply(1, 200);
    assert_trace("handler");
}

/* --- its state ----------------------------------------------------------- */

typedef struct {
    int refuses; /* errno of init, or 0 */
    char name[8];
} word_config_t;

static int word_init(hoist_app *app, const void *config, void **state)
{
    const word_config_t *word = config;

    assert_ptr_equal(app, worker.app);
    if (word != NULL && word->refuses != 0) {
        return -word->refuses;
    }
    char *name = xcalloc(1, sizeof word->name);
    snprintf(name, sizeof word->name, "%s",
             word != NULL ? word->name : "usual");
    *state = name;
    return 0;
}

static void word_fini(void *state)
{
    note("free");
    note(state);
    free(state);
}

static const hoist_middleware word = {.init = word_init,
                                      .run = note_around,
                                      .fini = word_fini};

/* The app is destroyed, which notes this. */
static void app_ends(const char *expected)
{
    worker_tear_down(NULL);
    assert_trace(expected);
    worker_set_up(NULL);
}

static void each_use_of_a_middleware_has_a_state_of_its_own(void **state)
{
    word_config_t config = {.name = "one"};
    (void)state;

    serves("a", note_handler);
    assert_int_equal(hoist_use(worker.app, &word, &config), 0);
    memcpy(config.name, "two", sizeof "two"); /* config was read, not kept */
    assert_int_equal(hoist_use_on(worker.app, "a", &word, &config), 0);
    assert_int_equal(hoist_use(worker.app, &word, NULL), 0);
    worker_freezes();
    message_comes(CONN_A, "a", 1);
    says_reply(1, 200);
    assert_trace("one usual two handler done done done");
    app_ends("free usual free two free one");
}

static void
a_middleware_that_does_not_start_keeps_the_app_from_running(void **state)
{
    const word_config_t config = {.refuses = EILSEQ};
    static const hoist_middleware nothing = {.init = word_init};
    (void)state;

    serves("a", note_handler);
    assert_int_equal(hoist_use(worker.app, &word, &config), -EILSEQ);
    assert_int_equal(hoist_use(worker.app, &nothing, NULL), -EINVAL);
    sdk_catch();
    assert_int_equal(hoist_run(worker.app), -EILSEQ);
    assert_non_null(strstr(
        sdk_caught(),
        "WORKER-REGISTRATION call=hoist_use name=\"\" error=\"Invalid or "
        "incomplete multibyte or wide character\" hint=\"init of the "
        "middleware number 1 there\""));
    app_ends("");
}

static void refuses_to_run(const char *words)
{
    sdk_catch();
    assert_true(hoist_run(worker.app) < 0);
    const char *said = sdk_caught();
    if (strstr(said, words) == NULL) {
        print_error("%s\n", said);
    }
    assert_non_null(strstr(said, words));
}

static void the_log_names_the_call_and_the_route(void **state)
{
    (void)state;
    serves("a", note_handler);
    assert_int_equal(hoist_wrap_on(worker.app, "secret", note_around, outer),
                     -ENOENT);
    assert_int_equal(hoist_on(worker.app, "a", note_handler), -EEXIST);
    refuses_to_run("WORKER-REGISTRATION call=hoist_wrap_on name=\"secret\" "
                   "error=\"No such file or directory\" hint=\"the route has "
                   "no handler yet\"");
}

static void the_log_says_which_setting_of_a_middleware_is_wrong(void **state)
{
    const hoist_metrics_config config = {.count_ms = 999};
    (void)state;

    serves("a", note_handler);
    assert_int_equal(hoist_use_on(worker.app, "a", hoist_metrics, &config),
                     -EINVAL);
    refuses_to_run("WORKER-REGISTRATION call=hoist_use_on name=\"a\" "
                   "error=\"Invalid argument\" hint=\"hoist_metrics: "
                   "count_ms=999\"");
}

static int give_a_reason(hoist_app *app, const void *config, void **state)
{
    (void)config;
    (void)state;
    return hoist_init_failed(app, -EINVAL, "a_door: word is %s", "empty");
}

static void
a_middleware_of_the_program_can_say_why_it_does_not_start(void **state)
{
    static const hoist_middleware door = {.init = give_a_reason,
                                          .run = note_around};
    (void)state;

    serves("a", note_handler);
    assert_int_equal(hoist_use(worker.app, &door, NULL), -EINVAL);
    refuses_to_run("hint=\"a_door: word is empty\"");
}

static int return_true(hoist_app *app, const void *config, void **state)
{
    (void)app;
    (void)config;
    (void)state;
    return true;
}

static void
an_init_that_returns_a_number_keeps_the_app_from_running(void **state)
{
    static const hoist_middleware door = {
        .init = return_true, .run = note_around, .fini = word_fini};
    (void)state;

    serves("a", note_handler);
    assert_int_equal(hoist_use_on(worker.app, "a", &door, NULL), -ERANGE);
    refuses_to_run("call=hoist_use_on name=\"a\" error=\"Numerical result out "
                   "of range\" hint=\"init of the middleware number 1 there\"");
    app_ends("");
}

static void the_log_names_a_metric_that_cannot_be(void **state)
{
    (void)state;
    serves("a", note_handler);
    (void)hoist_counter_of(worker.app, "orders", "Without _total.", NULL);
    refuses_to_run("call=hoist_counter_of name=\"orders\" error=\"Invalid "
                   "argument\" hint=\"the name of a counter ends in _total\"");
}

static void a_middleware_beyond_the_limit_is_not_even_started(void **state)
{
    (void)state;
    for (int i = 0; i < MIDDLEWARE_MAX; i++) {
        assert_int_equal(hoist_wrap(worker.app, note_around, outer), 0);
    }
    assert_int_equal(hoist_use(worker.app, &word, NULL), -ENOSPC);
    app_ends("");
}

/* --- an init that registers ---------------------------------------------- */

static int shut(hoist_ctx *ctx, void *state)
{
    (void)state;
    return hoist_fail(ctx, 403, "no", "No");
}

/* As many as the table of routes has room for at first; the last is "order". */
static void eight_routes_are_served(void)
{
    static const char *const routes[] = {"a", "b", "c", "d",
                                         "e", "f", "g", "order"};

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        assert_int_equal(hoist_on(worker.app, routes[i], note_handler), 0);
    }
}

static int add_a_route(hoist_app *app, const void *config, void **state)
{
    (void)config;
    (void)state;
    return hoist_on(app, "extra", note_handler);
}

static void an_init_that_adds_a_route_has_its_middleware_in_place(void **state)
{
    static const hoist_middleware guard = {.init = add_a_route, .run = shut};
    (void)state;

    eight_routes_are_served();
    assert_int_equal(hoist_use_on(worker.app, "order", &guard, NULL), 0);
    worker_freezes();
    message_comes(CONN_A, "order", 1);
    says_reply(1, 403);
    message_comes(CONN_A, "extra", 2);
    says_reply(2, 200);
    assert_trace("handler");
}

static int fill_the_chain(hoist_app *app, const void *config, void **state)
{
    for (int i = 0; i < MIDDLEWARE_MAX; i++) {
        assert_int_equal(hoist_wrap(app, note_around, outer), 0);
    }
    return word_init(app, config, state);
}

static void
an_init_that_fills_its_chain_is_refused_and_its_state_freed(void **state)
{
    static const hoist_middleware greedy = {
        .init = fill_the_chain, .run = note_around, .fini = word_fini};
    (void)state;

    serves("a", note_handler);
    assert_int_equal(hoist_use(worker.app, &greedy, NULL), -ENOSPC);
    refuses_to_run("call=hoist_use name=\"\" error=\"No space left on device\" "
                   "hint=\"so many are too many\"");
    app_ends("free usual");
}

static int use_another_then_serve_connect(hoist_app *app, const void *config,
                                          void **state)
{
    (void)config;
    (void)state;
    assert_int_equal(hoist_use_on(app, "a", &word, NULL), 0);
    return hoist_serve_connect(app);
}

static void
an_init_around_a_route_lets_nobody_connect_whatever_it_uses(void **state)
{
    static const hoist_middleware login = {
        .init = use_another_then_serve_connect, .run = note_around};
    (void)state;

    serves("a", note_handler);
    assert_int_equal(hoist_use_on(worker.app, "a", &login, NULL), -EINVAL);
    refuses_to_run("call=hoist_serve_connect name=\"a\"");
}

static int serve_connect(hoist_app *app, const void *config, void **state)
{
    (void)config;
    (void)state;
    return hoist_serve_connect(app);
}

static int use_a_login_around_all(hoist_app *app, const void *config,
                                  void **state)
{
    static const hoist_middleware login = {.init = serve_connect,
                                           .run = note_around};
    (void)state;

    return hoist_use(app, &login, config);
}

static void what_is_put_around_all_is_so_in_the_init_of_another(void **state)
{
    static const hoist_middleware both = {.init = use_a_login_around_all,
                                          .run = note_around};
    (void)state;

    serves("a", note_handler);
    assert_int_equal(hoist_use_on(worker.app, "a", &both, NULL), 0);
}

/* --- a refusal stays one ------------------------------------------------- */

static int reply_well(hoist_ctx *ctx)
{
    note("handler");
    return hoist_reply_text(ctx, "welcome");
}

/* Around a $connect handler that would let anybody in. */
static void connects_through(hoist_layer *layer)
{
    serves("$connect", reply_well);
    assert_int_equal(hoist_wrap(worker.app, layer, NULL), 0);
    worker_freezes();
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
}

static int refuse_and_go_on(hoist_ctx *ctx, void *state)
{
    (void)state;
    assert_int_equal(hoist_reply_status(ctx, 401), 0);
    assert_int_equal(hoist_next(ctx), 0);
    assert_int_equal(hoist_reply_status(ctx, 200), -EALREADY);
    return 0;
}

static void behind_a_reply_nothing_inside_is_run(void **state)
{
    (void)state;
    connects_through(refuse_and_go_on);
    says_reply(1, 401);
    assert_trace("");
}

static int fail_and_go_on(hoist_ctx *ctx, void *state)
{
    (void)state;
    (void)hoist_fail(ctx, 403, "banned", NULL);
    assert_int_equal(hoist_next(ctx), -ECANCELED);
    assert_int_equal(hoist_reply_status(ctx, 200), -EALREADY);
    assert_int_equal(hoist_reply_status(ctx, 500), -EALREADY);
    assert_int_equal(hoist_accept_user(ctx, hoist_str("eve")), -EALREADY);
    return 0;
}

static void behind_a_failure_of_its_own_nothing_inside_is_run(void **state)
{
    (void)state;
    connects_through(fail_and_go_on);
    says_reply(1, 403);
    assert_trace("");
}

static int refuse_and_fail(hoist_ctx *ctx, void *state)
{
    (void)state;
    assert_int_equal(hoist_reply_status(ctx, 401), 0);
    return -EIO;
}

static int try_again(hoist_ctx *ctx, void *state)
{
    (void)state;
    note(hoist_next(ctx) < 0 ? "failed" : "done");
    note(hoist_next(ctx) < 0 ? "failed" : "done");
    return 0;
}

static void a_reply_that_refuses_outlives_a_failure(void **state)
{
    (void)state;
    hoist_wrap(worker.app, try_again, NULL);
    connects_through(refuse_and_fail);
    says_reply(1, 401);
    assert_trace("failed done");
}

static int answer_for_it(hoist_ctx *ctx, void *state)
{
    (void)state;
    assert_int_equal(hoist_next(ctx), -EACCES);
    assert_int_equal(hoist_reply_text(ctx, "come in"), -EACCES);
    assert_int_equal(hoist_reply_status(ctx, 404), 0);
    assert_int_equal(hoist_error_of(ctx).status, 403);
    return 0;
}

static int refuse(hoist_ctx *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return -EACCES;
}

static void outside_a_refusal_is_told_in_other_words_and_stays_one(void **state)
{
    (void)state;
    hoist_wrap(worker.app, note_around, outer);
    hoist_wrap(worker.app, answer_for_it, NULL);
    connects_through(refuse);
    says_reply(1, 404);
    assert_trace("outer done");
}

static int swallow(hoist_ctx *ctx, void *state)
{
    (void)state;
    (void)hoist_next(ctx);
    return 0;
}

static void a_refusal_whose_result_is_dropped_stays_one(void **state)
{
    (void)state;
    hoist_wrap(worker.app, note_around, outer);
    hoist_wrap(worker.app, swallow, NULL);
    connects_through(refuse);
    says_reply(1, 403);
    assert_trace("outer failed");
}

static int told_then(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    note("answered");
    return hoist_reply_text(ctx, "come in");
}

static int ask_for_it(hoist_ctx *ctx, void *state)
{
    (void)state;
    assert_int_equal(hoist_next(ctx), -EACCES);
    assert_int_equal(hoist_find_count(ctx, NULL, told_then, NULL), -EALREADY);
    return 0;
}

static void a_refusal_cannot_be_asked_away(void **state)
{
    (void)state;
    hoist_wrap(worker.app, ask_for_it, NULL);
    connects_through(refuse);
    says_reply(1, 403);
    says_no_more();
}

/* --- typed errors -------------------------------------------------------- */

static int fail_with_details(hoist_ctx *ctx)
{
    const hoist_error error = {409, hoist_str("taken"),
                               hoist_str("Ada is here"),
                               hoist_str("{\"free\":[\"ada2\"]}")};

    return hoist_fail_with(ctx, &error);
}

static int see_error(hoist_ctx *ctx, void *state)
{
    (void)state;
    assert_int_equal(hoist_error_of(ctx).status, 0);
    int rc = hoist_next(ctx);
    hoist_error error = hoist_error_of(ctx);
    assert_int_equal(error.status, 409);
    assert_true(hoist_is(error.code, "taken"));
    assert_true(hoist_is(error.message, "Ada is here"));
    assert_true(hoist_is(error.details, "{\"free\":[\"ada2\"]}"));
    return rc;
}

static void
an_error_has_details_for_whoever_looks_and_for_the_client(void **state)
{
    (void)state;
    serves("$connect", fail_with_details);
    hoist_wrap(worker.app, see_error, NULL);
    worker_freezes();
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    const message_t *reply = says(KIND_REPLY);
    assert_int_equal(reply->reply.status, 409);
    assert_true(hoist_is(lend(reply->reply.body.bytes),
                         "{\"code\":\"taken\",\"message\":\"Ada is here\","
                         "\"details\":{\"free\":[\"ada2\"]}}"));
}

static int fail_with_what_it_said(hoist_ctx *ctx)
{
    (void)hoist_fail(ctx, 409, "error.name-taken", "Ada is here");
    hoist_error error = hoist_error_of(ctx);
    error.message = error.code;
    error.code = hoist_bytes(error.code.data + 6, error.code.len - 6);
    (void)hoist_fail_with(ctx, &error);
    assert_true(hoist_is(hoist_error_of(ctx).code, "name-taken"));
    assert_true(hoist_is(hoist_error_of(ctx).message, "error.name-taken"));
    return 0;
}

static void an_error_may_be_made_of_the_one_before(void **state)
{
    (void)state;
    serves("job", fail_with_what_it_said);
    worker_freezes();
    comes(EVENT_MESSAGE, CONN_A, "job", 1);
    assert_int_equal(says(KIND_REPLY)->reply.status, 409);
}

static int fail_at_length(hoist_ctx *ctx)
{
    char details[ERROR_DETAILS_MAX + 1];

    memset(details, '1', sizeof details);
    (void)hoist_fail_with(ctx,
                          &(hoist_error){.details = {details, sizeof details}});
    assert_int_equal(hoist_error_of(ctx).details.len, 0);
    (void)hoist_fail_with(ctx,
                          &(hoist_error){.details = hoist_str("\"\xff\"")});
    assert_int_equal(hoist_error_of(ctx).details.len, 0);
    (void)hoist_fail_with(
        ctx, &(hoist_error){.details = {details, ERROR_DETAILS_MAX}});
    assert_int_equal(hoist_error_of(ctx).details.len, ERROR_DETAILS_MAX);
    return 0;
}

static void details_that_do_not_fit_are_left_out(void **state)
{
    (void)state;
    message_runs(fail_at_length);
    says_reply(1, 500);
}

/* --- what an event keeps ------------------------------------------------- */

static char key_kept, key_lent;

static void note_outcome(hoist_ctx *ctx, void *data)
{
    char text[32];

    snprintf(text, sizeof text, "%s=%d", data != NULL ? (char *)data : "status",
             hoist_replied(ctx));
    note(text);
    int too_late = hoist_replied(ctx) != 0 ? -EALREADY : -ENOTCONN;
    assert_int_equal(hoist_reply_text(ctx, "more"), too_late);
    assert_int_equal(hoist_fail(ctx, 500, "late", NULL), -ECANCELED);
    assert_int_equal(hoist_finally(ctx, note_outcome, NULL), too_late);
}

static int keep(hoist_ctx *ctx, void *state)
{
    char *kept = hoist_alloc(ctx, 5);
    (void)state;

    memcpy(kept, "kept", 5);
    assert_int_equal(hoist_set(ctx, &key_kept, kept), 0);
    assert_int_equal(hoist_set(ctx, &key_lent, outer), 0);
    assert_int_equal(hoist_finally(ctx, note_outcome, kept), 0);
    assert_int_equal(hoist_finally(ctx, note_outcome, NULL), 0);
    return hoist_next(ctx);
}

static int told_of_values(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    note(hoist_get(ctx, &key_kept));
    assert_null(hoist_get(ctx, &key_lent));
    return hoist_reply(ctx, 202, HOIST_NONE, hoist_str(NULL));
}

static int ask(hoist_ctx *ctx)
{
    assert_ptr_equal(hoist_get(ctx, &key_lent), outer);
    return hoist_find_count(ctx, NULL, told_of_values, NULL);
}

static void
an_event_that_waits_takes_its_memory_along_and_tells_its_outcome(void **state)
{
    (void)state;
    hoist_wrap(worker.app, keep, NULL);
    serves("a", ask);
    serves("b", note_handler);
    message_comes(CONN_A, "a", 1);
    uint64_t query = says_query();
    message_comes(CONN_B, "b", 2); /* another event has memory of its own */
    says_reply(2, 200);
    assert_trace("handler status=200 kept=200");
    status_comes(query, 200);
    says_reply(1, 202);
    assert_trace("kept status=202 kept=202");
}

static void an_event_that_is_over_without_a_reply_tells_that(void **state)
{
    (void)state;
    hoist_wrap(worker.app, keep, NULL);
    serves("a", ask);
    message_comes(CONN_A, "a", 1);
    (void)says_query();
    worker_ends();
    assert_trace("kept status=0 kept=0");
}

static int fail_after_asking(hoist_ctx *ctx)
{
    assert_int_equal(hoist_find_count(ctx, NULL, told_then, NULL), 0);
    return -ENOENT;
}

static void
an_event_that_fails_behind_its_question_tells_its_outcome_once(void **state)
{
    (void)state;
    hoist_wrap(worker.app, keep, NULL);
    serves("a", fail_after_asking);
    message_comes(CONN_A, "a", 1);
    uint64_t query = says_query();
    says_reply(1, 404);
    assert_trace("status=404 kept=404");
    status_comes(query, 200);
    assert_trace("answered");
    says_no_more();
}

static int fill(hoist_ctx *ctx)
{
    assert_null(hoist_alloc(ctx, 0));
    assert_null(hoist_alloc(ctx, MEMORY_MAX + 1));
    char *first = hoist_alloc(ctx, 1);
    char *second = hoist_alloc(ctx, MEMORY_MAX - sizeof(max_align_t));
    assert_int_equal((uintptr_t)first % _Alignof(max_align_t), 0);
    assert_int_equal((uintptr_t)second % _Alignof(max_align_t), 0);
    assert_int_equal(*first, 0);
    *first = 1;
    assert_null(hoist_alloc(ctx, sizeof(max_align_t)));
    for (int i = 0; i < FINALLY_MAX; i++) {
        assert_int_equal(hoist_finally(ctx, note_outcome, NULL), 0);
    }
    assert_int_equal(hoist_finally(ctx, note_outcome, NULL), -ENOBUFS);
    assert_int_equal(hoist_finally(ctx, NULL, NULL), -EINVAL);
    return 0;
}

static void
memory_ends_at_its_limit_and_begins_anew_with_each_event(void **state)
{
    (void)state;
    serves("a", fill);
    message_comes(CONN_A, "a", 1);
    message_comes(CONN_A, "a", 2);
    says_reply(1, 200);
    says_reply(2, 200);
}

/* --- what is run again --------------------------------------------------- */

static char key_before, key_inside;
static int runs;

/* A handler of $connect that thinks otherwise the second time. */
static int accept_at_last(hoist_ctx *ctx)
{
    bool is_first = runs++ == 0;
    hoist_text user = hoist_str(is_first ? "eve" : "ada");

    assert_true(hoist_is(hoist_user(ctx), "nobody"));
    assert_ptr_equal(hoist_get(ctx, &key_before), outer);
    assert_null(hoist_get(ctx, &key_inside));
    assert_int_equal(hoist_set(ctx, &key_before, inner), 0);
    assert_int_equal(hoist_set(ctx, &key_inside, inner), 0);
    assert_int_equal(hoist_accept_user(ctx, user), 0);
    assert_int_equal(hoist_accept_group(ctx, user), 0);
    assert_int_equal(hoist_accept_attribute(ctx, "role", user), 0);
    assert_int_equal(hoist_accept_header(ctx, "X-User", user), 0);
    if (is_first) {
        assert_int_equal(hoist_accept_tenant(ctx, user), 0);
        assert_int_equal(hoist_accept_ttl(ctx, 60), 0);
        assert_int_equal(hoist_accept_attribute(ctx, "more", user), 0);
        return -EIO;
    }
    return 0;
}

static int accept_and_retry(hoist_ctx *ctx, void *state)
{
    (void)state;
    hoist_accept_user(ctx, hoist_str("nobody"));
    hoist_accept_attribute(ctx, "role", hoist_str("none"));
    hoist_accept_attribute(ctx, "from", hoist_str("outside"));
    hoist_accept_group(ctx, hoist_str("all"));
    hoist_accept_header(ctx, "X-From", hoist_str("outside"));
    hoist_set(ctx, &key_before, outer);
    assert_int_equal(hoist_next(ctx), -EIO);
    assert_true(hoist_is(hoist_user(ctx), "eve")); /* for who logs it */
    return hoist_next(ctx);
}

static void connect_is_answered_with(const char *options)
{
    wire_bytes_t said = says(KIND_REPLY)->reply.options;
    char text[512] = "";
    size_t len = 0;

    assert_true(said.len < sizeof text);
    for (size_t i = 0; i < said.len; i++) { /* msgpack's lengths are no text */
        char c = (char)said.data[i];
        text[len++] = (char)(c >= ' ' && c <= 'z' ? c : ' ');
    }
    assert_string_equal(text, options);
}

static void what_is_run_again_begins_from_what_stood_before(void **state)
{
    (void)state;
    runs = 0;
    serves("$connect", accept_at_last);
    hoist_wrap(worker.app, accept_and_retry, NULL);
    hoist_wrap(worker.app, note_around, inner);
    worker_freezes();
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    connect_is_answered_with("  user ada attributes  from outside role ada"
                             " headers   X-From outside  X-User ada"
                             " groups  all ada");
    assert_trace("inner failed inner done");
}

/* As hoist_request_id does. */
static void call_it(hoist_ctx *ctx, const char *id)
{
    size_t len = strlen(id);
    char *copy = hoist_alloc(ctx, len);

    assert_non_null(copy);
    memcpy(copy, id, len);
    ctx->values.request_id = hoist_bytes(copy, len);
    ctx->values.size.has_request_id = true;
}

static int rename_at_first(hoist_ctx *ctx)
{
    assert_true(hoist_is(hoist_request_id_of(ctx), "outside"));
    if (runs++ > 0) {
        return 0;
    }
    call_it(ctx, "inside");
    return -EIO;
}

static int name_and_retry(hoist_ctx *ctx, void *state)
{
    (void)state;
    call_it(ctx, "outside");
    assert_int_equal(hoist_next(ctx), -EIO);
    return hoist_next(ctx);
}

static void what_is_run_again_has_the_id_that_it_had_before(void **state)
{
    (void)state;
    runs = 0;
    serves("a", rename_at_first);
    hoist_wrap(worker.app, name_and_retry, NULL);
    worker_freezes();
    message_comes(CONN_A, "a", 1);
    says_reply(1, 200);
}

/* Its attempt has an outcome of its own. */
static int watch_attempt(hoist_ctx *ctx, void *name)
{
    assert_int_equal(hoist_finally(ctx, note_outcome, name), 0);
    return hoist_next(ctx);
}

static int fail_twice(hoist_ctx *ctx)
{
    note("handler");
    return runs++ < 2 ? hoist_fail(ctx, 503, "busy", NULL) : 0;
}

static int try_thrice(hoist_ctx *ctx, void *state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hoist_next(ctx), -ECANCELED);
        assert_string_equal(hoist_error_code(ctx), "busy");
    }
    return hoist_next(ctx);
}

static void
who_watches_inside_is_told_of_each_run_and_outside_of_the_last(void **state)
{
    (void)state;
    runs = 0;
    serves("a", fail_twice);
    hoist_wrap(worker.app, watch_attempt, outer);
    hoist_wrap(worker.app, try_thrice, NULL);
    hoist_wrap(worker.app, watch_attempt, inner);
    worker_freezes();
    message_comes(CONN_A, "a", 1);
    says_reply(1, 200);
    assert_trace("handler inner=503 handler inner=503 handler inner=200 "
                 "outer=200");
}

/* As often as it likes, without running out of room. */
static int allocate(hoist_ctx *ctx)
{
    assert_non_null(hoist_alloc(ctx, MEMORY_MAX));
    return runs++ < 20 ? -EIO : 0;
}

static int try_on(hoist_ctx *ctx, void *state)
{
    int rc = hoist_next(ctx);
    (void)state;

    while (rc < 0) {
        rc = hoist_next(ctx);
    }
    return rc;
}

static void a_run_has_all_the_memory_that_the_one_before_had(void **state)
{
    (void)state;
    runs = 0;
    serves("a", allocate);
    hoist_wrap(worker.app, try_on, NULL);
    hoist_wrap(worker.app, try_on, NULL);
    hoist_wrap(worker.app, watch_attempt, inner);
    worker_freezes();
    message_comes(CONN_A, "a", 1);
    says_reply(1, 200);
    assert_int_equal(runs, 21);
}

/* Why it refuses in the end, not why it did before. */
static int refuse_with_header(hoist_ctx *ctx)
{
    const char *why = runs++ == 0 ? "once" : "twice";

    assert_int_equal(hoist_refuse_header(ctx, "X-Why", hoist_str(why)), 0);
    return -EIO;
}

static void headers_of_a_refusal_are_those_of_the_last_run(void **state)
{
    (void)state;
    runs = 0;
    serves("$connect", refuse_with_header);
    hoist_wrap(worker.app, try_again, NULL);
    worker_freezes();
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    connect_is_answered_with("  headers   X-Why twice");
}

/* Layers that try again inside of layers that do. */
static int accept_rarely(hoist_ctx *ctx)
{
    char name[16];

    snprintf(name, sizeof name, "%d", runs);
    assert_false(hoist_is(hoist_user(ctx), "eve"));
    hoist_accept_user(ctx, hoist_str("eve"));
    hoist_accept_group(ctx, hoist_str(name));
    return runs++ < 3 ? -EIO : 0;
}

static int accept_as(hoist_ctx *ctx, void *name)
{
    hoist_accept_user(ctx, hoist_str(name));
    hoist_accept_attribute(ctx, name, hoist_str(name));
    if (hoist_next(ctx) < 0) {
        assert_true(hoist_is(hoist_user(ctx), "eve"));
        return hoist_next(ctx);
    }
    return 0;
}

static void layers_that_try_again_stand_inside_of_each_other(void **state)
{
    (void)state;
    runs = 0;
    serves("$connect", accept_rarely);
    hoist_wrap(worker.app, accept_as, outer);
    hoist_wrap(worker.app, accept_as, inner);
    worker_freezes();
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    connect_is_answered_with("  user eve attributes  outer outer inner inner"
                             " groups  3");
    assert_int_equal(runs, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(what_is_around_a_route_is_inside_of_what_is_around_all),
        WORKER_TEST(a_route_that_is_not_there_has_no_middleware),
        WORKER_TEST(middleware_of_a_route_has_a_limit_of_its_own),
        WORKER_TEST(there_is_nothing_inside_of_a_handler),
        WORKER_TEST(each_use_of_a_middleware_has_a_state_of_its_own),
        WORKER_TEST(
            a_middleware_that_does_not_start_keeps_the_app_from_running),
        WORKER_TEST(the_log_names_the_call_and_the_route),
        WORKER_TEST(the_log_says_which_setting_of_a_middleware_is_wrong),
        WORKER_TEST(a_middleware_of_the_program_can_say_why_it_does_not_start),
        WORKER_TEST(an_init_that_returns_a_number_keeps_the_app_from_running),
        WORKER_TEST(the_log_names_a_metric_that_cannot_be),
        WORKER_TEST(a_middleware_beyond_the_limit_is_not_even_started),
        WORKER_TEST(an_init_that_adds_a_route_has_its_middleware_in_place),
        WORKER_TEST(
            an_init_that_fills_its_chain_is_refused_and_its_state_freed),
        WORKER_TEST(
            an_init_around_a_route_lets_nobody_connect_whatever_it_uses),
        WORKER_TEST(what_is_put_around_all_is_so_in_the_init_of_another),
        WORKER_TEST(behind_a_reply_nothing_inside_is_run),
        WORKER_TEST(behind_a_failure_of_its_own_nothing_inside_is_run),
        WORKER_TEST(a_reply_that_refuses_outlives_a_failure),
        WORKER_TEST(outside_a_refusal_is_told_in_other_words_and_stays_one),
        WORKER_TEST(a_refusal_whose_result_is_dropped_stays_one),
        WORKER_TEST(a_refusal_cannot_be_asked_away),
        WORKER_TEST(an_error_has_details_for_whoever_looks_and_for_the_client),
        WORKER_TEST(an_error_may_be_made_of_the_one_before),
        WORKER_TEST(details_that_do_not_fit_are_left_out),
        WORKER_TEST(
            an_event_that_waits_takes_its_memory_along_and_tells_its_outcome),
        WORKER_TEST(an_event_that_is_over_without_a_reply_tells_that),
        WORKER_TEST(
            an_event_that_fails_behind_its_question_tells_its_outcome_once),
        WORKER_TEST(memory_ends_at_its_limit_and_begins_anew_with_each_event),
        WORKER_TEST(what_is_run_again_begins_from_what_stood_before),
        WORKER_TEST(what_is_run_again_has_the_id_that_it_had_before),
        WORKER_TEST(
            who_watches_inside_is_told_of_each_run_and_outside_of_the_last),
        WORKER_TEST(a_run_has_all_the_memory_that_the_one_before_had),
        WORKER_TEST(headers_of_a_refusal_are_those_of_the_last_run),
        WORKER_TEST(layers_that_try_again_stand_inside_of_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
