/* SPDX-License-Identifier: MIT
 *
 * What a dead broker left in the store.
 */
#include "tests/unit/core_fixture.h"

#define DEAD     "broker-that-died"
#define OTHER    "broker-that-lives"
#define LEASE_MS INT64_C(30000)

static model_store_t dead; /* what the dead broker saw of the store */

static void ignore(store_op_t *op, int rc, const store_result_t *result)
{
    (void)op;
    (void)result;
    assert_int_equal(rc, 0);
}

/* A row that it wrote. */
static void left_row(const client_t *client)
{
    static const uint8_t context[] = {0x81, 0xa4, 'u', 's', 'e',
                                      'r',  0xa3, 'a', 'n', 'n'};
    conn_id_t id;

    assert_int_equal(conn_id_parse(client->id, CONN_ID_TEXT, &id), 0);
    record_t *record =
        record_new(&id, (wire_bytes_t){context, sizeof context}, 0);
    store_op_t op = {.verb = STORE_SAVE, .record = record, .done = ignore};
    store_submit(&dead.store, &op);
    record_drop(record);
}

/* The lease that this broker kept for the gateway of a client. */
static void kept_lease_of(const char *boot, const client_t *client,
                          const char *value)
{
    char name[STORE_LEASE_MAX];

    snprintf(name, sizeof name, "%.4s:%s", client->id, boot);
    store_op_t op = {.verb = STORE_KEEP,
                     .key = wire_bytes(name),
                     .value = wire_bytes(value),
                     .done = ignore};
    store_submit(&dead.store, &op);
}

static void kept_lease(const client_t *client, const char *value)
{
    kept_lease_of(DEAD, client, value);
}

/* Time goes by, and that broker lives. */
static void time_passes_for(const char *boot, const client_t *client,
                            int64_t ms)
{
    char value[2] = "a";

    for (; ms > 0; ms -= LEASE_MS / 3, value[0]++) {
        kept_lease_of(boot, client, value);
        time_passes(LEASE_MS / 3);
    }
}

static void on_leases(store_op_t *op, int rc, const store_result_t *result)
{
    assert_int_equal(rc, 0);
    *(size_t *)op->user = result->lease_count;
}

static size_t leases(void)
{
    size_t count = 0;
    store_op_t op = {.verb = STORE_LEASES, .done = on_leases, .user = &count};

    store_submit(broker.table.rows, &op);
    return count;
}

static int set_up(void **state)
{
    int rc = broker_set_up_shared(state);

    model_store_init(&dead, &broker.table, DEAD);
    store_begin(&dead.store, broker.now_ms);
    return rc;
}

/* A gateway that died, too, as the test plays those who had it. */
static client_t *someone_of_loop(uint32_t loop, uint32_t slot)
{
    static client_t someone[8];
    client_t *client = &someone[slot];
    conn_id_t id = {.loop = loop, .slot = slot, .random = slot};

    conn_id_format(&id, client->id);
    return client;
}

/* The DISCONNECT of one that was lost; returns its id at the worker. */
static uint64_t takes_lost(node_t *worker)
{
    message_t event = gets(worker, KIND_REQUEST);

    assert_int_equal(event.request.event, EVENT_DISCONNECT);
    assert_int_equal(wire_map_uint(event.request.details, "code", 0), 1006);
    assert_true(
        is_text(wire_map_str(event.request.details, "reason"), "gateway lost"));
    assert_true(is_text(wire_map_str(event.request.context, "user"), "ann"));
    return event.request.id;
}

/* The gateway answers what it is asked: it has this client and no other. */
static void tells_whom_it_has(node_t *gateway, const client_t *client)
{
    message_t asked;

    while (takes(gateway, &asked)) {
        if (asked.kind != KIND_QUERY) {
            continue;
        }
        wire_cursor_t what = wire_cursor(asked.query.what);
        wire_bytes_t word, conn;
        uint32_t count;
        assert_int_equal(wire_get_array(&what, &count), 0);
        assert_int_equal(wire_get_str(&what, &word), 0);
        assert_true(is_text(word, "connection"));
        assert_int_equal(wire_get_str(&what, &conn), 0);
        bool has = is_text(conn, client->id);
        says(gateway, &(message_t){.kind = KIND_RESULT,
                                   .result = {.id = asked.query.id,
                                              .status = has ? 200 : 404}});
    }
}

