/* SPDX-License-Identifier: MIT
 *
 * Tests of guarded.c with <hoist_test.h> and nothing else: its own handlers and
 * middleware, without a broker.  Ends with status 0 when all is as it should
 * be.
 *
 * The worker is one file with a main() of its own, so it is included, and that
 * main() gets another name.
 */
int guarded_main(int argc, char **argv);
#define main guarded_main
#include "guarded.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#include <assert.h>

#include <hoist_test.h>

static hoist_app *app;
static hoist_test *test;

static void begin(void)
{
    app = hoist_app_new();
    register_all(app, "open sesame");
    assert(hoist_test_new(app, &test) == 0);
}

static void end(void)
{
    hoist_test_destroy(&test);
    hoist_app_destroy(&app);
}

static void who_knows_the_word_gets_in(void)
{
    const hoist_test_event hello = {
        .event = HOIST_CONNECT,
        .query = {{"name", "ada"}, {"word", "open sesame"}},
        .headers = {{"X-Request-ID", "first"}},
    };

    const hoist_test_outcome *outcome = hoist_test_send(test, &hello);
    assert(outcome->status == 200);
    assert(hoist_is(outcome->user, "ada"));
    assert(hoist_is(hoist_test_header(outcome, "X-Request-ID"), "first"));
}

static void who_does_not_is_told_so(void)
{
    const hoist_test_event hello = {.event = HOIST_CONNECT,
                                    .query = {{"name", "eve"}}};

    const hoist_test_outcome *outcome = hoist_test_send(test, &hello);
    assert(outcome->status == 401);
    assert(hoist_is(outcome->error.code, "wrong-word"));
    assert(outcome->user.data == NULL);
}

static void the_secret_is_for_ada(void)
{
    hoist_test_event event = {.route = "secret", .user = "ada"};

    assert(hoist_is(hoist_test_send(test, &event)->body, "42"));
    event.user = "eve";
    assert(hoist_test_send(test, &event)->status == 403);
}

int main(void)
{
    void (*const tests[])(void) = {
        who_knows_the_word_gets_in,
        who_does_not_is_told_so,
        the_secret_is_for_ada,
    };

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        begin();
        tests[i]();
        end();
    }
    return 0;
}
