/* SPDX-License-Identifier: MIT
 *
 * A worker's side of the protocol and what it has to say, by frames and times
 * that the tests make up.
 */
#include "base/xalloc.h"
#include "tests/unit/sdk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    hoist_app *app;
    core_t core;
    link_t link;
    buf_t in;      /* the frame that is fed next */
    size_t runs;   /* of the handler */
    size_t pushes; /* that the handler makes before its reply */
    size_t gone;   /* connections that we were told of */
} fixture_t;

static fixture_t *fixture; /* of the test that runs, for its handler */

static int handler(hoist_ctx *ctx)
{
    fixture->runs++;
    for (size_t i = 0; i < fixture->pushes; i++) {
        assert_int_equal(hoist_push_one(ctx, hoist_str(CONN_B), HOIST_TEXT,
                                        hoist_str("push")),
                         0);
    }
    return hoist_reply_text(ctx, "reply");
}

static void on_gone(hoist_app *app, hoist_text connection)
{
    assert_ptr_equal(app, fixture->app);
    assert_true(hoist_is(connection, CONN_B));
    fixture->gone++;
}

static void open_link(uint64_t window_bytes)
{
    routes_freeze(&fixture->app->routes, &fixture->app->around);
    core_init(&fixture->core, fixture->app);
    link_init(&fixture->link,
              &(link_options_t){.core = &fixture->core,
                                .endpoint = "tcp://broker",
                                .boot = "boot",
                                .process = "process",
                                .name = "name",
                                .window = 16,
                                .window_bytes = window_bytes},
              1);
}

static int setup(void **state)
{
    log_set_level(LEVEL_ERROR);
    fixture = xcalloc(1, sizeof *fixture);
    fixture->app = hoist_app_new();
    hoist_on(fixture->app, "a", handler);
    hoist_on(fixture->app, "b", handler);
    hoist_redeliver(fixture->app, "b", 3);
    hoist_unordered(fixture->app, "b");
    hoist_on_gone(fixture->app, on_gone);
    buf_init(&fixture->in, FRAME_MAX);
    open_link(1 << 20);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    link_fini(&fixture->link);
    core_fini(&fixture->core);
    hoist_app_destroy(&fixture->app);
    buf_fini(&fixture->in);
    free(fixture);
    return 0;
}

/* --- what the broker says ------------------------------------------------ */

/* Feed what is in `in` as one frame. */
static void feed(int64_t now_ms)
{
    sdk_feed(&fixture->link, &fixture->in, now_ms);
}

static void feed_bare(message_kind_t kind, int64_t now_ms)
{
    must(message_put_bare(&fixture->in, kind) == 0);
    feed(now_ms);
}

/* WELCOME; a push window of 0 is left out. */
static void put_welcome(uint64_t push_window)
{
    sdk_put_welcome(&fixture->in, &(sdk_welcome_t){.push_window = push_window});
}

/* WELCOME for the life with this boot id. */
static void put_welcome_for(const char *peer)
{
    sdk_put_welcome(&fixture->in, &(sdk_welcome_t){.peer = peer});
}

/* WELCOME of a broker's session. */
static void put_welcome_of(const char *broker, uint64_t session)
{
    sdk_put_welcome(&fixture->in,
                    &(sdk_welcome_t){.broker = broker, .session = session});
}

static void put_request(uint64_t id)
{
    message_request_t request = sdk_message("a");

    request.id = id;
    must(message_put_request(&fixture->in, &request) == 0);
}

static void put_credit(uint64_t messages)
{
    message_credit_t credit = {messages, messages * strlen("push")};

    must(message_put_credit(&fixture->in, &credit) == 0);
}

/* --- what the worker says ------------------------------------------------ */

static void assert_ready(const char *kinds)
{
    assert_string_equal(sdk_kinds(&fixture->link.outbox.ready), kinds);
}

/* All that is ready leaves. */
static void send_all(int64_t now_ms)
{
    link_sent(&fixture->link, fixture->link.outbox.ready.len, now_ms);
}

/* Greet and be welcome at that time, with nothing left to send. */
static void come_up(uint64_t push_window, int64_t now_ms)
{
    send_all(now_ms);
    put_welcome(push_window);
    feed(now_ms);
    assert_int_equal(fixture->link.state, LINK_UP);
    assert_ready("");
}

/* --- greeting ------------------------------------------------------------ */

static void the_greeting_is_there_at_once(void **state)
{
    buf_t frame;
    message_t message;
    (void)state;

    buf_init(&frame, FRAME_MAX);
    assert_ready("HELLO READY");
    must(sdk_take(&fixture->link.outbox.ready, &frame, &message));
    assert_true(wire_is(message.hello.role, "worker"));
    assert_true(wire_is(message.hello.boot, "boot"));
    wire_bytes_t process = wire_map_str(message.hello.options, "process");
    assert_true(wire_is(process, "process"));
    must(sdk_take(&fixture->link.outbox.ready, &frame, &message));
    assert_int_equal(message.ready.window, 16);
    buf_fini(&frame);
}

