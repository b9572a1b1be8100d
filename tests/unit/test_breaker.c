/* SPDX-License-Identifier: MIT
 *
 * The circuit breaker of the C SDK: when it opens, tries and closes.
 */
#include "workers/c/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static breaker_t breaker;
static int64_t now_ms;
static uint64_t epoch;
static int64_t retry_ms;

static int set_up(void **state)
{
    static const breaker_rules_t rules = {.failures = 5,
                                          .percent = 50,
                                          .least = 10,
                                          .window_ms = 10000,
                                          .open_ms = 60000,
                                          .probes = 3};
    (void)state;

    now_ms = 1000000;
    breaker_init(&breaker, &rules);
    return 0;
}

static bool may_try(void)
{
    return breaker_try(&breaker, now_ms, &epoch, &retry_ms);
}

/* One after the other, as F, f for fine, or ? for what nobody knows. */
static void become(const char *words)
{
    for (; *words != '\0'; words++) {
        assert_true(may_try());
        (void)breaker_done(&breaker, now_ms, epoch,
                           *words == 'F'   ? BREAKER_FAILED
                           : *words == 'f' ? BREAKER_FINE
                                           : BREAKER_UNKNOWN);
    }
}

static void is_open_for(int64_t ms)
{
    assert_false(may_try());
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(retry_ms, ms);
}

static void it_opens_behind_five_failures_in_a_row(void **state)
{
    (void)state;
    become("FFFFfFFFF");
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    become("F");
    is_open_for(60000);
}

static void who_opens_it_is_told(void **state)
{
    (void)state;
    become("FFFF");
    assert_true(may_try());
    assert_true(breaker_done(&breaker, now_ms, epoch, BREAKER_FAILED));
}

static void it_opens_when_half_of_at_least_ten_have_failed(void **state)
{
    (void)state;
    become("fFfFfFfFf");
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    become("F");
    is_open_for(60000);
}

static void what_is_older_than_the_window_is_forgotten(void **state)
{
    (void)state;
    become("fFfFfFfFf");
    now_ms += 10000;
    become("F");
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    now_ms += 100000000; /* a very long time after */
    become("fFfFfFfFf");
    now_ms += 5000; /* still in the window */
    become("F");
    is_open_for(60000);
}

static void what_nobody_knows_does_not_count(void **state)
{
    (void)state;
    become("FFFF????????????F");
    is_open_for(60000);
}

static void behind_its_time_three_are_tried_at_once(void **state)
{
    (void)state;
    become("FFFFF");
    now_ms += 59999;
    is_open_for(1);
    now_ms++;
    assert_true(may_try());
    assert_true(may_try());
    assert_true(may_try());
    assert_false(may_try());
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_true(retry_ms > 0);
}

static void three_successes_close_it(void **state)
{
    (void)state;
    become("FFFFF");
    now_ms += 60000;
    become("ff");
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    become("?f"); /* a place that nobody knows of is given back */
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    become("FFFF");
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void one_failure_among_the_probes_opens_it_again(void **state)
{
    (void)state;
    become("FFFFF");
    now_ms += 60000;
    become("ffF");
    is_open_for(60000);
}

static void who_began_in_another_state_says_nothing(void **state)
{
    uint64_t before;
    (void)state;

    assert_true(may_try());
    before = epoch;
    become("FFFFF");
    now_ms += 60000;
    assert_true(may_try()); /* half open */
    assert_false(breaker_done(&breaker, now_ms, before, BREAKER_FAILED));
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker.trying, 1);
}

#define T(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_opens_behind_five_failures_in_a_row),
        T(who_opens_it_is_told),
        T(it_opens_when_half_of_at_least_ten_have_failed),
        T(what_is_older_than_the_window_is_forgotten),
        T(what_nobody_knows_does_not_count),
        T(behind_its_time_three_are_tried_at_once),
        T(three_successes_close_it),
        T(one_failure_among_the_probes_opens_it_again),
        T(who_began_in_another_state_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
