/* SPDX-License-Identifier: MIT
 *
 * The text format of Prometheus.
 */
#include "base/metrics.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static buf_t out;

static int set_up(void **state)
{
    (void)state;
    buf_init(&out, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static void assert_text(const char *want)
{
    assert_int_equal(out.len, strlen(want));
    assert_memory_equal(out.data, want, out.len);
}

static void assert_put(const char *folder, metric_t metric, const char *want)
{
    out.len = 0;
    assert_int_equal(metrics_put(&out, folder, &metric, 1), 0);
    assert_text(want);
}

static void a_counter_is_a_total_and_a_gauge_is_not(void **state)
{
    (void)state;

    assert_put("broker",
               (metric_t){"replies", "counter", "replies", "that came", 7},
               "# HELP hoist_broker_replies_total replies: that came\n"
               "# TYPE hoist_broker_replies_total counter\n"
               "hoist_broker_replies_total 7\n");
    assert_put("broker", (metric_t){"workers", "gauge", "peers", "here", 0},
               "# HELP hoist_broker_workers peers: here\n"
               "# TYPE hoist_broker_workers gauge\n"
               "hoist_broker_workers 0\n");
}

static void what_counts_bytes_says_so_at_its_end(void **state)
{
    (void)state;

    assert_put("gateway", (metric_t){"bytes_in", "counter", "bytes", "read", 1},
               "# HELP hoist_gateway_in_bytes_total bytes: read\n"
               "# TYPE hoist_gateway_in_bytes_total counter\n"
               "hoist_gateway_in_bytes_total 1\n");
    assert_put("gateway", (metric_t){"held", "gauge", "bytes", "held", 1},
               "# HELP hoist_gateway_held_bytes bytes: held\n"
               "# TYPE hoist_gateway_held_bytes gauge\n"
               "hoist_gateway_held_bytes 1\n");
}

static void a_folder_is_named_once(void **state)
{
    (void)state;

    assert_put("store", (metric_t){"store_up", "gauge", "boolean", "1: up", 1},
               "# HELP hoist_store_up boolean: 1: up\n"
               "# TYPE hoist_store_up gauge\n"
               "hoist_store_up 1\n");
}

static void the_largest_number_is_whole(void **state)
{
    (void)state;

    assert_put("a", (metric_t){"b", "gauge", "c", "d", UINT64_MAX},
               "# HELP hoist_a_b c: d\n# TYPE hoist_a_b gauge\n"
               "hoist_a_b 18446744073709551615\n");
}

static void help_stays_one_line(void **state)
{
    (void)state;

    assert_int_equal(metrics_put_family(&out, "a", "gauge", "one\ntwo \\ \"x\"",
                                        "{b=\"c\"} 1"),
                     0);
    assert_text("# HELP a one\\ntwo \\\\ \"x\"\n# TYPE a gauge\n"
                "a{b=\"c\"} 1\n");
}

/* At whatever byte the room ends, what was there before stays whole. */
static void without_room_nothing_is_put(void **state)
{
    const metric_t metrics[] = {{"a", "gauge", "b", "c", 1},
                                {"d", "counter", "e", "f", 2}};
    (void)state;

    assert_int_equal(metrics_put(&out, "x", metrics, 2), 0);
    size_t whole = out.len;
    for (size_t room = 1; room < whole; room++) {
        buf_fini(&out);
        buf_init(&out, room + 3);
        assert_int_equal(buf_put(&out, "old", 3), 0);
        assert_int_equal(metrics_put(&out, "x", metrics, 2), -ENOBUFS);
        assert_text("old");
    }
}

static void a_label_is_escaped_and_repaired(void **state)
{
    const metric_t metric = {"route_replies", "counter", "replies", "x", 3};
    const metrics_label_t plain = {"route", (const uint8_t *)"echo", 4};
    const metrics_label_t odd = {"route", (const uint8_t *)"\"\\\n\xff\0", 5};
    (void)state;

    assert_int_equal(metrics_put_head(&out, "broker", &metric), 0);
    assert_int_equal(metrics_put_sample(&out, "broker", &metric, &plain), 0);
    assert_int_equal(metrics_put_sample(&out, "broker", &metric, &odd), 0);
    assert_int_equal(buf_put(&out, "", 1), 0);
    const char *want =
        "# HELP hoist_broker_route_replies_total replies: x\n"
        "# TYPE hoist_broker_route_replies_total counter\n"
        "hoist_broker_route_replies_total{route=\"echo\"} 3\n"
        "hoist_broker_route_replies_total{route=\"\\\"\\\\\\n\xef\xbf\xbd";
    assert_memory_equal(out.data, want, strlen(want));
}

static void a_histogram_adds_up_in_seconds(void **state)
{
    const metric_t metric = {"route_wait", "histogram", "seconds", "x", 0};
    const metrics_label_t label = {"route", (const uint8_t *)"echo", 4};
    static histogram_t histogram;
    (void)state;

    histogram_add(&histogram, 63);
    histogram_add(&histogram, 64);
    histogram_add(&histogram, 1000000);
    assert_int_equal(
        metrics_put_histogram(&out, "broker", &metric, &label, &histogram), 0);
    assert_int_equal(buf_put(&out, "", 1), 0);
    const char *text = (const char *)out.data;
#define NAME "hoist_broker_route_wait_seconds"
    assert_ptr_equal(strstr(text, NAME
                            "_bucket{route=\"echo\",le=\"0.000064\"} 1\n" NAME
                            "_bucket{route=\"echo\",le=\"0.000256\"} 2\n"),
                     text);
    assert_non_null(strstr(text, "le=\"67.108864\"} 3\n" NAME
                                 "_bucket{route=\"echo\",le=\"+Inf\"} 3\n" NAME
                                 "_sum{route=\"echo\"} 1.000127\n" NAME
                                 "_count{route=\"echo\"} 3\n"));
#undef NAME
}

static void a_line_of_the_log_has_them_in_order(void **state)
{
    const metric_t metrics[] = {{"a", "gauge", "b", "c", 1},
                                {"d", "counter", "e", "f", UINT64_MAX}};
    char line[LOG_TEXT_MAX];
    (void)state;

    metrics_line(line, metrics, 2);
    assert_string_equal(line, "a=1 d=18446744073709551615");
    metrics_line(line, metrics, 0);
    assert_string_equal(line, "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_counter_is_a_total_and_a_gauge_is_not),
        T(what_counts_bytes_says_so_at_its_end),
        T(a_folder_is_named_once),
        T(the_largest_number_is_whole),
        T(help_stays_one_line),
        T(without_room_nothing_is_put),
        T(a_label_is_escaped_and_repaired),
        T(a_histogram_adds_up_in_seconds),
        T(a_line_of_the_log_has_them_in_order),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
