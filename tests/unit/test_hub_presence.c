/* SPDX-License-Identifier: MIT
 *
 * What a gateway tells of groups that are joined and left.
 */
#include "base/xalloc.h"
#include "tests/unit/hub_fixture.h"

/* --- words --------------------------------------------------------------- */

static void put_join(message_kind_t kind, const char *group,
                     const client_t *client)
{
    message_t message = {.kind = kind};

    message.join =
        (message_join_t){wire_bytes(group), wire_bytes(client->id), 1};
    put_message(&message);
}

/* The next message that is no CREDIT. */
static message_t gets_news(message_kind_t kind)
{
    message_t message = {.kind = KIND_CREDIT};

    while (message.kind == KIND_CREDIT) {
        assert_true(takes(&message));
    }
    assert_int_equal(message.kind, kind);
    return message;
}

static void gets_no_news(void)
{
    message_t message;

    while (takes(&message)) {
        assert_int_equal(message.kind, KIND_CREDIT);
    }
}

static void joins(const char *group, const client_t *client)
{
    put_join(KIND_JOIN, group, client);
    broker_speaks();
}

static void leaves(const char *group, const client_t *client)
{
    put_join(KIND_LEAVE, group, client);
    broker_speaks();
}

static void watches(bool presence)
{
    message_t message = {.kind = KIND_WATCH, .watch = {presence}};

    broker_says(&message);
}

/* ["a", "b"] of "a b". */
static void are_names(wire_bytes_t details, const char *key, const char *names)
{
    char text[256] = "";
    wire_cursor_t at;
    wire_bytes_t name;
    uint32_t count;

    assert_true(wire_map_find(details, key, &at));
    assert_int_equal(wire_get_array(&at, &count), 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(wire_get_str(&at, &name), 0);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s",
                 i > 0 ? " " : "", (int)name.len, (const char *)name.data);
    }
    assert_string_equal(text, names);
}

/* The next message is that PRESENCE; returns its id. */
static uint64_t is_told(const client_t *client, const char *joined,
                        const char *left)
{
    message_request_t request = gets_news(KIND_REQUEST).request;

    assert_int_equal(request.event, EVENT_PRESENCE);
    assert_true(wire_is(request.conn, client->id));
    assert_true(wire_is(request.route, "$presence"));
    are_names(request.details, "joined", joined);
    are_names(request.details, "left", left);
    return request.id;
}

static void answers_ok(uint64_t id)
{
    answers(id, 200, NULL);
}

/* It was told that the client is in "den". */
static client_t *a_known_client(void)
{
    client_t *client = a_client();

    joins("den", client);
    answers_ok(is_told(client, "den", ""));
    gets_no_news();
    return client;
}

/* The id of its DISCONNECT, which is the next message. */
static uint64_t is_told_of_end(const client_t *client)
{
    message_request_t request = gets_news(KIND_REQUEST).request;

    assert_int_equal(request.event, EVENT_DISCONNECT);
    assert_true(wire_is(request.conn, client->id));
    return request.id;
}

static int set_up(void **state)
{
    int rc = gateway_set_up(state);

    watches(true);
    return rc;
}

/* --- rules --------------------------------------------------------------- */

static void nobody_is_told_while_nobody_watches(void **state)
{
    (void)state;

    watches(false);
    client_t *client = a_client();
    joins("den", client);
    gets_no_news();
    client_vanishes(client);
    answers_ok(is_told_of_end(client));
}

static void who_joins_and_leaves_is_told_of(void **state)
{
    client_t *client = a_client();
    (void)state;

    joins("den", client);
    uint64_t id = is_told(client, "den", "");
    gets_no_news();
    answers_ok(id);
    gets_no_news();
    joins("den", client); /* again */
    gets_no_news();
    leaves("den", client);
    answers(is_told(client, "", "den"), 500, "whatever the handler says");
    gets_no_news();
    hears_nothing(client);
}

static void what_happens_meanwhile_is_told_at_once(void **state)
{
    client_t *client = a_client();
    (void)state;

    joins("den", client);
    uint64_t id = is_told(client, "den", "");
    joins("attic", client);
    joins("hall", client);
    leaves("den", client);
    leaves("hall", client);
    gets_no_news();
    answers_ok(id);
    answers_ok(is_told(client, "attic", "den"));
    gets_no_news();
}

