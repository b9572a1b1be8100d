/* SPDX-License-Identifier: MIT
 *
 * Events of $presence at the broker: whether gateways are to tell, how what
 * they tell reaches handlers, and the last word about whom they cannot tell of.
 */
#include "base/xalloc.h"
#include "tests/unit/core_fixture.h"

/* --- words --------------------------------------------------------------- */

/* ["a", "b"] of "a b". */
static void put_names(buf_t *out, const char *names)
{
    char copy[64], *rest = copy;
    uint32_t count = 0;

    snprintf(copy, sizeof copy, "%s", names);
    for (char *at = copy; *at != '\0'; at++) {
        count += at == copy || at[-1] == ' ';
    }
    must(wire_put_array(out, count) == 0);
    for (char *name; (name = strtok_r(rest, " ", &rest)) != NULL;) {
        must(wire_put_text(out, name) == 0);
    }
}

/* The gateway's id of the request. */
static uint64_t client_changes(client_t *client, const char *joined,
                               const char *left)
{
    message_t message = {.kind = KIND_REQUEST};
    uint64_t id = ++client->gateway->last_id;
    buf_t details;

    buf_init(&details, 4096);
    must(wire_put_map(&details, 2) == 0);
    must(wire_put_text(&details, "joined") == 0);
    put_names(&details, joined);
    must(wire_put_text(&details, "left") == 0);
    put_names(&details, left);
    message.request =
        (message_request_t){.id = id,
                            .event = EVENT_PRESENCE,
                            .conn = wire_bytes(client->id),
                            .route = wire_bytes("$presence"),
                            .deadline_ms = DEADLINE_MS,
                            .details = {details.data, details.len}};
    says(client->gateway, &message);
    buf_fini(&details);
    return id;
}

static void are_names(wire_bytes_t details, const char *key, const char *names)
{
    wire_cursor_t at;
    wire_bytes_t raw;
    buf_t wanted;

    buf_init(&wanted, 4096);
    put_names(&wanted, names);
    assert_true(wire_map_find(details, key, &at));
    assert_int_equal(wire_get_raw_array(&at, &raw), 0);
    assert_int_equal(raw.len, wanted.len);
    assert_memory_equal(raw.data, wanted.data, raw.len);
    buf_fini(&wanted);
}

/* The worker's next message is that PRESENCE; returns its id there. */
static uint64_t is_told(node_t *worker, const char *joined, const char *left)
{
    message_request_t request = gets(worker, KIND_REQUEST).request;

    assert_int_equal(request.event, EVENT_PRESENCE);
    assert_true(is_text(request.route, "$presence"));
    are_names(request.details, "joined", joined);
    are_names(request.details, "left", left);
    return request.id;
}

static void is_watched(node_t *gateway, bool presence)
{
    assert_int_equal(gets(gateway, KIND_WATCH).watch.presence, presence);
}

/* Time for a sweep of routes that nobody serves, quietly. */
static void grace_passes(node_t *gateway)
{
    message_t message;

    time_passes(ROUTE_GRACE_MS - SWEEP_MS);
    while (takes(gateway, &message)) {
        assert_int_not_equal(message.kind, KIND_WATCH);
    }
    time_passes((int64_t)3 * SWEEP_MS);
}

/* Handlers are told how the client's groups have changed. */
static void learns(node_t *worker, client_t *client, const char *joined,
                   const char *left)
{
    uint64_t id = client_changes(client, joined, left);

    answers(worker, is_told(worker, joined, left), 200, NULL);
    gets_reply(client->gateway, id, 200);
}

/* Handlers know that the client is in "den" and "attic". */
static client_t *a_known_client(node_t *gateway, node_t *worker)
{
    client_t *client = a_client(gateway);

    learns(worker, client, "den attic", "");
    return client;
}

/* --- whether anybody watches ---------------------------------------------- */

static void gateways_hear_whether_presence_is_served(void **state)
{
    node_t *gateway = a_gateway(1);
    (void)state;

    node_t *worker = a_worker("w", "echo", 8);
    gets_nothing(gateway);
    announces(worker, "echo $presence", 8);
    is_watched(gateway, true);
    node_t *other = a_worker("o", "$presence", 8);
    gets_nothing(gateway);
    dies(worker);
    gets_nothing(gateway);
    dies(other);
    grace_passes(gateway);
    is_watched(gateway, false);
    a_worker("n", "$presence", 8);
    is_watched(gateway, true);
}

