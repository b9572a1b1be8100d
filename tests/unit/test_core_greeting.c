/* SPDX-License-Identifier: MIT
 *
 * Who is who: greetings, restarts, faults and silence.
 */
#include "tests/unit/core_fixture.h"

#define FAULTS_MAX 16

/* --- strangers ----------------------------------------------------------- */

static void a_stranger_is_asked_who_it_is(void **state)
{
    node_t *stranger = a_stranger(SIDE_WORKERS, "w");
    (void)state;

    announces(stranger, "echo", 8);
    gets(stranger, KIND_WHO);
    gets_nothing(stranger);
    assert_int_equal(core_stats(broker.core)->workers, 0);
}

static void a_stranger_is_not_asked_twice_in_a_hurry(void **state)
{
    node_t *stranger = a_stranger(SIDE_WORKERS, "w");
    (void)state;

    says_bare(stranger, KIND_PING);
    says_bare(stranger, KIND_PING);
    gets(stranger, KIND_WHO);
    gets_nothing(stranger);
    time_passes(150);
    says_bare(stranger, KIND_PING);
    gets(stranger, KIND_WHO);
}

static void a_restarted_broker_asks_all(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    (void)state;

    broker_restarts();
    says_bare(worker, KIND_PING);
    gets(worker, KIND_WHO);
    says_bare(gateway, KIND_PING);
    gets(gateway, KIND_WHO);
}

static void a_ping_is_answered(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    says_bare(worker, KIND_PING);
    gets(worker, KIND_PONG);
}

/* --- HELLO --------------------------------------------------------------- */

static void another_boot_id_is_a_restart(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    takes_message(worker, "x");
    snprintf(worker->boot, sizeof worker->boot, "restarted");
    put_hello(worker);
    speaks(worker);
    gets(worker, KIND_WELCOME);
    gets_reply(gateway, id, 500);
    /* It has not said READY yet. */
    id = client_says(a_client(gateway), "echo", "x");
    gets_nothing(worker);
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    gets_reply(gateway, id, 403);
}

static void the_same_boot_id_is_a_greeting_again(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    uint64_t held = takes_message(worker, "x");
    put_hello(worker);
    speaks(worker);
    gets(worker, KIND_WELCOME);
    gets_nothing(gateway);
    answers(worker, held, 200, NULL);
    gets_reply(gateway, id, 200);
}

/* What its WELCOME says when it greets again. */
static uint64_t session_of(node_t *worker)
{
    message_welcome_t welcome = greets(worker, "echo", 8).welcome;

    return wire_map_uint(welcome.options, "session", 0);
}

static void a_worker_that_was_given_up_has_another_session(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    uint64_t session = session_of(worker);
    assert_true(session > 0);
    assert_int_equal(session_of(worker), session);
    worker->is_silent = true;
    time_passes(LIVENESS_MS + SWEEP_MS);
    worker->is_silent = false;
    assert_true(session_of(worker) > session);
}

static void the_same_boot_id_on_a_new_connection_replaces_the_old(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    node_t *again = a_stranger(SIDE_WORKERS, "w-again");
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    snprintf(again->boot, sizeof again->boot, "%s", worker->boot);
    worker->is_silent = true;
    greets(again, "echo", 8);
    gets_reply(gateway, id, 500);
    assert_int_equal(core_stats(broker.core)->workers, 1);
}

/* --- CURVE ---------------------------------------------------------------- */

static node_t *a_worker_with_key(const char *name, uint64_t principal)
{
    node_t *worker = a_stranger(SIDE_WORKERS, name);

    worker->principal = principal;
    greets(worker, "echo", 8);
    return worker;
}

static void a_boot_id_stays_with_its_key(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *owner = a_worker_with_key("owner", 1);
    node_t *thief = a_stranger(SIDE_WORKERS, "thief");
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    thief->principal = 2;
    snprintf(thief->boot, sizeof thief->boot, "%s", owner->boot);
    put_hello(thief);
    announces(thief, "echo", 8);
    gets_error(thief, "boot");
    gets(thief, KIND_WHO); /* it is a stranger still */
    answers(owner, takes_message(owner, "x"), 200, NULL);
    gets_reply(gateway, id, 200);
}