static void a_greeting_without_an_answer_is_said_again(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    send_all(1);
    link_tick(link, link_due_ms(link) - 1);
    assert_ready("");
    link_tick(link, link_due_ms(link));
    assert_ready("HELLO READY");
}

static void greetings_that_cannot_leave_do_not_pile_up(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    for (int i = 0; i < 5; i++) {
        link_tick(link, link_due_ms(link));
    }
    assert_ready("HELLO READY");
}

/* --- a broker that is not there ------------------------------------------ */

/* Ticks until then; *said gets the lines about a broker that is missing. */
static const char *said_until(int64_t end_ms)
{
    link_t *link = &fixture->link;

    log_set_level(LEVEL_WARN);
    sdk_catch();
    for (int64_t now_ms; (now_ms = link_due_ms(link)) <= end_ms;) {
        link_tick(link, now_ms);
    }
    log_set_level(LEVEL_ERROR);
    return sdk_caught();
}

static size_t times(const char *part, const char *text)
{
    size_t count = 0;

    for (; (text = strstr(text, part)) != NULL; text++) {
        count++;
    }
    return count;
}

static void a_broker_that_never_comes_is_told_ever_less_often(void **state)
{
    (void)state;
    const char *said = said_until(100001);
    assert_int_equal(times("WORKER-BROKER-MISSING broker=tcp://broker ", said),
                     6);
    static const char *const ms[] = {"3000",  "6000",  "12000",
                                     "24000", "48000", "96000"};
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
        char field[32];
        (void)snprintf(field, sizeof field, " ms=%s ", ms[i]);
        assert_int_equal(times(field, said), 1);
    }
    assert_int_equal(
        times("reason=\"nothing that speaks ZeroMQ can be reached\"", said), 6);
}

static void and_at_least_every_five_minutes(void **state)
{
    (void)state;
    (void)said_until(3600001);
    assert_int_equal(times("MISSING", said_until(3600001 + 3000000)), 10);
}

static void what_takes_a_greeting_without_an_answer_is_told(void **state)
{
    (void)state;
    send_all(1);
    assert_non_null(
        strstr(said_until(3001), "it can be reached and does not answer"));
}

static void what_answers_and_is_no_broker_is_told(void **state)
{
    (void)state;
    send_all(1);
    feed_bare(KIND_WHO, 10);
    assert_non_null(
        strstr(said_until(3001), "it answers, but with no WELCOME"));
}

static void a_broker_that_answers_is_not_missed(void **state)
{
    (void)state;
    come_up(0, 10);
    assert_int_equal(times("MISSING", said_until(3400)), 0);
}

static void a_broker_that_was_lost_is_missed_from_then_on(void **state)
{
    (void)state;
    come_up(0, 10);
    feed_bare(KIND_BYE, 20000);
    assert_int_equal(times("MISSING", said_until(22999)), 0);
    assert_int_equal(times(" ms=3000 ", said_until(23000)), 1);
}

static void a_worker_that_leaves_misses_nobody(void **state)
{
    (void)state;
    link_drain(&fixture->link, 10);
    assert_int_equal(times("MISSING", said_until(10000)), 0);
}

static void who_is_answered_by_a_new_greeting(void **state)
{
    (void)state;
    come_up(0, 10);
    feed_bare(KIND_WHO, 5000);
    assert_ready("HELLO READY");
    assert_int_equal(fixture->link.state, LINK_GREETING);
}

/* What is logged from LEVEL_WARN on when the broker says this. */
static const char *said_at(message_kind_t kind, int64_t now_ms)
{
    log_set_level(LEVEL_WARN);
    sdk_catch();
    feed_bare(kind, now_ms);
    log_set_level(LEVEL_ERROR);
    return sdk_caught();
}

static void a_worker_that_was_given_up_says_so(void **state)
{
    (void)state;
    come_up(0, 10);
    assert_non_null(strstr(said_at(KIND_WHO, 5000),
                           "WORKER-BROKER-LOST broker=tcp://broker "
                           "reason=\"unknown\""));
    assert_string_equal(said_at(KIND_WHO, 5001), "");
}

#define SILENT_UNTIL (10 + LIVENESS) /* ms: of a handler that begins at 10 */

/* It comes up, and its handler blocks for as long as a broker bears. */
static void block(void)
{
    come_up(0, 10);
    put_request(1);
    feed(10);
    link_keep_alive(&fixture->link, SILENT_UNTIL);
    send_all(SILENT_UNTIL);
}

static void
a_worker_that_was_silent_says_for_how_long_and_in_which_route(void **state)
{
    char words[128];
    (void)state;

    block();
    snprintf(words, sizeof words,
             "reason=\"given up: nothing was said for %d ms, route=a\"\n",
             LIVENESS);
    assert_non_null(strstr(said_at(KIND_WHO, SILENT_UNTIL + 1), words));
}

