/* SPDX-License-Identifier: MIT
 *
 * Pushes to names, groups, and what becomes of a push: what is said, who is
 * told, once, and what is refused.
 */
#include "base/xalloc.h"
#include "tests/unit/worker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static hoist_push_options options; /* of the push that is made next */
static int told_result;            /* of the one who is told */

static hoist_text push_body(void)
{
    return hoist_str("body");
}

/* What a PUSH is for, as text: "user ada". */
static const char *target_of(const message_push_t *push)
{
    static char text[256];
    wire_cursor_t at = wire_cursor(push->target);
    wire_bytes_t word;
    uint32_t count;
    size_t len = 0;

    must(wire_get_array(&at, &count) == 0);
    for (; count > 0; count--) {
        must(wire_get_str(&at, &word) == 0);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s",
                                len > 0 ? " " : "", (int)word.len,
                                (const char *)word.data);
    }
    return text;
}

static const message_push_t *says_push(const char *target)
{
    const message_push_t *push = &says(KIND_PUSH)->push;

    assert_string_equal(target_of(push), target);
    assert_int_equal(push->body.type, BODY_TEXT);
    assert_true(wire_is(push->body.bytes, "body"));
    return push;
}

static uint64_t ack_of(const message_push_t *push)
{
    return wire_map_uint(push->options, "ack", 0);
}

static void pushed_comes(uint64_t id, uint64_t delivered, uint64_t gone,
                         uint64_t refused)
{
    message_pushed_t pushed = {id, delivered, gone, refused};

    must(message_put_pushed(&worker.in, &pushed) == 0);
    feed(worker.now_ms);
}

static void credit_comes(uint64_t messages)
{
    message_credit_t credit = {messages, 1000};

    must(message_put_credit(&worker.in, &credit) == 0);
    feed(worker.now_ms);
}

/* --- whom it is for ------------------------------------------------------ */

static int push_to_all_kinds(hoist_ctx *ctx)
{
    const hoist_text ids[] = {hoist_str(CONN_A), hoist_str(CONN_B)};
    const hoist_target targets[] = {
        hoist_to_user(hoist_str("ada")),
        hoist_to_tenant(hoist_str("acme")),
        hoist_to_group(hoist_str("lobby")),
        hoist_to_all(),
        hoist_to_connection(hoist_str(CONN_B)),
        hoist_to_connections(ids, 2),
    };

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        int rc = hoist_push_to(ctx, targets[i], HOIST_TEXT, push_body(), NULL);
        assert_int_equal(rc, 0);
    }
    return 0;
}

static void a_push_is_for_a_name_for_all_or_for_connections(void **state)
{
    (void)state;
    message_runs(push_to_all_kinds);
    assert_int_equal(says_push("user ada")->options.len, 0);
    (void)says_push("tenant acme");
    (void)says_push("group lobby");
    (void)says_push("all");
    (void)says_push("connection " CONN_B);
    (void)says_push("connection " CONN_A " " CONN_B);
    says_reply(1, 200);
    says_no_more();
}

static int push_with_options(hoist_ctx *ctx)
{
    return hoist_push_to(ctx, hoist_to_group(hoist_str("lobby")), HOIST_TEXT,
                         push_body(), &options);
}

static void it_may_leave_some_out_and_be_for_a_while(void **state)
{
    const hoist_text except[] = {hoist_str(CONN_A), hoist_str(CONN_B)};
    wire_cursor_t value;
    wire_bytes_t id;
    uint32_t count;
    (void)state;

    serves("push", push_with_options);
    options = (hoist_push_options){
        .except = except, .except_count = 2, .ttl_ms = 1500};
    message_comes(CONN_A, "push", 1);
    const message_push_t *push = says_push("group lobby");
    assert_int_equal(wire_map_uint(push->options, "ttl", 0), 1500);
    assert_false(wire_map_find(push->options, "ack", &value));
    assert_true(wire_map_find(push->options, "except", &value));
    must(wire_get_array(&value, &count) == 0 && count == 2);
    must(wire_get_str(&value, &id) == 0);
    assert_true(wire_is(id, CONN_A));
    must(wire_get_str(&value, &id) == 0);
    assert_true(wire_is(id, CONN_B));
}

static int refused(hoist_ctx *ctx, hoist_target target)
{
    return hoist_push_to(ctx, target, HOIST_TEXT, push_body(), &options);
}

