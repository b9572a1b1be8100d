/* SPDX-License-Identifier: MIT
 *
 * Histograms of times: what they keep of a value, and what adds up.
 */
#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define ROUNDS 200
#define VALUES 500

static histogram_t histogram, another;
static uint64_t seed;

static int set_up(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    memset(&another, 0, sizeof another);
    return 0;
}

/* xorshift64* (Vigna). */
static uint64_t next_random(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(2685821657736338717);
}

/* As likely small as large. */
static int64_t any_time(void)
{
    return (int64_t)((next_random() & HISTOGRAM_MAX) >>
                     (next_random() % HISTOGRAM_BITS));
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void nothing_took_no_time(void **state)
{
    (void)state;

    assert_int_equal(histogram_at(&histogram, 0.5), 0);
}

static void below_32_each_value_has_a_bucket_of_its_own(void **state)
{
    (void)state;

    for (uint64_t us = 0; us < 32; us++) {
        assert_int_equal(histogram_top(histogram_index(us)), us);
    }
}

/* No gap, no overlap, and the last bucket ends at the largest value. */
static void buckets_follow_one_another(void **state)
{
    (void)state;

    for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        uint64_t top = histogram_top(i);
        assert_int_equal(histogram_index(top), i);
        assert_int_equal(histogram_index(top + 1), i + 1);
    }
    assert_int_equal(histogram_top(HISTOGRAM_BUCKETS - 1), HISTOGRAM_MAX);
}

static void a_bucket_tells_too_much_by_less_than_a_sixteenth(void **state)
{
    (void)state;

    for (int i = 0; i < ROUNDS * VALUES; i++) {
        uint64_t us = (uint64_t)any_time();
        uint64_t told = histogram_top(histogram_index(us));
        assert_true(told >= us);
        assert_true((told - us) * 16 <= us);
    }
}

static void what_is_out_of_range_counts_as_its_end(void **state)
{
    (void)state;

    histogram_add(&histogram, -1);
    histogram_add(&histogram, INT64_MIN);
    assert_int_equal(histogram_at(&histogram, 1), 0);
    histogram_add(&histogram, INT64_MAX);
    assert_int_equal(histogram_at(&histogram, 1), HISTOGRAM_MAX);
    assert_int_equal(histogram.count, 3);
    assert_int_equal(histogram.sum, HISTOGRAM_MAX);
}

/* Against the sorted values themselves. */
static void shares_are_those_of_the_values(void **state)
{
    static const double shares[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999, 1};
    static int64_t values[VALUES];
    (void)state;

    for (int round = 0; round < ROUNDS; round++) {
        size_t count = 1 + next_random() % VALUES;
        set_up(NULL);
        for (size_t i = 0; i < count; i++) {
            values[i] = any_time();
            histogram_add(&histogram, values[i]);
        }
        qsort(values, count, sizeof *values, by_value);
        for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
            size_t rank = 0; /* the first that enough values do not exceed */
            while ((double)(rank + 1) < shares[i] * (double)count) {
                rank++;
            }
            uint64_t want = (uint64_t)values[rank];
            assert_int_equal(histogram_at(&histogram, shares[i]),
                             histogram_top(histogram_index(want)));
        }
    }
}

static uint64_t count_before(size_t end)
{
    uint64_t count = 0;

    for (size_t i = 0; i < end; i++) {
        count += histogram.bucket[i];
    }
    return count;
}

static void below_a_power_of_two_the_count_is_exact(void **state)
{
    (void)state;

    for (unsigned bits = HISTOGRAM_PART_BITS; bits < HISTOGRAM_BITS; bits++) {
        int64_t end = INT64_C(1) << bits;
        uint64_t below = 1;
        set_up(NULL);
        for (int i = 0; i < VALUES; i++) {
            int64_t us = any_time();
            below += us < end;
            histogram_add(&histogram, us);
        }
        histogram_add(&histogram, end - 1);
        histogram_add(&histogram, end);
        assert_int_equal(count_before(histogram_index((uint64_t)end)), below);
    }
}

static void two_add_up_and_differ(void **state)
{
    histogram_t before;
    (void)state;

    for (int i = 0; i < VALUES; i++) {
        histogram_add(&histogram, any_time());
    }
    before = histogram;
    for (int i = 0; i < VALUES; i++) {
        int64_t us = any_time();
        histogram_add(&histogram, us);
        histogram_add(&another, us);
    }
    histogram_t sum = before;
    histogram_merge(&sum, &another);
    assert_memory_equal(&sum, &histogram, sizeof sum);
    histogram_subtract(&sum, &before);
    assert_memory_equal(&sum, &another, sizeof sum);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        T(nothing_took_no_time),
        T(below_32_each_value_has_a_bucket_of_its_own),
        T(buckets_follow_one_another),
        T(a_bucket_tells_too_much_by_less_than_a_sixteenth),
        T(what_is_out_of_range_counts_as_its_end),
        T(shares_are_those_of_the_values),
        T(below_a_power_of_two_the_count_is_exact),
        T(two_add_up_and_differ),
    };
#undef T
    const char *given = getenv("SEED");

    seed = given != NULL ? strtoull(given, NULL, 10)
                         : ((uint64_t)time(NULL) << 1 | 1);
    printf("SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
