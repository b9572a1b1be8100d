/* SPDX-License-Identifier: MIT
 *
 * What the loops of a gateway say, as one.
 */
#include "gateway/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { A, B, LOOPS };

static report_t loops[LOOPS];
static buf_t out;

static int set_up(void **state)
{
    (void)state;

    for (size_t i = 0; i < LOOPS; i++) {
        loops[i] = (report_t){.number = (uint32_t)i + 1,
                              .ready = 200,
                              .brokers = wire_bytes("[]")};
    }
    buf_init(&out, 1 << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

/* What was put, as a C string. */
static const char *text_of(buf_t *text)
{
    assert_int_equal(buf_put(text, "", 1), 0);
    return (const char *)text->data;
}

static void counters_and_times_add_up(void **state)
{
    report_t sum;
    (void)state;

    loops[A].stats.connections = 3;
    loops[B].stats.connections = 4;
    loops[A].groups = loops[B].groups = 1;
    histogram_add(&loops[A].trips.request[EVENT_MESSAGE], 10);
    histogram_add(&loops[B].trips.request[EVENT_MESSAGE], 20);
    summary_sum(loops, LOOPS, &sum);
    assert_int_equal(sum.stats.connections, 7);
    assert_int_equal(sum.groups, 2);
    assert_int_equal(sum.trips.request[EVENT_MESSAGE].count, 2);
    assert_int_equal(sum.trips.request[EVENT_MESSAGE].sum, 30);
}

/* Where a loop could not read the new one, that is what matters. */
static void a_certificate_is_good_until_the_first_end(void **state)
{
    report_t sum;
    (void)state;

    loops[A].stats.tls_until = 2000;
    loops[B].stats.tls_until = 1000;
    summary_sum(loops, LOOPS, &sum);
    assert_int_equal(sum.stats.tls_until, 1000);
    loops[B].stats.tls_until = 3000;
    summary_sum(loops, LOOPS, &sum);
    assert_int_equal(sum.stats.tls_until, 2000);
}

static void it_is_as_ready_as_the_least_ready_loop(void **state)
{
    (void)state;

    loops[A].reasons = wire_bytes("degraded: so\n");
    loops[B].reasons = wire_bytes("no broker is up\ndrains\n");
    loops[B].ready = 503;
    assert_int_equal(summary_ready(loops, LOOPS, &out), 503);
    assert_string_equal(text_of(&out), "loop 1: degraded: so\n"
                                       "loop 2: no broker is up\n"
                                       "loop 2: drains\n");
}

static void what_all_loops_say_is_said_once(void **state)
{
    (void)state;

    loops[A].reasons = loops[B].reasons = wire_bytes("no broker is up\n");
    loops[A].ready = loops[B].ready = 503;
    assert_int_equal(summary_ready(loops, LOOPS, &out), 503);
    assert_string_equal(text_of(&out), "no broker is up\n");
}

static void status_has_the_sum_and_each_loop(void **state)
{
    (void)state;

    loops[A].brokers = wire_bytes("[{\"loop\":1},{\"loop\":1}]");
    loops[B].brokers = wire_bytes("[{\"loop\":2}]");
    loops[A].stats.messages_in = 5;
    loops[B].is_draining = true;
    assert_int_equal(summary_status(loops, LOOPS, "g", "a:1", &out), 200);
    const char *text = text_of(&out);
    assert_non_null(strstr(text, "\"name\":\"g\",\"address\":\"a:1\""));
    assert_non_null(strstr(text, "\"draining\":true"));
    assert_non_null(strstr(text, "\"loops\":[{\"loop\":1,"));
    assert_non_null(strstr(text, "\"messages_in\":5,\"messages_out\":0},"
                                 "{\"loop\":2,"));
    assert_non_null(strstr(text, "\"brokers\":[{\"loop\":1},{\"loop\":1},"
                                 "{\"loop\":2}]"));
}

static void a_loop_without_a_broker_yet_has_none(void **state)
{
    (void)state;

    loops[B].brokers = wire_bytes("[{\"loop\":2}]");
    assert_int_equal(summary_status(loops, LOOPS, "", "", &out), 200);
    assert_non_null(strstr(text_of(&out), "\"brokers\":[{\"loop\":2}]"));
}

static void without_room_it_is_an_error(void **state)
{
    buf_t small;
    (void)state;

    loops[A].reasons = wire_bytes("drains\n");
    buf_init(&small, 4);
    assert_int_equal(summary_ready(loops, LOOPS, &small), 500);
    assert_int_equal(summary_status(loops, LOOPS, "", "", &small), 500);
    buf_fini(&small);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(counters_and_times_add_up),
        T(a_certificate_is_good_until_the_first_end),
        T(it_is_as_ready_as_the_least_ready_loop),
        T(what_all_loops_say_is_said_once),
        T(status_has_the_sum_and_each_loop),
        T(a_loop_without_a_broker_yet_has_none),
        T(without_room_it_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
