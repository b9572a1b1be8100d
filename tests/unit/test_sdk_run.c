/* SPDX-License-Identifier: MIT
 *
 * Apps that run, with one thread and with several, and with other apps beside
 * them: who runs what, and how it ends.  There is no broker.
 */
#include "base/xalloc.h"
#include "workers/c/app.h"
#include "workers/c/backoff.h"
#include "workers/c/process_text.h"
#include "workers/c/signals.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS "4"

/* Longer than a path of a socket may be. */
#define BAD_BROKER                                                             \
    "ipc:///tmp/"                                                              \
    "0123456789012345678901234567890123456789012345678901234567890123456789"   \
    "0123456789012345678901234567890123456789012345678901234567890123456789"

static int handler(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

/* An app with its counts; those are of its first thread alone. */
typedef struct {
    hoist_app *app;
    pthread_t first; /* the thread that runs it */
    size_t runs, reloads, starts, stops;
    size_t wanted; /* runs, before it stops */
    int rc;
} guest_t;

static guest_t new_guest(const char *threads, size_t wanted)
{
    guest_t guest = {
        .app = hoist_app_new(), .first = pthread_self(), .wanted = wanted};

    hoist_on(guest.app, "a", handler);
    must(hoist_option(guest.app, "broker", "ipc:///tmp/hoist-no-broker") == 0);
    must(hoist_option(guest.app, "threads", threads) == 0);
    return guest;
}

static void destroy(guest_t *guest)
{
    hoist_app_destroy(&guest->app);
}

static int tick(hoist_ctx *ctx, void *data)
{
    guest_t *guest = data;

    assert_true(pthread_equal(pthread_self(), guest->first));
    if (++guest->runs == guest->wanted) {
        hoist_stop(hoist_ctx_app(ctx));
    }
    return 0;
}

/* --- settings ------------------------------------------------------------ */

static void threads_are_1_to_64_or_one_for_each_core(void **state)
{
    hoist_app *app = hoist_app_new();
    (void)state;

    assert_int_equal(settings_threads(&app->settings), 1);
    assert_int_equal(hoist_option(app, "threads", "65"), -EINVAL);
    assert_int_equal(hoist_option(app, "threads", "-1"), -EINVAL);
    assert_int_equal(hoist_option(app, "threads", "64"), 0);
    assert_int_equal(settings_threads(&app->settings), 64);
    assert_int_equal(hoist_option(app, "threads", "0"), 0);
    unsigned cores = settings_threads(&app->settings);
    assert_in_range(cores, 1, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
    hoist_app_destroy(&app);
}

static void processes_are_64_at_most(void **state)
{
    hoist_app *app = hoist_app_new();
    (void)state;

    assert_int_equal(app->settings.processes, 0);
    assert_int_equal(hoist_option(app, "processes", "65"), -EINVAL);
    assert_int_equal(hoist_option(app, "processes", "64"), 0);
    assert_int_equal(app->settings.processes, 64);
    hoist_app_destroy(&app);
}

static void each_process_has_its_port_of_metrics(void **state)
{
    hoist_app *app = hoist_app_new();
    settings_t *settings = &app->settings;
    (void)state;

    assert_int_equal(settings_shift_metrics(settings, 3), 0);
    assert_string_equal(settings->metrics, "");
    must(hoist_option(app, "metrics", "9999") == 0);
    assert_int_equal(settings_shift_metrics(settings, 0), 0);
    assert_string_equal(settings->metrics, "9999");
    assert_int_equal(settings_shift_metrics(settings, 2), 0);
    assert_string_equal(settings->metrics, "10001");
    must(hoist_option(app, "metrics", "[::1]:65530") == 0);
    assert_int_equal(settings_shift_metrics(settings, 6), -ERANGE);
    assert_int_equal(settings_shift_metrics(settings, 5), 0);
    assert_string_equal(settings->metrics, "[::1]:65535");
    must(hoist_option(app, "metrics", "127.0.0.1:0") == 0);
    assert_int_equal(settings_shift_metrics(settings, 5), 0);
    assert_string_equal(settings->metrics, "127.0.0.1:0");
    hoist_app_destroy(&app);
}

/* --- pauses of processes that die ---------------------------------------- */

static void who_dies_at_once_waits_twice_as_long_each_time(void **state)
{
    static const int64_t pauses[] = {100,  200,   400,   800,   1600, 3200,
                                     6400, 12800, 25600, 30000, 30000};
    backoff_t backoff = {0};
    (void)state;

    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        assert_int_equal(backoff_next(&backoff, 9999), pauses[i]);
    }
}

static void who_has_lived_for_a_while_begins_from_the_first_pause(void **state)
{
    backoff_t backoff = {0};
    (void)state;

    (void)backoff_next(&backoff, 0);
    (void)backoff_next(&backoff, 0);
    assert_int_equal(backoff_next(&backoff, BACKOFF_CALM_MS), 100);
    assert_int_equal(backoff_next(&backoff, 0), 200);
}

/* --- several threads ----------------------------------------------------- */

static void a_stop_before_the_run_ends_every_thread(void **state)
{
    guest_t guest = new_guest(THREADS, 1);
    (void)state;

    hoist_stop(guest.app);
    assert_int_equal(hoist_run(guest.app), 0);
    hoist_stop(guest.app); /* and again, now that each has its inlet */
    assert_int_equal(hoist_run(guest.app), 0);
    destroy(&guest);
}

/* A run of this app begins while it is being stopped: its second inlet is there
 * as soon as the first has been told. */
static hoist_app *beginning;

/* The linker's names for what takes a function's place.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_eventfd_write(int fd, eventfd_t value);
int __wrap_eventfd_write(int fd, eventfd_t value);

int __wrap_eventfd_write(int fd, eventfd_t value)
{
    int rc = __real_eventfd_write(fd, value);

    if (beginning != NULL) {
        must(inlet_init(&beginning->inlets[1]) == 0);
        atomic_store(&beginning->inlet_count, 2);
        beginning = NULL;
    }
    return rc;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void a_stop_reaches_a_thread_that_begins_meanwhile(void **state)
{
    guest_t guest = new_guest("2", 0);
    (void)state;

    beginning = guest.app;
    hoist_stop(guest.app);
    assert_null(beginning);
    assert_true(inlet_take_stop(&guest.app->inlets[1]));
    destroy(&guest);
}

static int stop_the_first(hoist_ctx *ctx, void *data)
{
    guest_t *guest = data;

    (void)ctx;
    inlet_stop(&guest->app->inlets[0]);
    return 0;
}

static void the_first_thread_that_leaves_takes_the_others_along(void **state)
{
    guest_t guest = new_guest(THREADS, 0);
    (void)state;

    must(hoist_option(guest.app, "drain", "1") == 0);
    must(hoist_post(guest.app, stop_the_first, &guest) == 0);
    assert_int_equal(hoist_run(guest.app), 0);
    destroy(&guest);
}

static void timers_are_the_first_threads(void **state)
{
    guest_t guest = new_guest(THREADS, 20);
    (void)state;

    hoist_every(guest.app, 1, tick, &guest);
    assert_int_equal(hoist_run(guest.app), 0);
    assert_int_equal(guest.runs, 20);
    destroy(&guest);
}

static void *post_20(void *data)
{
    guest_t *guest = data;

    for (int i = 0; i < 20; i++) {
        must(hoist_post(guest->app, tick, guest) == 0);
    }
    return NULL;
}

static void what_is_posted_is_run_by_the_first_thread(void **state)
{
    guest_t guest = new_guest(THREADS, 20);
    pthread_t poster;
    (void)state;

    must(pthread_create(&poster, NULL, post_20, &guest) == 0);
    assert_int_equal(hoist_run(guest.app), 0);
    must(pthread_join(poster, NULL) == 0);
    assert_int_equal(guest.runs, 20);
    destroy(&guest);
}

static void a_thread_that_fails_ends_the_run_with_its_error(void **state)
{
    guest_t guest = new_guest(THREADS, 1);
    (void)state;

    must(hoist_option(guest.app, "broker", BAD_BROKER) == 0);
    assert_int_equal(hoist_run(guest.app), -ENAMETOOLONG);
    assert_int_equal(hoist_every(guest.app, 1, tick, &guest), 0);
    must(hoist_option(guest.app, "broker", "ipc:///tmp/hoist-no-broker") == 0);
    assert_int_equal(hoist_run(guest.app), 0); /* nothing of that is left */
    assert_int_equal(guest.runs, 1);
    destroy(&guest);
}

