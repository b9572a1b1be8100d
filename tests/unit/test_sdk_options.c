/* SPDX-License-Identifier: MIT
 *
 * The options of a worker: from the program, the environment, the arguments.
 */
#include "base/log.h"
#include "tests/unit/sdk.h"
#include "workers/c/app.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int handle(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static int setup(void **state)
{
    unsetenv("HOIST_WINDOW");
    unsetenv("HOIST_BROKER");
    unsetenv("HOIST_WINDOWS");
    unsetenv("HOIST_PORT");
    log_set_level(LEVEL_INFO);
    *state = hoist_app_new();
    return 0;
}

static int teardown(void **state)
{
    hoist_app *app = *state;

    hoist_app_destroy(&app);
    assert_null(app);
    hoist_app_destroy(&app); /* harmless */
    return 0;
}

/* hoist_options_from_args with a program's name and up to three arguments. */
static int read_args(hoist_app *app, const char *first, const char *second,
                     const char *third)
{
    char words[4][64] = {"worker"};
    const char *const given[] = {first, second, third};
    char *argv[5] = {words[0]};
    int argc = 1;

    for (; argc < 4 && given[argc - 1] != NULL; argc++) {
        snprintf(words[argc], sizeof words[argc], "%s", given[argc - 1]);
        argv[argc] = words[argc];
    }
    return hoist_options_from_args(app, argc, argv);
}

static void an_option_is_taken_within_its_bounds_only(void **state)
{
    static const char *const wrong[][2] = {
        {"window", "0"},        {"window", "1000001"},
        {"window", "1x"},       {"window", " 1"},
        {"window", "-1"},       {"window", ""},
        {"window-bytes", "0"},  {"liveness", "120001"},
        {"drain", "3600001"},   {"signals", "yes"},
        {"broker", ""},         {"broker", "tcp://"},
        {"broker", "tcp://a,"}, {"broker", "http://a"},
        {"broker", "tcp://a"},  {"resolve-interval", "-1"},
        {"log-level", "loud"},  {"log-format", "xml"},
    };
    hoist_app *app = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(hoist_option(app, wrong[i][0], wrong[i][1]), -EINVAL);
    }
    assert_int_equal(hoist_option(app, "windows", "1"), -ENOENT);
    assert_int_equal(hoist_option(app, "window", NULL), -EINVAL);
    assert_int_equal(hoist_option(app, NULL, "1"), -EINVAL);
    assert_int_equal(app->settings.window, 256);
    assert_string_equal(app->settings.brokers, "tcp://127.0.0.1:5555");
    assert_int_equal(hoist_option(app, "window", "1000000"), 0);
    assert_int_equal(app->settings.window, 1000000);
}

/* hoist_run fails with it, and says that. */
static void refuses_to_run(hoist_app *app, int rc, const char *words)
{
    hoist_on(app, "a", handle);
    sdk_catch();
    assert_int_equal(hoist_run(app), rc);
    assert_non_null(strstr(sdk_caught(), words));
}

static void a_name_that_is_none_is_kept_until_the_run(void **state)
{
    assert_int_equal(hoist_option(*state, "treads", "4"), -ENOENT);
    assert_int_equal(hoist_option(*state, "threads", "4"), 0);
    refuses_to_run(*state, -ENOENT,
                   "call=hoist_option name=\"treads\" error=\"No such file or "
                   "directory\" hint=\"there is no such option; did you mean "
                   "threads?\"\n");
}

static void a_value_that_is_wrong_is_kept_until_the_run(void **state)
{
    assert_int_equal(hoist_option(*state, "broker", "tcp://a:99999"), -EINVAL);
    refuses_to_run(
        *state, -EINVAL,
        "name=\"broker\" error=\"Invalid argument\" hint=\"a port is "
        "a number from 1 to 65535; it must be 1 to 16 endpoints");
}

static void brokers_are_a_list_of_at_most_16(void **state)
{
    hoist_app *app = *state;
    char list[] = "ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,"
                  "ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,ipc://a,"
                  "ipc://a,ipc://a,ipc://a,ipc://a,ipc://a";

    assert_int_equal(hoist_option(app, "broker", "tcp://a:1,ipc://b"), 0);
    assert_int_equal(hoist_option(app, "broker", list), -EINVAL);
    assert_string_equal(app->settings.brokers, "tcp://a:1,ipc://b");
    *strrchr(list, ',') = '\0';
    assert_int_equal(hoist_option(app, "broker", list), 0);
    assert_string_equal(app->settings.brokers, list);
}