static void silence_that_was_borne_is_no_reason(void **state)
{
    (void)state;
    block();
    feed_bare(KIND_PONG, SILENT_UNTIL + 1);
    assert_non_null(
        strstr(said_at(KIND_WHO, SILENT_UNTIL + 2), "reason=\"unknown\"\n"));
}

static void silence_outside_of_handlers_names_no_route(void **state)
{
    (void)state;
    come_up(0, 10);
    link_tick(&fixture->link, SILENT_UNTIL);
    send_all(SILENT_UNTIL);
    assert_non_null(strstr(said_at(KIND_WHO, SILENT_UNTIL + 1), " ms\"\n"));
}

static void one_that_no_broker_has_welcomed_yet_has_lost_none(void **state)
{
    (void)state;
    assert_string_equal(said_at(KIND_WHO, 5000), "");
}

static void a_broker_that_says_bye_is_no_trouble(void **state)
{
    (void)state;
    come_up(0, 10);
    assert_string_equal(said_at(KIND_BYE, 5000), "");
    assert_int_equal(fixture->link.state, LINK_LOST);
}

static void only_the_first_who_of_a_burst_is_news(void **state)
{
    (void)state;
    come_up(0, 10);
    feed_bare(KIND_WHO, 5000);
    send_all(5000);
    feed_bare(KIND_WHO, 5001);
    feed_bare(KIND_WHO, 5002);
    assert_ready("");
    put_welcome(0);
    feed(5003);
    assert_int_equal(fixture->link.state, LINK_UP);
}

static void a_new_greeting_forgets_what_was_for_the_broker_before(void **state)
{
    (void)state;
    come_up(1, 10);
    fixture->pushes = 3;
    put_request(1);
    feed(20);
    assert_ready("PUSH");
    feed_bare(KIND_WHO, 5000);
    assert_ready("HELLO READY");
    assert_false(outbox_is_holding(&fixture->link.outbox));
}

/* --- requests ------------------------------------------------------------ */

static void each_request_gets_one_reply_in_order(void **state)
{
    buf_t frame;
    message_t message;
    (void)state;

    buf_init(&frame, FRAME_MAX);
    come_up(0, 10);
    for (uint64_t id = 1; id <= 3; id++) {
        put_request(id);
    }
    feed(20);
    assert_ready("REPLY REPLY REPLY");
    for (uint64_t id = 1; id <= 3; id++) {
        must(sdk_take(&fixture->link.outbox.ready, &frame, &message));
        assert_int_equal(message.reply.id, id);
    }
    buf_fini(&frame);
}

static void requests_wait_while_much_is_to_be_sent(void **state)
{
    (void)state;
    fixture->link.window_bytes = 1; /* one reply is more than that */
    come_up(0, 10);
    for (uint64_t id = 1; id <= 3; id++) {
        put_request(id);
    }
    feed(20);
    assert_int_equal(fixture->runs, 1);
    assert_false(link_resume(&fixture->link));
    send_all(21);
    assert_true(link_resume(&fixture->link));
    assert_false(link_resume(&fixture->link));
    send_all(22);
    assert_true(link_resume(&fixture->link));
    send_all(23);
    assert_false(link_can_resume(&fixture->link));
    assert_int_equal(fixture->runs, 3);
}

static void what_is_kept_comes_out_in_order_and_leaves_no_bytes(void **state)
{
    kept_t kept;
    kept_request_t next;
    uint64_t put = 0, taken = 0;
    (void)state;

    kept_init(&kept, FRAME_MAX);
    for (int i = 0; i < 1000; i++) {
        if (i % 5 < 3) { /* three are put for two that are taken */
            message_request_t request = sdk_message("a");
            request.id = ++put;
            must(message_put_request(&fixture->in, &request) == 0);
            wire_bytes_t raw = {fixture->in.data, fixture->in.len};
            must(kept_put(&kept, raw, (int64_t)put) == 0);
            fixture->in.len = 0;
            continue;
        }
        kept_next(&kept, &next);
        assert_int_equal(next.request.id, ++taken);
        assert_int_equal(next.came_ms, taken);
        kept_done(&kept, &next);
        assert_int_equal(kept_oldest_ms(&kept), taken + 1);
        assert_true(next.len < 100 && kept.bytes.len < 200 * (put - taken));
    }
    while (kept.count > 0) {
        kept_next(&kept, &next);
        assert_int_equal(next.request.id, ++taken);
        kept_done(&kept, &next);
    }
    assert_int_equal(taken, put);
    assert_int_equal(kept.bytes.len, 0);
    assert_int_equal(kept_oldest_ms(&kept), INT64_MAX);
    kept_fini(&kept);
}

static void a_broken_message_ends_its_frame_and_nothing_else(void **state)
{
    (void)state;
    come_up(0, 10);
    put_request(1);
    must(buf_put(&fixture->in, "\xdd\x04\x00\x00\x00", 5) == 0);
    put_request(2);
    feed(20);
    assert_ready("REPLY");
    put_request(3);
    feed(30);
    assert_ready("REPLY REPLY");
}