/* --- the program's own beginning ------------------------------------------ */

static int refuse_to_start(hoist_app *app)
{
    guest_t *guest = hoist_app_data(app);

    assert_true(pthread_equal(pthread_self(), guest->first));
    guest->runs++;
    return -EHOSTDOWN;
}

static void a_start_that_fails_is_the_runs_error_and_nothing_runs(void **state)
{
    guest_t guest = new_guest(THREADS, 0);
    (void)state;

    hoist_app_set_data(guest.app, &guest);
    hoist_on_start(guest.app, refuse_to_start);
    assert_int_equal(hoist_run(guest.app), -EHOSTDOWN);
    assert_int_equal(guest.runs, 1);
    hoist_on_start(guest.app, NULL);
    hoist_stop(guest.app);
    assert_int_equal(hoist_run(guest.app), 0);
    assert_int_equal(guest.runs, 1);
    destroy(&guest);
}

static int return_a_number(hoist_app *app)
{
    guest_t *guest = hoist_app_data(app);

    guest->runs++;
    return 1;
}

static void a_start_that_returns_a_number_fails(void **state)
{
    guest_t guest = new_guest("1", 0);
    (void)state;

    hoist_app_set_data(guest.app, &guest);
    hoist_on_start(guest.app, return_a_number);
    hoist_stop(guest.app); /* or it would run */
    assert_int_equal(hoist_run(guest.app), -ERANGE);
    assert_int_equal(guest.runs, 1);
    destroy(&guest);
}

