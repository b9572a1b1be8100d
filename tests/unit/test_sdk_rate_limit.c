/* SPDX-License-Identifier: MIT
 *
 * hoist_rate_limit: whose events count together, what beyond the limit is told,
 * and what happens while nobody knows.
 */
#include "base/xalloc.h"
#include "tests/unit/ledger_fixture.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>

static int set_up(void **state)
{
    test_ledger_opens();
    return worker_set_up(state);
}

static int tear_down(void **state)
{
    int rc = worker_tear_down(state);

    test_ledger_closes();
    return rc;
}

static int do_nothing(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static int note_limits(hoist_ctx *ctx, void *data)
{
    int rc = hoist_next(ctx);
    hoist_error error = hoist_error_of(ctx);
    char text[100];
    (void)data;

    if (error.status != 0) {
        (void)snprintf(text, sizeof text, "%d %s %.*s", error.status,
                       hoist_error_code(ctx), (int)error.details.len,
                       error.details.data);
        note(text);
    }
    return rc;
}

/* One event in two seconds for each, with the ledger of the test; what the
 * settings say besides. */
static void limits(hoist_rate_limit_config config)
{
    config.rate = 1;
    config.per_s = 2;
    config.ledger = &test_ledger.ledger;
    config.name = "calls";
    must(hoist_wrap(worker.app, note_limits, NULL) == 0);
    assert_int_equal(hoist_use(worker.app, hoist_rate_limit, &config), 0);
    worker_freezes();
}

/* An event with this context, of pairs of texts; the status of its reply. */
static uint64_t status_of(event_t event, const char *conn,
                          const char *const *context, uint32_t pairs)
{
    message_request_t request =
        event == EVENT_MESSAGE ? sdk_message("a") : sdk_event(event);
    buf_t map;

    buf_init(&map, 1000);
    must(wire_put_map(&map, pairs) == 0);
    for (uint32_t i = 0; i < 2 * pairs; i++) {
        must(wire_put_text(&map, context[i]) == 0);
    }
    request.conn = wire_bytes(conn);
    request.context = (wire_bytes_t){map.data, map.len};
    must(message_put_request(&worker.in, &request) == 0);
    buf_fini(&map);
    feed(worker.now_ms);
    return says(KIND_REPLY)->reply.status;
}

static uint64_t status_with(event_t event, const char *key, const char *value)
{
    const char *const context[] = {key, value};

    return status_of(event, CONN_A, context, 1);
}

static void assert_names(const char *expected)
{
    assert_string_equal(test_ledger.names, expected);
}

static void a_message_beyond_it_is_429_and_told_when_to_come_again(void **state)
{
    (void)state;
    serves("a", do_nothing);
    limits((hoist_rate_limit_config){0});
    message_comes(CONN_A, "a", 1);
    says_reply(1, 200);
    test_ledger.now_ms += 750;
    message_comes(CONN_A, "a", 2);
    says_reply(2, 429);
    assert_trace("429 rate-limited {\"retryAfterMs\":1250}");
    message_comes(CONN_B, "a", 3);
    says_reply(3, 200);
    test_ledger.now_ms += 1250;
    message_comes(CONN_A, "a", 4);
    says_reply(4, 200);
}

static void a_connect_beyond_it_is_told_in_a_header(void **state)
{
    wire_cursor_t at;
    wire_bytes_t name, value;
    uint32_t count;
    (void)state;

    serves("$connect", do_nothing);
    limits((hoist_rate_limit_config){0});
    assert_int_equal(status_with(EVENT_CONNECT, "ip", "192.0.2.1"), 200);
    test_ledger.now_ms += 750;
    assert_int_equal(status_with(EVENT_CONNECT, "ip", "192.0.2.1"), 429);
    const message_reply_t *reply = &worker.said.reply;
    assert_true(wire_map_find(reply->options, "headers", &at));
    must(wire_get_array(&at, &count) == 0 && count == 1);
    must(wire_get_array(&at, &count) == 0 && wire_get_str(&at, &name) == 0 &&
         wire_get_str(&at, &value) == 0);
    assert_true(wire_is(name, "Retry-After"));
    assert_true(wire_is(value, "2")); /* whole seconds, rounded up */
    assert_int_equal(status_with(EVENT_CONNECT, "ip", "192.0.2.2"), 200);
}

static int try_twice(hoist_ctx *ctx, void *data)
{
    (void)data;
    return hoist_next(ctx) < 0 ? hoist_next(ctx) : 0;
}

static void who_tries_again_is_told_once(void **state)
{
    wire_cursor_t at;
    uint32_t count;
    (void)state;

    serves("$connect", do_nothing);
    must(hoist_wrap(worker.app, try_twice, NULL) == 0);
    limits((hoist_rate_limit_config){0});
    assert_int_equal(status_with(EVENT_CONNECT, "ip", "192.0.2.1"), 200);
    assert_int_equal(status_with(EVENT_CONNECT, "ip", "192.0.2.1"), 429);
    assert_true(wire_map_find(worker.said.reply.options, "headers", &at));
    must(wire_get_array(&at, &count) == 0);
    assert_int_equal(count, 1);
}

static void users_count_or_else_connections_or_else_addresses(void **state)
{
    (void)state;
    serves("a", do_nothing);
    serves("$connect", do_nothing);
    limits((hoist_rate_limit_config){0});
    assert_int_equal(status_with(EVENT_MESSAGE, "user", "ada"), 200);
    assert_int_equal(status_with(EVENT_MESSAGE, "tenant", "acme"), 200);
    assert_int_equal(status_with(EVENT_CONNECT, "ip", "192.0.2.1"), 200);
    assert_names("calls:u:ada calls:c:" CONN_A " calls:a:192.0.2.1");
}

static void users_of_two_tenants_count_apart(void **state)
{
    const char *const of_a[] = {"user", "eve", "tenant", "a"};
    const char *const of_b[] = {"user", "eve", "tenant", "b"};
    (void)state;

    serves("a", do_nothing);
    limits((hoist_rate_limit_config){0});
    assert_int_equal(status_of(EVENT_MESSAGE, CONN_A, of_a, 2), 200);
    assert_int_equal(status_of(EVENT_MESSAGE, CONN_A, of_b, 2), 200);
    assert_int_equal(status_of(EVENT_MESSAGE, CONN_A, of_a, 2), 429);
    assert_names("calls:U:eve:a:1 calls:U:eve:b:1 calls:U:eve:a:1");
}

static void tenants_may_count(void **state)
{
    (void)state;
    serves("a", do_nothing);
    limits((hoist_rate_limit_config){.by = HOIST_BY_TENANT});
    assert_int_equal(status_with(EVENT_MESSAGE, "tenant", "acme"), 200);
    assert_int_equal(status_with(EVENT_MESSAGE, "tenant", "acme"), 429);
    assert_names("calls:t:acme calls:t:acme");
}

static void connections_may_count(void **state)
{
    (void)state;
    serves("a", do_nothing);
    limits((hoist_rate_limit_config){.by = HOIST_BY_CONNECTION});
    assert_int_equal(status_with(EVENT_MESSAGE, "user", "ada"), 200);
    assert_names("calls:c:" CONN_A);
}

static void addresses_may_count_and_of_ipv6_networks_do(void **state)
{
    (void)state;
    serves("a", do_nothing);
    limits((hoist_rate_limit_config){.by = HOIST_BY_ADDRESS});
    assert_int_equal(status_with(EVENT_MESSAGE, "ip", "2001:db8::1"), 200);
    assert_int_equal(status_with(EVENT_MESSAGE, "ip", "2001:db8::2"), 429);
    assert_int_equal(status_with(EVENT_MESSAGE, "ip", "2001:db8:0:1::1"), 200);
    assert_names(
        "calls:a:2001:db8:: calls:a:2001:db8:: calls:a:2001:db8:0:1::");
}

static hoist_text route_but_b(hoist_ctx *ctx, void *data)
{
    assert_ptr_equal(data, worker.app);
    return hoist_is(hoist_route(ctx), "b") ? hoist_str(NULL) : hoist_route(ctx);
}

static void the_program_may_say_what_counts_and_what_does_not(void **state)
{
    (void)state;
    serves("a", do_nothing);
    serves("b", do_nothing);
    limits((hoist_rate_limit_config){.key = route_but_b, .data = worker.app});
    for (uint64_t id = 1; id <= 3; id++) {
        message_comes(CONN_A, "b", id);
        says_reply(id, 200);
    }
    message_comes(CONN_A, "a", 4);
    says_reply(4, 200);
    message_comes(CONN_B, "a", 5);
    says_reply(5, 429);
    assert_names("calls:k:a calls:k:a");
}

static hoist_text far_too_long(hoist_ctx *ctx, void *data)
{
    static const char text[257];
    (void)ctx;
    (void)data;

    return hoist_bytes(text, sizeof text);
}

static void a_key_that_is_too_long_is_no_other_key(void **state)
{
    (void)state;
    serves("a", do_nothing);
    limits((hoist_rate_limit_config){.key = far_too_long});
    message_comes(CONN_A, "a", 1);
    says_reply(1, 413);
    assert_names("");
}

static void the_end_of_a_connection_is_not_limited(void **state)
{
    (void)state;
    serves("$disconnect", do_nothing);
    limits((hoist_rate_limit_config){0});
    for (uint64_t id = 1; id <= 3; id++) {
        comes(EVENT_DISCONNECT, CONN_A, "$disconnect", id);
        says_reply(id, 200);
    }
}

static void while_nobody_knows_events_pass_and_that_is_logged(void **state)
{
    (void)state;
    serves("a", do_nothing);
    limits((hoist_rate_limit_config){0});
    test_ledger.fails = -ENOTCONN;
    log_set_level(LEVEL_WARN);
    sdk_catch();
    message_comes(CONN_A, "a", 1);
    const char *logged = sdk_caught();
    assert_non_null(strstr(logged, "warn WORKER-LEDGER-FAILED "
                                   "middleware=rate-limit error=\""));
    assert_non_null(strstr(logged, "reason=\"the test says so\""));
    says_reply(1, 200);
}

static void or_they_are_refused_where_it_is_closed(void **state)
{
    (void)state;
    serves("a", do_nothing);
    limits((hoist_rate_limit_config){.when_down = HOIST_WHEN_DOWN_REFUSE});
    test_ledger.fails = -ENOTCONN;
    message_comes(CONN_A, "a", 1);
    says_reply(1, 503);
    assert_trace("503 rate-limit-unavailable ");
}

static void a_limit_of_one_route_is_not_that_of_another(void **state)
{
    const hoist_rate_limit_config one = {.rate = 1, .per_s = 86400};
    (void)state;

    serves("a", do_nothing);
    serves("b", do_nothing);
    assert_int_equal(hoist_use_on(worker.app, "a", hoist_rate_limit, &one), 0);
    assert_int_equal(hoist_use_on(worker.app, "b", hoist_rate_limit, &one), 0);
    worker_freezes();
    message_comes(CONN_A, "a", 1);
    says_reply(1, 200);
    message_comes(CONN_A, "b", 2);
    says_reply(2, 200);
    message_comes(CONN_A, "a", 3);
    says_reply(3, 429);
}

static void ten_at_once_is_the_usual_limit(void **state)
{
    (void)state;
    serves("a", do_nothing);
    assert_int_equal(hoist_use(worker.app, hoist_rate_limit, NULL), 0);
    worker_freezes();
    for (uint64_t id = 1; id <= 10; id++) {
        message_comes(CONN_A, "a", id);
        says_reply(id, 200);
    }
}

static uint64_t counted(const char *labels)
{
    return hoist_counted(hoist_counter_of(
        worker.app, "hoist_worker_rate_limit_events_total", "", labels));
}

static void what_passes_and_what_does_not_is_counted(void **state)
{
    (void)state;
    serves("a", do_nothing);
    limits((hoist_rate_limit_config){0});
    for (uint64_t id = 1; id <= 3; id++) {
        message_comes(CONN_A, "a", id);
    }
    test_ledger.fails = -ENOTCONN;
    message_comes(CONN_A, "a", 4);
    assert_int_equal(counted("name=\"calls\",outcome=\"passed\""), 1);
    assert_int_equal(counted("name=\"calls\",outcome=\"limited\""), 2);
    assert_int_equal(counted("name=\"calls\",outcome=\"unavailable\""), 1);
}

static void what_had_to_go_is_counted(void **state)
{
    const hoist_rate_limit_config config = {.keys = 1};
    (void)state;

    serves("a", do_nothing);
    assert_int_equal(hoist_use(worker.app, hoist_rate_limit, &config), 0);
    worker_freezes();
    message_comes(CONN_A, "a", 1);
    message_comes(CONN_B, "a", 2);
    assert_int_equal(hoist_counted(hoist_counter_of(
                         worker.app, "hoist_worker_rate_limit_evicted_total",
                         "", "name=\"limit\"")),
                     1);
}

/* Compiled with a header that knew less. */
static const hoist_ledger_table half = {.size = sizeof half / 2};
static hoist_ledger half_ledger = {&half};

static void settings_that_are_none_are_refused(void **state)
{
    static const char no_name[] =
        "hoist_rate_limit: name: it has to be 1 to 64 of A-Z a-z 0-9 _ . -";
    const struct {
        hoist_rate_limit_config config;
        const char *why;
    } wrong[] = {
        {{.rate = 100001}, "hoist_rate_limit: rate=100001 is more than 100000"},
        {{.per_s = 86401}, "hoist_rate_limit: per_s=86401 is more than 86400"},
        {{.burst = 100001},
         "hoist_rate_limit: burst=100001 is more than 100000"},
        {{.by = (hoist_by)4}, "hoist_rate_limit: by: it is none of hoist_by"},
        {{.when_down = (hoist_when_down)3},
         "hoist_rate_limit: when_down: it is none of hoist_when_down"},
        {{.name = ""}, no_name},
        {{.name = "a b"}, no_name},
        {{.name = "a:b"}, no_name},
        {{.ledger = &test_ledger.ledger},
         "hoist_rate_limit: ledger without a name"},
        {{.ledger = &half_ledger, .name = "a"},
         "hoist_rate_limit: ledger: its table lacks what this version needs"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            hoist_use(worker.app, hoist_rate_limit, &wrong[i].config), -EINVAL);
        assert_string_equal(worker.app->refusal.reason, wrong[i].why);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_beyond_it_is_429_and_told_when_to_come_again),
        TEST(a_connect_beyond_it_is_told_in_a_header),
        TEST(who_tries_again_is_told_once),
        TEST(users_count_or_else_connections_or_else_addresses),
        TEST(users_of_two_tenants_count_apart),
        TEST(tenants_may_count),
        TEST(connections_may_count),
        TEST(addresses_may_count_and_of_ipv6_networks_do),
        TEST(the_program_may_say_what_counts_and_what_does_not),
        TEST(a_key_that_is_too_long_is_no_other_key),
        TEST(the_end_of_a_connection_is_not_limited),
        TEST(while_nobody_knows_events_pass_and_that_is_logged),
        TEST(or_they_are_refused_where_it_is_closed),
        TEST(a_limit_of_one_route_is_not_that_of_another),
        TEST(ten_at_once_is_the_usual_limit),
        TEST(what_passes_and_what_does_not_is_counted),
        TEST(what_had_to_go_is_counted),
        TEST(settings_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
