/* SPDX-License-Identifier: MIT
 *
 * Pushes by name: which gateways get them, what is counted, and who joins.
 */
#include "base/xalloc.h"
#include "tests/unit/core_fixture.h"

#define NONE UINT64_MAX /* no `ack` */

/* --- words --------------------------------------------------------------- */

static void put_words(buf_t *out, const char *word, const char *name)
{
    must(wire_put_array(out, name != NULL ? 2 : 1) == 0);
    must(wire_put_text(out, word) == 0);
    if (name != NULL) {
        must(wire_put_text(out, name) == 0);
    }
}

static void push_with(node_t *worker, const char *word, const char *name,
                      const char *text, const buf_t *options)
{
    message_t message = {.kind = KIND_PUSH};
    buf_t target;

    buf_init(&target, 65536);
    put_words(&target, word, name);
    message.push = (message_push_t){
        .target = {target.data, target.len},
        .body = {BODY_TEXT, wire_bytes(text)},
        .options = {options->data, options->len},
    };
    says(worker, &message);
    buf_fini(&target);
}

static void pushes_to(node_t *worker, const char *word, const char *name,
                      const char *text)
{
    push_with(worker, word, name, text, &(buf_t){.data = NULL});
}

/* … and wants PUSHED with the id `ack`. */
static void asks(node_t *worker, const char *word, const char *name,
                 uint64_t ack)
{
    buf_t options;

    buf_init(&options, 256);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "ack") == 0);
    must(wire_put_uint(&options, ack) == 0);
    push_with(worker, word, name, "asked", &options);
    buf_fini(&options);
}

/* The gateway's next message is a PUSH of that text; returns its `ack`. */
static uint64_t gets_push(node_t *gateway, const char *text)
{
    message_t push = gets(gateway, KIND_PUSH);

    assert_true(is_text(push.push.body.bytes, text));
    return wire_map_uint(push.push.options, "ack", NONE);
}

static void tells(node_t *gateway, interest_change_t change, const char *word,
                  const char *name, bool more)
{
    message_t message = {.kind = KIND_INTEREST};
    buf_t names;

    buf_init(&names, 65536);
    must(wire_put_array(&names, word != NULL ? 1 : 0) == 0);
    if (word != NULL) {
        put_words(&names, word, name);
    }
    message.interest = (message_interest_t){
        .change = change, .names = {names.data, names.len}, .more = more};
    says(gateway, &message);
    buf_fini(&names);
}

/* One that has said that it has no names. */
static node_t *a_gateway_of_nobody(uint32_t loop)
{
    node_t *gateway = a_gateway(loop);

    tells(gateway, INTEREST_LIST, NULL, NULL, false);
    return gateway;
}

static void counts(node_t *gateway, uint64_t ack, uint64_t delivered,
                   uint64_t gone, uint64_t refused)
{
    message_t message = {.kind = KIND_PUSHED};

    message.pushed = (message_pushed_t){ack, delivered, gone, refused};
    says(gateway, &message);
}

static void gets_pushed(node_t *worker, uint64_t id, uint64_t delivered,
                        uint64_t gone, uint64_t refused)
{
    message_pushed_t pushed = gets(worker, KIND_PUSHED).pushed;

    assert_int_equal(pushed.id, id);
    assert_int_equal(pushed.delivered, delivered);
    assert_int_equal(pushed.gone, gone);
    assert_int_equal(pushed.refused, refused);
}

static void joins(node_t *worker, message_kind_t kind, const char *group,
                  const char *conn)
{
    message_t message = {.kind = kind};

    message.join = (message_join_t){wire_bytes(group), wire_bytes(conn), 0};
    says(worker, &message);
}

/* --- who gets a push ----------------------------------------------------- */

static void a_push_to_a_name_goes_once_to_each_gateway_that_has_it(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *one = a_gateway_of_nobody(1), *two = a_gateway_of_nobody(2);
    node_t *other = a_gateway_of_nobody(3);
    (void)state;

    tells(one, INTEREST_CAME, "user", "ada", false);
    tells(one, INTEREST_CAME, "user", "ada", false);
    tells(two, INTEREST_CAME, "user", "ada", false);
    tells(other, INTEREST_CAME, "group", "ada", false);
    pushes_to(worker, "user", "ada", "hello");
    gets_push(one, "hello");
    gets_push(two, "hello");
    gets_nothing(one);
    gets_nothing(two);
    gets_nothing(other);
    gets_nothing(worker);
    gives_credit(one, 1);
    gets_nothing(worker);
    gives_credit(two, 1);
    assert_int_equal(gets_credit(worker).messages, 1);
}