static void a_worker_that_wants_anothers_boot_id_keeps_its_own(void **state)
{
    node_t *owner = a_worker_with_key("owner", 1);
    node_t *thief = a_worker_with_key("thief", 2);
    (void)state;

    snprintf(thief->boot, sizeof thief->boot, "%s", owner->boot);
    put_hello(thief);
    speaks(thief);
    gets_error(thief, "boot");
    assert_int_equal(core_stats(broker.core)->workers, 2);
}

/* So are the lists of keys: who is 1 there is not who is 1 here. */
static void boot_ids_of_the_two_sockets_are_apart(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker_with_key("w", 1);
    node_t *manager = a_stranger(SIDE_GATEWAYS, "m");
    (void)state;

    manager->is_manager = true;
    manager->principal = 2;
    snprintf(manager->boot, sizeof manager->boot, "%s", worker->boot);
    put_hello(manager);
    speaks(manager);
    gets(manager, KIND_WELCOME);
    uint64_t id = client_says(a_client(gateway), "echo", "x");
    answers(worker, takes_message(worker, "x"), 200, NULL);
    gets_reply(gateway, id, 200);
}

static void a_boot_id_moves_with_its_key(void **state)
{
    node_t *owner = a_worker_with_key("owner", 1);
    node_t *again = a_stranger(SIDE_WORKERS, "again");
    (void)state;

    again->principal = 1;
    snprintf(again->boot, sizeof again->boot, "%s", owner->boot);
    put_hello(again);
    speaks(again);
    gets(again, KIND_WELCOME);
    assert_int_equal(core_stats(broker.core)->workers, 1);
}

static void a_gateways_loop_and_boot_id_stay_with_its_key(void **state)
{
    node_t *owner = a_gateway(1);
    node_t *thief = a_stranger(SIDE_GATEWAYS, "thief");
    (void)state;

    thief->principal = 2;
    thief->loop = 1;
    snprintf(thief->boot, sizeof thief->boot, "%s", owner->boot);
    put_hello(thief);
    speaks(thief);
    gets_error(thief, "boot");
    says_bare(owner, KIND_PING);
    gets(owner, KIND_PONG);
}

/* The ROUTER gives a name away when its owner is gone, maybe before we know. */
static void who_gets_the_routing_id_of_another_is_a_stranger(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker_with_key("w", 1);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    takes_message(worker, "x");
    worker->principal = 2;
    says_bare(worker, KIND_PING);
    gets(worker, KIND_WHO);
    gets_nothing(worker);
    gets_reply(gateway, id, 500);
    assert_int_equal(core_stats(broker.core)->workers, 0);
}

static bool is_one(void *user, side_t side, uint64_t principal)
{
    (void)user;
    (void)side;
    return principal == 1;
}

static void who_may_not_stay_is_told_and_given_up(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *stays = a_worker_with_key("stays", 1);
    node_t *leaves = a_worker_with_key("leaves", 2);
    (void)state;

    core_revoke(broker.core, SIDE_WORKERS, is_one, NULL);
    gets(leaves, KIND_BYE);
    assert_int_equal(core_stats(broker.core)->workers, 1);
    uint64_t id = client_says(a_client(gateway), "echo", "x");
    answers(stays, takes_message(stays, "x"), 200, NULL);
    gets_reply(gateway, id, 200);
}

/* --- what a HELLO must say ------------------------------------------------ */

static void says_hello(node_t *node, uint64_t version, const char *role)
{
    message_t hello = {.kind = KIND_HELLO};

    hello.hello = (message_hello_t){.version = version,
                                    .role = wire_bytes(role),
                                    .boot = wire_bytes(node->boot)};
    says(node, &hello);
}

/* A worker of versions from oldest to version. */
static void says_versions(node_t *node, uint64_t oldest, uint64_t version)
{
    message_t hello = {.kind = KIND_HELLO};
    buf_t options;

    buf_init(&options, 64);
    assert_int_equal(wire_put_map(&options, 1), 0);
    assert_int_equal(wire_put_entry_uint(&options, "oldest", oldest), 0);
    hello.hello = (message_hello_t){.version = version,
                                    .role = wire_bytes("worker"),
                                    .boot = wire_bytes(node->boot),
                                    .options = {options.data, options.len}};
    says(node, &hello);
    buf_fini(&options);
}

static void a_version_that_is_too_old_is_refused(void **state)
{
    node_t *worker = a_stranger(SIDE_WORKERS, "w");
    (void)state;

    says_hello(worker, 0, "worker");
    gets_error(worker, "version");
    gets_nothing(worker);
}

