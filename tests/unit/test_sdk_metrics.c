/* SPDX-License-Identifier: MIT
 *
 * The numbers of an app of the C SDK: what may be asked for, how it is counted,
 * from several threads, too, and as which text it is told.
 */
#include "base/xalloc.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <pthread.h>

static hoist_counter *counter_of(const char *name, const char *labels)
{
    return hoist_counter_of(worker.app, name, "What it is.", labels);
}

static hoist_gauge *gauge_of(const char *name)
{
    return hoist_gauge_of(worker.app, name, "What it is.", NULL);
}

static hoist_histogram *histogram_of(const char *name, const char *labels)
{
    return hoist_histogram_of(worker.app, name, "What it is.", labels,
                              HOIST_SECONDS);
}

/* All that is told behind the families that every app has. */
static void tells(const char *expected)
{
    static const char first[] = "\nhoist_worker_brokers_up 0\n";
    size_t len;
    char *text = hoist_metrics_text(worker.app, &len);
    const char *rest = strstr(text, first);

    assert_int_equal(len, strlen(text));
    assert_non_null(rest);
    assert_string_equal(rest + strlen(first), expected);
    free(text);
}

/* --- counters, gauges, histograms ---------------------------------------- */

static void a_counter_counts_and_is_told_with_its_help(void **state)
{
    (void)state;
    hoist_counter *greeted = counter_of("greeted_total", NULL);

    hoist_count(greeted, 1);
    hoist_count(greeted, 41);
    assert_int_equal(hoist_counted(greeted), 42);
    tells("# HELP greeted_total What it is.\n"
          "# TYPE greeted_total counter\n"
          "greeted_total 42\n");
}

static void what_is_asked_for_twice_is_the_same(void **state)
{
    (void)state;
    assert_ptr_equal(counter_of("a_total", NULL), counter_of("a_total", ""));
    assert_ptr_equal(counter_of("a_total", "b=\"c\""),
                     counter_of("a_total", "b=\"c\""));
    assert_ptr_not_equal(counter_of("a_total", "b=\"c\""),
                         counter_of("a_total", "b=\"d\""));
}

static void series_of_a_name_stand_together(void **state)
{
    (void)state;
    hoist_count(counter_of("a_total", "why=\"x\""), 1);
    hoist_count(counter_of("b_total", NULL), 2);
    hoist_count(counter_of("a_total", "why=\"y\",to=\"\\\"z\\\"\""), 3);
    tells("# HELP a_total What it is.\n# TYPE a_total counter\n"
          "a_total{why=\"x\"} 1\n"
          "a_total{why=\"y\",to=\"\\\"z\\\"\"} 3\n"
          "# HELP b_total What it is.\n# TYPE b_total counter\n"
          "b_total 2\n");
}

static void a_gauge_comes_and_goes(void **state)
{
    (void)state;
    hoist_gauge *here = hoist_gauge_of(worker.app, "here", "Now.", NULL);

    hoist_gauge_set(here, 5);
    hoist_gauge_add(here, -7);
    assert_int_equal(hoist_gauge_value(here), -2);
    tells("# HELP here Now.\n# TYPE here gauge\nhere -2\n");
}

static void a_histogram_is_told_in_buckets_that_add_up(void **state)
{
    static const uint64_t sizes[] = {0, 64, 65, 256, 257, 1 << 26, 1ull << 40};
    (void)state;
    hoist_histogram *sent = hoist_histogram_of(worker.app, "sent_bytes", "S.",
                                               "to=\"x\"", HOIST_BYTES);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        hoist_observe(sent, sizes[i]);
    }
    assert_int_equal(hoist_observed(sent), 7);
    tells("# HELP sent_bytes S.\n# TYPE sent_bytes histogram\n"
          "sent_bytes_bucket{to=\"x\",le=\"64\"} 2\n"
          "sent_bytes_bucket{to=\"x\",le=\"256\"} 4\n"
          "sent_bytes_bucket{to=\"x\",le=\"1024\"} 5\n"
          "sent_bytes_bucket{to=\"x\",le=\"4096\"} 5\n"
          "sent_bytes_bucket{to=\"x\",le=\"16384\"} 5\n"
          "sent_bytes_bucket{to=\"x\",le=\"65536\"} 5\n"
          "sent_bytes_bucket{to=\"x\",le=\"262144\"} 5\n"
          "sent_bytes_bucket{to=\"x\",le=\"1048576\"} 5\n"
          "sent_bytes_bucket{to=\"x\",le=\"4194304\"} 5\n"
          "sent_bytes_bucket{to=\"x\",le=\"16777216\"} 5\n"
          "sent_bytes_bucket{to=\"x\",le=\"67108864\"} 6\n"
          "sent_bytes_bucket{to=\"x\",le=\"+Inf\"} 7\n"
          "sent_bytes_sum{to=\"x\"} 1099578737282\n"
          "sent_bytes_count{to=\"x\"} 7\n");
}

