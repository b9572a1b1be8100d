/* SPDX-License-Identifier: MIT
 *
 * What hoist_metrics counts of events.
 */
#include "base/xalloc.h"
#include "tests/unit/driven_clock.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int set_up(void **state)
{
    driven_us = 10000000;
    return worker_set_up(state);
}

static void measures(const char *route, hoist_handler *handler)
{
    serves(route, handler);
    worker_freezes();
}

/* A line of the text is this. */
static void tells(const char *line)
{
    char *text = hoist_metrics_text(worker.app, NULL);
    char whole[512];

    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (strstr(text, whole) == NULL) {
        print_error("no line %s in\n%s", line, text);
        fail();
    }
    free(text);
}

static int succeed(hoist_ctx *ctx)
{
    (void)ctx;
    driven_us += 1500;
    return 0;
}

static int fail_with_a_word(hoist_ctx *ctx)
{
    hoist_text body = hoist_body(ctx);
    char word[32];

    snprintf(word, sizeof word, "%.*s", (int)body.len, body.data);
    return hoist_fail(ctx, 409, word, "");
}

static int fail_bare(hoist_ctx *ctx)
{
    (void)ctx;
    return -EIO;
}

static int refuse(hoist_ctx *ctx)
{
    return hoist_reply_status(ctx, 403);
}

static void says_any_reply(void)
{
    (void)says(KIND_REPLY);
}

static void message_with(const char *route, const char *body)
{
    message_request_t request = sdk_message(route);

    request.body = (body_t){BODY_TEXT, wire_bytes(body)};
    must(message_put_request(&worker.in, &request) == 0);
    feed(worker.now_ms);
    says_any_reply();
}

static void events_are_counted_and_timed_by_route_and_outcome(void **state)
{
    (void)state;
    hoist_use(worker.app, hoist_metrics, NULL);
    measures("echo", succeed);
    message_with("echo", "12345");
    message_with("echo", "1");
    tells("hoist_worker_events_total{route=\"echo\",event=\"message\","
          "status=\"2xx\"} 2");
    tells("hoist_worker_messages_total{route=\"echo\"} 2");
    tells("hoist_worker_message_bytes_sum{route=\"echo\"} 6");
    tells("hoist_worker_event_seconds_sum{route=\"echo\",event=\"message\"} "
          "0.003000");
    tells("hoist_worker_event_seconds_count{route=\"echo\","
          "event=\"message\"} 2");
}

static void errors_are_told_apart_by_their_word(void **state)
{
    (void)state;
    hoist_use(worker.app, hoist_metrics, NULL);
    measures("word", fail_with_a_word);
    measures("bare", fail_bare);
    measures("refuse", refuse);
    message_with("word", "name-taken");
    message_with("bare", "");
    message_with("refuse", "");
    tells("hoist_worker_errors_total{route=\"word\",event=\"message\","
          "code=\"name-taken\"} 1");
    tells("hoist_worker_errors_total{route=\"bare\",event=\"message\","
          "code=\"internal\"} 1");
    tells("hoist_worker_errors_total{route=\"refuse\",event=\"message\","
          "code=\"forbidden\"} 1");
    tells("hoist_worker_events_total{route=\"bare\",event=\"message\","
          "status=\"5xx\"} 1");
}

static void words_without_end_are_one_series(void **state)
{
    char word[16];
    (void)state;

    hoist_use(worker.app, hoist_metrics, NULL);
    measures("word", fail_with_a_word);
    for (int i = 0; i < 40; i++) {
        snprintf(word, sizeof word, "word-%d", i);
        message_with("word", word);
    }
    message_with("word", "word-15");
    tells("hoist_worker_errors_total{route=\"word\",event=\"message\","
          "code=\"word-15\"} 2");
    tells("hoist_worker_errors_total{route=\"word\",event=\"message\","
          "code=\"other\"} 24");
}

static void a_route_of_any_name_is_a_label(void **state)
{
    (void)state;
    hoist_use(worker.app, hoist_metrics, NULL);
    measures("a\"b\\c\nd", succeed);
    message_with("a\"b\\c\nd", "");
    tells("hoist_worker_messages_total{route=\"a\\\"b\\\\c\\nd\"} 1");
}

static void connections_come_and_go(void **state)
{
    (void)state;
    hoist_use(worker.app, hoist_metrics, NULL);
    measures("$connect", succeed);
    measures("$disconnect", succeed);
    for (int i = 0; i < 3; i++) {
        comes(EVENT_CONNECT, CONN_A, "$connect", 1);
        says_any_reply();
    }
    comes(EVENT_DISCONNECT, CONN_A, "$disconnect", 2);
    says_any_reply();
    tells("hoist_worker_connections_opened_total 3");
    tells("hoist_worker_connections_closed_total 1");
    tells("hoist_worker_connections 2");
    tells("hoist_worker_events_total{route=\"$connect\",event=\"connect\","
          "status=\"2xx\"} 3");
}

