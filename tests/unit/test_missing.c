/* SPDX-License-Identifier: MIT
 *
 * A broker that is missed: when that is said, and why it may be.
 */
#include "base/missing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static missing_t missed_since(int64_t now_ms)
{
    missing_t missing = {0};

    missing_begin(&missing, now_ms);
    return missing;
}

static void who_is_not_missed_is_never_due(void **state)
{
    missing_t missing = missed_since(1000);
    (void)state;

    assert_int_equal(missing_due_ms(&missing), 4000);
    missing_end(&missing);
    assert_true(missing_due_ms(&missing) == INT64_MAX);
}

static void it_is_said_ever_less_often(void **state)
{
    static const int64_t pauses_ms[] = {3000,  3000,  6000,   12000,  24000,
                                        48000, 96000, 192000, 300000, 300000};
    missing_t missing = missed_since(1000);
    int64_t now_ms = 1000;
    (void)state;

    for (size_t i = 0; i < sizeof pauses_ms / sizeof *pauses_ms; i++) {
        now_ms += pauses_ms[i];
        assert_int_equal(missing_due_ms(&missing), now_ms);
        assert_int_equal(missing_said(&missing, now_ms), now_ms - 1000);
    }
}

static void to_miss_it_again_begins_nothing_anew(void **state)
{
    missing_t missing = missed_since(1000);
    (void)state;

    missing_begin(&missing, 3000);
    assert_int_equal(missing_due_ms(&missing), 4000);
}

static void what_is_known_of_it_is_the_reason(void **state)
{
    missing_t missing = missed_since(1000);
    (void)state;

    assert_string_equal(missing_reason(&missing),
                        "nothing that speaks ZeroMQ can be reached");
    missing.has_sent = true;
    assert_string_equal(missing_reason(&missing),
                        "it can be reached and does not answer");
    missing.has_heard = true;
    assert_string_equal(missing_reason(&missing),
                        "it answers, but with no WELCOME");
    missing.refusal = "it does not allow our key";
    assert_string_equal(missing_reason(&missing), "it does not allow our key");
}

static void what_was_known_of_it_before_is_none(void **state)
{
    missing_t missing = missed_since(1000);
    (void)state;

    missing.refusal = "it does not allow our key";
    missing_end(&missing);
    missing.has_heard = true;
    missing_begin(&missing, 9000);
    assert_string_equal(missing_reason(&missing),
                        "nothing that speaks ZeroMQ can be reached");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_not_missed_is_never_due),
        cmocka_unit_test(it_is_said_ever_less_often),
        cmocka_unit_test(to_miss_it_again_begins_nothing_anew),
        cmocka_unit_test(what_is_known_of_it_is_the_reason),
        cmocka_unit_test(what_was_known_of_it_before_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