static int push_wrongly(hoist_ctx *ctx)
{
    static char longest[257];
    static const hoist_text ids[101];
    const hoist_text id = hoist_str(CONN_B), bad_id = hoist_str("bbbbbbbb"
                                                                "bbbbbbb\xff");

    memset(longest, 'n', sizeof longest);
    assert_int_equal(refused(ctx, hoist_to_user(hoist_str(""))), -EINVAL);
    assert_int_equal(refused(ctx, hoist_to_user(hoist_bytes(longest, 257))),
                     -EMSGSIZE);
    assert_int_equal(refused(ctx, hoist_to_tenant(hoist_bytes(longest, 257))),
                     -EMSGSIZE);
    assert_int_equal(refused(ctx, hoist_to_group(hoist_bytes(longest, 129))),
                     -EMSGSIZE);
    assert_int_equal(refused(ctx, hoist_to_group(hoist_str("\xff"))), -EILSEQ);
    assert_int_equal(refused(ctx, hoist_to_connections(&id, 0)), -EINVAL);
    assert_int_equal(refused(ctx, hoist_to_connections(&id, 65537)), -EINVAL);
    assert_int_equal(refused(ctx, hoist_to_connection(hoist_str("b"))),
                     -EINVAL);
    assert_int_equal(refused(ctx, hoist_to_connection(bad_id)), -EILSEQ);
    assert_int_equal(refused(ctx, (hoist_target){0}), -EINVAL);
    options = (hoist_push_options){.ttl_ms = 2147483648u};
    assert_int_equal(refused(ctx, hoist_to_all()), -EINVAL);
    options = (hoist_push_options){.except = ids, .except_count = 101};
    assert_int_equal(refused(ctx, hoist_to_all()), -EINVAL);
    options = (hoist_push_options){.except = &bad_id, .except_count = 1};
    assert_int_equal(refused(ctx, hoist_to_all()), -EILSEQ);
    options = (hoist_push_options){
        .except = &id, .except_count = 1}; /* leave it out of the list */
    assert_int_equal(refused(ctx, hoist_to_connection(id)), -EINVAL);
    assert_int_equal(
        hoist_push_to(ctx, hoist_to_all(), HOIST_NONE, push_body(), NULL),
        -EINVAL);
    assert_int_equal(
        hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, hoist_str("\xff"), NULL),
        -EILSEQ);
    options = (hoist_push_options){0};
    assert_int_equal(
        hoist_push_then(ctx, hoist_to_all(), HOIST_TEXT, push_body(), &options),
        -EINVAL);
    assert_int_equal(
        hoist_push_then(ctx, hoist_to_all(), HOIST_TEXT, push_body(), NULL),
        -EINVAL);
    return 0;
}

static void a_wrong_push_is_refused_and_nothing_is_said(void **state)
{
    (void)state;
    message_runs(push_wrongly);
    says_reply(1, 200);
    says_no_more();
}

/* --- groups -------------------------------------------------------------- */

static int join_push_and_leave(hoist_ctx *ctx)
{
    hoist_text lobby = hoist_str("lobby"), self = hoist_connection(ctx);

    assert_int_equal(hoist_join(ctx, lobby, self), 0);
    assert_int_equal(hoist_push_to(ctx, hoist_to_group(lobby), HOIST_TEXT,
                                   push_body(), NULL),
                     0);
    assert_int_equal(hoist_leave(ctx, lobby, self), 0);
    return hoist_reply_status(ctx, 204);
}

static void says_join(message_kind_t kind)
{
    const message_join_t *join = &says(kind)->join;

    assert_true(wire_is(join->group, "lobby"));
    assert_true(wire_is(join->conn, CONN_A));
}

static void joins_pushes_and_leaves_keep_their_order(void **state)
{
    (void)state;
    message_runs(join_push_and_leave);
    says_join(KIND_JOIN);
    (void)says_push("group lobby");
    says_join(KIND_LEAVE);
    says_reply(1, 204);
}

static void they_count_in_the_window_and_wait_for_credit(void **state)
{
    (void)state;
    serves("join", join_push_and_leave);
    worker.push_window = 1;
    worker_ends();
    come_up(1);
    message_comes(CONN_A, "join", 1);
    says_join(KIND_JOIN);
    says_no_more();
    credit_comes(1);
    (void)says_push("group lobby");
    says_no_more();
    credit_comes(1);
    says_join(KIND_LEAVE);
    says_reply(1, 204);
}