static void what_is_over_before_it_is_told_is_not_told(void **state)
{
    client_t *client = a_client();
    (void)state;

    put_join(KIND_JOIN, "den", client);
    put_join(KIND_LEAVE, "den", client);
    broker_speaks();
    gets_no_news();
}

static void who_is_at_the_gate_is_told_of_when_it_is_in(void **state)
{
    client_t *client = a_newcomer(UPGRADE);
    (void)state;

    uint64_t id = gets_connect();
    joins("den", client);
    gets_no_news();
    answers_ok(id);
    answers_ok(is_told(client, "den", ""));
    client = a_newcomer(UPGRADE);
    id = gets_connect();
    joins("den", client);
    answers(id, 403, NULL);
    gets_no_news();
}

static void the_last_word_comes_before_the_end(void **state)
{
    client_t *client = a_known_client();
    (void)state;

    joins("attic", client);
    answers_ok(is_told(client, "attic", ""));
    client_vanishes(client);
    uint64_t id = is_told(client, "", "den attic");
    gets_no_news();
    answers_ok(id);
    answers_ok(is_told_of_end(client));
    gets_no_news();
}

static void whom_we_close_has_left_before_its_socket_is_gone(void **state)
{
    client_t *client = a_known_client();
    (void)state;

    closes(client->id, 4000, "enough", 1);
    answers_ok(is_told(client, "", "den"));
    answers_ok(is_told_of_end(client));
}

static void the_last_word_waits_for_the_one_before(void **state)
{
    client_t *client = a_client();
    (void)state;

    joins("den", client);
    uint64_t id = is_told(client, "den", "");
    client_vanishes(client);
    gets_no_news();
    answers_ok(id);
    answers_ok(is_told(client, "", "den"));
    answers_ok(is_told_of_end(client));
}

static void who_is_in_none_ends_without_a_word(void **state)
{
    client_t *client = a_known_client();
    (void)state;

    leaves("den", client);
    answers_ok(is_told(client, "", "den"));
    client_vanishes(client);
    answers_ok(is_told_of_end(client));
}

static void who_begins_to_watch_is_told_of_all_in_portions(void **state)
{
    message_t message;
    int first = 0, rest = 0;
    (void)state;

    watches(false);
    for (int i = 0; i < 300; i++) {
        joins("den", a_client());
        gets_no_news();
    }
    watches(true);
    while (takes(&message)) {
        first += message.kind == KIND_REQUEST;
    }
    assert_int_equal(first, 256);
    time_passes(50);
    while (takes(&message)) {
        rest += message.kind == KIND_REQUEST;
    }
    assert_int_equal(first + rest, 300);
}

static void what_was_told_is_void_when_nobody_watches_any_more(void **state)
{
    client_t *client = a_known_client(), *other = a_known_client();
    (void)state;

    watches(false);
    leaves("den", other);
    joins("attic", client);
    gets_no_news();
    watches(true);
    answers_ok(is_told(client, "den attic", ""));
    gets_no_news();
    client_vanishes(other);
    answers_ok(is_told_of_end(other));
}

/* It waits at the broker, and somebody may come who is told of it after all. */
static void the_end_waits_for_what_is_on_its_way(void **state)
{
    client_t *client = a_client();
    (void)state;

    joins("den", client);
    uint64_t id = is_told(client, "den", "");
    watches(false);
    client_vanishes(client);
    gets_no_news();
    watches(true);
    answers_ok(id);
    answers_ok(is_told(client, "", "den"));
    answers_ok(is_told_of_end(client));
}

static void
what_was_on_its_way_in_vain_is_over_with_its_connection(void **state)
{
    client_t *client = a_client();
    (void)state;

    joins("den", client);
    uint64_t id = is_told(client, "den", "");
    watches(false);
    client_vanishes(client);
    answers(id, 503, NULL);
    answers_ok(is_told_of_end(client));
}