static void a_watcher_that_comes_back_in_time_is_no_news(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$presence", 8);
    message_t message;
    (void)state;

    is_watched(gateway, true);
    dies(worker);
    time_passes(ROUTE_GRACE_MS / 2);
    a_worker("n", "$presence", 8);
    time_passes((int64_t)2 * ROUTE_GRACE_MS);
    while (takes(gateway, &message)) {
        assert_int_not_equal(message.kind, KIND_WATCH);
    }
}

static void a_welcome_says_it_too(void **state)
{
    (void)state;

    a_worker("w", "$presence", 8);
    node_t *gateway = a_stranger(SIDE_GATEWAYS, "g");
    gateway->loop = 1;
    put_hello(gateway);
    speaks(gateway);
    message_welcome_t welcome = gets(gateway, KIND_WELCOME).welcome;
    assert_true(wire_map_bool(welcome.options, "presence", false));
}

/* --- what handlers are told ---------------------------------------------- */

static void a_change_is_an_event_in_order(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "echo $presence", 8);
    (void)state;

    forgets(gateway);
    client_says(client, "echo", "before");
    uint64_t id = client_changes(client, "den", "");
    client_says(client, "echo", "behind");
    uint64_t before = takes_message(worker, "before");
    uint64_t told = is_told(worker, "den", "");
    uint64_t behind = takes_message(worker, "behind");
    answers(worker, before, 200, NULL);
    gets(gateway, KIND_REPLY);
    answers(worker, told, 500, "its failure is nobody's business");
    message_t reply = gets_reply(gateway, id, 200);
    assert_int_equal(reply.reply.body.type, BODY_NONE);
    answers(worker, behind, 200, NULL);
    gets(gateway, KIND_REPLY);
    assert_int_equal(core_stats(broker.core)->presences, 1);
}

static void what_a_dead_worker_was_told_is_told_another(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "$presence", 8);
    (void)state;

    forgets(gateway);
    uint64_t id = client_changes(client, "den", "");
    is_told(worker, "den", "");
    dies(worker);
    worker = a_worker("o", "$presence", 8);
    answers(worker, is_told(worker, "den", ""), 200, NULL);
    gets_reply(gateway, id, 200);
}

static void a_change_that_kills_a_hundred_workers_is_given_up(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "$presence", 8);
    (void)state;

    forgets(gateway);
    uint64_t id = client_changes(client, "den", "");
    for (int i = 0; i < 100; i++) {
        is_told(worker, "den", "");
        gets_nothing(gateway);
        starts_anew(worker, "$presence", 8);
    }
    gets_nothing(worker);
    gets_reply(gateway, id, 500); /* no 503: it is not said again */
    assert_int_equal(core_stats(broker.core)->presences_lost, 1);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void a_change_waits_longer_than_a_request(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "$presence", 8);
    (void)state;

    uint64_t id = client_changes(client, "den", "");
    uint64_t told = is_told(worker, "den", "");
    time_passes((int64_t)2 * DEADLINE_MS);
    forgets(gateway);
    answers(worker, told, 200, NULL);
    gets_reply(gateway, id, 200);
}

static void what_nobody_is_told_gets_503(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "echo $presence", 8);
    (void)state;

    is_watched(gateway, true);
    announces(worker, "echo", 8);
    uint64_t id = client_changes(client, "den", "");
    uint64_t other = client_says(client, "echo", "behind");
    gets_nothing(worker);
    time_passes(ROUTE_GRACE_MS + 2 * SWEEP_MS);
    message_t message = {0};
    while (takes(gateway, &message) && message.kind != KIND_REPLY) {
    }
    assert_int_equal(message.kind, KIND_REPLY);
    assert_int_equal(message.reply.id, id);
    assert_int_equal(message.reply.status, 503);
    is_watched(gateway, false);
    while (takes(worker, &message) && message.kind != KIND_REQUEST) {
    }
    assert_int_equal(message.kind, KIND_REQUEST);
    answers(worker, message.request.id, 200, NULL);
    gets_reply(gateway, other, 200);
}

static void a_repetition_gets_the_answer(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "$presence", 8);
    (void)state;

    forgets(gateway);
    uint64_t first = client_changes(client, "den", "");
    uint64_t told = is_told(worker, "den", "");
    uint64_t again = client_changes(client, "den", "");
    gets_reply(gateway, first, 200);
    gets_nothing(worker);
    answers(worker, told, 200, NULL);
    gets_reply(gateway, again, 200);
}