static void times_are_observed_in_microseconds_and_told_in_seconds(void **state)
{
    (void)state;
    hoist_histogram *took = hoist_histogram_of(worker.app, "took_seconds", "T.",
                                               NULL, HOIST_SECONDS);

    hoist_observe(took, 1500000);
    char *text = hoist_metrics_text(worker.app, NULL);
    assert_non_null(strstr(text, "took_seconds_bucket{le=\"0.000064\"} 0\n"));
    assert_non_null(strstr(text, "took_seconds_bucket{le=\"1.048576\"} 0\n"));
    assert_non_null(strstr(text, "took_seconds_bucket{le=\"4.194304\"} 1\n"));
    assert_non_null(strstr(text, "took_seconds_sum 1.500000\n"));
    free(text);
}

/* --- what may be asked for ------------------------------------------------ */

static void refuses(const char *name, const char *labels, int error)
{
    worker.app->refusal = (refusal_t){0};
    hoist_count(counter_of(name, labels), 1); /* harmless */
    if (worker.app->refusal.rc != error) {
        print_error("%s{%s}: %d\n", name, labels, worker.app->refusal.rc);
        fail();
    }
}

static void what_is_no_name_or_label_is_refused(void **state)
{
    static const char *const labels[] = {
        "a",           "a=",       "a=b",        "a=\"b",     "a=\"b\",",
        "=\"b\"",      "1=\"b\"",  "a=\"b\"c",   "a=\"\\x\"", "a=\"\n\"",
        "a=\"b\";c=1", ",a=\"b\"", "a=\"\xff\"", "a=\"\\",
    };
    char name[SERIES_NAME_MAX + 2];
    (void)state;

    refuses(NULL, NULL, -EINVAL);
    refuses("", NULL, -EINVAL);
    refuses("_total", NULL, -EINVAL);
    refuses("1_total", NULL, -EINVAL);
    refuses("a-b_total", NULL, -EINVAL);
    refuses("a", NULL, -EINVAL); /* a counter's says _total */
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        refuses("a_total", labels[i], -EINVAL);
    }
    memset(name, 'a', sizeof name);
    memcpy(name + sizeof name - sizeof "_total", "_total", sizeof "_total");
    refuses(name, NULL, -EINVAL);
    refuses(name + 1, NULL, 0);
}

static void is_hinted(const char *name, const char *labels, const char *hint)
{
    refuses(name, labels, -EINVAL);
    assert_string_equal(worker.app->refusal.hint, hint);
}

static void what_is_wrong_with_a_name_or_label_is_said(void **state)
{
    (void)state;
    is_hinted("chat_said", NULL, "the name of a counter ends in _total");
    is_hinted("chat-said_total", NULL,
              "a name has letters, digits, _ and :, no digit in front, and 1 "
              "to 128 of them");
    is_hinted("a_total", "reason=expired",
              "a label has its value in quotes: NAME='VALUE', with double "
              "ones");
    is_hinted("a_total", "a=\"1\";b=\"2\"",
              "labels have a comma between them, and nothing else");
    is_hinted("a_total", "a=\"1\",",
              "labels have a comma between them, and "
              "nothing else");
    is_hinted("a_total", "__a=\"1\"",
              "a label is none that begins with __, nor le of a histogram");
    is_hinted("a_total", "a=\"1\",a=\"2\"", "a label is there twice");
    is_hinted("a_total", "a=\"\xff\"", "labels are UTF-8");
    worker.app->refusal = (refusal_t){0};
    hoist_observe(histogram_of("took", NULL), 1);
    assert_string_equal(
        worker.app->refusal.hint,
        "the name of a histogram of HOIST_SECONDS ends in _seconds");
}