static int join_wrongly(hoist_ctx *ctx)
{
    static char longest[129];
    hoist_text lobby = hoist_str("lobby"), self = hoist_connection(ctx);

    memset(longest, 'g', sizeof longest);
    assert_int_equal(hoist_join(ctx, hoist_str(""), self), -EINVAL);
    assert_int_equal(hoist_join(ctx, hoist_bytes(longest, 129), self),
                     -EMSGSIZE);
    assert_int_equal(hoist_leave(ctx, hoist_str("\xff"), self), -EILSEQ);
    assert_int_equal(hoist_leave(ctx, self, lobby), -EINVAL);
    assert_int_equal(hoist_accept_group(ctx, lobby), -EINVAL);
    return 0;
}

static void a_wrong_group_is_refused(void **state)
{
    (void)state;
    message_runs(join_wrongly);
    says_reply(1, 200);
    says_no_more();
}

static int accept_groups(hoist_ctx *ctx)
{
    char name[8];

    assert_int_equal(hoist_accept_group(ctx, hoist_str("")), -EINVAL);
    assert_int_equal(hoist_accept_group(ctx, hoist_str("\xff")), -EILSEQ);
    for (int i = 0; i < 64; i++) {
        (void)snprintf(name, sizeof name, "g%d", i);
        assert_int_equal(hoist_accept_group(ctx, hoist_str(name)), 0);
    }
    assert_int_equal(hoist_accept_group(ctx, hoist_str("g7")), 0);
    assert_int_equal(hoist_accept_group(ctx, hoist_str("more")), -ENOSPC);
    return 0;
}

static void a_connect_is_accepted_into_64_groups_and_no_more(void **state)
{
    wire_cursor_t value;
    wire_bytes_t name;
    uint32_t count;
    (void)state;

    serves("$connect", accept_groups);
    comes(EVENT_CONNECT, CONN_A, NULL, 1);
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    assert_true(wire_map_find(reply->options, "groups", &value));
    must(wire_get_array(&value, &count) == 0);
    assert_int_equal(count, 64);
    must(wire_get_str(&value, &name) == 0);
    assert_true(wire_is(name, "g0"));
}

static int accept_one_group(hoist_ctx *ctx)
{
    return hoist_accept_group(ctx, hoist_str("lobby"));
}

static void the_groups_of_one_are_not_those_of_the_next(void **state)
{
    wire_cursor_t value;
    uint32_t count;
    (void)state;

    serves("$connect", accept_one_group);
    for (uint64_t id = 1; id <= 2; id++) {
        comes(EVENT_CONNECT, CONN_A, NULL, id);
        const message_reply_t *reply = &says(KIND_REPLY)->reply;
        must(wire_map_find(reply->options, "groups", &value) &&
             wire_get_array(&value, &count) == 0);
        assert_int_equal(count, 1);
    }
}

/* --- told, while the event goes on --------------------------------------- */

static void note_pushed(const hoist_pushed *pushed)
{
    char word[64];

    (void)snprintf(word, sizeof word, "%d:%d/%d/%d", pushed->status,
                   (int)pushed->delivered, (int)pushed->gone,
                   (int)pushed->refused);
    note(word);
}

static int told(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    assert_ptr_equal(data, &worker);
    assert_int_equal(hoist_event_of(ctx), HOIST_TASK);
    assert_null(hoist_ws(ctx));
    assert_int_equal(hoist_reply_text(ctx, "to nobody"), -EINVAL);
    note_pushed(pushed);
    return told_result;
}

static int push_told(hoist_ctx *ctx)
{
    options.told = told;
    options.data = &worker;
    return hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, push_body(),
                         &options);
}

/* An event whose push is to be told of has ended; the ack of that. */
static uint64_t is_told_later(void)
{
    message_runs(push_told);
    uint64_t ack = ack_of(says_push("all"));
    says_reply(1, 200);
    return ack;
}

