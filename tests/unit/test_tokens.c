/* SPDX-License-Identifier: MIT */
#include "base/tokens.h"
#include "tests/unit/random_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1000000)

/* How many pass at once. */
static int64_t take_all(tokens_t *tokens, const rate_t *rate, int64_t now_ms)
{
    int64_t count = 0;

    while (tokens_take(tokens, rate, now_ms)) {
        count++;
    }
    return count;
}

static void a_new_bucket_is_full(void **state)
{
    rate_t rate = rate_of(3, 7);
    tokens_t tokens = {0};
    (void)state;

    assert_true(tokens_are_full(&tokens, NOW_MS));
    assert_int_equal(take_all(&tokens, &rate, NOW_MS), 7);
    assert_false(tokens_are_full(&tokens, NOW_MS));
}

static void a_burst_of_0_is_a_seconds(void **state)
{
    rate_t rate = rate_of(3, 0);
    tokens_t tokens = {0};
    (void)state;

    assert_int_equal(take_all(&tokens, &rate, NOW_MS), 3);
}

static void tokens_come_back_at_their_rate(void **state)
{
    rate_t rate = rate_of(10, 2);
    tokens_t tokens = {0};
    (void)state;

    take_all(&tokens, &rate, NOW_MS);
    assert_int_equal(take_all(&tokens, &rate, NOW_MS + 99), 0);
    assert_int_equal(take_all(&tokens, &rate, NOW_MS + 100), 1);
    assert_int_equal(take_all(&tokens, &rate, NOW_MS + 100000), 2);
}

static void a_rate_may_be_slower_than_one_a_second(void **state)
{
    rate_t rate = rate_in(1000, 3600, 2); /* one in 3.6 s */
    tokens_t tokens = {0};
    (void)state;

    assert_int_equal(take_all(&tokens, &rate, NOW_MS), 2);
    assert_int_equal(tokens_wait_ns(&tokens, &rate, NOW_MS),
                     3600 * TOKENS_MS_NS);
    assert_int_equal(take_all(&tokens, &rate, NOW_MS + 3599), 0);
    assert_int_equal(take_all(&tokens, &rate, NOW_MS + 3600), 1);
    assert_int_equal(take_all(&tokens, &rate, NOW_MS + 3600000), 2);
}

static void the_longest_period_fits(void **state)
{
    rate_t rate = rate_in(1, TOKENS_PERIOD_MAX_S, TOKENS_BURST_MAX);
    int64_t now_ms = INT64_C(31622400000); /* a year */
    tokens_t tokens = {0};
    (void)state;

    assert_int_equal(take_all(&tokens, &rate, now_ms), TOKENS_BURST_MAX);
    assert_int_equal(tokens_wait_ns(&tokens, &rate, now_ms),
                     TOKENS_PERIOD_MAX_S * TOKENS_S_NS);
}

static void what_is_owed_comes_first(void **state)
{
    rate_t rate = rate_of(1000, 100);
    tokens_t tokens = {0};
    (void)state;

    tokens_spend(&tokens, &rate, NOW_MS, 600); /* 500 more than there were */
    assert_false(tokens_have(&tokens, &rate, NOW_MS + 500));
    assert_true(tokens_have(&tokens, &rate, NOW_MS + 501));
    assert_int_equal(tokens_wait_ns(&tokens, &rate, NOW_MS),
                     501 * TOKENS_MS_NS);
}

static void without_a_rate_nothing_is_spent(void **state)
{
    rate_t rate = rate_of(0, 5);
    tokens_t tokens = {0};
    (void)state;

    tokens_spend(&tokens, &rate, NOW_MS, 1 << 20);
    assert_true(tokens_take(&tokens, &rate, NOW_MS));
    assert_int_equal(tokens_wait_ns(&tokens, &rate, NOW_MS), 0);
    assert_true(tokens_are_full(&tokens, NOW_MS));
}