/* --- the program's own end ----------------------------------------------- */

static int count_start(hoist_app *app)
{
    ((guest_t *)hoist_app_data(app))->starts++;
    return 0;
}

static int count_stop(hoist_app *app)
{
    guest_t *guest = hoist_app_data(app);

    assert_true(pthread_equal(pthread_self(), guest->first));
    assert_int_equal(++guest->stops, guest->starts);
    assert_int_equal(hoist_on_stop(app, NULL), -EBUSY);
    return guest->rc;
}

static guest_t new_guest_with_ends(const char *threads)
{
    guest_t guest = new_guest(threads, 0);

    hoist_on_start(guest.app, count_start);
    hoist_on_stop(guest.app, count_stop);
    return guest;
}

static int runs_and_stops(guest_t *guest)
{
    hoist_app_set_data(guest->app, guest);
    hoist_stop(guest->app);
    return hoist_run(guest->app);
}

static void each_run_that_began_has_its_end(void **state)
{
    guest_t guest = new_guest_with_ends(THREADS);
    (void)state;

    assert_int_equal(runs_and_stops(&guest), 0);
    assert_int_equal(guest.stops, 1);
    assert_int_equal(runs_and_stops(&guest), 0);
    assert_int_equal(guest.stops, 2);
    hoist_on_start(guest.app, refuse_to_start);
    assert_int_equal(runs_and_stops(&guest), -EHOSTDOWN);
    assert_int_equal(guest.stops, 2);
    destroy(&guest);
}

