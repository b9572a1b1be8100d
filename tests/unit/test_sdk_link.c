/* SPDX-License-Identifier: MIT
 *
 * What a worker hears and answers: requests, credits and what waits for them,
 * by frames and times that the tests make up.
 */
#include "base/xalloc.h"
#include "tests/unit/link_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, link_set_up, link_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        TEST(replies_leave_before_a_handler_that_never_ran),
        TEST(replies_leave_before_a_handler_that_was_slow),
        TEST(a_tick_of_the_clock_makes_no_handler_slow),
        TEST(what_was_kept_lets_replies_leave_first_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