static void labels_that_prometheus_refuses_are_refused(void **state)
{
    (void)state;
    refuses("a_total", "a=\"1\",a=\"2\"", -EINVAL);
    refuses("a_total", "a=\"1\",b=\"2\",a=\"1\"", -EINVAL);
    refuses("a_total", "__name__=\"b\"", -EINVAL);
    refuses("a_total", "a=\"1\",__b=\"2\"", -EINVAL);
    refuses("a_total", "a=\"b=\",b=\"a\",ab=\"\",_a=\"\"", 0);
    refuses("a_total", "le=\"1\"", 0);
    worker.app->refusal = (refusal_t){0};
    hoist_observe(histogram_of("a_seconds", "b=\"1\",le=\"1\""), 1);
    assert_int_equal(worker.app->refusal.rc, -EINVAL);
    worker.app->refusal = (refusal_t){0};
    hoist_observe(histogram_of("a_seconds", "led=\"1\""), 1);
    assert_int_equal(worker.app->refusal.rc, 0);
}

static void a_histogram_has_a_unit(void **state)
{
    (void)state;
    for (int unit = 0; unit <= 3; unit += 3) {
        worker.app->refusal = (refusal_t){0};
        hoist_observe(hoist_histogram_of(worker.app, "a_bytes", "", NULL,
                                         (hoist_unit)unit),
                      1);
        assert_int_equal(worker.app->refusal.rc, -EINVAL);
    }
}

/* --- one name, one family ------------------------------------------------ */

static void is_taken(hoist_gauge *gauge)
{
    hoist_gauge_set(gauge, 1); /* harmless */
    assert_int_equal(worker.app->refusal.rc, -EEXIST);
    worker.app->refusal = (refusal_t){0};
}

static void a_metric_of_the_process_is_not_the_programs(void **state)
{
    (void)state;
    is_taken(gauge_of("process_open_fds"));
    is_taken(gauge_of("hoist_build_info"));
    refuses("process_cpu_seconds_total", NULL, -EEXIST);
    tells("");
}

static void samples_of_a_histogram_are_no_other_metric(void **state)
{
    (void)state;
    hoist_observe(histogram_of("y_seconds", NULL), 1);
    is_taken(gauge_of("y_seconds_bucket"));
    is_taken(gauge_of("y_seconds_sum"));
    is_taken(gauge_of("y_seconds_count"));
    gauge_of("y_seconds_counted");
    gauge_of("z_seconds_sum");
    assert_int_equal(worker.app->refusal.rc, 0);
    hoist_observe(histogram_of("z_seconds", NULL), 1);
    assert_int_equal(worker.app->refusal.rc, -EEXIST);
}

static void what_is_refused_counts_for_its_kind_alone(void **state)
{
    (void)state;
    hoist_count(counter_of("no name", NULL), 7);
    hoist_gauge_set(gauge_of("no name"), -1);
    hoist_observe(histogram_of("no name", NULL), 5);
    assert_int_equal(hoist_counted(counter_of("no name", NULL)), 7);
    assert_int_equal(hoist_gauge_value(gauge_of("no name")), -1);
    assert_int_equal(hoist_observed(histogram_of("no name", NULL)), 1);
}

static void labels_have_a_greatest_length(void **state)
{
    char labels[SERIES_LABELS_MAX + 2];
    (void)state;

    memset(labels, 'x', sizeof labels);
    memcpy(labels, "a=\"", 3);
    memcpy(labels + SERIES_LABELS_MAX, "\"", 2);
    refuses("a_total", labels, -EINVAL);
    memcpy(labels + SERIES_LABELS_MAX - 1, "\"", 2);
    refuses("a_total", labels, 0);
}