static void a_newer_version_is_welcomed_with_ours(void **state)
{
    node_t *worker = a_stranger(SIDE_WORKERS, "w");
    (void)state;

    says_hello(worker, 7, "worker");
    message_t welcome = gets(worker, KIND_WELCOME);
    assert_int_equal(welcome.welcome.version, PROTOCOL_VERSION);
}

static void who_speaks_ours_as_its_oldest_is_welcomed_with_it(void **state)
{
    node_t *worker = a_stranger(SIDE_WORKERS, "w");
    (void)state;

    says_versions(worker, PROTOCOL_VERSION, PROTOCOL_VERSION + 1);
    message_t welcome = gets(worker, KIND_WELCOME);
    assert_int_equal(welcome.welcome.version, PROTOCOL_VERSION);
}

static void who_speaks_later_versions_only_is_refused(void **state)
{
    node_t *worker = a_stranger(SIDE_WORKERS, "w");
    (void)state;

    says_versions(worker, PROTOCOL_VERSION + 1, PROTOCOL_VERSION + 2);
    gets_error(worker, "version");
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->workers, 0);
}

/* A worker whose program was replaced, and that kept its connection. */
static void who_is_known_and_is_refused_stays_what_it_was(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    says_versions(worker, PROTOCOL_VERSION + 1, PROTOCOL_VERSION + 1);
    gets_error(worker, "version");
    assert_int_equal(core_stats(broker.core)->workers, 1);
}

static void a_role_is_bound_to_its_socket(void **state)
{
    node_t *worker = a_stranger(SIDE_WORKERS, "w");
    node_t *gateway = a_stranger(SIDE_GATEWAYS, "g");
    (void)state;

    says_hello(worker, 1, "gateway");
    gets_error(worker, "role");
    says_hello(gateway, 1, "worker");
    gets_error(gateway, "role");
    says_hello(worker, 1, "king");
    gets_error(worker, "role");
}

static void a_gateway_needs_a_loop_number_of_its_own(void **state)
{
    node_t *gateway = a_stranger(SIDE_GATEWAYS, "g");
    node_t *second = a_stranger(SIDE_GATEWAYS, "second");
    (void)state;

    says_hello(gateway, 1, "gateway");
    gets_error(gateway, "loop");
    a_gateway(7);
    second->loop = 7;
    put_hello(second);
    speaks(second);
    gets_error(second, "loop");
    second->loop = 8;
    put_hello(second);
    speaks(second);
    gets(second, KIND_WELCOME);
}

static void more_workers_than_the_limit_are_refused(void **state)
{
    (void)state;
    broker.options.max_workers = 1;
    broker_restarts();
    node_t *first = a_worker("first", "echo", 8);
    node_t *second = a_stranger(SIDE_WORKERS, "second");

    put_hello(second);
    speaks(second);
    gets_error(second, "full");
    first->is_silent = true;
    says_bare(first, KIND_BYE);
    put_hello(second);
    speaks(second);
    gets(second, KIND_WELCOME);
}

/* --- READY --------------------------------------------------------------- */

static void a_ready_that_breaks_a_rule_leaves_the_routes(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    char many[4 * (ROUTES_MAX + 1) + 1] = "";
    char longest[ROUTE_KEY_MAX + 2] = "";
    (void)state;

    for (int i = 0; i <= ROUTES_MAX; i++) {
        memcpy(many + 4 * (size_t)i, "key ", 4);
    }
    memset(longest, 'x', sizeof longest - 1);
    const char *wrong[] = {"", "$other", "fine $", many, longest};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        announces(worker, wrong[i], 8);
        gets_error(worker, "ready");
    }
    announces(worker, "echo", 0);
    gets_error(worker, "ready");
    put_ready(worker, "echo", 8, 0);
    speaks(worker);
    gets_error(worker, "ready");
    client_says(a_client(gateway), "echo", "x");
    takes_message(worker, "x");
}

/* --- the end -------------------------------------------------------------- */