static void what_nobody_heard_is_said_again_as_it_was(void **state)
{
    client_t *client = a_known_client();
    (void)state;

    joins("attic", client);
    uint64_t id = is_told(client, "attic", "");
    leaves("den", client);
    answers(id, 503, NULL);
    id = is_told(client, "attic", "");
    answers_ok(id);
    answers_ok(is_told(client, "", "den"));
}

static void what_was_lost_with_a_link_is_said_again_as_it_was(void **state)
{
    client_t *client = a_known_client();
    (void)state;

    gateway.is_watching = true;
    joins("attic", client);
    uint64_t id = is_told(client, "attic", "");
    leaves("den", client);
    broker_says_bare(KIND_WHO);
    message_hello_t hello = gets_news(KIND_HELLO).hello;
    assert_true(wire_map_bool(hello.options, "presence", false));
    broker_welcomes();
    message_sync_t sync = gets_news(KIND_SYNC).sync;
    assert_false(sync.more);
    uint64_t again = is_told(client, "attic", "");
    assert_int_not_equal(again, id);
    answers_ok(again);
    answers_ok(is_told(client, "", "den"));
}

/* The groups behind the one line of a SYNC. */
static wire_bytes_t groups_in(const message_sync_t *sync)
{
    wire_cursor_t in = wire_cursor(sync->connections);
    wire_bytes_t word, groups = {NULL, 0};
    uint32_t count;

    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(wire_get_str(&in, &word), 0);
    assert_int_equal(wire_get_raw_map(&in, &word), 0);
    if (count > 2) {
        assert_int_equal(wire_get_raw_array(&in, &groups), 0);
    }
    return groups;
}

static void another_broker_is_told_what_handlers_may_know(void **state)
{
    client_t *client = a_known_client();
    (void)state;

    gateway.is_watching = true;
    put_join(KIND_JOIN, "attic", client);
    put_join(KIND_LEAVE, "den", client);
    broker_speaks();
    is_told(client, "attic", "den"); /* and perhaps not heard */
    another_broker_welcomes();
    message_sync_t sync = gets_news(KIND_SYNC).sync;
    wire_cursor_t in = wire_cursor(groups_in(&sync));
    wire_bytes_t name;
    uint32_t count;
    assert_int_equal(wire_get_array(&in, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(wire_get_str(&in, &name), 0);
    assert_true(wire_is(name, "attic"));
    assert_int_equal(wire_get_str(&in, &name), 0);
    assert_true(wire_is(name, "den"));
    answers_ok(is_told(client, "attic", "den"));
}

static void who_was_in_no_group_has_a_line_as_ever(void **state)
{
    (void)state;

    a_client();
    another_broker_welcomes();
    message_sync_t sync = gets_news(KIND_SYNC).sync;
    assert_int_equal(groups_in(&sync).len, 0);
}

static void a_broker_that_drains_hears_last_words_alone(void **state)
{
    client_t *client = a_known_client();
    (void)state;

    broker_says_bare(KIND_DRAIN);
    gets_news(KIND_DRAIN);
    joins("attic", client);
    gets_no_news();
    client_vanishes(client);
    answers_ok(is_told(client, "", "den"));
    answers_ok(is_told_of_end(client));
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_told_while_nobody_watches),
        TEST(who_joins_and_leaves_is_told_of),
        TEST(what_happens_meanwhile_is_told_at_once),
        TEST(what_is_over_before_it_is_told_is_not_told),
        TEST(who_is_at_the_gate_is_told_of_when_it_is_in),
        TEST(the_last_word_comes_before_the_end),
        TEST(whom_we_close_has_left_before_its_socket_is_gone),
        TEST(the_last_word_waits_for_the_one_before),
        TEST(who_is_in_none_ends_without_a_word),
        TEST(who_begins_to_watch_is_told_of_all_in_portions),
        TEST(what_was_told_is_void_when_nobody_watches_any_more),
        TEST(the_end_waits_for_what_is_on_its_way),
        TEST(what_was_on_its_way_in_vain_is_over_with_its_connection),
        TEST(what_nobody_heard_is_said_again_as_it_was),
        TEST(what_was_lost_with_a_link_is_said_again_as_it_was),
        TEST(another_broker_is_told_what_handlers_may_know),
        TEST(who_was_in_no_group_has_a_line_as_ever),
        TEST(a_broker_that_drains_hears_last_words_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