static void a_message_that_is_not_for_workers_is_passed_over(void **state)
{
    (void)state;
    come_up(0, 10);
    must(message_put_bare(&fixture->in, KIND_DRAIN) == 0);
    put_request(1);
    feed(20);
    assert_ready("REPLY");
}

static void the_program_is_told_of_connections_that_are_gone(void **state)
{
    message_gone_t gone = {.conn = wire_bytes(CONN_B)};
    (void)state;

    come_up(0, 10);
    must(message_put_gone(&fixture->in, &gone) == 0);
    feed(20);
    assert_int_equal(fixture->gone, 1);
}

/* --- handlers that may take long ----------------------------------------- */

static void put_message(const char *route)
{
    message_request_t request = sdk_message(route);

    must(message_put_request(&fixture->in, &request) == 0);
}

/* The next step of the frame that is being read, behind which the handler that
 * it ran, if it did, has taken so long. */
static void step(int64_t ms)
{
    assert_true(link_step(&fixture->link, 3));
    core_took(&fixture->core, ms);
}

static void assert_ran(size_t runs)
{
    assert_int_equal(fixture->runs, runs);
    assert_false(fixture->link.flush_first);
}

static void assert_flushes_first(size_t runs)
{
    assert_int_equal(fixture->runs, runs);
    assert_true(fixture->link.flush_first);
}

/* A frame of messages of route "a", but the last: that is another's. */
static void feed_three(const char *last)
{
    buf_t *in = &fixture->in;

    in->len = 0;
    put_message("a");
    put_message("a");
    put_message(last);
    link_feed(&fixture->link, (wire_bytes_t){in->data, in->len}, 3);
}

static void replies_leave_before_a_handler_that_never_ran(void **state)
{
    (void)state;
    come_up(0, 2);
    feed_three("b");
    step(0);
    assert_ran(1); /* nothing was ready */
    step(0);
    assert_ran(2); /* it is known to be quick */
    step(0);
    assert_flushes_first(2);
    send_all(3);
    step(0);
    assert_ran(3);
    assert_false(link_step(&fixture->link, 3));
    assert_ready("REPLY");
}

static void replies_leave_before_a_handler_that_was_slow(void **state)
{
    (void)state;
    come_up(0, 2);
    feed_three("a");
    step(2);
    assert_ran(1);
    step(0);
    assert_flushes_first(1);
    step(0); /* they could not leave: it runs all the same */
    assert_ran(2);
    step(0);
    assert_ran(3); /* and was quick */
    assert_ready("REPLY REPLY REPLY");
}

static void a_tick_of_the_clock_makes_no_handler_slow(void **state)
{
    (void)state;
    come_up(0, 2);
    feed_three("a");
    for (size_t runs = 1; runs <= 3; runs++) {
        step(1);
        assert_ran(runs);
    }
}

static void what_was_kept_lets_replies_leave_first_as_well(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    come_up(0, 2);
    link->window_bytes = 0; /* any output makes it busy */
    feed_three("b");
    while (link_step(link, 3)) {
        core_took(&fixture->core, 0);
    }
    assert_ran(1);
    link->window_bytes = 1 << 20; /* and now none does */
    assert_true(link_resume(link));
    core_took(&fixture->core, 0);
    assert_ran(2);
    assert_true(link_resume(link));
    assert_flushes_first(2);
    assert_true(link_resume(link));
    assert_ran(3);
    assert_false(link_resume(link));
}

/* --- push window --------------------------------------------------------- */

static void a_reply_does_not_overtake_a_push_that_waits(void **state)
{
    (void)state;
    come_up(2, 10);
    fixture->pushes = 3;
    put_request(1);
    feed(20);
    assert_ready("PUSH PUSH");
    put_credit(1);
    feed(30);
    assert_ready("PUSH PUSH PUSH REPLY");
}

static void credit_releases_as_many_pushes_as_it_pays_for(void **state)
{
    (void)state;
    come_up(1, 10);
    fixture->pushes = 2;
    put_request(1);
    put_request(2);
    feed(20);
    assert_ready("PUSH");
    send_all(21);
    put_credit(1);
    feed(30);
    assert_ready("PUSH REPLY");
    send_all(31);
    put_credit(1);
    feed(40);
    assert_ready("PUSH");
    put_credit(1);
    feed(50);
    assert_ready("PUSH PUSH REPLY");
}

static void credit_that_was_never_spent_buys_nothing(void **state)
{
    (void)state;
    come_up(1, 10);
    put_credit(1000);
    feed(15);
    fixture->pushes = 3;
    put_request(1);
    feed(20);
    assert_ready("PUSH");
}