static void the_rows_of_a_dead_broker_are_swept_after_its_lease(void **state)
{
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = someone_of_loop(9, 1);
    (void)state;

    left_row(client);
    left_row(someone_of_loop(9, 2));
    kept_lease(client, "1");
    time_passes(LEASE_MS - 1000);
    gets_nothing(worker);
    time_passes(LEASE_MS);
    uint64_t one = takes_lost(worker), two = takes_lost(worker);
    assert_int_equal(rows(), 2);
    answers(worker, one, 200, NULL);
    answers(worker, two, 200, NULL);
    time_passes(LEASE_MS);
    assert_int_equal(rows(), 0);
    assert_int_equal(leases(), 0);
    gets_nothing(worker);
}

static void a_broker_that_keeps_its_lease_is_left_alone(void **state)
{
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = someone_of_loop(9, 1);
    (void)state;

    left_row(client);
    time_passes_for(DEAD, client, 7 * LEASE_MS);
    gets_nothing(worker);
    assert_int_equal(rows(), 1);
}

static void who_stands_is_not_swept(void **state)
{
    node_t *gateway = a_gateway(9);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    left_row(client);
    left_row(someone_of_loop(9, 7)); /* of whom the gateway does not know */
    kept_lease(client, "1");
    time_passes(LEASE_MS);
    for (int i = 0; i < 60; i++) {
        time_passes(500);
        tells_whom_it_has(gateway, client);
    }
    answers(worker, takes_lost(worker), 200, NULL);
    time_passes(3 * LEASE_MS);
    gets_nothing(worker);
    assert_int_equal(rows(), 1);
    assert_int_equal(leases(), 1); /* ours of it */
    assert_int_equal(core_stats(broker.core)->swept, 1);
}

static void a_row_that_another_broker_wrote_anew_stays(void **state)
{
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = someone_of_loop(9, 1);
    (void)state;

    kept_lease(client, "1");
    dead.writer = OTHER; /* whoever writes it */
    left_row(client);
    time_passes_for(OTHER, client, 3 * LEASE_MS);
    gets_nothing(worker);
    assert_int_equal(rows(), 1);
    assert_int_equal(leases(), 1); /* of who lives */
}

/* The store was emptied before it wrote this, and it died before it kept its
 * lease once more: another's that is over leads to it. */
static void a_row_without_a_lease_is_found_beside_one_with(void **state)
{
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = someone_of_loop(9, 1);
    (void)state;

    time_passes(1000); /* for the owners that were there from the start */
    left_row(client);
    kept_lease_of(OTHER, client, "1");
    time_passes(3 * LEASE_MS);
    answers(worker, takes_lost(worker), 200, NULL);
    time_passes(3 * LEASE_MS);
    gets_nothing(worker);
    assert_int_equal(rows(), 0);
    assert_int_equal(leases(), 0);
}

/* Its writer was only slow: it keeps the lease that was kept for it. */
static void a_row_without_a_lease_is_left_to_who_lives(void **state)
{
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = someone_of_loop(9, 1);
    (void)state;

    time_passes(1000);
    left_row(client);
    kept_lease_of(OTHER, client, "1");
    time_passes(3 * LEASE_MS / 2);
    assert_int_equal(leases(), 2);
    time_passes_for(DEAD, client, 4 * LEASE_MS);
    gets_nothing(worker);
    assert_int_equal(rows(), 1);
}

static void is_asked(node_t *gateway)
{
    message_t asked = {.kind = KIND_PING};

    for (int i = 0; asked.kind != KIND_QUERY; i++) {
        assert_true(i < 200);
        time_passes(500);
        while (takes(gateway, &asked) && asked.kind != KIND_QUERY) {
        }
    }
}

/* The store did not keep the lease that was to lead to it, and the pages are
 * looked at again, as the gateway did not answer for the row beside it. */