static void a_change_of_nobody_is_500(void **state)
{
    node_t *gateway = a_gateway(1);
    (void)state;

    a_worker("w", "$presence", 8);
    forgets(gateway);
    gets_reply(gateway, client_changes(a_newcomer(gateway), "den", ""), 500);
}

/* --- the last word ------------------------------------------------------- */

static void who_was_at_a_lost_gateway_has_left_before_it_ends(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$presence $disconnect", 8);
    (void)state;

    forgets(gateway);
    client_t *client = a_known_client(gateway, worker);
    learns(worker, client, "hall", "den");
    dies(gateway);
    uint64_t left = is_told(worker, "", "attic hall");
    uint64_t end = takes_event(worker, EVENT_DISCONNECT);
    answers(worker, left, 200, NULL);
    answers(worker, end, 200, NULL);
    gets_nothing(worker);
    assert_int_equal(core_stats(broker.core)->presences_made, 1);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void who_was_in_no_group_has_left_none(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$presence $disconnect", 8);
    (void)state;

    forgets(gateway);
    client_t *client = a_known_client(gateway, worker);
    learns(worker, client, "", "attic den");
    a_client(gateway);
    dies(gateway);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
    assert_int_equal(core_stats(broker.core)->presences_made, 0);
}

/* A gateway takes nothing for told when nobody has watched for a while. */
static void who_ends_without_a_word_of_it_has_left_first(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$presence $disconnect", 8);
    (void)state;

    forgets(gateway);
    client_t *client = a_known_client(gateway, worker);
    uint64_t id = client_leaves(client);
    uint64_t left = is_told(worker, "", "den attic");
    uint64_t end = takes_event(worker, EVENT_DISCONNECT);
    answers(worker, left, 200, NULL);
    answers(worker, end, 200, NULL);
    gets_reply(gateway, id, 200);
    gets_nothing(gateway);
    assert_int_equal(core_stats(broker.core)->presences_made, 1);
    assert_int_equal(core_stats(broker.core)->presences_lost, 0);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

static void what_another_worker_hears_then_is_left_too(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "$presence $disconnect", 8);
    (void)state;

    client_changes(client, "den", "");
    is_told(worker, "den", "");
    client_leaves(client);
    node_t *other = a_worker("o", "$presence $disconnect", 8);
    dies(worker);
    answers(other, is_told(other, "den", ""), 200, NULL);
    answers(other, is_told(other, "", "den"), 200, NULL);
    answers(other, takes_event(other, EVENT_DISCONNECT), 200, NULL);
    gets_nothing(other);
}

static void who_ends_while_nobody_watches_is_counted(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$presence", 8);
    (void)state;

    forgets(gateway);
    client_t *client = a_known_client(gateway, worker);
    dies(worker);
    grace_passes(gateway);
    is_watched(gateway, false);
    gets_reply(gateway, client_leaves(client), 200);
    assert_int_equal(core_stats(broker.core)->presences_lost, 1);
}

static void
who_comes_before_a_joining_is_told_hears_of_the_end_too(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    client_says(client, "echo", "hello");
    uint64_t held = takes_message(worker, "hello");
    client_changes(client, "den", ""); /* it waits behind that */
    dies(gateway);
    node_t *watcher = a_worker("o", "$presence $disconnect", 8);
    answers(worker, held, 200, NULL);
    uint64_t joined = is_told(watcher, "den", "");
    uint64_t left = is_told(watcher, "", "den");
    uint64_t end = takes_event(watcher, EVENT_DISCONNECT);
    answers(watcher, joined, 200, NULL);
    answers(watcher, left, 200, NULL);
    answers(watcher, end, 200, NULL);
    assert_int_equal(core_stats(broker.core)->requests, 0);
}

/* A SYNC line with groups. */
static void lists(client_t *client, const char *groups)
{
    message_t message = {.kind = KIND_SYNC};
    buf_t list;

    buf_init(&list, 4096);
    must(wire_put_array(&list, 1) == 0);
    must(wire_put_array(&list, 3) == 0);
    must(wire_put_text(&list, client->id) == 0);
    must(wire_put_map(&list, 0) == 0);
    put_names(&list, groups);
    message.sync = (message_sync_t){
        {list.data, list.len}, false, client->gateway->session, SYNC_ADD};
    says(client->gateway, &message);
    buf_fini(&list);
}

static void who_comes_from_another_broker_brings_its_groups(void **state)
{
    node_t *gateway = a_gateway(1);
    node_t *worker = a_worker("w", "$presence $disconnect", 8);
    (void)state;

    lists(a_newcomer(gateway), "den attic");
    dies(gateway);
    answers(worker, is_told(worker, "", "den attic"), 200, NULL);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
}

static void groups_without_end_are_not_kept(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "$presence $disconnect", 1000);
    char name[16];
    (void)state;

    forgets(gateway);
    for (int i = 0; i < 2 * GROUPS_MAX + 10; i++) {
        snprintf(name, sizeof name, "g%d", i);
        learns(worker, client, name, "");
    }
    dies(gateway);
    message_request_t last = gets(worker, KIND_REQUEST).request;
    wire_cursor_t at;
    uint32_t count = 0;
    assert_true(wire_map_find(last.details, "left", &at));
    assert_int_equal(wire_get_array(&at, &count), 0);
    assert_int_equal(count, 2 * GROUPS_MAX);
    wire_bytes_t first;
    assert_int_equal(wire_get_str(&at, &first), 0);
    assert_true(wire_is(first, "g10"));
}

