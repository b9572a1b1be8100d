/* SPDX-License-Identifier: MIT
 *
 * What can be asked of the admin listener, and what becomes of the answers.
 */
#include "admin/routes.h"
#include "base/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ANSWER(name, code, said)                                               \
    {                                                                          \
        name, code,                                                            \
        {                                                                      \
            (const uint8_t *)(said), strlen(said)                              \
        }                                                                      \
    }

static const admin_stats_t stats = {.requests = 3};
static buf_t body;

static int set_up(void **state)
{
    (void)state;
    buf_init(&body, 65536);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&body);
    return 0;
}

static unsigned find(const char *method, const char *path,
                     const route_t **route)
{
    http_request_t request = {.method = wire_bytes(method),
                              .path = wire_bytes(path)};

    *route = NULL;
    return routes_find(&request, route);
}

/* The status; the text is in body. */
static unsigned get(const char *path, const routes_answer_t *answers,
                    size_t count, bool is_stopping)
{
    const route_t *route;
    routes_view_t view = {.answers = answers,
                          .count = count,
                          .is_stopping = is_stopping,
                          .stats = &stats};

    assert_int_equal(find("GET", path, &route), 0);
    body.len = 0;
    return routes_render(route, &view, &body);
}

static void assert_body(const char *want)
{
    assert_int_equal(body.len, strlen(want));
    assert_memory_equal(body.data, want, body.len);
}

static void a_route_is_a_path_and_its_methods(void **state)
{
    const route_t *route;
    (void)state;

    assert_int_equal(find("GET", "/readyz", &route), 0);
    assert_string_equal(route->question, "READY");
    assert_int_equal(find("HEAD", "/metrics", &route), 0);
    assert_string_equal(route->question, "METRICS");
    assert_int_equal(find("get", "/readyz", &route), 405);
    assert_int_equal(find("POST", "/readyz", &route), 405);
    assert_string_equal(route->methods, "GET, HEAD");
    assert_int_equal(find("GET", "/readyz/", &route), 404);
    assert_int_equal(find("GET", "/ready", &route), 404);
    assert_null(route);
}

static void health_is_that_all_answer(void **state)
{
    const routes_answer_t all[] = {ANSWER("gateway", 200, ""),
                                   ANSWER("broker", 200, "")};
    const routes_answer_t one[] = {ANSWER("gateway", 200, ""),
                                   ANSWER("broker", 0, "")};
    (void)state;

    assert_int_equal(get("/healthz", all, 2, false), 200);
    assert_body("ok\n");
    assert_int_equal(get("/healthz", all, 2, true), 200);
    assert_int_equal(get("/healthz", one, 2, false), 503);
    assert_body("broker: does not answer\n");
}

static void whoever_is_not_ready_says_why(void **state)
{
    const routes_answer_t well[] = {ANSWER("gateway", 200, ""),
                                    ANSWER("broker", 200, "degraded: so\n")};
    const routes_answer_t ill[] = {ANSWER("gateway", 503, "one\ntwo\n"),
                                   ANSWER("broker", 200, "")};
    (void)state;

    assert_int_equal(get("/readyz", well, 2, false), 200);
    assert_body("broker: degraded: so\nready\n");
    assert_int_equal(get("/readyz", ill, 2, false), 503);
    assert_body("gateway: one\ngateway: two\n");
}

static void nothing_is_ready_when_hoist_stops(void **state)
{
    const routes_answer_t well[] = {ANSWER("broker", 200, "")};
    (void)state;

    assert_int_equal(get("/readyz", well, 1, true), 503);
    assert_body("hoist: stops\n");
    assert_int_equal(get("/readyz", NULL, 0, true), 503);
}

static void who_is_silent_is_named_whatever_is_asked(void **state)
{
    const routes_answer_t none[] = {ANSWER("gateway", 0, ""),
                                    ANSWER("broker", 0, "")};
    static const char *const paths[] = {"/healthz", "/readyz", "/metrics"};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(get(paths[i], none, 2, false), 503);
        assert_body("gateway: does not answer\nbroker: does not answer\n");
    }
}