static void a_row_whose_lease_was_not_kept_is_found_all_the_same(void **state)
{
    node_t *gateway = a_gateway(9);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *known = a_client(gateway);
    (void)state;

    time_passes(1000);
    left_row(someone_of_loop(9, 6));
    kept_lease(someone_of_loop(9, 6), "1");
    dead.writer = OTHER;
    left_row(someone_of_loop(9, 7));
    broker.model.refuses_keeps = true;
    is_asked(gateway);
    time_passes(LIVENESS_MS + 1000);
    tells_whom_it_has(gateway, known);
    answers(worker, takes_lost(worker), 200, NULL);
    time_passes(1000);
    broker.model.refuses_keeps = false;
    for (int i = 0; i < 400; i++) {
        time_passes(500);
        tells_whom_it_has(gateway, known);
    }
    answers(worker, takes_lost(worker), 200, NULL);
    time_passes(3 * LEASE_MS);
    assert_int_equal(rows(), 1);
    assert_int_equal(leases(), 1); /* ours of who is here */
}

/* So does ours, which we keep again when we see that it was lost. */
static void our_lease_that_was_lost_leads_to_rows_without(void **state)
{
    node_t *gateway = a_gateway(9);
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    time_passes(1000);
    model_table_empty(&broker.table);
    left_row(someone_of_loop(9, 1));
    time_passes(LEASE_MS / 2);
    assert_int_equal(leases(), 1);
    dies(gateway);
    time_passes(1000);
    assert_int_equal(leases(), 1);
    time_passes(3 * LEASE_MS);
    answers(worker, takes_lost(worker), 200, NULL);
    time_passes(3 * LEASE_MS);
    assert_int_equal(rows(), 0);
    assert_int_equal(leases(), 0);
}

/* Its gateway ends before that. */
static void a_lease_that_was_lost_before_its_end_does_so_too(void **state)
{
    node_t *gateway = a_gateway(9);
    node_t *worker = a_worker("w", "$disconnect", 8);
    (void)state;

    time_passes(1000);
    model_table_empty(&broker.table);
    left_row(someone_of_loop(9, 1));
    dies(gateway);
    time_passes(1000);
    assert_int_equal(leases(), 1);
    time_passes(3 * LEASE_MS);
    answers(worker, takes_lost(worker), 200, NULL);
}

/* All who had its gateway died with it. */
static void who_starts_finds_rows_that_nobody_has_a_lease_for(void **state)
{
    client_t *client = someone_of_loop(9, 1);
    (void)state;

    a_gateway(4); /* whose lease is kept, and that has no rows */
    left_row(client);
    broker_restarts();
    node_t *worker = a_worker("w", "$disconnect", 8);
    time_passes(3 * LEASE_MS);
    answers(worker, takes_lost(worker), 200, NULL);
    time_passes(3 * LEASE_MS);
    gets_nothing(worker);
    assert_int_equal(rows(), 0);
    assert_int_equal(leases(), 0);
}

/* What the dead broker wrote last came to the store behind what another wrote.
 */
static void a_row_of_who_stands_keeps_the_dead_brokers_lease(void **state)
{
    node_t *gateway = a_gateway(9);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = someone_of_loop(9, 1); /* at another broker */
    (void)state;

    left_row(client);
    kept_lease(client, "1");
    for (int i = 0; i < 240; i++) {
        time_passes(500);
        tells_whom_it_has(gateway, client);
    }
    gets_nothing(worker);
    assert_int_equal(leases(), 2); /* ours of the gateway, too */
    dies(gateway);                 /* and the broker that had it */
    time_passes(2 * LEASE_MS);
    answers(worker, takes_lost(worker), 200, NULL);
    time_passes(LEASE_MS);
    assert_int_equal(rows(), 0);
    assert_int_equal(leases(), 0);
}

static void a_row_of_who_is_ours_is_written_anew(void **state)
{
    node_t *gateway = a_gateway(9);
    client_t *client = a_client(gateway);
    (void)state;

    time_passes(1000);
    left_row(client);
    kept_lease(client, "1");
    time_passes(4 * LEASE_MS);
    assert_int_equal(rows(), 1);
    assert_int_equal(leases(), 1);
    gets_reply(gateway, client_leaves(client), 200);
    time_passes(1000);
    assert_int_equal(rows(), 0);
}