static void a_run_that_fails_behind_its_beginning_has_its_end(void **state)
{
    guest_t guest = new_guest_with_ends(THREADS);
    (void)state;

    must(hoist_option(guest.app, "broker", BAD_BROKER) == 0);
    guest.rc = -EIO; /* which comes second */
    assert_int_equal(runs_and_stops(&guest), -ENAMETOOLONG);
    assert_int_equal(guest.stops, 1);
    destroy(&guest);
}

static void an_end_that_fails_is_the_runs_error(void **state)
{
    guest_t guest = new_guest_with_ends(THREADS);
    (void)state;

    guest.rc = -EIO;
    assert_int_equal(runs_and_stops(&guest), -EIO);
    guest.rc = 1;
    assert_int_equal(runs_and_stops(&guest), -ERANGE);
    assert_int_equal(guest.stops, 2);
    guest.rc = 0;
    assert_int_equal(runs_and_stops(&guest), 0);
    destroy(&guest);
}

static int post_a_last_task(hoist_app *app)
{
    guest_t *guest = hoist_app_data(app);

    assert_int_equal(guest->runs, 0);
    return hoist_post(app, tick, guest);
}

static void what_is_posted_in_the_end_is_run(void **state)
{
    guest_t guest = new_guest("1", 0);
    (void)state;

    hoist_on_stop(guest.app, post_a_last_task);
    assert_int_equal(runs_and_stops(&guest), 0);
    assert_int_equal(guest.runs, 1);
    destroy(&guest);
}

/* --- reloading ----------------------------------------------------------- */

static void count_reload(hoist_app *app)
{
    guest_t *guest = hoist_app_data(app);

    assert_true(pthread_equal(pthread_self(), guest->first));
    guest->reloads++;
    hoist_stop(app);
}

static void run_with_reload(guest_t *guest, hoist_task *ask)
{
    hoist_app_set_data(guest->app, guest);
    hoist_on_reload(guest->app, count_reload);
    must(hoist_post(guest->app, ask, guest) == 0);
    assert_int_equal(hoist_run(guest->app), 0);
    assert_int_equal(guest->reloads, 1);
}

static int ask_for_reload(hoist_ctx *ctx, void *data)
{
    (void)data;
    hoist_reload(hoist_ctx_app(ctx));
    hoist_reload(hoist_ctx_app(ctx)); /* the same one */
    return 0;
}

static int hang_up(hoist_ctx *ctx, void *data)
{
    (void)ctx;
    (void)data;
    return raise(SIGHUP);
}

static void a_reload_is_told_on_the_first_thread(void **state)
{
    guest_t guest = new_guest(THREADS, 0);
    (void)state;

    run_with_reload(&guest, ask_for_reload);
    destroy(&guest);
}

static void sighup_is_a_reload(void **state)
{
    guest_t guest = new_guest("1", 0);
    (void)state;

    run_with_reload(&guest, hang_up);
    destroy(&guest);
}

static int hang_up_and_go_on(hoist_ctx *ctx, void *data)
{
    assert_int_equal(raise(SIGHUP), 0);
    return tick(ctx, data);
}

static void sighup_does_no_harm_where_nobody_waits_for_it(void **state)
{
    guest_t guest = new_guest("1", 3);
    (void)state;

    hoist_every(guest.app, 1, hang_up_and_go_on, &guest);
    assert_int_equal(hoist_run(guest.app), 0);
    assert_int_equal(guest.runs, 3);
    destroy(&guest);
}

/* --- several apps -------------------------------------------------------- */

static void *run_guest(void *data)
{
    guest_t *guest = data;

    guest->first = pthread_self();
    guest->rc = hoist_run(guest->app);
    return NULL;
}