static void metrics_are_those_of_all(void **state)
{
    const routes_answer_t answers[] = {ANSWER("gateway", 200, "a 1\n"),
                                       ANSWER("broker", 200, "b 2\n")};
    (void)state;

    assert_int_equal(get("/metrics", answers, 2, false), 200);
    assert_int_equal(buf_put(&body, "", 1), 0); /* a C string */
    assert_ptr_equal(strstr((char *)body.data, "a 1\nb 2\n"), body.data);
    assert_non_null(
        strstr((char *)body.data, "\nhoist_admin_requests_total 3\n"));
    assert_non_null(strstr((char *)body.data, "\nhoist_build_info{version=\""));
}

static void metrics_without_room_are_an_error_and_nothing_else(void **state)
{
    const routes_answer_t answers[] = {ANSWER("gateway", 200, "a 1\n")};
    const routes_answer_t failed[] = {ANSWER("gateway", 500, "")};
    (void)state;

    assert_int_equal(get("/metrics", failed, 1, false), 500);
    assert_int_equal(body.len, 0);
    buf_fini(&body);
    buf_init(&body, 600);
    assert_int_equal(get("/metrics", answers, 1, false), 500);
    assert_int_equal(body.len, 0);
}

static void json_has_what_each_says_under_its_name(void **state)
{
    const routes_answer_t both[] = {ANSWER("gateway", 200, "{\"a\":1}"),
                                    ANSWER("broker", 200, "[]")};
    const routes_answer_t one[] = {ANSWER("gateway", 404, ""),
                                   ANSWER("broker", 200, "{}")};
    (void)state;

    assert_int_equal(get("/status", both, 2, false), 200);
    assert_body("{\"version\":\"" HOIST_VERSION "\",\"stopping\":false,"
                "\"gateway\":{\"a\":1},\"broker\":[]}\n");
    assert_int_equal(get("/routes", one, 2, true), 200);
    assert_body("{\"version\":\"" HOIST_VERSION "\",\"stopping\":true,"
                "\"broker\":{}}\n");
}

static void what_one_refuses_or_nobody_knows_is_no_json(void **state)
{
    const routes_answer_t wrong[] = {ANSWER("gateway", 400, "limit is\n"),
                                     ANSWER("broker", 200, "{}")};
    const routes_answer_t none[] = {ANSWER("broker", 404, "")};
    (void)state;

    assert_int_equal(get("/connections", wrong, 2, false), 400);
    assert_body("limit is\n");
    assert_int_equal(get("/groups", none, 1, false), 404);
    assert_body("nobody here knows that\n");
    assert_int_equal(get("/groups", NULL, 0, true), 404);
}

static void assert_address(const char *listen, const char *want)
{
    char address[32];

    assert_true(listener_address(listen, address, sizeof address));
    assert_string_equal(address, want);
}

static void a_port_alone_is_one_of_loopback(void **state)
{
    char address[8];
    (void)state;

    assert_address("9100", "127.0.0.1:9100");
    assert_address("0", "127.0.0.1:0");
    assert_address("0.0.0.0:9100", "0.0.0.0:9100");
    assert_address("[::1]:9100", "[::1]:9100");
    assert_address(":9100", ":9100"); /* the settings refuse it */
    assert_false(listener_address("9100", address, sizeof address));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_route_is_a_path_and_its_methods),
        T(health_is_that_all_answer),
        T(whoever_is_not_ready_says_why),
        T(nothing_is_ready_when_hoist_stops),
        T(who_is_silent_is_named_whatever_is_asked),
        T(metrics_are_those_of_all),
        T(metrics_without_room_are_an_error_and_nothing_else),
        T(json_has_what_each_says_under_its_name),
        T(what_one_refuses_or_nobody_knows_is_no_json),
        T(a_port_alone_is_one_of_loopback),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