static void the_largest_numbers_fit(void **state)
{
    rate_t slow = rate_of(1, TOKENS_RATE_MAX);
    rate_t fast = rate_of(TOKENS_RATE_MAX, TOKENS_RATE_MAX);
    tokens_t tokens = {0};
    int64_t year_ms = INT64_C(31622400000);
    (void)state;

    tokens_spend(&tokens, &slow, 20 * year_ms, TOKENS_RATE_MAX);
    assert_false(tokens_have(&tokens, &slow, 20 * year_ms));
    assert_true(tokens_have(&tokens, &slow, 20 * year_ms + 1000));
    tokens = (tokens_t){0};
    tokens_spend(&tokens, &fast, 20 * year_ms, TOKENS_RATE_MAX);
    assert_true(tokens_are_full(&tokens, 20 * year_ms + 1001));
}

/* A bucket as one draws it: thousandths of tokens, which are whole for whole
 * milliseconds. */
typedef struct {
    int64_t thousandths, at_ms;
} drawn_t;

static void drip(drawn_t *self, int64_t per_s, int64_t burst, int64_t now_ms)
{
    self->thousandths += (now_ms - self->at_ms) * per_s;
    if (self->thousandths > burst * 1000) {
        self->thousandths = burst * 1000;
    }
    self->at_ms = now_ms;
}

/* Rounding makes it slower, and by how much is bounded: a nanosecond's tokens
 * for each that was spent since it was full. */
static void it_is_never_faster_than_said_and_hardly_slower(void **state)
{
    random_t random;
    (void)state;

    random_init(&random, 20);
    for (int round = 0; round < 200; round++) {
        int64_t per_s = 1 + (int64_t)random_below(&random, 5000);
        int64_t burst = 1 + (int64_t)random_below(&random, 5000);
        int64_t slack = burst * per_s / 1000000 + 1; /* thousandths */
        rate_t rate = rate_of(per_s, burst);
        tokens_t tokens = {0};
        drawn_t drawn = {burst * 1000, NOW_MS};

        for (int64_t step = 0, now_ms = NOW_MS; step < 2000; step++) {
            now_ms +=
                (int64_t)random_below(&random, 2 + 2000 / (uint64_t)per_s);
            drip(&drawn, per_s, burst, now_ms);
            bool is_there = tokens_take(&tokens, &rate, now_ms);
            assert_true(!is_there || drawn.thousandths >= 1000);
            assert_true(is_there || drawn.thousandths < 1000 + slack);
            drawn.thousandths -= is_there ? 1000 : 0;
        }
    }
    random_fini(&random);
}

static void the_wait_that_is_told_is_long_enough_and_no_longer(void **state)
{
    random_t random;
    (void)state;

    random_init(&random, 21);
    for (int round = 0; round < 2000; round++) {
        rate_t rate = rate_of(1 + (int64_t)random_below(&random, 5000),
                              (int64_t)random_below(&random, 50));
        tokens_t tokens = {0};

        tokens_spend(&tokens, &rate, NOW_MS,
                     (int64_t)random_below(&random, 20000));
        int64_t wait_ns = tokens_wait_ns(&tokens, &rate, NOW_MS);
        int64_t wait_ms = (wait_ns + TOKENS_MS_NS - 1) / TOKENS_MS_NS;
        assert_true(tokens_have(&tokens, &rate, NOW_MS + wait_ms));
        assert_true(wait_ms == 0 ||
                    !tokens_have(&tokens, &rate, NOW_MS + wait_ms - 1));
    }
    random_fini(&random);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_bucket_is_full),
        cmocka_unit_test(a_burst_of_0_is_a_seconds),
        cmocka_unit_test(tokens_come_back_at_their_rate),
        cmocka_unit_test(a_rate_may_be_slower_than_one_a_second),
        cmocka_unit_test(the_longest_period_fits),
        cmocka_unit_test(what_is_owed_comes_first),
        cmocka_unit_test(without_a_rate_nothing_is_spent),
        cmocka_unit_test(the_largest_numbers_fit),
        cmocka_unit_test(it_is_never_faster_than_said_and_hardly_slower),
        cmocka_unit_test(the_wait_that_is_told_is_long_enough_and_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
