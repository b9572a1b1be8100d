/* SPDX-License-Identifier: MIT
 *
 * What a gateway shows of its inside: connections in pages, the busiest.
 */
#include "gateway/busiest.h"
#include "gateway/view.h"
#include "tests/unit/hub_fixture.h"

#define MANY (VIEW_SLOTS + 300)

static buf_t out;

static int set_up(void **state)
{
    buf_init(&out, 1 << 20);
    gateway_set_up(state);
    gateway.hub->options.max_connections = 0; /* as many as it takes */
    return 0;
}

static int tear_down(void **state)
{
    buf_fini(&out);
    return gateway_tear_down(state);
}

/* The answer, as a C string. */
static const char *shows(const char *question, unsigned status)
{
    out.len = 0;
    assert_int_equal(gateway_view(gateway.hub, "a:1", question, &out), status);
    assert_int_equal(buf_put(&out, "", 1), 0);
    return (const char *)out.data;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    while ((text = strstr(text, what)) != NULL) {
        text += strlen(what);
        count++;
    }
    return count;
}

static void what_it_does_not_know_is_404(void **state)
{
    (void)state;

    shows("ROUTES", 404);
    shows("", 404);
    shows("CONNECTIONS of=broker", 404);
}

static void status_tells_of_brokers_and_windows(void **state)
{
    (void)state;

    const char *text = shows("STATUS", 200);
    assert_non_null(strstr(text, "\"address\":\"a:1\""));
    assert_non_null(strstr(text, "\"ready\":true,\"reasons\":[]"));
    assert_non_null(strstr(text, "\"state\":\"up\""));
    hub_drain(gateway.hub);
    text = shows("STATUS", 200);
    assert_non_null(strstr(text, "\"ready\":false,\"reasons\":[\"drains\"]"));
}

static void a_connection_has_its_counters(void **state)
{
    client_t *client = a_client();
    (void)state;

    client_says(client, "hello");
    assert_non_null(strstr(shows("CONNECTIONS", 200),
                           "\"messages_in\":1,\"messages_out\":0,"
                           "\"in_flight\":1"));
    answers(gets_message("hello"), 200, "hi");
    pushes(client->id, "and");
    assert_non_null(strstr(shows("CONNECTIONS", 200),
                           "\"messages_in\":1,\"messages_out\":2,"
                           "\"in_flight\":0"));
}

/* Few connections in a large table: a page may be empty and not be the last. */
static void a_page_looks_at_a_part_of_the_table(void **state)
{
    static client_t *clients[MANY];
    (void)state;

    for (size_t i = 0; i < MANY; i++) {
        clients[i] = a_client();
    }
    assert_int_equal(count_of(shows("CONNECTIONS", 200), "\"id\""), VIEW_ROWS);
    assert_non_null(strstr((char *)out.data, "\"cursor\":200}"));
    for (size_t i = 0; i + 1 < MANY; i++) {
        client_vanishes(clients[i]);
        answers(gets_disconnect(clients[i], 1006, ""), 200, NULL);
    }
    const char *text = shows("CONNECTIONS", 200);
    assert_int_equal(count_of(text, "\"id\""), 0);
    assert_non_null(strstr(text, "\"cursor\":1024}"));
    text = shows("CONNECTIONS cursor=1024", 200);
    assert_int_equal(count_of(text, "\"id\""), 1);
    assert_null(strstr(text, "cursor"));
}

/* Of several loops a page of the next follows the last of one. */
static void a_cursor_says_which_loop_is_next(void **state)
{
    (void)state;

    gateway.hub->options.loops = 3;
    gateway.hub->options.loop = 1;
    for (size_t i = 0; i < 3; i++) {
        (void)a_client();
    }
    assert_non_null(strstr(shows("CONNECTIONS limit=2", 200),
                           "\"cursor\":4294967298}")); /* 2^32 + 2 */
    const char *text = shows("CONNECTIONS limit=2&cursor=4294967298", 200);
    assert_int_equal(count_of(text, "\"id\""), 1);
    assert_non_null(strstr(text, "\"cursor\":8589934592}")); /* 2 * 2^32 */
    gateway.hub->options.loop = 2;
    assert_null(strstr(shows("GROUPS cursor=8589934592", 200), "cursor"));
    shows("GROUPS cursor=12884901888", 400); /* there is no such loop */
}

static void the_busiest_are_found_a_part_a_turn(void **state)
{
    static client_t *clients[MANY];
    (void)state;

    for (size_t i = 0; i < MANY; i++) {
        clients[i] = a_client();
    }
    client_t *busy = clients[MANY - 1], *other = clients[3];
    for (int i = 0; i < 3; i++) {
        pushes(busy->id, "x");
    }
    pushes(other->id, "x");
    time_passes(1000);
    shows("CONNECTIONS busiest=5", 200);
    assert_true(busiest_is_walking(gateway.hub));
    hub_end(gateway.hub);
    assert_true(busiest_is_walking(gateway.hub));
    hub_end(gateway.hub);
    assert_false(busiest_is_walking(gateway.hub));
    const char *text = shows("CONNECTIONS busiest=5", 200);
    assert_int_equal(count_of(text, "\"id\""), 2);
    assert_true(strstr(text, busy->id) < strstr(text, other->id));
    assert_int_equal(count_of(shows("CONNECTIONS busiest=1", 200), "\"id\""),
                     1);
}

/* Messages count once: between two walks. */
static void who_has_become_quiet_is_not_busy(void **state)
{
    client_t *client = a_client();
    (void)state;

    time_passes(1000);
    pushes(client->id, "x");
    shows("CONNECTIONS busiest=5", 200);
    hub_end(gateway.hub);
    time_passes(1000);
    assert_non_null(
        strstr(shows("CONNECTIONS busiest=5", 200), "\"messages\":1"));
    hub_end(gateway.hub);
    assert_int_equal(count_of(shows("CONNECTIONS busiest=5", 200), "\"id\""),
                     0);
    assert_non_null(strstr((char *)out.data, "\"over_ms\":1000"));
}

/* However many: the most messages first, and no more than there is room for. */
static void of_many_the_busiest_stay(void **state)
{
    client_t *clients[BUSIEST_MAX + 8];
    const size_t count = sizeof clients / sizeof *clients;
    (void)state;

    for (size_t i = 0; i < count; i++) {
        clients[i] = a_client();
        for (size_t j = 0; j < 1 + (i * 7) % count; j++) {
            pushes(clients[i]->id, "x");
        }
        forgets(); /* CREDIT */
    }
    time_passes(1000);
    busiest_ask(gateway.hub);
    hub_end(gateway.hub);
    const busiest_t *busiest = &gateway.hub->busiest;
    assert_int_equal(busiest->told_count, BUSIEST_MAX);
    for (uint32_t i = 0; i < BUSIEST_MAX; i++) {
        assert_int_equal(busiest->told[i].messages, count - i);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_it_does_not_know_is_404),
        T(status_tells_of_brokers_and_windows),
        T(a_connection_has_its_counters),
        T(a_page_looks_at_a_part_of_the_table),
        T(a_cursor_says_which_loop_is_next),
        T(the_busiest_are_found_a_part_a_turn),
        T(who_has_become_quiet_is_not_busy),
        T(of_many_the_busiest_stay),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