static void while_the_store_fails_no_lease_is_over(void **state)
{
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = someone_of_loop(9, 1);
    (void)state;

    left_row(client);
    kept_lease(client, "1");
    time_passes(LEASE_MS / 2);
    model_store_fail(&broker.model, -1);
    time_passes(2 * LEASE_MS);
    model_store_fail(&broker.model, 0);
    time_passes(LEASE_MS / 2);
    kept_lease(client, "2"); /* it lives: it had no chance before */
    time_passes(LEASE_MS / 2);
    gets_nothing(worker);
}

static void what_is_swept_before_any_worker_is_here_waits_for_one(void **state)
{
    client_t *client = someone_of_loop(9, 1);
    (void)state;

    left_row(client);
    kept_lease(client, "1");
    for (int i = 0; i < 100 && core_stats(broker.core)->swept == 0; i++) {
        time_passes(LEASE_MS / 10);
    }
    node_t *worker = a_worker("w", "$disconnect", 8);
    answers(worker, takes_lost(worker), 200, NULL);
    time_passes(LEASE_MS);
    assert_int_equal(rows(), 0);
}

static void a_sweep_that_breaks_off_is_done_again(void **state)
{
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = someone_of_loop(9, 1);
    (void)state;

    left_row(client);
    kept_lease(client, "1");
    time_passes(2 * LEASE_MS);
    takes_lost(worker);
    broker_restarts(); /* before it was handled */
    worker = a_worker("w2", "$disconnect", 8);
    time_passes(3 * LEASE_MS);
    answers(worker, takes_lost(worker), 200, NULL);
    time_passes(LEASE_MS);
    assert_int_equal(rows(), 0);
    gets_nothing(worker);
}

static void many_rows_are_swept_in_portions(void **state)
{
    enum { N = 250, PAGE = 100 };
    uint64_t ids[N];
    node_t *worker = a_worker("w", "$disconnect", 1000);
    client_t client = {.slot = 0};
    message_t event;
    size_t total = 0;
    (void)state;

    for (uint32_t i = 0; i < N; i++) {
        conn_id_t id = {.loop = 9, .slot = i};
        conn_id_format(&id, client.id);
        left_row(&client);
    }
    kept_lease(&client, "1");
    for (int i = 0; i < 100 && rows() > 0; i++) {
        size_t portion = 0;
        time_passes(LEASE_MS / 10);
        while (takes(worker, &event)) {
            assert_true(portion < PAGE); /* none before the last is answered */
            ids[portion++] = event.request.id;
        }
        for (size_t k = 0; k < portion; k++) {
            answers(worker, ids[k], 200, NULL);
        }
        total += portion;
    }
    assert_int_equal(total, N);
    assert_int_equal(rows(), 0);
}

/* A gateway and its broker die; the next broker meets another gateway. */
static void who_was_lost_with_gateway_and_broker_is_told_of(void **state)
{
    (void)state;
    a_client(a_gateway(4));
    time_passes(1000);
    broker_restarts();
    node_t *worker = a_worker("w", "$disconnect", 8);
    time_passes(2 * LEASE_MS);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    time_passes(LEASE_MS);
    assert_int_equal(rows(), 0);
    gets_nothing(worker);
}

static void a_gateway_that_ends_in_order_leaves_no_lease(void **state)
{
    node_t *gateway = a_gateway(4);
    client_t *client = a_client(gateway);
    (void)state;

    time_passes(1000);
    assert_int_equal(leases(), 1);
    gets_reply(gateway, client_leaves(client), 200);
    dies(gateway);
    time_passes(1000);
    assert_int_equal(leases(), 0);
}

static void the_lease_of_a_gateway_goes_behind_its_last_row(void **state)
{
    node_t *gateway = a_gateway(4);
    (void)state;

    a_client(gateway);
    time_passes(1000);
    broker.model.holds = true;
    dies(gateway); /* its row is to go, and cannot yet */
    time_passes(1000);
    assert_int_equal(leases(), 1);
    broker.model.holds = false;
    while (model_store_answer(&broker.model)) {
    }
    time_passes(500);
    assert_int_equal(rows(), 0);
    assert_int_equal(leases(), 0);
}