static void apps_in_one_process_have_nothing_in_common(void **state)
{
    guest_t guests[2] = {new_guest("1", 3), new_guest("2", 30)};
    pthread_t threads[2];
    (void)state;

    for (int i = 0; i < 2; i++) {
        hoist_every(guests[i].app, 1, tick, &guests[i]);
        must(pthread_create(&threads[i], NULL, run_guest, &guests[i]) == 0);
    }
    for (int i = 0; i < 2; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        assert_int_equal(guests[i].rc, 0);
        assert_int_equal(guests[i].runs, guests[i].wanted);
        destroy(&guests[i]);
    }
}

/* Both run once the second has ticked and the first has. */
static pthread_barrier_t both_run;

static int meet(hoist_ctx *ctx, void *data)
{
    guest_t *guest = data;
    (void)ctx;

    if (guest->runs++ == 0) {
        pthread_barrier_wait(&both_run);
    }
    return 0;
}

static void a_signal_stops_every_app(void **state)
{
    guest_t guests[2] = {new_guest("2", 0), new_guest("1", 0)};
    pthread_t threads[2];
    (void)state;

    must(pthread_barrier_init(&both_run, NULL, 3) == 0);
    for (int i = 0; i < 2; i++) {
        hoist_every(guests[i].app, 1, meet, &guests[i]);
        must(pthread_create(&threads[i], NULL, run_guest, &guests[i]) == 0);
    }
    pthread_barrier_wait(&both_run);
    assert_int_equal(raise(SIGTERM), 0);
    for (int i = 0; i < 2; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        assert_int_equal(guests[i].rc, 0);
        destroy(&guests[i]);
    }
    pthread_barrier_destroy(&both_run);
}

/* --- signals ------------------------------------------------------------- */

static void each_signal_is_told_to_who_watches_it(void **state)
{
    int stop = eventfd(0, EFD_NONBLOCK), reload = eventfd(0, EFD_NONBLOCK);
    struct sigaction before, after;
    eventfd_t times;
    (void)state;

    sigaction(SIGHUP, NULL, &before);
    assert_int_equal(signals_watch(SIGNALS_STOP, stop), 0);
    assert_int_equal(signals_watch(SIGNALS_RELOAD, reload), 0);
    assert_int_equal(raise(SIGINT), 0);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(eventfd_read(stop, &times), 0);
    assert_int_equal(times, 2);
    assert_int_equal(eventfd_read(reload, &times), 0);
    assert_int_equal(times, 1);
    signals_unwatch(stop);
    signals_unwatch(stop); /* harmless */
    signals_unwatch(reload);
    sigaction(SIGHUP, NULL, &after);
    assert_ptr_equal(before.sa_handler, after.sa_handler);
    close(stop);
    close(reload);
}

static void of_those_who_watch_512_are_enough(void **state)
{
    (void)state;
    for (int fd = 1000; fd < 1000 + SIGNALS_MAX; fd++) {
        assert_int_equal(signals_watch(SIGNALS_STOP, fd), 0);
    }
    assert_int_equal(signals_watch(SIGNALS_STOP, 999), -ENOSPC);
    for (int fd = 1000; fd < 1000 + SIGNALS_MAX; fd++) {
        signals_unwatch(fd);
    }
}

/* Raises SIGHUP here until *data. */
static void *raise_on(void *data)
{
    const atomic_bool *enough = data;

    while (!atomic_load(enough)) {
        must(raise(SIGHUP) == 0);
    }
    return NULL;
}

/* Its number may be another's by then. */
static void nothing_is_told_to_who_watches_no_more(void **state)
{
    int keeper = eventfd(0, EFD_NONBLOCK);
    atomic_bool enough = false;
    pthread_t thread;
    (void)state;

    assert_int_equal(signals_watch(SIGNALS_RELOAD, keeper), 0);
    must(pthread_create(&thread, NULL, raise_on, &enough) == 0);
    for (int i = 0; i < 2000; i++) {
        int fd = eventfd(0, EFD_NONBLOCK);
        eventfd_t times;
        assert_int_equal(signals_watch(SIGNALS_RELOAD, fd), 0);
        signals_unwatch(fd);
        (void)eventfd_read(fd, &times);
        sched_yield();
        assert_int_equal(eventfd_read(fd, &times), -1);
        close(fd);
    }
    atomic_store(&enough, true);
    must(pthread_join(thread, NULL) == 0);
    signals_unwatch(keeper);
    close(keeper);
}

