/* SPDX-License-Identifier: MIT
 *
 * Limits of the broker that are fixed and too far away for a socket: hours,
 * minutes, megabytes (docs/limits.md).
 */
#include "tests/unit/core_fixture.h"

#define HOUR_MS       3600000
#define DISCONNECT_MS 29000  /* that one waits while nobody serves it */
#define SILENCE_MS    120000 /* that a worker may ask for */
#define MIB           ((size_t)1 << 20)

/* A text of so many bytes; the caller frees it. */
static char *a_text(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void a_deadline_of_a_day_is_one_of_an_hour(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    client_says_within(a_client(gateway), "echo", "x", 24 * (uint64_t)HOUR_MS);
    assert_int_equal(gets(worker, KIND_REQUEST).request.deadline_ms, HOUR_MS);
}

static void a_disconnect_that_nobody_comes_for_is_given_up(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    says_bare(worker, KIND_BYE);
    uint64_t id = client_leaves(client);
    time_passes(DISCONNECT_MS - 200);
    gets_nothing(gateway);
    time_passes(400);
    gets_reply(gateway, id, 200);
    assert_int_equal(core_stats(broker.core)->disconnects_lost, 1);
}

static void a_worker_holds_32_mib_whatever_it_announced(void **state)
{
    char *text = a_text(5 * MIB);
    (void)state;

    broker.options.gateway_window_bytes = (int64_t)(100 * MIB);
    broker_restarts();
    node_t *gateway = a_gateway(1);
    node_t *worker = a_stranger(SIDE_WORKERS, "w");
    put_hello(worker);
    put_ready(worker, "echo", 8, 1000 * MIB);
    speaks(worker);
    gets(worker, KIND_WELCOME);
    for (int i = 0; i < 8; i++) {
        client_says(a_client(gateway), "echo", text);
    }
    for (int i = 0; i < 6; i++) { /* a seventh would be beyond */
        gets(worker, KIND_REQUEST);
    }
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->waiting, 2);
    free(text);
}

static void put_patient_hello(node_t *worker, uint64_t liveness_ms)
{
    message_t hello = {.kind = KIND_HELLO};
    buf_t options;

    buf_init(&options, OPTIONS_MAX);
    assert_int_equal(wire_put_map(&options, 1), 0);
    assert_int_equal(wire_put_text(&options, "liveness"), 0);
    assert_int_equal(wire_put_uint(&options, liveness_ms), 0);
    hello.hello = (message_hello_t){
        .version = PROTOCOL_VERSION,
        .role = wire_bytes("worker"),
        .boot = wire_bytes(worker->boot),
        .name = wire_bytes(worker->id),
        .options = {options.data, options.len},
    };
    put_message(worker, &hello);
    buf_fini(&options);
}

static void a_worker_may_be_silent_for_two_minutes_and_no_longer(void **state)
{
    node_t *worker = a_stranger(SIDE_WORKERS, "w");
    (void)state;

    put_patient_hello(worker, HOUR_MS);
    speaks(worker);
    worker->is_silent = true;
    time_passes(SILENCE_MS - 200);
    assert_int_equal(core_stats(broker.core)->workers, 1);
    time_passes(400);
    assert_int_equal(core_stats(broker.core)->workers, 0);
    assert_int_equal(core_stats(broker.core)->peers_lost, 1);
}

/* A PUSH to so many that do not stand: each is answered with a GONE. */
static void pushes_to_nobodies(node_t *worker, uint32_t count)
{
    message_t push = {.kind = KIND_PUSH};
    buf_t target;

    buf_init(&target, 2 * MIB);
    assert_int_equal(wire_put_array(&target, count + 1), 0);
    assert_int_equal(wire_put_text(&target, "connection"), 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(wire_put_text(&target, "AAAAAAAAAAAAAAAA"), 0);
    }
    push.push = (message_push_t){.target = {target.data, target.len},
                                 .body = {BODY_TEXT, wire_bytes("x")}};
    says(worker, &push);
    buf_fini(&target);
}

static void a_peer_that_talks_and_does_not_read_is_lost(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *bystander = a_worker("b", "echo", 8);
    (void)state;

    worker->is_stuck = true;
    /* 48 MiB of GONEs, 20 bytes each. */
    for (size_t sent = 0; sent < 47 * MIB; sent += (size_t)TARGETS_MAX * 20) {
        assert_int_equal(core_stats(broker.core)->peers_lost, 0);
        pushes_to_nobodies(worker, TARGETS_MAX);
    }
    pushes_to_nobodies(worker, TARGETS_MAX);
    pushes_to_nobodies(worker, TARGETS_MAX);
    assert_int_equal(core_stats(broker.core)->peers_lost, 1);
    says_bare(bystander, KIND_PING);
    gets(bystander, KIND_PONG);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_deadline_of_a_day_is_one_of_an_hour),
        TEST(a_disconnect_that_nobody_comes_for_is_given_up),
        TEST(a_worker_holds_32_mib_whatever_it_announced),
        TEST(a_worker_may_be_silent_for_two_minutes_and_no_longer),
        TEST(a_peer_that_talks_and_does_not_read_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
