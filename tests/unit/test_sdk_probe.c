/* SPDX-License-Identifier: MIT
 *
 * What a worker answers to whoever asks for its metrics, whether it is alive
 * and whether it is ready.
 */
#include "tests/unit/worker_fixture.h"
#include "workers/c/probe.h"

#include <errno.h>
#include <stdio.h>

static buf_t out;

/* What a thread tells of its brokers. */
static void tells_of(unsigned thread, int64_t now_ms, size_t brokers, size_t up,
                     bool is_draining)
{
    health_tell(&worker.app->health, thread,
                &(pulse_told_t){now_ms, brokers, up, is_draining});
}

static void tells(int64_t now_ms, size_t brokers, size_t up, bool is_draining)
{
    tells_of(0, now_ms, brokers, up, is_draining);
}

static int set_up(void **state)
{
    buf_init(&out, PROBE_OUT_MAX);
    worker_set_up(state);
    health_begin(&worker.app->health, 1, 1000);
    tells(1000, 1, 1, false);
    return 0;
}

static int tear_down(void **state)
{
    buf_fini(&out);
    return worker_tear_down(state);
}

/* The whole response to a request that consists of this, at that time. */
static const char *answer_at(const char *request, int64_t now_ms)
{
    out.len = 0;
    assert_int_equal(
        probe_answer(worker.app, wire_bytes(request), now_ms, &out), 0);
    assert_int_equal(buf_put(&out, "", 1), 0);
    return (const char *)out.data;
}

static const char *get(const char *path)
{
    static char request[256];

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
             path);
    return answer_at(request, 1000);
}

static void says_so(const char *text, int status, const char *body)
{
    char line[32];

    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    assert_int_equal(strncmp(text, line, strlen(line)), 0);
    assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n") + 4, body);
}

static void a_worker_whose_loop_turns_is_healthy(void **state)
{
    (void)state;
    says_so(get("/healthz"), 200, "ok\n");
}

static void one_whose_loop_has_not_turned_for_30_s_is_not(void **state)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)state;

    says_so(answer_at(request, 31000), 200, "ok\n");
    says_so(answer_at(request, 31001), 503, "the loop stands still\n");
    assert_int_equal(hoist_option(worker.app, "liveness", "60000"), 0);
    says_so(answer_at(request, 61000), 200, "ok\n");
    says_so(answer_at(request, 61001), 503, "the loop stands still\n");
}

static void it_is_ready_when_a_broker_has_welcomed_it(void **state)
{
    (void)state;

    says_so(get("/readyz"), 200, "ready\n");
    tells(1000, 2, 1, false);
    says_so(get("/readyz"), 200, "degraded: 1 of 2 brokers are up\nready\n");
    tells(1000, 2, 0, false);
    says_so(get("/readyz"), 503, "no broker is up\n");
    tells(1000, 2, 2, true);
    says_so(get("/readyz"), 503, "drains\n");
}

static void a_gauge_that_a_program_sets_makes_nobody_ready(void **state)
{
    (void)state;
    tells(1000, 1, 0, false);
    hoist_gauge_set(
        hoist_gauge_of(worker.app, "hoist_worker_brokers_up", "", NULL), 1);
    says_so(get("/readyz"), 503, "no broker is up\n");
}

static void of_several_threads_the_worst_off_is_told(void **state)
{
    (void)state;
    health_begin(&worker.app->health, 3, 1000);
    tells(1000, 2, 2, false);
    tells_of(1, 1000, 2, 1, false);
    says_so(get("/readyz"), 503, "no broker is up\n");
    tells_of(2, 1000, 2, 2, false);
    says_so(get("/readyz"), 200, "degraded: 1 of 2 brokers are up\nready\n");
    says_so(get("/healthz"), 200, "ok\n");
    tells(31001, 2, 2, false);
    tells_of(1, 31001, 2, 2, true);
    says_so(answer_at("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 31001), 503,
            "the loop stands still\n");
    says_so(get("/readyz"), 503, "drains\n");
}

static void metrics_are_those_of_the_app_and_of_the_process(void **state)
{
    (void)state;
    hoist_count(hoist_counter_of(worker.app, "greeted_total", "G.", NULL), 3);
    const char *text = get("/metrics");
    assert_non_null(strstr(
        text,
        "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(text, "\ngreeted_total 3\n"));
    assert_non_null(strstr(text, "\nhoist_worker_brokers_up 1\n"));
    assert_non_null(strstr(text, "\nprocess_resident_memory_bytes "));
}

static void a_head_is_answered_without_a_body(void **state)
{
    (void)state;
    const char *text =
        answer_at("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    assert_non_null(strstr(text, "\r\nContent-Length: 3\r\n"));
    says_so(text, 200, "");
}

static void what_is_not_there_is_404_and_what_is_not_read_405(void **state)
{
    (void)state;
    says_so(get("/"), 404, "Not Found\n");
    says_so(get("/metrics/"), 404, "Not Found\n");
    const char *text =
        answer_at("POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    assert_non_null(strstr(text, "\r\nAllow: GET, HEAD\r\n"));
    says_so(text, 405, "Method Not Allowed\n");
}

static void what_is_no_request_is_refused(void **state)
{
    static char request[PROBE_HEAD_MAX + 2];
    (void)state;

    says_so(answer_at("hello\r\n\r\n", 1000), 400, "Bad Request\n");
    memset(request, 'a', sizeof request - 1);
    memcpy(request, "GET /", 5);
    says_so(answer_at(request, 1000), 431, "Request Header Fields Too Large\n");
}

static void half_a_request_waits_for_the_rest(void **state)
{
    (void)state;
    out.len = 0;
    assert_int_equal(probe_answer(worker.app,
                                  wire_bytes("GET /metrics HTTP/1.1\r\n"), 1000,
                                  &out),
                     -EAGAIN);
    assert_int_equal(out.len, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_worker_whose_loop_turns_is_healthy),
        T(one_whose_loop_has_not_turned_for_30_s_is_not),
        T(it_is_ready_when_a_broker_has_welcomed_it),
        T(a_gauge_that_a_program_sets_makes_nobody_ready),
        T(of_several_threads_the_worst_off_is_told),
        T(metrics_are_those_of_the_app_and_of_the_process),
        T(a_head_is_answered_without_a_body),
        T(what_is_not_there_is_404_and_what_is_not_read_405),
        T(what_is_no_request_is_refused),
        T(half_a_request_waits_for_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