/* --- what brokers know the process by ------------------------------------ */

static void *read_process_text(void *user)
{
    memcpy(user, process_text(), PROCESS_TEXT_LEN + 1);
    return NULL;
}

static void all_threads_are_of_one_process(void **state)
{
    char seen[PROCESS_TEXT_LEN + 1];
    pthread_t thread;
    (void)state;

    must(pthread_create(&thread, NULL, read_process_text, seen) == 0);
    must(pthread_join(thread, NULL) == 0);
    assert_int_equal(strlen(seen), PROCESS_TEXT_LEN);
    assert_string_equal(seen, process_text());
}

static void a_fork_is_another_process(void **state)
{
    char before[PROCESS_TEXT_LEN + 1], forked[PROCESS_TEXT_LEN + 1];
    int ends[2];
    (void)state;

    read_process_text(before);
    must(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        ssize_t sent = write(ends[1], process_text(), sizeof forked);
        _exit(sent == (ssize_t)sizeof forked ? 0 : 1);
    }
    must(pid > 0 && waitpid(pid, NULL, 0) == pid);
    assert_int_equal(read(ends[0], forked, sizeof forked), sizeof forked);
    close(ends[0]);
    close(ends[1]);
    assert_string_not_equal(forked, before);
    assert_string_equal(process_text(), before);
}

/* ------------------------------------------------------------------------- */

static int be_quiet(void **state)
{
    (void)state;
    log_set_level(LEVEL_ERROR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_1_to_64_or_one_for_each_core),
        cmocka_unit_test(processes_are_64_at_most),
        cmocka_unit_test(each_process_has_its_port_of_metrics),
        cmocka_unit_test(who_dies_at_once_waits_twice_as_long_each_time),
        cmocka_unit_test(who_has_lived_for_a_while_begins_from_the_first_pause),
        cmocka_unit_test(a_stop_before_the_run_ends_every_thread),
        cmocka_unit_test(a_stop_reaches_a_thread_that_begins_meanwhile),
        cmocka_unit_test(the_first_thread_that_leaves_takes_the_others_along),
        cmocka_unit_test(timers_are_the_first_threads),
        cmocka_unit_test(what_is_posted_is_run_by_the_first_thread),
        cmocka_unit_test(a_thread_that_fails_ends_the_run_with_its_error),
        cmocka_unit_test(a_start_that_fails_is_the_runs_error_and_nothing_runs),
        cmocka_unit_test(a_start_that_returns_a_number_fails),
        cmocka_unit_test(each_run_that_began_has_its_end),
        cmocka_unit_test(a_run_that_fails_behind_its_beginning_has_its_end),
        cmocka_unit_test(an_end_that_fails_is_the_runs_error),
        cmocka_unit_test(what_is_posted_in_the_end_is_run),
        cmocka_unit_test(a_reload_is_told_on_the_first_thread),
        cmocka_unit_test(sighup_is_a_reload),
        cmocka_unit_test(sighup_does_no_harm_where_nobody_waits_for_it),
        cmocka_unit_test(apps_in_one_process_have_nothing_in_common),
        cmocka_unit_test(a_signal_stops_every_app),
        cmocka_unit_test(each_signal_is_told_to_who_watches_it),
        cmocka_unit_test(nothing_is_told_to_who_watches_no_more),
        cmocka_unit_test(of_those_who_watch_512_are_enough),
        cmocka_unit_test(all_threads_are_of_one_process),
        cmocka_unit_test(a_fork_is_another_process),
    };
    return cmocka_run_group_tests(tests, be_quiet, NULL);
}