static void metrics_are_at_an_address_and_a_port_or_nowhere(void **state)
{
    static const char *const right[] = {"", "9100", "0.0.0.0:0", "[::1]:9100"};
    static const char *const wrong[] = {"a", ":9100", "a:", "a:65536", "-1"};
    hoist_app *app = *state;

    assert_string_equal(app->settings.metrics, "");
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_int_equal(hoist_option(app, "metrics", right[i]), 0);
        assert_string_equal(app->settings.metrics, right[i]);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(hoist_option(app, "metrics", wrong[i]), -EINVAL);
    }
}

static void a_key_that_cannot_be_read_leaves_the_former_one(void **state)
{
    static const char key[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    hoist_app *app = *state;

    assert_int_equal(hoist_option(app, "curve-broker", key), 0);
    assert_int_equal(hoist_option(app, "curve-broker", "/no/file"), -EINVAL);
    assert_string_equal(app->settings.curve.broker, key);
    assert_int_equal(hoist_option(app, "curve-key", "/no/file"), -EINVAL);
    assert_int_equal(hoist_option(app, "curve-key", "/dev/null"), -EINVAL);
    assert_int_equal(hoist_option(app, "curve-broker", ""), 0);
    assert_string_equal(app->settings.curve.broker, "");
}

static void an_argument_wins_over_the_environment_over_the_program(void **state)
{
    hoist_app *app = *state;

    assert_int_equal(hoist_option(app, "window", "10"), 0);
    assert_int_equal(read_args(app, NULL, NULL, NULL), 1);
    assert_int_equal(app->settings.window, 10);
    setenv("HOIST_WINDOW", "20", 1);
    assert_int_equal(read_args(app, NULL, NULL, NULL), 1);
    assert_int_equal(app->settings.window, 20);
    assert_int_equal(read_args(app, "--window", "30", NULL), 3);
    assert_int_equal(app->settings.window, 30);
    assert_int_equal(read_args(app, "--window=40", NULL, NULL), 2);
    assert_int_equal(app->settings.window, 40);
}

static void reading_ends_at_what_is_no_option(void **state)
{
    assert_int_equal(read_args(*state, "--window=1", "file", NULL), 2);
    assert_int_equal(read_args(*state, "--", "--window=2", NULL), 2);
    assert_int_equal(((hoist_app *)*state)->settings.window, 1);
}

static void wrong_arguments_and_variables_are_refused(void **state)
{
    assert_int_equal(read_args(*state, "--windows=1", NULL, NULL), -EINVAL);
    assert_int_equal(read_args(*state, "--window", NULL, NULL), -EINVAL);
    assert_int_equal(read_args(*state, "--window=many", NULL, NULL), -EINVAL);
    setenv("HOIST_WINDOW", "many", 1);
    assert_int_equal(read_args(*state, NULL, NULL, NULL), -EINVAL);
}

/* A worker with these arguments says exactly this, and fails. */
static void complains(hoist_app *app, const char *first, const char *second,
                      const char *line)
{
    sdk_catch();
    int rc = read_args(app, first, second, NULL);
    const char *said = sdk_caught();
    assert_int_equal(rc, -EINVAL);
    assert_string_equal(said, line);
}

static void a_flag_that_is_none_is_told_what_it_may_have_been(void **state)
{
    complains(*state, "--brokr=ipc://a", NULL,
              "worker: argument --brokr=ipc://a: there is no such option; did "
              "you mean --broker?  try --help\n");
    complains(*state, "--colour", NULL,
              "worker: argument --colour: there is no such option; try "
              "--help\n");
}

static void a_flag_at_the_end_needs_its_value(void **state)
{
    complains(*state, "--threads", NULL,
              "worker: --threads needs a value: a number from 0 to 64\n");
    complains(*state, "--threads=", NULL,
              "worker: --threads: \"\" is wrong: it must be a number from 0 to "
              "64\n");
}

static void a_value_is_told_why_it_is_wrong(void **state)
{
    complains(*state, "--broker", "tcp://localhost:99999",
              "worker: --broker: \"tcp://localhost:99999\" is wrong: a port is "
              "a number from 1 to 65535; it must be 1 to 16 endpoints like "
              "tcp://HOST:PORT or ipc://PATH, separated by commas\n");
    complains(*state, "--curve-key", "/no/file",
              "worker: --curve-key: \"/no/file\" is wrong: No such file or "
              "directory; it must be the NAME_secret of hoist keygen (NAME "
              "alone is the public key), and others may not read it (chmod "
              "o=)\n");
}

static void a_variable_that_has_lost_is_not_looked_at(void **state)
{
    hoist_app *app = *state;

    setenv("HOIST_WINDOW", "many", 1);
    assert_int_equal(read_args(app, "--window=30", NULL, NULL), 2);
    assert_int_equal(app->settings.window, 30);
    assert_int_equal(read_args(app, "--window=many", "--window=40", NULL), 3);
    assert_int_equal(app->settings.window, 40);
    assert_int_equal(read_args(app, "--help", NULL, NULL), 0);
}

static void a_log_leaves_out_what_is_less_than_its_level(void **state)
{
    hoist_app *app = *state;

    assert_int_equal(read_args(app, "--log-level=warn", NULL, NULL), 2);
    assert_true(log_takes(LEVEL_WARN));
    assert_false(log_takes(LEVEL_INFO));
    sdk_catch();
    assert_int_equal(hoist_run(app), -EINVAL); /* no route, which is an error */
    hoist_log(HOIST_LOG_INFO, "ORDER-SENT", "order=%u", 7u);
    const char *said = sdk_caught();
    assert_non_null(strstr(said, "error WORKER-REGISTRATION"));
    assert_null(strstr(said, "ORDER-SENT"));
    assert_int_equal(read_args(app, "--log-level=debug", NULL, NULL), 2);
    sdk_catch();
    hoist_log(HOIST_LOG_DEBUG, "ORDER-SEEN", "order=%u", 7u);
    assert_non_null(strstr(sdk_caught(), " debug ORDER-SEEN order=7\n"));
}

/* What reading the options says on standard error; it is no failure. */
static const char *said_while_reading(hoist_app *app)
{
    sdk_catch();
    int rc = read_args(app, NULL, NULL, NULL);
    const char *said = sdk_caught();
    assert_int_equal(rc, 1);
    return said;
}

static void a_variable_that_nobody_reads_is_told_and_no_failure(void **state)
{
    setenv("HOIST_WINDOWS", "10", 1);
    setenv("HOIST_PORT", "10", 1);
    const char *said = said_while_reading(*state);
    assert_non_null(strstr(
        said, "VARIABLE-UNKNOWN name=HOIST_WINDOWS meant=HOIST_WINDOW\n"));
    assert_null(strstr(said, "HOIST_PORT"));
}

static void a_variable_of_the_server_is_not_told(void **state)
{
    setenv("HOIST_MAX_FRAME", "10", 1);
    setenv("HOIST_BROKER", "tcp://127.0.0.1:1", 1);
    const char *said = said_while_reading(*state);
    unsetenv("HOIST_MAX_FRAME");
    assert_null(strstr(said, "HOIST_MAX_FRAME"));
    assert_null(strstr(said, "HOIST_BROKER"));
}

static void help_is_told_from_the_rest(void **state)
{
    assert_int_equal(read_args(*state, "--window=1", "--help", NULL), 0);
}

static void the_library_tells_its_version(void **state)
{
    char three[64];

    assert_int_equal(read_args(*state, "--window=1", "--version", NULL), 0);
    assert_string_equal(hoist_version(), HOIST_VERSION);
    snprintf(three, sizeof three, "%d.%d.%d", HOIST_VERSION_MAJOR,
             HOIST_VERSION_MINOR, HOIST_VERSION_PATCH);
    assert_string_equal(hoist_version(), three);
}

static void an_app_that_cannot_run_says_so_by_its_status(void **state)
{
    char name[] = "worker", flag[] = "--windows=1", stray[] = "stray";
    char key[] = "--curve-broker=rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    char *wrong[] = {name, flag, NULL}, *left[] = {name, stray, NULL};
    char *half[] = {name, key, NULL};
    (void)state;

    assert_int_equal(hoist_main(hoist_app_new(), 2, wrong), 2);
    assert_int_equal(hoist_main(hoist_app_new(), 2, left), 2);
    assert_int_equal(hoist_main(hoist_app_new(), 2, half), 2);
    assert_int_equal(hoist_main(hoist_app_new(), 1, left), 1); /* no route */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_option_is_taken_within_its_bounds_only),
        TEST(a_name_that_is_none_is_kept_until_the_run),
        TEST(a_value_that_is_wrong_is_kept_until_the_run),
        TEST(brokers_are_a_list_of_at_most_16),
        TEST(metrics_are_at_an_address_and_a_port_or_nowhere),
        TEST(a_key_that_cannot_be_read_leaves_the_former_one),
        TEST(an_argument_wins_over_the_environment_over_the_program),
        TEST(reading_ends_at_what_is_no_option),
        TEST(wrong_arguments_and_variables_are_refused),
        TEST(a_flag_that_is_none_is_told_what_it_may_have_been),
        TEST(a_flag_at_the_end_needs_its_value),
        TEST(a_value_is_told_why_it_is_wrong),
        TEST(a_variable_that_has_lost_is_not_looked_at),
        TEST(a_log_leaves_out_what_is_less_than_its_level),
        TEST(a_variable_that_nobody_reads_is_told_and_no_failure),
        TEST(a_variable_of_the_server_is_not_told),
        TEST(help_is_told_from_the_rest),
        TEST(the_library_tells_its_version),
        TEST(an_app_that_cannot_run_says_so_by_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