static void the_target_stays_as_it_came(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_of_nobody(1);
    wire_bytes_t word;
    uint32_t count;
    (void)state;

    tells(gateway, INTEREST_CAME, "tenant", "acme", false);
    pushes_to(worker, "tenant", "acme", "hello");
    message_t push = gets(gateway, KIND_PUSH);
    wire_cursor_t target = wire_cursor(push.push.target);
    assert_int_equal(wire_get_array(&target, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(wire_get_str(&target, &word), 0);
    assert_true(is_text(word, "tenant"));
    assert_int_equal(wire_get_str(&target, &word), 0);
    assert_true(is_text(word, "acme"));
    assert_int_not_equal(wire_map_uint(push.push.options, "from", 0), 0);
}

static void what_nobody_has_is_credited_at_once(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_of_nobody(1);
    (void)state;

    tells(gateway, INTEREST_CAME, "group", "g", false);
    tells(gateway, INTEREST_LEFT, "group", "g", false);
    asks(worker, "group", "g", 7);
    gets_nothing(gateway);
    gets_pushed(worker, 7, 0, 0, 0);
    assert_int_equal(gets_credit(worker).messages, 1);
}

static void a_push_to_all_goes_to_every_gateway(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *one = a_gateway_of_nobody(1), *two = a_gateway(2);
    (void)state;

    pushes_to(worker, "all", NULL, "hear");
    gets_push(one, "hear");
    gets_push(two, "hear");
}

static void until_its_list_is_whole_a_gateway_may_have_any_name(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    (void)state;

    pushes_to(worker, "group", "g", "first");
    gets_push(gateway, "first");
    tells(gateway, INTEREST_LIST, "user", "ada", true);
    pushes_to(worker, "group", "g", "second");
    gets_push(gateway, "second");
    tells(gateway, INTEREST_LIST, "user", "bob", false);
    pushes_to(worker, "group", "g", "third");
    gets_nothing(gateway);
    pushes_to(worker, "user", "ada", "fourth");
    gets_push(gateway, "fourth");
    pushes_to(worker, "user", "bob", "fifth");
    gets_push(gateway, "fifth");
}

static void a_second_list_takes_the_first_back(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    (void)state;

    tells(gateway, INTEREST_LIST, "user", "ada", false);
    tells(gateway, INTEREST_LIST, "user", "bob", false);
    pushes_to(worker, "user", "ada", "old");
    gets_nothing(gateway);
    pushes_to(worker, "user", "bob", "new");
    gets_push(gateway, "new");
}

static void a_list_of_another_session_is_ignored(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    message_t stale = {.kind = KIND_INTEREST};
    (void)state;

    stale.interest.session = gateway->session + 1000;
    says(gateway, &stale);
    pushes_to(worker, "user", "ada", "x");
    gets_push(gateway, "x");
}

static void what_is_no_name_is_a_fault_and_shifts_no_other(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_of_nobody(1);
    message_t message = {.kind = KIND_INTEREST};
    buf_t names;
    (void)state;

    buf_init(&names, 4096);
    must(wire_put_array(&names, 4) == 0);
    must(wire_put_uint(&names, 5) == 0);
    put_words(&names, "user", "");
    put_words(&names, "colour", "red");
    put_words(&names, "user", "ada");
    message.interest = (message_interest_t){.change = INTEREST_CAME,
                                            .names = {names.data, names.len}};
    says(gateway, &message);
    buf_fini(&names);
    gets_error(gateway, "malformed");
    message.interest = (message_interest_t){.change = 3};
    says(gateway, &message);
    gets_error(gateway, "malformed");
    pushes_to(worker, "user", "ada", "x");
    gets_push(gateway, "x");
}

static void a_lost_gateway_has_no_names(void **state)
{
    node_t *worker = a_worker("w", "echo $disconnect", 8);
    node_t *gateway = a_gateway_of_nobody(1);
    (void)state;

    tells(gateway, INTEREST_CAME, "user", "ada", false);
    dies(gateway);
    asks(worker, "user", "ada", 1);
    gets_pushed(worker, 1, 0, 0, 0);
}

/* --- what is counted ----------------------------------------------------- */

static void pushed_sums_what_the_gateways_count(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *one = a_gateway(1), *two = a_gateway(2);
    (void)state;

    asks(worker, "all", NULL, 1u << 20);
    uint64_t first = gets_push(one, "asked");
    uint64_t second = gets_push(two, "asked");
    counts(one, first, 10, 2, 1);
    counts(one, first, 10, 2, 1); /* said twice, it counts once */
    gives_credit(one, 1);
    gets_nothing(worker);
    counts(two, second, 5, 0, 3);
    gives_credit(two, 1);
    gets_pushed(worker, 1u << 20, 15, 2, 4);
    assert_int_equal(gets_credit(worker).messages, 1);
    gets_nothing(worker);
}

static void its_number_to_a_gateway_is_one_that_a_double_holds(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *one = a_gateway(1), *two = a_gateway(2);
    (void)state;

    asks(worker, "all", NULL, 7);
    uint64_t first = gets_push(one, "asked");
    uint64_t second = gets_push(two, "asked");
    assert_true(first < UINT64_C(1) << 53);
    assert_true(second < UINT64_C(1) << 53);
    assert_int_not_equal(first, second);
}

static void a_push_that_did_not_ask_is_not_answered(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    (void)state;

    pushes_to(worker, "all", NULL, "x");
    assert_int_equal(gets_push(gateway, "x"), NONE);
    counts(gateway, 0, 1, 0, 0);
    gives_credit(gateway, 1);
    (void)gets_credit(worker);
    gets_nothing(worker);
}

static void ids_that_are_gone_here_are_counted(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    asks(worker, "connection", "bob", 0);
    (void)gets(worker, KIND_GONE);
    gets_pushed(worker, 0, 0, 1, 0);
}

static void what_a_lost_gateway_had_is_gone(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *one = a_gateway(1), *two = a_gateway(2);
    client_t *client = a_client(one);
    (void)state;

    asks(worker, "all", NULL, 1);
    asks(worker, "connection", client->id, 2);
    counts(one, gets_push(one, "asked"), 4, 0, 0);
    counts(two, gets_push(two, "asked"), 3, 0, 0);
    gives_credit(two, 1);
    dies(one);
    gets_pushed(worker, 1, 7, 0, 0); /* it had counted */
    gets_pushed(worker, 2, 0, 1, 0);
    asks(worker, "all", NULL, 3);
    dies(two);
    (void)gets_credit(worker);
    gets_pushed(worker, 3, 0, 1, 0);
}

static void except_and_ttl_are_passed_on(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    wire_cursor_t except;
    uint32_t count = 0;
    buf_t options;
    (void)state;

    buf_init(&options, 256);
    must(wire_put_map(&options, 2) == 0);
    must(wire_put_text(&options, "ttl") == 0);
    must(wire_put_uint(&options, 250) == 0);
    must(wire_put_text(&options, "except") == 0);
    put_words(&options, "one", "two");
    push_with(worker, "all", NULL, "x", &options);
    buf_fini(&options);
    message_t push = gets(gateway, KIND_PUSH);
    assert_int_equal(wire_map_uint(push.push.options, "ttl", 0), 250);
    assert_true(wire_map_find(push.push.options, "except", &except));
    assert_int_equal(wire_get_array(&except, &count), 0);
    assert_int_equal(count, 2);
}

static void a_hundred_ids_are_left_out_and_no_more(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    (void)state;

    for (uint32_t count = EXCEPT_MAX; count <= EXCEPT_MAX + 1; count++) {
        buf_t options;
        buf_init(&options, 65536);
        must(wire_put_map(&options, 1) == 0);
        must(wire_put_text(&options, "except") == 0);
        must(wire_put_array(&options, count) == 0);
        for (uint32_t i = 0; i < count; i++) {
            must(wire_put_text(&options, "an id") == 0);
        }
        push_with(worker, "all", NULL, "x", &options);
        buf_fini(&options);
    }
    gets_push(gateway, "x");
    gets_nothing(gateway);
    gets_error(worker, "push");
}

/* The gateway had it from before it was given up, and says so only now. */
static void what_is_counted_of_a_session_before_is_nothing(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    (void)state;

    asks(worker, "all", NULL, 77);
    uint64_t before = gets_push(gateway, "asked");
    dies(gateway);
    gets_pushed(worker, 77, 0, 1, 0);
    (void)gets_credit(worker);
    gateway = a_gateway(1);
    asks(worker, "all", NULL, 78);
    uint64_t ack = gets_push(gateway, "asked");
    assert_int_not_equal(ack, before);
    counts(gateway, before, 1, 0, 0);
    counts(gateway, ack, 2, 0, 0);
    gives_credit(gateway, 1);
    gets_pushed(worker, 78, 2, 0, 0);
}

/* However long the ids are, nothing of it is lost in silence. */
static void what_is_left_out_has_the_length_of_an_id(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    char longest[CONN_NAMED_MAX + 2];
    (void)state;

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    for (size_t from = 0; from < 2; from++) {
        buf_t options;
        buf_init(&options, OPTIONS_MAX);
        must(wire_put_map(&options, 1) == 0);
        must(wire_put_text(&options, "except") == 0);
        must(wire_put_array(&options, EXCEPT_MAX) == 0);
        for (uint32_t i = 0; i < EXCEPT_MAX; i++) {
            must(wire_put_text(&options, longest + from) == 0);
        }
        push_with(worker, "all", NULL, "x", &options);
        buf_fini(&options);
    }
    gets_error(worker, "push");
    gets_push(gateway, "x");
    gets_nothing(gateway);
}

static void a_target_that_breaks_the_rules_is_refused(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    char longest[USER_MAX + 2];
    (void)state;

    memset(longest, 'u', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    pushes_to(worker, "user", longest, "x");
    gets_error(worker, "push");
    pushes_to(worker, "user", longest + 1, "x");
    gets_push(gateway, "x");
    pushes_to(worker, "group", longest + USER_MAX - GROUP_MAX, "x");
    gets_error(worker, "push");
    pushes_to(worker, "user", "", "x");
    gets_error(worker, "push");
    pushes_to(worker, "user", NULL, "x");
    gets_error(worker, "push");
    pushes_to(worker, "all", "of them", "x");
    gets_error(worker, "push");
    pushes_to(worker, "colour", "red", "x");
    gets_error(worker, "push");
    gets_nothing(gateway);
}

/* --- joins --------------------------------------------------------------- */

static void a_join_goes_to_the_gateway_of_the_connection(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1), *other = a_gateway(2);
    client_t *client = a_client(gateway);
    (void)state;

    joins(worker, KIND_JOIN, "g", client->id);
    joins(worker, KIND_LEAVE, "g", client->id);
    message_join_t join = gets(gateway, KIND_JOIN).join;
    assert_true(is_text(join.group, "g"));
    assert_true(is_text(join.conn, client->id));
    assert_int_not_equal(join.from, 0);
    assert_true(is_text(gets(gateway, KIND_LEAVE).join.group, "g"));
    gets_nothing(other);
    gives_credit(gateway, 2);
    assert_int_equal(gets_credit(worker).messages, 2);
}

static void a_join_of_nobody_is_answered_with_gone(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    joins(worker, KIND_JOIN, "g", "bob");
    assert_true(is_text(gets(worker, KIND_GONE).gone.conn, "bob"));
    assert_int_equal(gets_credit(worker).messages, 1);
}

/* The gateway's INTEREST comes later than the worker's next push. */
static void a_push_behind_a_join_finds_the_gateway(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_of_nobody(1);
    client_t *client = a_client(gateway);
    (void)state;

    joins(worker, KIND_JOIN, "g", client->id);
    pushes_to(worker, "group", "g", "welcome");
    (void)gets(gateway, KIND_JOIN);
    gets_push(gateway, "welcome");
    tells(gateway, INTEREST_LEFT, "group", "g", false); /* of one before */
    pushes_to(worker, "group", "g", "still");
    gets_push(gateway, "still");
    tells(gateway, INTEREST_CAME, "group", "g", false);
    gives_credit(gateway, 3);
    pushes_to(worker, "group", "g", "now told");
    gets_push(gateway, "now told");
}

static void a_join_that_failed_leaves_no_interest(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_of_nobody(1);
    client_t *client = a_client(gateway);
    (void)state;

    joins(worker, KIND_JOIN, "g", client->id);
    (void)gets(gateway, KIND_JOIN);
    gives_credit(gateway, 1);
    pushes_to(worker, "group", "g", "x");
    gets_nothing(gateway);
}

static void a_join_survives_the_list_that_was_made_before_it(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    joins(worker, KIND_JOIN, "g", client->id);
    tells(gateway, INTEREST_LIST, NULL, NULL, false);
    pushes_to(worker, "group", "g", "x");
    (void)gets(gateway, KIND_JOIN);
    gets_push(gateway, "x");
}

static void joins_are_in_the_push_window(void **state)
{
    broker.options.push_window = 2;
    broker_restarts();
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    (void)state;

    joins(worker, KIND_JOIN, "g", client->id);
    joins(worker, KIND_LEAVE, "g", client->id);
    joins(worker, KIND_JOIN, "g", client->id);
    gets_error(worker, "push-window");
    gives_credit(gateway, 2);
    (void)gets_credit(worker);
    joins(worker, KIND_JOIN, "g", client->id);
    gets_nothing(worker);
}

static void a_join_beyond_the_limit_is_told_to_its_worker(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_client(gateway);
    message_t error = {.kind = KIND_ERROR};
    (void)state;

    joins(worker, KIND_JOIN, "g", client->id);
    error.error = (message_error_t){.code = wire_bytes("groups"),
                                    .from = gets(gateway, KIND_JOIN).join.from};
    says(gateway, &error);
    gets_error(worker, "groups");
    error.error.code = wire_bytes("other");
    says(gateway, &error);
    gets_error(gateway, "unexpected");
    gets_nothing(worker);
}

static void a_gateway_dies_with_joins_on_their_way(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    node_t *gateway = a_gateway_of_nobody(1);
    client_t *client = a_client(gateway);
    (void)state;

    joins(worker, KIND_JOIN, "g", client->id);
    dies(gateway);
    asks(worker, "group", "g", 9);
    gets_pushed(worker, 9, 0, 0, 0);
    assert_int_equal(gets_credit(worker).messages, 2);
}

static void a_connect_whose_groups_break_the_rules_is_refused(void **state)
{
    node_t *worker = a_worker("w", "$connect $disconnect", 8);
    node_t *gateway = a_gateway(1);
    client_t *client = a_newcomer(gateway);
    message_t message = {.kind = KIND_REPLY};
    buf_t options;
    (void)state;

    uint64_t id = client_knocks(client);
    buf_init(&options, 65536);
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "groups") == 0);
    must(wire_put_array(&options, GROUPS_MAX + 1) == 0);
    for (int i = 0; i <= GROUPS_MAX; i++) {
        must(wire_put_text(&options, "g") == 0);
    }
    message.reply = (message_reply_t){.id = takes_event(worker, EVENT_CONNECT),
                                      .status = 200,
                                      .options = {options.data, options.len}};
    says(worker, &message);
    buf_fini(&options);
    gets_reply(gateway, id, 502);
    (void)takes_event(worker, EVENT_DISCONNECT);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, broker_set_up, broker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_push_to_a_name_goes_once_to_each_gateway_that_has_it),
        TEST(the_target_stays_as_it_came),
        TEST(what_nobody_has_is_credited_at_once),
        TEST(a_push_to_all_goes_to_every_gateway),
        TEST(until_its_list_is_whole_a_gateway_may_have_any_name),
        TEST(a_second_list_takes_the_first_back),
        TEST(a_list_of_another_session_is_ignored),
        TEST(what_is_no_name_is_a_fault_and_shifts_no_other),
        TEST(a_lost_gateway_has_no_names),
        TEST(pushed_sums_what_the_gateways_count),
        TEST(its_number_to_a_gateway_is_one_that_a_double_holds),
        TEST(a_push_that_did_not_ask_is_not_answered),
        TEST(ids_that_are_gone_here_are_counted),
        TEST(what_a_lost_gateway_had_is_gone),
        TEST(what_is_counted_of_a_session_before_is_nothing),
        TEST(except_and_ttl_are_passed_on),
        TEST(a_hundred_ids_are_left_out_and_no_more),
        TEST(what_is_left_out_has_the_length_of_an_id),
        TEST(a_target_that_breaks_the_rules_is_refused),
        TEST(a_join_goes_to_the_gateway_of_the_connection),
        TEST(a_join_of_nobody_is_answered_with_gone),
        TEST(a_push_behind_a_join_finds_the_gateway),
        TEST(a_join_that_failed_leaves_no_interest),
        TEST(a_join_survives_the_list_that_was_made_before_it),
        TEST(joins_are_in_the_push_window),
        TEST(a_join_beyond_the_limit_is_told_to_its_worker),
        TEST(a_gateway_dies_with_joins_on_their_way),
        TEST(a_connect_whose_groups_break_the_rules_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