static void a_broker_that_drains_ends_when_all_has_its_outcome(void **state)
{
    node_t *gateway = a_gateway(1), *other = a_gateway(2);
    node_t *worker = a_worker("w", "echo $disconnect", 8);
    client_t *client = a_client(gateway), *leaver = a_client(other);
    (void)state;

    uint64_t id = client_says(client, "echo", "x");
    core_drain(broker.core);
    gets(gateway, KIND_DRAIN);
    gets(other, KIND_DRAIN);
    uint64_t farewell = client_leaves(leaver); /* on its way already */
    says_bare(gateway, KIND_DRAIN);
    assert_false(core_is_drained(broker.core));
    says_bare(other, KIND_DRAIN);
    assert_false(core_is_drained(broker.core));
    answers(worker, takes_message(worker, "x"), 200, NULL);
    gets_reply(gateway, id, 200);
    assert_false(core_is_drained(broker.core));
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    gets_reply(other, farewell, 200);
    assert_true(core_is_drained(broker.core));
}

static void a_drain_that_answers_its_predecessor_says_nothing(void **state)
{
    node_t *gateway = a_gateway(1);
    (void)state;

    says_bare(gateway, KIND_DRAIN);
    gets_nothing(gateway);
    core_drain(broker.core);
    gets(gateway, KIND_DRAIN);
    assert_false(core_is_drained(broker.core));
}

static void a_gateway_that_comes_while_it_drains_is_told_so(void **state)
{
    (void)state;
    core_drain(broker.core);
    assert_true(core_is_drained(broker.core));
    node_t *gateway = a_gateway(1);
    gets(gateway, KIND_DRAIN);
    assert_false(core_is_drained(broker.core));
    says_bare(gateway, KIND_BYE);
    assert_true(core_is_drained(broker.core));
}

/* --- faults -------------------------------------------------------------- */

static void what_a_peer_may_not_say_is_unexpected(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    answers(gateway, 1, 200, NULL);
    gets_error(gateway, "unexpected");
    gives_credit(worker, 1);
    gets_error(worker, "unexpected");
    says_bare(worker, KIND_WHO);
    gets_error(worker, "unexpected");
}

static void the_good_messages_before_a_malformed_one_count(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    static const uint8_t frame[] = {0x91, KIND_PING, 0xc1, 0x91, KIND_PING};
    (void)state;

    says_bytes(worker, frame, sizeof frame);
    gets(worker, KIND_PONG);
    gets_error(worker, "malformed");
    gets_nothing(worker);
}

static void a_message_of_an_unknown_kind_is_skipped(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    static const uint8_t frame[] = {0x92, 99, 1, 0x91, KIND_PING};
    (void)state;

    says_bytes(worker, frame, sizeof frame);
    gets_error(worker, "unknown-kind");
    gets(worker, KIND_PONG);
}

static void
a_message_with_a_wrong_field_is_skipped_and_the_next_counts(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    static const uint8_t frame[] = {0x94, KIND_REPLY, 0x01,
                                    99,   0xc0, /* status */
                                    0x91, KIND_PING};
    (void)state;

    says_bytes(worker, frame, sizeof frame);
    gets_error(worker, "malformed");
    gets(worker, KIND_PONG);
}

static void sixteen_faults_in_ten_seconds_end_a_peer(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    uint64_t id = client_says(a_client(gateway), "echo", "x");
    takes_message(worker, "x");
    for (int i = 0; i < FAULTS_MAX; i++) {
        gets_nothing(gateway);
        says_bytes(worker, "\xc1", 1);
        gets_error(worker, "malformed");
    }
    gets(worker, KIND_BYE);
    gets_reply(gateway, id, 500);
    says_bare(worker, KIND_PING);
    gets(worker, KIND_WHO);
}

static void faults_now_and_then_are_borne(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    for (int i = 0; i < 2 * FAULTS_MAX; i++) {
        says_bytes(worker, "\xc1", 1);
        gets_error(worker, "malformed");
        time_passes(1000);
    }
    gets_nothing(worker);
}

/* --- silence ------------------------------------------------------------- */

static void a_silent_worker_is_lost(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    uint64_t id = client_says_within(client, "echo", "x", 60000);
    worker->is_silent = true;
    time_passes(LIVENESS_MS - 100);
    gets_nothing(gateway);
    time_passes(400);
    gets_reply(gateway, id, 500);
    assert_int_equal(core_stats(broker.core)->peers_lost, 1);
}

static void a_peer_that_says_anything_is_not_lost(void **state)
{
    a_worker("w", "echo", 8);
    a_gateway(1);
    (void)state;

    time_passes(5 * (int64_t)LIVENESS_MS);
    assert_int_equal(core_stats(broker.core)->workers, 1);
    assert_int_equal(core_stats(broker.core)->gateways, 1);
}