static void the_event_goes_on_and_its_push_is_told_of_later(void **state)
{
    (void)state;
    serves("push", push_told);
    options = (hoist_push_options){.ttl_ms = 10};
    message_comes(CONN_A, "push", 1);
    message_comes(CONN_A, "push", 2);
    const message_push_t *push = says_push("all");
    uint64_t first = ack_of(push);
    assert_int_equal(wire_map_uint(push->options, "ttl", 0), 10);
    says_reply(1, 200);
    uint64_t second = ack_of(says_push("all"));
    says_reply(2, 200);
    pushed_comes(second, 2, 1, 0);
    assert_trace("200:2/1/0");
    pushed_comes(first, 7, 0, 3);
    assert_trace("200:7/0/3");
    pushed_comes(first, 7, 0, 3); /* once is enough */
    pushed_comes(0, 1, 1, 1);
    pushed_comes(first + 1, 1, 1, 1);
    assert_trace("");
    says_no_more();
}

static void who_is_not_told_in_a_minute_is_told_504(void **state)
{
    link_t *link = &worker.link;
    (void)state;

    uint64_t ack = is_told_later();
    time_is(10 + RECEIPT_MS - 1);
    assert_trace("");
    assert_true(link_due_ms(link) <= 10 + RECEIPT_MS);
    time_is(10 + RECEIPT_MS);
    assert_trace("504:0/0/0");
    pushed_comes(ack, 1, 0, 0);
    assert_trace("");
}

static void who_loses_the_broker_is_told_503(void **state)
{
    (void)state;
    uint64_t ack = is_told_later();
    bare_comes(KIND_BYE, 20);
    assert_trace("503:0/0/0");
    bare_comes(KIND_PONG, 3000);
    come_up(3000);
    pushed_comes(ack, 1, 0, 0); /* of the life before */
    assert_trace("");
}

static void so_is_who_ends(void **state)
{
    (void)state;
    message_runs(push_told);
    worker_ends();
    assert_trace("503:0/0/0");
}

static int push_again(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    const hoist_push_options again = {.told = told, .data = data};

    note_pushed(pushed);
    return hoist_push_to(ctx, hoist_to_user(hoist_str("ada")), HOIST_TEXT,
                         push_body(), &again);
}

static int push_twice(hoist_ctx *ctx)
{
    const hoist_push_options twice = {.told = push_again, .data = &worker};

    return hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, push_body(), &twice);
}

static void who_is_told_may_push_again(void **state)
{
    (void)state;
    message_runs(push_twice);
    uint64_t first = ack_of(says_push("all"));
    says_reply(1, 200);
    pushed_comes(first, 0, 1, 0);
    uint64_t second = ack_of(says_push("user ada"));
    pushed_comes(second, 1, 0, 0);
    assert_trace("200:0/1/0 200:1/0/0");
}

static void but_not_where_the_broker_was_lost(void **state)
{
    (void)state;
    message_runs(push_twice);
    sdk_catch();
    log_set_level(LEVEL_WARN);
    bare_comes(KIND_WHO, 5000);
    const char *said = sdk_caught();
    assert_non_null(strstr(said, "WORKER-TASK-FAILED error=\"Transport"));
    assert_trace("503:0/0/0");
    says(KIND_HELLO);
    says(KIND_READY);
    says_no_more();
}

static void a_failure_of_who_is_told_is_said_in_the_log(void **state)
{
    (void)state;
    told_result = -EPERM;
    uint64_t ack = is_told_later();
    sdk_catch();
    log_set_level(LEVEL_WARN);
    pushed_comes(ack, 1, 0, 0);
    assert_non_null(strstr(sdk_caught(), "WORKER-TASK-FAILED error=\"Operation "
                                         "not permitted\""));
    says_no_more();
}

static int push_too_often(hoist_ctx *ctx)
{
    for (size_t i = 0; i < RECEIPTS_MAX; i++) {
        assert_int_equal(push_told(ctx), 0);
    }
    assert_int_equal(push_told(ctx), -EBUSY);
    assert_int_equal(
        hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, push_body(), NULL), 0);
    return 0;
}

static void more_than_65536_pushes_are_not_told_of(void **state)
{
    (void)state;
    message_runs(push_too_often);
    assert_int_equal(worker.link.asked.receipts.count, RECEIPTS_MAX);
    worker_ends();
    assert_int_equal(worker.link.asked.receipts.count, 0);
}

/* --- told, and then the event goes on ------------------------------------ */