/* No line of the text begins so. */
static void tells_nothing_of(const char *name)
{
    char *text = hoist_metrics_text(worker.app, NULL);

    assert_null(strstr(text, name));
    free(text);
}

static void
who_sees_connections_come_but_not_go_does_not_add_them_up(void **state)
{
    (void)state;
    hoist_use(worker.app, hoist_metrics, NULL);
    measures("$connect", succeed);
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    says_any_reply();
    tells("hoist_worker_connections_opened_total 1");
    tells_nothing_of("\nhoist_worker_connections ");
}

static void what_stands_around_connect_alone_does_not_either(void **state)
{
    (void)state;
    serves("$connect", succeed);
    hoist_use_on(worker.app, "$connect", hoist_metrics, NULL);
    measures("$disconnect", succeed);
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    says_any_reply();
    tells("hoist_worker_connections_opened_total 1");
    tells_nothing_of("\nhoist_worker_connections ");
}

static void a_refused_connection_was_never_there(void **state)
{
    (void)state;
    hoist_use(worker.app, hoist_metrics, NULL);
    measures("$connect", refuse);
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    says_any_reply();
    tells("hoist_worker_connections_opened_total 0");
    tells("hoist_worker_errors_total{route=\"$connect\",event=\"connect\","
          "code=\"forbidden\"} 1");
}

static int take_answer(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    return hoist_reply_text(ctx, "here");
}

static int ask(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, take_answer, NULL);
}

static void an_event_that_waits_is_timed_until_its_outcome(void **state)
{
    (void)state;
    hoist_use(worker.app, hoist_metrics, NULL);
    measures("who", ask);
    message_comes(CONN_A, "who", 1);
    uint64_t query = says_query();
    driven_us += 250000;
    status_comes(query, 200);
    says_reply(1, 200);
    tells("hoist_worker_event_seconds_sum{route=\"who\",event=\"message\"} "
          "0.250000");
}

static void an_event_that_is_over_without_a_reply_has_no_status(void **state)
{
    (void)state;
    hoist_use(worker.app, hoist_metrics, NULL);
    measures("who", ask);
    message_comes(CONN_A, "who", 1);
    (void)says_query();
    worker_ends();
    tells("hoist_worker_events_total{route=\"who\",event=\"message\","
          "status=\"none\"} 1");
}

/* --- the number of all connections --------------------------------------- */

static void asks_for_the_number(void)
{
    task_t task;

    timers_start(&worker.app->timers, 0);
    assert_true(timers_take(&worker.app->timers, 60000, &task));
    link_run(&worker.link, &task);
}

static void the_number_of_all_connections_is_asked_for(void **state)
{
    static const uint8_t count[] = {0x81, 0xa5, 'c', 'o', 'u', 'n', 't', 7};
    const hoist_metrics_config config = {.count_ms = 60000};
    (void)state;

    assert_int_equal(hoist_use(worker.app, hoist_metrics, &config), 0);
    measures("echo", succeed);
    asks_for_the_number();
    result_comes(&(message_result_t){
        .id = says_query(), .status = 200, .options = {count, sizeof count}});
    tells("hoist_worker_connections_known 7");
    asks_for_the_number();
    status_comes(says_query(), 503);
    tells("hoist_worker_connections_known 7");
    tells("hoist_worker_connection_counts_failed_total 1");
}

static void it_is_asked_for_once_a_second_at_most(void **state)
{
    (void)state;
    assert_int_equal(hoist_use(worker.app, hoist_metrics,
                               &(hoist_metrics_config){.count_ms = 999}),
                     -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, worker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(events_are_counted_and_timed_by_route_and_outcome),
        T(errors_are_told_apart_by_their_word),
        T(words_without_end_are_one_series),
        T(a_route_of_any_name_is_a_label),
        T(connections_come_and_go),
        T(who_sees_connections_come_but_not_go_does_not_add_them_up),
        T(what_stands_around_connect_alone_does_not_either),
        T(a_refused_connection_was_never_there),
        T(an_event_that_waits_is_timed_until_its_outcome),
        T(an_event_that_is_over_without_a_reply_has_no_status),
        T(the_number_of_all_connections_is_asked_for),
        T(it_is_asked_for_once_a_second_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