static void a_pause_of_the_broker_is_not_the_peers_silence(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    broker.now_ms += 10 * (int64_t)LIVENESS_MS;
    worker->is_silent = true;
    time_passes(1000);
    assert_int_equal(core_stats(broker.core)->workers, 1);
}

static void what_does_not_fit_into_a_socket_is_sent_later(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "echo", 8);
    client_t *client = a_client(gateway);
    (void)state;

    worker->is_stuck = true;
    client_says(client, "echo", "1");
    client_says(client, "echo", "2");
    gets_nothing(worker);
    assert_true(core_is_parked(broker.core));
    worker->is_stuck = false;
    time_passes(50);
    takes_message(worker, "1");
    takes_message(worker, "2");
    assert_false(core_is_parked(broker.core));
}

static void a_handshake_that_waits_is_waited_for(void **state)
{
    node_t *gateway = a_strict_gateway(1);
    client_t *client = a_newcomer(gateway);
    (void)state;

    client_knocks(client);
    gets_nothing(gateway);
    core_drain(broker.core);
    gets(gateway, KIND_DRAIN);
    says_bare(gateway, KIND_DRAIN);
    assert_int_equal(core_stats(broker.core)->requests, 1);
    assert_false(core_is_drained(broker.core));
}

static void so_is_an_end_that_nobody_else_would_tell(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$disconnect", 1);
    a_client(gateway);
    (void)state;

    worker->is_silent = true;
    says_bare(worker, KIND_BYE);
    time_passes(ROUTE_GRACE_MS + SWEEP_MS);
    gateway->is_silent = true;
    says_bare(gateway, KIND_BYE);
    assert_int_equal(core_stats(broker.core)->requests, 1);
    core_drain(broker.core);
    assert_false(core_is_drained(broker.core));
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_is_asked_who_it_is),
        TEST(a_stranger_is_not_asked_twice_in_a_hurry),
        TEST(a_restarted_broker_asks_all),
        TEST(a_ping_is_answered),
        TEST(another_boot_id_is_a_restart),
        TEST(the_same_boot_id_is_a_greeting_again),
        TEST(a_worker_that_was_given_up_has_another_session),
        TEST(the_same_boot_id_on_a_new_connection_replaces_the_old),
        TEST(a_boot_id_stays_with_its_key),
        TEST(a_worker_that_wants_anothers_boot_id_keeps_its_own),
        TEST(boot_ids_of_the_two_sockets_are_apart),
        TEST(a_boot_id_moves_with_its_key),
        TEST(a_gateways_loop_and_boot_id_stay_with_its_key),
        TEST(who_gets_the_routing_id_of_another_is_a_stranger),
        TEST(who_may_not_stay_is_told_and_given_up),
        TEST(a_version_that_is_too_old_is_refused),
        TEST(a_newer_version_is_welcomed_with_ours),
        TEST(who_speaks_ours_as_its_oldest_is_welcomed_with_it),
        TEST(who_speaks_later_versions_only_is_refused),
        TEST(who_is_known_and_is_refused_stays_what_it_was),
        TEST(a_role_is_bound_to_its_socket),
        TEST(a_gateway_needs_a_loop_number_of_its_own),
        TEST(more_workers_than_the_limit_are_refused),
        TEST(a_ready_that_breaks_a_rule_leaves_the_routes),
        TEST(a_broker_that_drains_ends_when_all_has_its_outcome),
        TEST(a_drain_that_answers_its_predecessor_says_nothing),
        TEST(a_gateway_that_comes_while_it_drains_is_told_so),
        TEST(what_a_peer_may_not_say_is_unexpected),
        TEST(the_good_messages_before_a_malformed_one_count),
        TEST(a_message_with_a_wrong_field_is_skipped_and_the_next_counts),
        TEST(a_message_of_an_unknown_kind_is_skipped),
        TEST(sixteen_faults_in_ten_seconds_end_a_peer),
        TEST(faults_now_and_then_are_borne),
        TEST(a_silent_worker_is_lost),
        TEST(a_peer_that_says_anything_is_not_lost),
        TEST(a_pause_of_the_broker_is_not_the_peers_silence),
        TEST(what_does_not_fit_into_a_socket_is_sent_later),
        TEST(a_handshake_that_waits_is_waited_for),
        TEST(so_is_an_end_that_nobody_else_would_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