static int then(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    assert_ptr_equal(data, &worker);
    assert_int_equal(hoist_event_of(ctx), HOIST_MESSAGE);
    note_pushed(pushed);
    return pushed->status == 200 ? hoist_reply_text(ctx, "pushed") : -EAGAIN;
}

static int push_then(hoist_ctx *ctx)
{
    const hoist_push_options known = {.told = then, .data = &worker};
    int rc = hoist_push_then(ctx, hoist_to_user(hoist_str("ada")), HOIST_TEXT,
                             push_body(), &known);

    if (rc == 0) {
        assert_int_equal(hoist_reply_text(ctx, "too early"), -EALREADY);
        assert_int_equal(push_told(ctx), 0); /* that may be */
        assert_int_equal(hoist_push_then(ctx, hoist_to_all(), HOIST_TEXT,
                                         push_body(), &known),
                         -EALREADY);
    }
    return rc;
}

static int plain(hoist_ctx *ctx)
{
    note("plain");
    return hoist_reply_text(ctx, "plain");
}

static void the_event_waits_and_goes_on_when_it_is_known(void **state)
{
    (void)state;
    serves("push", push_then);
    serves("plain", plain);
    message_comes(CONN_A, "push", 1);
    message_comes(CONN_A, "plain", 2);
    message_comes(CONN_B, "plain", 3);
    uint64_t ack = ack_of(says_push("user ada"));
    (void)says_push("all");
    says_reply(3, 200);
    assert_trace("plain");
    says_no_more();
    pushed_comes(ack, 2, 0, 0);
    assert_trace("200:2/0/0 plain");
    says_reply(1, 200);
    says_reply(2, 200);
    assert_int_equal(worker.link.asked.count, 0);
    assert_int_equal(worker.link.asked.receipts.count, 1);
}

static void its_news_that_come_too_late_are_nobodys(void **state)
{
    (void)state;
    message_runs(push_then);
    uint64_t ack = ack_of(says_push("user ada"));
    (void)says_push("all");
    time_is(10 + ASKED_TIMEOUT_MS);
    assert_trace("504:0/0/0");
    says_reply(1, 429);
    pushed_comes(ack, 1, 0, 0);
    assert_trace("");
}

static void its_news_are_503_when_the_broker_is_lost(void **state)
{
    (void)state;
    message_runs(push_then);
    bare_comes(KIND_BYE, 20);
    assert_trace("503:0/0/0 503:0/0/0");
    says_no_more();
    assert_int_equal(worker.link.mail.boxes, 0);
}

static int then_fail(hoist_ctx *ctx)
{
    assert_int_equal(push_then(ctx), 0);
    return -ENOENT;
}

static void a_failure_behind_the_push_ends_the_event_at_once(void **state)
{
    (void)state;
    message_runs(then_fail);
    uint64_t ack = ack_of(says_push("user ada"));
    (void)says_push("all");
    says_reply(1, 404);
    pushed_comes(ack, 1, 0, 0);
    assert_trace("200:1/0/0");
    says_no_more();
}

static int then_ask(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    note_pushed(pushed);
    return push_then(ctx) < 0 ? -EIO : data != &worker;
}

static int push_then_push(hoist_ctx *ctx)
{
    const hoist_push_options known = {.told = then_ask, .data = &worker};

    return hoist_push_then(ctx, hoist_to_all(), HOIST_TEXT, push_body(),
                           &known);
}

static void one_push_leads_to_another(void **state)
{
    (void)state;
    message_runs(push_then_push);
    pushed_comes(ack_of(says_push("all")), 1, 0, 0);
    uint64_t ack = ack_of(says_push("user ada"));
    (void)says_push("all");
    says_no_more();
    pushed_comes(ack, 2, 0, 0);
    says_reply(1, 200);
    assert_trace("200:1/0/0 200:2/0/0");
}

static void events_that_wait_so_count_as_held_and_are_1024(void **state)
{
    char conn[CONN_ID_TEXT + 1];
    (void)state;

    serves("push", push_then_push);
    for (unsigned i = 0; i <= ASKED_MAX; i++) {
        (void)snprintf(conn, sizeof conn, "%016u", i);
        message_comes(conn, "push", i + 1);
    }
    for (unsigned i = 0; i < ASKED_MAX; i++) {
        (void)says_push("all");
    }
    says_reply(ASKED_MAX + 1, 503);
    says_no_more();
    link_tick(&worker.link, 10 + HEARTBEAT);
    assert_int_equal(says(KIND_PING)->ping.in_flight, ASKED_MAX);
}