/* One that died may have handled it: its reply was lost with it. */
static void
what_a_dead_worker_may_know_is_left_although_nobody_came(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    node_t *worker = a_worker("w", "$presence $disconnect", 8);
    (void)state;

    client_changes(client, "den", "");
    is_told(worker, "den", "");
    dies(worker);
    time_passes((int64_t)2 * ROUTE_GRACE_MS);
    worker = a_worker("o", "$presence $disconnect", 8);
    dies(gateway);
    answers(worker, is_told(worker, "", "den"), 200, NULL);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
}

static void what_no_worker_had_is_not_left(void **state)
{
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    dies(a_worker("w", "$presence $disconnect", 8));
    client_changes(client, "den", "");
    time_passes((int64_t)2 * ROUTE_GRACE_MS);
    node_t *worker = a_worker("o", "$presence $disconnect", 8);
    dies(gateway);
    answers(worker, takes_event(worker, EVENT_DISCONNECT), 200, NULL);
}

/* What the broker's WELCOME says of it. */
static bool is_welcomed(uint32_t loop, bool knows_watchers)
{
    node_t *gateway = a_stranger(SIDE_GATEWAYS, loop == 1 ? "one" : "two");

    gateway->loop = loop;
    gateway->knows_watchers = knows_watchers;
    put_hello(gateway);
    syncs(gateway, NULL, 0, false);
    message_welcome_t welcome = gets(gateway, KIND_WELCOME).welcome;
    return wire_map_bool(welcome.options, "presence", false);
}

static void a_broker_that_has_just_started_waits_for_watchers(void **state)
{
    (void)state;

    assert_false(is_welcomed(1, false));
    assert_true(is_welcomed(2, true));
}

static void one_that_has_been_there_for_long_does_not(void **state)
{
    (void)state;

    time_passes((int64_t)2 * ROUTE_GRACE_MS);
    assert_false(is_welcomed(1, true));
}

static void watchers_that_do_not_come_are_missed(void **state)
{
    node_t *gateway = a_gateway(1);
    (void)state;

    assert_true(is_welcomed(2, true));
    is_watched(gateway, true);
    grace_passes(gateway);
    is_watched(gateway, false);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gateways_hear_whether_presence_is_served),
        TEST(a_watcher_that_comes_back_in_time_is_no_news),
        TEST(a_welcome_says_it_too),
        TEST(a_change_is_an_event_in_order),
        TEST(what_a_dead_worker_was_told_is_told_another),
        TEST(a_change_that_kills_a_hundred_workers_is_given_up),
        TEST(a_change_waits_longer_than_a_request),
        TEST(what_nobody_is_told_gets_503),
        TEST(a_repetition_gets_the_answer),
        TEST(a_change_of_nobody_is_500),
        TEST(who_was_at_a_lost_gateway_has_left_before_it_ends),
        TEST(who_was_in_no_group_has_left_none),
        TEST(who_ends_without_a_word_of_it_has_left_first),
        TEST(what_another_worker_hears_then_is_left_too),
        TEST(who_ends_while_nobody_watches_is_counted),
        TEST(who_comes_before_a_joining_is_told_hears_of_the_end_too),
        TEST(who_comes_from_another_broker_brings_its_groups),
        TEST(groups_without_end_are_not_kept),
        TEST(what_a_dead_worker_may_know_is_left_although_nobody_came),
        TEST(what_no_worker_had_is_not_left),
        TEST(a_broker_that_has_just_started_waits_for_watchers),
        TEST(one_that_has_been_there_for_long_does_not),
        TEST(watchers_that_do_not_come_are_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
