/* SPDX-License-Identifier: MIT
 *
 * What a broker says of itself when it is asked whether it is ready.
 */
#include "broker/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_says(broker_state_t broker, unsigned status,
                        const char *text)
{
    buf_t out;

    buf_init(&out, 256);
    assert_int_equal(broker_ready(&broker, &out), status);
    assert_int_equal(out.len, strlen(text));
    if (out.len > 0) {
        assert_memory_equal(out.data, text, out.len);
    }
    buf_fini(&out);
}

static void all_is_well(void **state)
{
    (void)state;

    assert_says((broker_state_t){.is_store_up = true}, 200, "");
    assert_says((broker_state_t){.is_store_up = true, .requires_store = true},
                200, "");
}

static void who_drains_is_not_ready(void **state)
{
    (void)state;

    assert_says((broker_state_t){.is_store_up = true, .is_draining = true}, 503,
                "drains\n");
}

static void a_store_that_is_down_only_degrades(void **state)
{
    (void)state;

    assert_says((broker_state_t){.is_store_up = false}, 200,
                "degraded: the store does not answer\n");
}

static void unless_it_is_required(void **state)
{
    (void)state;

    assert_says((broker_state_t){.requires_store = true}, 503,
                "the store does not answer, and --require-store is set\n");
}

static void each_reason_is_a_line(void **state)
{
    (void)state;

    assert_says((broker_state_t){.is_draining = true}, 503,
                "drains\ndegraded: the store does not answer\n");
}

static void without_room_it_is_an_error(void **state)
{
    const broker_state_t broker = {.is_draining = true};
    const broker_stats_t stats = {.workers = 1};
    const store_stats_t store = {.store_up = 1};
    traffic_t traffic;
    buf_t out;
    (void)state;

    traffic_init(&traffic);
    buf_init(&out, 4);
    assert_int_equal(broker_ready(&broker, &out), 500);
    assert_int_equal(broker_metrics(&stats, &store, &traffic, &out), 500);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
    traffic_fini(&traffic);
}

/* It ends the program when they do not. */
static void the_largest_counters_fit_in_a_line_of_the_log(void **state)
{
    broker_stats_t stats;
    store_stats_t store;
    (void)state;

    memset(&stats, 0xff, sizeof stats);
    memset(&store, 0xff, sizeof store);
    broker_log_stats(&stats, &store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well),
        cmocka_unit_test(who_drains_is_not_ready),
        cmocka_unit_test(a_store_that_is_down_only_degrades),
        cmocka_unit_test(unless_it_is_required),
        cmocka_unit_test(each_reason_is_a_line),
        cmocka_unit_test(without_room_it_is_an_error),
        cmocka_unit_test(the_largest_counters_fit_in_a_line_of_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