static void a_failure_takes_back_a_reply_that_is_held(void **state)
{
    outbox_t *outbox = &fixture->link.outbox;
    message_push_t push = {.target = {(const uint8_t *)"\x90", 1},
                           .body = {BODY_TEXT, wire_bytes("push")}};
    message_reply_t reply = {.id = 1, .status = 200};
    outbox_mark_t mark;
    (void)state;

    come_up(1, 10);
    must(outbox_push(outbox, &push) == 0 && outbox_push(outbox, &push) == 0);
    must(outbox_reply(outbox, &reply, &mark) == 0);
    must(outbox_push(outbox, &push) == 0);
    assert_true(mark.held);
    outbox_take_back(outbox, &mark);
    assert_string_equal(sdk_kinds(&outbox->held), "PUSH PUSH");
    assert_ready("PUSH");
}

static void fill(outbox_t *outbox)
{
    static uint8_t bytes[1 << 20];
    message_reply_t reply = {.status = 200,
                             .body = {BODY_BINARY, {bytes, sizeof bytes}}};
    outbox_mark_t mark;

    while (reply.body.bytes.len > 0) {
        if (outbox_reply(outbox, &reply, &mark) < 0) {
            reply.body.bytes.len /= 2;
        }
    }
}

static void the_reserve_of_a_full_outbox_is_for_failures(void **state)
{
    static const uint8_t bytes[34] = {0xc4, 32};
    const wire_bytes_t value = {bytes, sizeof bytes};
    const message_ready_t ready = {.routes = value};
    const message_reply_t reply = {.status = 500, .body = {BODY_BINARY, value}};
    outbox_t *outbox = &fixture->link.outbox;
    outbox_mark_t mark;
    (void)state;

    come_up(0, 10);
    fill(outbox);
    size_t full = outbox->ready.len;
    assert_int_equal(outbox_query(outbox, value), -ENOBUFS);
    assert_int_equal(outbox_ready(outbox, &ready), -ENOBUFS);
    assert_int_equal(outbox_reply(outbox, &reply, &mark), -ENOBUFS);
    assert_int_equal(outbox->ready.len, full);
    assert_int_equal(outbox_reply_failure(outbox, &reply, &mark), 0);
    assert_int_equal(outbox->ready.len, full + mark.len);
}

static void a_frame_holds_whole_messages(void **state)
{
    outbox_t *outbox = &fixture->link.outbox;
    message_reply_t reply = {.id = 1, .status = 200};
    outbox_mark_t mark;
    (void)state;

    come_up(0, 10);
    for (int i = 0; i < 3; i++) {
        must(outbox_reply(outbox, &reply, &mark) == 0);
    }
    assert_int_equal(outbox_frame(outbox, 1), mark.len);
    assert_int_equal(outbox_frame(outbox, 2 * mark.len), 2 * mark.len);
    assert_int_equal(outbox_frame(outbox, 3 * mark.len - 1), 2 * mark.len);
    assert_int_equal(outbox_frame(outbox, 1000), 3 * mark.len);
}

/* --- liveness ------------------------------------------------------------ */

static void a_quiet_link_pings_and_a_ponging_broker_lives(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    come_up(0, 10);
    for (int i = 0; i < 20; i++) {
        int64_t now_ms = link_due_ms(link);
        link_tick(link, now_ms);
        assert_ready("PING");
        send_all(now_ms);
        feed_bare(KIND_PONG, now_ms + 1);
        assert_int_equal(link->state, LINK_UP);
    }
}

static void put_ping(uint64_t number)
{
    message_ping_t ping = {.number = number};

    must(message_put_ping(&fixture->in, &ping) == 0);
}

static void a_broker_that_asks_is_answered_with_its_last_number(void **state)
{
    link_t *link = &fixture->link;
    buf_t frame;
    message_t message;
    (void)state;

    come_up(0, 10);
    put_ping(7);
    put_ping(8);
    feed(20);
    link_tick(link, 20);
    assert_ready("PONG");
    buf_init(&frame, FRAME_MAX);
    must(sdk_take(&link->outbox.ready, &frame, &message));
    assert_int_equal(message.pong.number, 8);
    buf_fini(&frame);
    send_all(20);
    link_tick(link, 30);
    assert_ready("");
}

static void an_answer_that_has_no_room_comes_later(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    come_up(0, 10);
    put_ping(7);
    feed(20);
    buf_t *ready = &link->outbox.ready;
    size_t limit = ready->limit;
    must(buf_reserve(ready, limit - OUTBOX_RESERVE) == 0);
    ready->len = limit - OUTBOX_RESERVE; /* as much as others may fill */
    link_tick(link, 20);
    assert_int_equal(ready->len, limit - OUTBOX_RESERVE);
    ready->len = 0;
    link_tick(link, 20);
    assert_ready("PONG");
}

static void a_question_of_a_life_before_is_not_answered(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    come_up(0, 10);
    put_ping(7);
    feed(20);
    feed_bare(KIND_WHO, 20);
    put_ping(8);
    feed(20);
    link_tick(link, 20);
    assert_ready("HELLO READY");
    send_all(20);
    put_welcome(0);
    feed(30);
    link_tick(link, 30);
    assert_ready("");
}