/* Its gateway and the broker that it moved to have died before that wrote. */
static void who_moved_and_was_written_by_nobody_since_is_swept(void **state)
{
    node_t *gateway = a_gateway(4);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    drops(gateway, client);
    dies(gateway);
    time_passes(1000);
    assert_int_equal(leases(), 1);
    gets_nothing(worker);
    time_passes(2 * LEASE_MS);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    time_passes(LEASE_MS);
    assert_int_equal(rows(), 0);
    assert_int_equal(leases(), 0);
}

static void a_gateway_that_came_back_since_has_moved_all_the_same(void **state)
{
    node_t *gateway = a_gateway(4);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    drops(gateway, client);
    dies(gateway);
    dies(a_gateway(4)); /* on another connection */
    time_passes(1000);
    assert_int_equal(leases(), 1);
    time_passes(2 * LEASE_MS);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
}

static void who_moved_and_was_written_since_is_another_brokers(void **state)
{
    node_t *gateway = a_gateway(4);
    node_t *worker = a_worker("w", "$disconnect", 8);
    client_t *client = a_client(gateway);
    (void)state;

    drops(gateway, client);
    dies(gateway);
    left_row(client);
    time_passes_for(DEAD, client, 3 * LEASE_MS);
    gets_nothing(worker);
    assert_int_equal(rows(), 1);
    assert_int_equal(leases(), 1); /* that other's */
}

/* A KEEP between the claim and its answer must not be taken for the claim. */
static void a_gateway_that_greets_meanwhile_does_not_spoil_a_claim(void **state)
{
    (void)state;
    kept_lease(someone_of_loop(9, 1), "1");
    broker.model.holds = true;
    for (int i = 0; i < 1000; i++) {
        if (model_store_holds(&broker.model, STORE_CLAIM)) {
            break;
        }
        while (model_store_answer(&broker.model)) {
        }
        time_passes(100);
    }
    assert_true(model_store_holds(&broker.model, STORE_CLAIM));
    a_gateway(4);
    broker.model.holds = false;
    while (model_store_answer(&broker.model)) {
    }
    time_passes(LEASE_MS / 2);
    assert_int_equal(leases(), 1); /* of the gateway that greeted */
}

static void what_the_store_may_not_tell_is_not_asked_for_ever(void **state)
{
    (void)state;
    kept_lease(someone_of_loop(9, 1), "1");
    left_row(someone_of_loop(9, 1));
    broker.model.refuses_lists = true;
    time_passes(2 * LEASE_MS);
    assert_in_range(broker.model.lists, 1, 10);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_rows_of_a_dead_broker_are_swept_after_its_lease),
        TEST(a_broker_that_keeps_its_lease_is_left_alone),
        TEST(who_stands_is_not_swept),
        TEST(a_row_that_another_broker_wrote_anew_stays),
        TEST(a_row_without_a_lease_is_found_beside_one_with),
        TEST(a_row_without_a_lease_is_left_to_who_lives),
        TEST(a_row_whose_lease_was_not_kept_is_found_all_the_same),
        TEST(our_lease_that_was_lost_leads_to_rows_without),
        TEST(a_lease_that_was_lost_before_its_end_does_so_too),
        TEST(who_starts_finds_rows_that_nobody_has_a_lease_for),
        TEST(a_row_of_who_stands_keeps_the_dead_brokers_lease),
        TEST(a_row_of_who_is_ours_is_written_anew),
        TEST(while_the_store_fails_no_lease_is_over),
        TEST(what_is_swept_before_any_worker_is_here_waits_for_one),
        TEST(a_sweep_that_breaks_off_is_done_again),
        TEST(many_rows_are_swept_in_portions),
        TEST(who_was_lost_with_gateway_and_broker_is_told_of),
        TEST(a_gateway_that_ends_in_order_leaves_no_lease),
        TEST(the_lease_of_a_gateway_goes_behind_its_last_row),
        TEST(who_moved_and_was_written_by_nobody_since_is_swept),
        TEST(a_gateway_that_came_back_since_has_moved_all_the_same),
        TEST(who_moved_and_was_written_since_is_another_brokers),
        TEST(a_gateway_that_greets_meanwhile_does_not_spoil_a_claim),
        TEST(what_the_store_may_not_tell_is_not_asked_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
