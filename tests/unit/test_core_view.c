/* SPDX-License-Identifier: MIT
 *
 * What a broker shows of its inside: peers, and connections in pages.
 */
#include "broker/view.h"
#include "tests/unit/core_fixture.h"

static buf_t out;

static int set_up(void **state)
{
    buf_init(&out, 1 << 20);
    return broker_set_up(state);
}

static int tear_down(void **state)
{
    buf_fini(&out);
    return broker_tear_down(state);
}

/* The answer, as a C string. */
static const char *shows(const char *question, unsigned status)
{
    const broker_state_t ready = {.is_store_up = true};

    out.len = 0;
    assert_int_equal(
        broker_view(broker.core, &ready, &broker.store->stats, question, &out),
        status);
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

    shows("GROUPS", 404);
    shows("CONNECTIONS", 404); /* a gateway's, unless the broker is named */
}

static void a_worker_has_its_window_and_what_it_holds(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w1", "echo", 4);
    client_t *client = a_client(gateway);
    (void)state;

    client_says(client, "echo", "a");
    const char *text = shows("STATUS", 200);
    assert_non_null(strstr(text, "\"draining\":false,\"window\":4,\"opened\":4,"
                                 "\"held\":1"));
    assert_non_null(strstr(text, "\"routes\":[\"echo\"],\"route_count\":1"));
    assert_non_null(strstr(text, "\"connections\":1,\"held\":1"));
    says_bare(worker, KIND_DRAIN);
    assert_non_null(strstr(shows("STATUS", 200), "\"draining\":true"));
}

static void a_worker_is_in_doubt_until_it_answers(void **state)
{
    node_t *lost = a_stranger(SIDE_WORKERS, "lost");
    node_t *other = a_stranger(SIDE_WORKERS, "other");
    (void)state;

    lost->process = other->process = wire_bytes("p");
    greets(lost, "echo", 4);
    greets(other, "echo", 4);
    lost->is_broken = true;
    core_probe(broker.core);
    core_end(broker.core);
    message_pong_t pong = {gets(other, KIND_PING).ping.number};
    assert_non_null(strstr(shows("STATUS", 200), "\"in_doubt\":true"));
    says(other, &(message_t){.kind = KIND_PONG, .pong = pong});
    assert_non_null(strstr(shows("STATUS", 200), "\"in_doubt\":false"));
}

static void of_many_keys_the_rest_is_a_number(void **state)
{
    (void)state;

    a_worker("w", "a b c d e f g h i j", 4);
    const char *text = shows("STATUS", 200);
    assert_non_null(strstr(text, "\"h\"],\"route_count\":10"));
    assert_non_null(strstr(text, "\"workers_untold\":0"));
}

static void a_manager_is_none_of_the_workers(void **state)
{
    (void)state;

    a_manager(SIDE_GATEWAYS, "m");
    const char *text = shows("STATUS", 200);
    assert_non_null(strstr(text, "\"workers\":[],\"workers_untold\":0"));
}

/* A page is of one gateway, and the cursor goes through their tables. */
static void pages_of_connections_go_from_gateway_to_gateway(void **state)
{
    node_t *gateways[] = {a_gateway(5), a_gateway(9)};
    char question[64] = "CONNECTIONS of=broker&limit=2";
    size_t rows = 0, pages = 0;
    (void)state;

    for (int i = 0; i < 3; i++) {
        a_client(gateways[0]);
        a_client(gateways[1]);
    }
    for (const char *cursor = ""; cursor != NULL; pages++) {
        const char *text = shows(question, 200);
        size_t found = count_of(text, "\"id\"");
        assert_true(found <= 2);
        rows += found;
        cursor = strstr(text, "\"cursor\":");
        if (cursor != NULL) {
            snprintf(question, sizeof question,
                     "CONNECTIONS of=broker&limit=2&cursor=%llu",
                     strtoull(cursor + strlen("\"cursor\":"), NULL, 10));
        }
    }
    assert_int_equal(rows, 6);
    assert_in_range(pages, 4, 6);
    shows("CONNECTIONS of=broker&cursor=x", 400);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_it_does_not_know_is_404),
        T(a_worker_has_its_window_and_what_it_holds),
        T(a_worker_is_in_doubt_until_it_answers),
        T(of_many_keys_the_rest_is_a_number),
        T(a_manager_is_none_of_the_workers),
        T(pages_of_connections_go_from_gateway_to_gateway),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
