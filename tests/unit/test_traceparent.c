/* SPDX-License-Identifier: MIT
 *
 * traceparent, read as W3C Trace Context has it.
 */
#include "proto/traceparent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"

static int parse(const char *text, trace_place_t *place)
{
    return traceparent_parse(wire_bytes(text), place);
}

static void assert_none(const char *text)
{
    trace_place_t place;

    if (parse(text, &place) == 0) {
        fail_msg("%s was read", text);
    }
}

static void a_place_is_read_and_written_as_it_was(void **state)
{
    static const uint8_t span[] = {0xb7, 0xad, 0x6b, 0x71,
                                   0x69, 0x20, 0x33, 0x31};
    const char *text = "00-" TRACE "-" SPAN "-01";
    char again[TRACEPARENT_TEXT];
    trace_place_t place;
    (void)state;

    assert_int_equal(parse(text, &place), 0);
    assert_true(place.is_sampled);
    assert_int_equal(place.trace[0], 0x0a);
    assert_int_equal(place.trace[15], 0x9c);
    assert_memory_equal(place.span, span, sizeof span);
    traceparent_format(&place, again);
    assert_memory_equal(again, text, TRACEPARENT_TEXT);
}

static void only_the_flag_of_sampling_is_kept(void **state)
{
    char again[TRACEPARENT_TEXT];
    trace_place_t place;
    (void)state;

    assert_int_equal(parse("00-" TRACE "-" SPAN "-fe", &place), 0);
    assert_false(place.is_sampled);
    traceparent_format(&place, again);
    assert_memory_equal(again, "00-" TRACE "-" SPAN "-00", TRACEPARENT_TEXT);
    assert_int_equal(parse("00-" TRACE "-" SPAN "-03", &place), 0);
    assert_true(place.is_sampled);
}

static void a_later_version_is_read_as_far_as_it_is_like_this_one(void **state)
{
    trace_place_t place;
    (void)state;

    assert_int_equal(parse("01-" TRACE "-" SPAN "-01", &place), 0);
    assert_int_equal(parse("cc-" TRACE "-" SPAN "-01-what the future", &place),
                     0);
    assert_none("cc-" TRACE "-" SPAN "-01.what");
    assert_none("00-" TRACE "-" SPAN "-01-what");
    assert_none("ff-" TRACE "-" SPAN "-01");
}

static void what_breaks_the_rules_is_none(void **state)
{
    (void)state;
    assert_none("");
    assert_none("00");
    assert_none("00-" TRACE "-" SPAN "-0");
    assert_none("00-" TRACE "-" SPAN "-01 ");
    assert_none("00-" TRACE "-" SPAN "-0x");
    assert_none("00-" TRACE "_" SPAN "-01");
    assert_none("00_" TRACE "-" SPAN "-01");
    assert_none("00-" TRACE "-" SPAN "_01");
    assert_none("0g-" TRACE "-" SPAN "-01");
    assert_none("00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01");
    assert_none("00-" TRACE "-B7AD6B7169203331-01");
    assert_none("00-00000000000000000000000000000000-" SPAN "-01");
    assert_none("00-" TRACE "-0000000000000000-01");
    assert_none("00-" SPAN "-" TRACE "-01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_read_and_written_as_it_was),
        cmocka_unit_test(only_the_flag_of_sampling_is_kept),
        cmocka_unit_test(a_later_version_is_read_as_far_as_it_is_like_this_one),
        cmocka_unit_test(what_breaks_the_rules_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
