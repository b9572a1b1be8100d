/* SPDX-License-Identifier: MIT
 *
 * When a DEALER whose handshakes come to nothing dials again.
 */
#include "base/zdial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Nobody listens at port 1, and nobody has to. */
#define BROKER "tcp://127.0.0.1:1"

static void *context, *dealer;

static int setup(void **state)
{
    (void)state;
    context = zmq_ctx_new();
    dealer = zmq_socket(context, ZMQ_DEALER);
    assert_int_equal(zdial(dealer, BROKER), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    zmq_close(dealer);
    zmq_ctx_term(context);
    return 0;
}

static void refused(zdial_t *dial, int64_t now_ms)
{
    zdial_refused(dial, dealer, BROKER, now_ms);
}

static void turn(zdial_t *dial, int64_t now_ms, bool is_welcomed)
{
    zdial_turn(dial, dealer, BROKER, now_ms, is_welcomed);
}

/* Is there anything to hang up? */
static bool is_dialled(void)
{
    return zmq_disconnect(dealer, BROKER) == 0 &&
           zmq_connect(dealer, BROKER) == 0;
}

static void who_is_refused_hangs_up_until_its_time_has_come(void **state)
{
    zdial_t dial = {0};
    (void)state;

    assert_true(zdial_due_ms(&dial, 1000) == INT64_MAX);
    refused(&dial, 1000);
    assert_int_equal(zdial_due_ms(&dial, 1000), 1100);
    turn(&dial, 1099, false);
    assert_false(is_dialled());
    turn(&dial, 1100, false);
    assert_true(is_dialled());
}

static void each_pause_is_twice_the_last_up_to_two_seconds(void **state)
{
    static const int64_t pauses_ms[] = {100, 200, 400, 800, 1600, 2000, 2000};
    zdial_t dial = {0};
    int64_t now_ms = 1000;
    (void)state;

    for (size_t i = 0; i < sizeof pauses_ms / sizeof *pauses_ms; i++) {
        refused(&dial, now_ms);
        assert_int_equal(zdial_due_ms(&dial, now_ms), now_ms + pauses_ms[i]);
        now_ms += pauses_ms[i];
        turn(&dial, now_ms, false);
    }
}

static void many_words_about_one_refusal_are_one(void **state)
{
    zdial_t dial = {0};
    (void)state;

    refused(&dial, 1000);
    refused(&dial, 1050);
    assert_int_equal(zdial_due_ms(&dial, 1050), 1100);
}

static void who_was_welcomed_begins_anew(void **state)
{
    zdial_t dial = {0};
    (void)state;

    refused(&dial, 1000);
    turn(&dial, 1100, false);
    refused(&dial, 1100);
    turn(&dial, 1300, false);
    turn(&dial, 1310, true);
    assert_true(zdial_due_ms(&dial, 1310) == INT64_MAX);
    refused(&dial, 5000);
    assert_int_equal(zdial_due_ms(&dial, 5000), 5100);
}

static void who_has_hung_up_is_not_dialled_for_being_blocked(void **state)
{
    zdial_t dial = {.pause_ms = ZDIAL_PAUSE_MAX_MS};
    (void)state;

    zdial_blocked(&dial, dealer, BROKER, 1000, false);
    refused(&dial, 1000 + ZDIAL_AGAIN_MS - 1);
    zdial_blocked(&dial, dealer, BROKER, 1000 + ZDIAL_AGAIN_MS, false);
    assert_false(is_dialled());
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_is_refused_hangs_up_until_its_time_has_come),
        TEST(each_pause_is_twice_the_last_up_to_two_seconds),
        TEST(many_words_about_one_refusal_are_one),
        TEST(who_was_welcomed_begins_anew),
        TEST(who_has_hung_up_is_not_dialled_for_being_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
