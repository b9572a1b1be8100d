/* SPDX-License-Identifier: MIT
 *
 * Which events are dropped for having waited too long.
 */
#include "workers/c/codel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static codel_t codel;
static int64_t now_ms;

static int set_up(void **state)
{
    (void)state;
    codel = codel_of(100, 1000);
    now_ms = 5000000;
    return 0;
}

/* One each 10 ms that has waited so long; returns how many were dropped. */
static int drops_in(int64_t ms, int64_t waited_ms)
{
    int dropped = 0;

    for (int64_t end_ms = now_ms + ms; now_ms < end_ms; now_ms += 10) {
        dropped += codel_drops(&codel, waited_ms, now_ms);
    }
    return dropped;
}

static void who_waits_less_than_the_target_is_never_dropped(void **state)
{
    (void)state;
    assert_int_equal(drops_in(100000, 99), 0);
}

static void a_queue_that_is_long_for_a_moment_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(drops_in(1000, 500), 0);
    assert_int_equal(drops_in(10, 99), 0);
    assert_int_equal(drops_in(1000, 500), 0);
}

static void
of_one_that_stays_long_who_waited_twice_the_target_goes(void **state)
{
    (void)state;
    assert_int_equal(drops_in(1000, 199), 0);
    assert_int_equal(drops_in(1000, 199), 0);
    assert_int_equal(drops_in(1000, 200), 100);
}

static void it_ends_as_soon_as_one_has_waited_less(void **state)
{
    (void)state;
    assert_int_equal(drops_in(2000, 500), 100);
    assert_false(codel_drops(&codel, 99, now_ms));
    assert_int_equal(drops_in(990, 500), 0);
}

static void what_was_before_a_pause_says_nothing(void **state)
{
    (void)state;
    assert_int_equal(drops_in(2000, 500), 100);
    now_ms += 2000;
    assert_int_equal(drops_in(1000, 500), 0);
}

/* --- a queue ------------------------------------------------------------- */

#define COMING 100000

static int64_t came_ms[COMING];

/* So many come each 100 ms, each of which takes 10 ms; those served, and the
 * longest that one of them has waited behind the first seconds. */
static int serve(int per_100_ms, int64_t *longest_ms)
{
    int taken = 0, served = 0;
    int64_t start_ms = now_ms;

    *longest_ms = 0;
    for (int i = 0; i < COMING; i++) {
        came_ms[i] = now_ms + (int64_t)i * 100 / per_100_ms;
    }
    while (taken < COMING) {
        int64_t came = came_ms[taken++];
        now_ms = now_ms > came ? now_ms : came;
        int64_t waited_ms = now_ms - came;
        if (codel_drops(&codel, waited_ms, now_ms)) {
            continue;
        }
        served++;
        now_ms += 10;
        if (now_ms - start_ms > 5000 && waited_ms > *longest_ms) {
            *longest_ms = waited_ms;
        }
    }
    return served;
}

static void a_queue_that_can_be_served_loses_nobody(void **state)
{
    int64_t longest_ms;
    (void)state;

    assert_int_equal(serve(10, &longest_ms), COMING);
    assert_int_equal(longest_ms, 0);
}

static void whatever_comes_nobody_waits_long_and_no_time_is_lost(void **state)
{
    (void)state;
    for (int load = 11; load <= 100; load += 11) {
        int64_t longest_ms, start_ms = now_ms;
        int served = serve(load, &longest_ms);
        assert_in_range(longest_ms, 100, 1200); /* an interval and target */
        assert_true((now_ms - start_ms) / 10 - served < 10);
    }
}

#define T(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_waits_less_than_the_target_is_never_dropped),
        T(a_queue_that_is_long_for_a_moment_is_left_alone),
        T(of_one_that_stays_long_who_waited_twice_the_target_goes),
        T(it_ends_as_soon_as_one_has_waited_less),
        T(what_was_before_a_pause_says_nothing),
        T(a_queue_that_can_be_served_loses_nobody),
        T(whatever_comes_nobody_waits_long_and_no_time_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
