/* SPDX-License-Identifier: MIT */
#include "bench/hdr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_empty_histogram_says_zero(void **state)
{
    static hdr_t hdr;
    (void)state;

    assert_int_equal(hdr_at(&hdr, 0.5), 0);
}

static void each_value_is_kept_to_one_part_in_128(void **state)
{
    static hdr_t hdr;
    (void)state;

    for (uint64_t value = 1; value < HDR_MAX / 3; value += value / 5 + 1) {
        hdr_reset(&hdr);
        hdr_add(&hdr, value);
        hdr_add(&hdr, HDR_MAX); /* else the maximum answers */
        uint64_t kept = hdr_at(&hdr, 0.5);
        assert_in_range(kept, value, value + value / 128);
    }
}

static void percentiles_are_those_of_the_sorted_values(void **state)
{
    static hdr_t hdr;
    (void)state;

    hdr_reset(&hdr);
    for (uint64_t i = 1; i <= 10000; i++) {
        hdr_add(&hdr, (i * 7919) % 10000 * 1000 + 1000); /* each once */
    }
    assert_in_range(hdr_at(&hdr, 0.5), 5000000, 5000000 * 129 / 128);
    assert_in_range(hdr_at(&hdr, 0.99), 9900000, 9900000 * 129 / 128);
    assert_int_equal(hdr_at(&hdr, 1), 10000000);
}

static void what_is_too_large_counts_as_the_largest(void **state)
{
    static hdr_t hdr;
    (void)state;

    hdr_reset(&hdr);
    hdr_add(&hdr, UINT64_MAX);
    assert_int_equal(hdr_at(&hdr, 0.5), HDR_MAX);
    assert_int_equal(hdr.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_says_zero),
        cmocka_unit_test(each_value_is_kept_to_one_part_in_128),
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
        cmocka_unit_test(what_is_too_large_counts_as_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
