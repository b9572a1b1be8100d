/* SPDX-License-Identifier: MIT
 *
 * What a gateway says of itself when it is asked whether it is ready.
 */
#include "gateway/report.h"
#include "tests/unit/hub_fixture.h"

enum { A, B };

static int set_up(void **state)
{
    gateway_set_up_alone(state);
    gateway.options.broker = "tcp://a:1,tcp://b:1";
    gateway_restarts_alone();
    return 0;
}

static void joins(size_t broker)
{
    at_broker(broker);
    forgets();
    broker_welcomes();
    gets_list(NULL, 0);
}

static void says(unsigned status, const char *text)
{
    buf_t out;

    buf_init(&out, 256);
    assert_int_equal(gateway_ready(gateway.hub, &out), status);
    assert_int_equal(out.len, strlen(text));
    if (out.len > 0) {
        assert_memory_equal(out.data, text, out.len);
    }
    buf_fini(&out);
}

static void it_is_ready_while_one_broker_is_up(void **state)
{
    (void)state;

    says(503, "no broker is up\n");
    joins(A);
    says(200, "degraded: 1 of 2 brokers are up\n");
    joins(B);
    says(200, "");
}

static void a_broker_that_drains_is_not_up(void **state)
{
    (void)state;

    joins(A);
    joins(B);
    at_broker(A);
    broker_says_bare(KIND_DRAIN);
    says(200, "degraded: 1 of 2 brokers are up\n");
    at_broker(B);
    broker_says_bare(KIND_DRAIN);
    says(503, "no broker is up\n");
}

static void who_drains_is_not_ready(void **state)
{
    (void)state;

    joins(A);
    joins(B);
    hub_drain(gateway.hub);
    says(503, "drains\n");
}

static void without_room_it_is_an_error(void **state)
{
    buf_t out;
    (void)state;

    buf_init(&out, 4);
    assert_int_equal(gateway_ready(gateway.hub, &out), 500);
    assert_int_equal(
        gateway_metrics(&gateway.hub->stats, &gateway.hub->trips, &out), 500);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

/* It ends the program when they do not. */
static void the_largest_counters_fit_in_a_line_of_the_log(void **state)
{
    gateway_stats_t stats;
    (void)state;

    memset(&stats, 0xff, sizeof stats);
    gateway_log_stats(&stats);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, gateway_tear_down)
    const struct CMUnitTest tests[] = {
        T(it_is_ready_while_one_broker_is_up),
        T(a_broker_that_drains_is_not_up),
        T(who_drains_is_not_ready),
        T(without_room_it_is_an_error),
        T(the_largest_counters_fit_in_a_line_of_the_log),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