/* Tick at each due time until that time; PINGs leave at once. */
static void tick_until(int64_t end_ms)
{
    link_t *link = &fixture->link;

    while (link_due_ms(link) <= end_ms) {
        int64_t now_ms = link_due_ms(link);
        link_tick(link, now_ms);
        send_all(now_ms);
    }
}

static void a_broker_that_answers_no_ping_is_lost_after_liveness(void **state)
{
    (void)state;
    come_up(0, 10);
    int64_t asked_ms = link_due_ms(&fixture->link);
    tick_until(asked_ms + LIVENESS - 1);
    assert_int_equal(fixture->link.state, LINK_UP);
    tick_until(asked_ms + LIVENESS);
    assert_int_equal(fixture->link.state, LINK_LOST);
}

static void a_handler_that_blocks_is_no_silence_of_the_broker(void **state)
{
    (void)state;
    come_up(0, 10);
    link_tick(&fixture->link, 10 + 10 * LIVENESS);
    assert_int_equal(fixture->link.state, LINK_UP);
    assert_ready("PING");
}

static void a_lost_broker_is_asked_and_greeted_when_it_is_heard(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    come_up(0, 10);
    feed_bare(KIND_BYE, 20);
    assert_int_equal(link->state, LINK_LOST);
    assert_ready("");
    link_tick(link, link_due_ms(link));
    assert_ready("PING");
    send_all(2000);
    feed(3000); /* an empty frame is no sign of life */
    assert_int_equal(link->state, LINK_LOST);
    feed_bare(KIND_PONG, 3000);
    assert_int_equal(link->state, LINK_GREETING);
    assert_ready("HELLO READY");
}

static void the_terms_of_a_route_stand_in_ready(void **state)
{
    buf_t frame;
    message_t message;
    wire_bytes_t key, terms;
    uint32_t count;
    (void)state;

    buf_init(&frame, FRAME_MAX);
    must(sdk_take(&fixture->link.outbox.ready, &frame, &message));
    must(sdk_take(&fixture->link.outbox.ready, &frame, &message));
    wire_cursor_t in = wire_cursor(message.ready.routes);
    must(wire_get_array(&in, &count) == 0 && count == 2);
    must(wire_get_str(&in, &key) == 0);
    assert_true(wire_is(key, "a"));
    must(wire_get_array(&in, &count) == 0 && count == 2);
    must(wire_get_str(&in, &key) == 0 && wire_get_raw_map(&in, &terms) == 0);
    assert_true(wire_is(key, "b"));
    assert_int_equal(wire_map_uint(terms, "redeliver", 0), 3);
    assert_true(wire_map_bool(terms, "unordered", false));
    buf_fini(&frame);
}

static void after_a_loss_it_is_another_peer_that_holds_nothing(void **state)
{
    link_t *link = &fixture->link;
    buf_t frame;
    message_t message;
    (void)state;

    come_up(0, 10);
    feed_bare(KIND_BYE, 20);
    put_request(1); /* of the life before: the broker ends it */
    feed(3000);
    buf_init(&frame, FRAME_MAX);
    must(sdk_take(&link->outbox.ready, &frame, &message));
    assert_true(wire_is(message.hello.boot, "boot.1"));
    must(sdk_take(&link->outbox.ready, &frame, &message));
    assert_int_equal(message.kind, KIND_READY);
    assert_false(sdk_take(&link->outbox.ready, &frame, &message));
    buf_fini(&frame);
}

static void the_welcome_for_a_former_life_is_not_for_this_one(void **state)
{
    (void)state;
    come_up(0, 10);
    feed_bare(KIND_BYE, 20);
    put_welcome_for("boot"); /* to a greeting that was said twice */
    feed(30);
    assert_int_equal(fixture->link.state, LINK_GREETING);
    put_welcome_for("boot.1");
    feed(40);
    assert_int_equal(fixture->link.state, LINK_UP);
}

static void a_welcome_of_the_same_session_says_nothing_new(void **state)
{
    (void)state;
    put_welcome_of("broker", 7);
    put_welcome_of("broker", 7);
    send_all(10);
    feed(10);
    assert_int_equal(fixture->link.state, LINK_UP);
    assert_ready("");
}

/* What was run in between has an answer that must not leave. */
static void assert_greets_anew(const char *broker, uint64_t session)
{
    link_t *link = &fixture->link;
    buf_t frame;
    message_t message;

    put_welcome_of("broker", 7);
    put_request(1);
    put_welcome_of(broker, session);
    send_all(10);
    feed(10);
    assert_int_equal(fixture->runs, 1);
    assert_int_equal(link->state, LINK_GREETING);
    assert_ready("HELLO READY");
    buf_init(&frame, FRAME_MAX);
    must(sdk_take(&link->outbox.ready, &frame, &message));
    assert_true(wire_is(message.hello.boot, "boot.1"));
    buf_fini(&frame);
}