static void a_name_is_of_one_kind(void **state)
{
    (void)state;
    refuses("a_total", NULL, 0);
    hoist_gauge_set(hoist_gauge_of(worker.app, "a_total", "", NULL), 1);
    assert_int_equal(worker.app->refusal.rc, -EEXIST);
    tells("# HELP a_total What it is.\n# TYPE a_total counter\na_total 1\n");
}

static void there_are_at_most_256_names(void **state)
{
    char name[32];
    (void)state;

    for (size_t i = worker.app->registry.families; i < FAMILIES_MAX; i++) {
        snprintf(name, sizeof name, "a%zu_total", i);
        refuses(name, NULL, 0);
    }
    refuses("b_total", NULL, -ENOSPC);
    refuses("a10_total", "more=\"of it\"", 0);
}

static void there_are_at_most_4096_series(void **state)
{
    char labels[32];
    (void)state;

    for (size_t i = worker.app->registry.series; i < SERIES_MAX; i++) {
        snprintf(labels, sizeof labels, "n=\"%zu\"", i);
        refuses("a_total", labels, 0);
    }
    refuses("a_total", "n=\"more\"", -ENOSPC);
    refuses("b_total", NULL, -ENOSPC);
}

static void
while_the_app_runs_a_refusal_is_counted_and_harms_nobody(void **state)
{
    (void)state;
    worker.app->running = true;
    hoist_count(counter_of("no name", NULL), 1);
    worker.app->running = false;
    assert_int_equal(worker.app->refusal.rc, 0);
    assert_int_equal(
        hoist_counted(counter_of("hoist_worker_series_refused_total", NULL)),
        1);
}

/* --- threads ------------------------------------------------------------- */

#define THREADS 4
#define TIMES   10000

/* Looks up and counts, while others do and somebody reads. */
static void *count_often(void *user)
{
    char labels[32];

    for (int i = 0; i < TIMES; i++) {
        snprintf(labels, sizeof labels, "n=\"%d\"", i % 8);
        hoist_count(counter_of("a_total", labels), 1);
    }
    return user;
}

static void threads_count_beside_each_other(void **state)
{
    pthread_t threads[THREADS];
    uint64_t sum = 0;
    char labels[32];
    (void)state;

    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, count_often, NULL) == 0);
    }
    free(hoist_metrics_text(worker.app, NULL));
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    for (int i = 0; i < 8; i++) {
        snprintf(labels, sizeof labels, "n=\"%d\"", i);
        sum += hoist_counted(counter_of("a_total", labels));
    }
    assert_int_equal(sum, THREADS * TIMES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(a_counter_counts_and_is_told_with_its_help),
        WORKER_TEST(what_is_asked_for_twice_is_the_same),
        WORKER_TEST(series_of_a_name_stand_together),
        WORKER_TEST(a_gauge_comes_and_goes),
        WORKER_TEST(a_histogram_is_told_in_buckets_that_add_up),
        WORKER_TEST(times_are_observed_in_microseconds_and_told_in_seconds),
        WORKER_TEST(what_is_no_name_or_label_is_refused),
        WORKER_TEST(what_is_wrong_with_a_name_or_label_is_said),
        WORKER_TEST(labels_that_prometheus_refuses_are_refused),
        WORKER_TEST(a_histogram_has_a_unit),
        WORKER_TEST(labels_have_a_greatest_length),
        WORKER_TEST(a_metric_of_the_process_is_not_the_programs),
        WORKER_TEST(samples_of_a_histogram_are_no_other_metric),
        WORKER_TEST(what_is_refused_counts_for_its_kind_alone),
        WORKER_TEST(a_name_is_of_one_kind),
        WORKER_TEST(there_are_at_most_256_names),
        WORKER_TEST(there_are_at_most_4096_series),
        WORKER_TEST(while_the_app_runs_a_refusal_is_counted_and_harms_nobody),
        WORKER_TEST(threads_count_beside_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
