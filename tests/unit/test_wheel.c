/* SPDX-License-Identifier: MIT */
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define START_MS 123456789
#define TIMERS   2000

static wheel_t wheel;

static int set_up(void **state)
{
    (void)state;
    wheel_init(&wheel, START_MS);
    return 0;
}

static void fires_when_due_and_not_before(void **state)
{
    wheel_node_t node;
    (void)state;

    wheel_node_init(&node);
    wheel_arm(&wheel, &node, START_MS + 100);
    assert_null(wheel_take(&wheel, START_MS + 99));
    assert_ptr_equal(wheel_take(&wheel, START_MS + 100 + WHEEL_TICK_MS), &node);
    assert_null(wheel_take(&wheel, START_MS + 1000));
}

static void a_timer_longer_than_a_round_waits_its_rounds(void **state)
{
    int64_t round_ms = (int64_t)WHEEL_TICK_MS * WHEEL_SLOTS;
    wheel_node_t node;
    (void)state;

    wheel_node_init(&node);
    wheel_arm(&wheel, &node, START_MS + 3 * round_ms);
    for (int64_t t = 0; t < 3 * round_ms; t += 1000) {
        assert_null(wheel_take(&wheel, START_MS + t));
    }
    assert_ptr_equal(wheel_take(&wheel, START_MS + 3 * round_ms + 8), &node);
}

static void a_cancelled_timer_never_fires(void **state)
{
    wheel_node_t node;
    (void)state;

    wheel_node_init(&node);
    wheel_arm(&wheel, &node, START_MS + 10);
    wheel_cancel(&wheel, &node);
    wheel_cancel(&wheel, &node);
    assert_false(wheel_is_armed(&node));
    assert_null(wheel_take(&wheel, START_MS + 1000));
}

static void one_armed_for_the_past_fires_at_the_next_take(void **state)
{
    wheel_node_t node;
    (void)state;

    wheel_node_init(&node);
    assert_null(wheel_take(&wheel, START_MS + 5000));
    wheel_arm(&wheel, &node, START_MS);
    assert_ptr_equal(wheel_take(&wheel, START_MS + 5000), &node);
}

/* Random timers, steps and re-arms against the plain rule. */
static void every_timer_fires_once_and_within_a_tick(void **state)
{
    static wheel_node_t nodes[TIMERS];
    static bool fired[TIMERS];
    int left = TIMERS;
    int64_t now = START_MS;
    (void)state;

    srand(7);
    for (int i = 0; i < TIMERS; i++) {
        wheel_node_init(&nodes[i]);
        wheel_arm(&wheel, &nodes[i], now + rand() % 100000);
        fired[i] = false;
    }
    while (left > 0) {
        int64_t before = now;
        now += rand() % 50;
        for (wheel_node_t *node; (node = wheel_take(&wheel, now)) != NULL;) {
            long i = node - nodes;
            assert_false(fired[i]);
            assert_true(node->due_ms <= now);
            assert_true(node->due_ms > before - WHEEL_TICK_MS - 1);
            fired[i] = true;
            left--;
        }
        assert_true(now < START_MS + 200000);
    }
    assert_int_equal(wheel.armed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fires_when_due_and_not_before, set_up),
        cmocka_unit_test_setup(a_timer_longer_than_a_round_waits_its_rounds,
                               set_up),
        cmocka_unit_test_setup(a_cancelled_timer_never_fires, set_up),
        cmocka_unit_test_setup(one_armed_for_the_past_fires_at_the_next_take,
                               set_up),
        cmocka_unit_test_setup(every_timer_fires_once_and_within_a_tick,
                               set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