static void who_was_given_up_between_two_greetings_greets_anew(void **state)
{
    (void)state;
    assert_greets_anew("broker", 8);
}

static void so_does_who_is_welcomed_by_another_broker(void **state)
{
    (void)state;
    assert_greets_anew("restarted", 7);
}

static void who_drains_goes_on_in_the_session_that_it_was_given(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    put_welcome_of("broker", 7);
    send_all(10);
    feed(10);
    link_drain(link, 20);
    send_all(21);
    put_welcome_of("broker", 8);
    put_request(1); /* given before the broker read the DRAIN */
    feed(30);
    assert_ready("REPLY");
    send_all(31);
    assert_false(link_is_drained(link));
    feed_bare(KIND_PONG, 40);
    assert_true(link_is_drained(link));
    link_bye(link);
    assert_ready("BYE");
}

static void but_what_it_held_in_the_one_before_is_over(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    link->window_bytes = 1; /* one reply is more than that */
    put_welcome_of("broker", 7);
    put_request(1);
    put_request(2);
    send_all(10);
    feed(10);
    assert_int_equal(link->inbox.count, 1);
    link_drain(link, 20);
    put_welcome_of("broker", 8);
    feed(30);
    send_all(31);
    assert_false(link_can_resume(link));
    feed_bare(KIND_PONG, 40);
    assert_true(link_is_drained(link));
    assert_int_equal(fixture->runs, 1);
}

/* --- leaving ------------------------------------------------------------- */

static void
a_link_is_drained_when_the_fence_came_back_and_all_is_sent(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    come_up(0, 10);
    link_drain(link, 20);
    assert_ready("DRAIN PING");
    send_all(21);
    assert_false(link_is_drained(link));
    put_request(1); /* sent before the broker saw the DRAIN */
    must(message_put_bare(&fixture->in, KIND_PONG) == 0);
    feed(30);
    assert_int_equal(fixture->runs, 1);
    assert_false(link_is_drained(link));
    send_all(31);
    assert_true(link_is_drained(link));
    link_bye(link);
    assert_ready("BYE");
}

static void a_pong_to_an_earlier_ping_is_not_the_fence(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    come_up(0, 10);
    link_tick(link, link_due_ms(link));
    link_drain(link, 2000);
    assert_ready("PING DRAIN PING");
    send_all(2000);
    feed_bare(KIND_PONG, 2001);
    assert_false(link_is_drained(link));
    feed_bare(KIND_PONG, 2002);
    assert_true(link_is_drained(link));
}

static void a_draining_link_does_not_greet_again(void **state)
{
    link_t *link = &fixture->link;
    (void)state;

    come_up(0, 10);
    link_drain(link, 20);
    feed_bare(KIND_WHO, 5000);
    assert_int_equal(link->state, LINK_LOST);
    assert_true(link_is_drained(link));
    link_bye(link);
    assert_ready("");
}

static void a_greeting_that_never_left_needs_no_drain(void **state)
{
    (void)state;
    link_drain(&fixture->link, 5);
    assert_true(link_is_drained(&fixture->link));
}

static void a_link_welcomed_while_it_drains_says_so_at_once(void **state)
{
    (void)state;
    send_all(1);
    link_drain(&fixture->link, 5);
    assert_false(link_is_drained(&fixture->link));
    put_welcome(0);
    feed(10);
    assert_ready("DRAIN PING");
}

/* --- brokers come and go ------------------------------------------------- */

/* READY, alone, with this window. */
static void assert_tells_window(uint64_t window)
{
    buf_t frame;
    message_t message;

    buf_init(&frame, FRAME_MAX);
    must(sdk_take(&fixture->link.outbox.ready, &frame, &message));
    assert_int_equal(message.kind, KIND_READY);
    assert_int_equal(message.ready.window, window);
    assert_ready("");
    buf_fini(&frame);
}

static void another_share_of_the_window_is_told(void **state)
{
    (void)state;
    come_up(0, 10);
    link_set_window(&fixture->link, 16, 1 << 20);
    assert_ready("");
    link_set_window(&fixture->link, 8, 1 << 19);
    assert_tells_window(8);
}

static void behind_the_welcome_if_it_came_before(void **state)
{
    (void)state;
    send_all(10);
    link_set_window(&fixture->link, 8, 1 << 19);
    assert_ready("");
    put_welcome(0);
    feed(20);
    assert_tells_window(8);
}

static void a_new_greeting_says_it_anyway(void **state)
{
    (void)state;
    send_all(10);
    link_set_window(&fixture->link, 8, 1 << 19);
    link_tick(&fixture->link, link_due_ms(&fixture->link));
    assert_ready("HELLO READY");
    come_up(0, 3000);
}

static void a_draining_link_asks_for_nothing_more(void **state)
{
    (void)state;
    come_up(0, 10);
    link_drain(&fixture->link, 20);
    assert_ready("DRAIN PING");
    link_set_window(&fixture->link, 32, 1 << 20);
    assert_ready("DRAIN PING");
}