static void draining_waits_for_the_news(void **state)
{
    link_t *link = &worker.link;
    (void)state;

    uint64_t ack = is_told_later();
    link_drain(link, 20);
    says(KIND_DRAIN);
    says(KIND_PING);
    bare_comes(KIND_PONG, 30);
    assert_false(link_is_drained(link));
    pushed_comes(ack, 1, 0, 0);
    assert_true(link_is_drained(link));
}

/* --- the table of receipts ----------------------------------------------- */

static void receipts_are_found_by_their_ids_in_any_order(void **state)
{
    receipts_t receipts;
    receipt_t receipt;
    uint64_t ids[100];
    (void)state;

    receipts_init(&receipts);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 100; i++) {
            receipt = (receipt_t){.data = &ids[i]};
            must(receipts_put(&receipts, &receipt, &ids[i]) == 0);
        }
        uint64_t first = ids[0];
        for (size_t i = 0; i < 100; i++) { /* 37 and 100 have no divisor */
            size_t at = i * 37 % 100;
            assert_true(receipts_take(&receipts, ids[at], &receipt));
            assert_ptr_equal(receipt.data, &ids[at]);
            assert_false(receipts_take(&receipts, ids[at], &receipt));
        }
        assert_int_equal(receipts.count, 0);
        assert_false(receipts_take(&receipts, first, &receipt));
        assert_false(receipts_take_any(&receipts, &receipt));
    }
    receipts_fini(&receipts);
}

static void the_oldest_is_late_first(void **state)
{
    receipts_t receipts;
    receipt_t receipt;
    uint64_t ids[3];
    (void)state;

    receipts_init(&receipts);
    for (int i = 0; i < 3; i++) {
        receipt = (receipt_t){.data = &ids[i]};
        must(receipts_put(&receipts, &receipt, &ids[i]) == 0);
        receipts_tick(&receipts, INT64_C(100) * i);
    }
    must(receipts_take(&receipts, ids[0], &receipt));
    assert_int_equal(receipts_due_ms(&receipts), 100 + RECEIPT_MS);
    assert_false(receipts_take_late(&receipts, 99 + RECEIPT_MS, &receipt));
    assert_true(receipts_take_late(&receipts, 100 + RECEIPT_MS, &receipt));
    assert_ptr_equal(receipt.data, &ids[1]);
    assert_false(receipts_take_late(&receipts, 100 + RECEIPT_MS, &receipt));
    receipts_fini(&receipts);
}

/* ------------------------------------------------------------------------- */

static int setup(void **state)
{
    options = (hoist_push_options){0};
    told_result = 0;
    return worker_set_up(state);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, setup, worker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_push_is_for_a_name_for_all_or_for_connections),
        TEST(it_may_leave_some_out_and_be_for_a_while),
        TEST(a_wrong_push_is_refused_and_nothing_is_said),
        TEST(joins_pushes_and_leaves_keep_their_order),
        TEST(they_count_in_the_window_and_wait_for_credit),
        TEST(a_wrong_group_is_refused),
        TEST(a_connect_is_accepted_into_64_groups_and_no_more),
        TEST(the_groups_of_one_are_not_those_of_the_next),
        TEST(the_event_goes_on_and_its_push_is_told_of_later),
        TEST(who_is_not_told_in_a_minute_is_told_504),
        TEST(who_loses_the_broker_is_told_503),
        TEST(so_is_who_ends),
        TEST(who_is_told_may_push_again),
        TEST(but_not_where_the_broker_was_lost),
        TEST(a_failure_of_who_is_told_is_said_in_the_log),
        TEST(more_than_65536_pushes_are_not_told_of),
        TEST(the_event_waits_and_goes_on_when_it_is_known),
        TEST(its_news_that_come_too_late_are_nobodys),
        TEST(its_news_are_503_when_the_broker_is_lost),
        TEST(a_failure_behind_the_push_ends_the_event_at_once),
        TEST(one_push_leads_to_another),
        TEST(events_that_wait_so_count_as_held_and_are_1024),
        TEST(draining_waits_for_the_news),
        cmocka_unit_test(receipts_are_found_by_their_ids_in_any_order),
        cmocka_unit_test(the_oldest_is_late_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