static void what_is_up_is_not_spent_and_what_is_lost_is(void **state)
{
    const link_t *link = &fixture->link;
    (void)state;

    come_up(0, 10);
    assert_false(link_is_spent(link, 1000000));
    feed_bare(KIND_BYE, 20);
    assert_true(link_is_spent(link, 20));
}

static void what_is_greeted_is_spent_after_its_liveness(void **state)
{
    const link_t *link = &fixture->link;
    (void)state;

    come_up(0, 10);
    feed_bare(KIND_WHO, 2000);
    assert_int_equal(link->state, LINK_GREETING);
    assert_false(link_is_spent(link, 2000 + LIVENESS - 1));
    assert_true(link_is_spent(link, 2000 + LIVENESS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_greeting_is_there_at_once),
        TEST(a_greeting_without_an_answer_is_said_again),
        TEST(greetings_that_cannot_leave_do_not_pile_up),
        TEST(a_broker_that_never_comes_is_told_ever_less_often),
        TEST(and_at_least_every_five_minutes),
        TEST(what_takes_a_greeting_without_an_answer_is_told),
        TEST(what_answers_and_is_no_broker_is_told),
        TEST(a_broker_that_answers_is_not_missed),
        TEST(a_broker_that_was_lost_is_missed_from_then_on),
        TEST(a_worker_that_leaves_misses_nobody),
        TEST(who_is_answered_by_a_new_greeting),
        TEST(a_worker_that_was_given_up_says_so),
        TEST(a_worker_that_was_silent_says_for_how_long_and_in_which_route),
        TEST(silence_that_was_borne_is_no_reason),
        TEST(silence_outside_of_handlers_names_no_route),
        TEST(one_that_no_broker_has_welcomed_yet_has_lost_none),
        TEST(a_broker_that_says_bye_is_no_trouble),
        TEST(only_the_first_who_of_a_burst_is_news),
        TEST(a_new_greeting_forgets_what_was_for_the_broker_before),
        TEST(each_request_gets_one_reply_in_order),
        TEST(requests_wait_while_much_is_to_be_sent),
        TEST(what_is_kept_comes_out_in_order_and_leaves_no_bytes),
        TEST(a_broken_message_ends_its_frame_and_nothing_else),
        TEST(a_message_that_is_not_for_workers_is_passed_over),
        TEST(the_program_is_told_of_connections_that_are_gone),
        TEST(a_reply_does_not_overtake_a_push_that_waits),
        TEST(credit_releases_as_many_pushes_as_it_pays_for),
        TEST(credit_that_was_never_spent_buys_nothing),
        TEST(a_failure_takes_back_a_reply_that_is_held),
        TEST(the_reserve_of_a_full_outbox_is_for_failures),
        TEST(a_frame_holds_whole_messages),
        TEST(a_quiet_link_pings_and_a_ponging_broker_lives),
        TEST(a_broker_that_asks_is_answered_with_its_last_number),
        TEST(an_answer_that_has_no_room_comes_later),
        TEST(a_question_of_a_life_before_is_not_answered),
        TEST(a_broker_that_answers_no_ping_is_lost_after_liveness),
        TEST(a_handler_that_blocks_is_no_silence_of_the_broker),
        TEST(a_lost_broker_is_asked_and_greeted_when_it_is_heard),
        TEST(the_terms_of_a_route_stand_in_ready),
        TEST(after_a_loss_it_is_another_peer_that_holds_nothing),
        TEST(the_welcome_for_a_former_life_is_not_for_this_one),
        TEST(a_welcome_of_the_same_session_says_nothing_new),
        TEST(who_was_given_up_between_two_greetings_greets_anew),
        TEST(so_does_who_is_welcomed_by_another_broker),
        TEST(who_drains_goes_on_in_the_session_that_it_was_given),
        TEST(but_what_it_held_in_the_one_before_is_over),
        TEST(a_link_is_drained_when_the_fence_came_back_and_all_is_sent),
        TEST(a_pong_to_an_earlier_ping_is_not_the_fence),
        TEST(a_draining_link_does_not_greet_again),
        TEST(a_greeting_that_never_left_needs_no_drain),
        TEST(a_link_welcomed_while_it_drains_says_so_at_once),
        TEST(another_share_of_the_window_is_told),
        TEST(behind_the_welcome_if_it_came_before),
        TEST(a_new_greeting_says_it_anyway),
        TEST(a_draining_link_asks_for_nothing_more),
        TEST(what_is_up_is_not_spent_and_what_is_lost_is),
        TEST(what_is_greeted_is_spent_after_its_liveness),
        TEST(replies_leave_before_a_handler_that_never_ran),
        TEST(replies_leave_before_a_handler_that_was_slow),
        TEST(a_tick_of_the_clock_makes_no_handler_slow),
        TEST(what_was_kept_lets_replies_leave_first_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
