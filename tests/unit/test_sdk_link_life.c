/* SPDX-License-Identifier: MIT
 *
 * How a worker and its broker find and lose each other: greeting, silence,
 * leaving, and brokers that come and go.
 */
#include "base/xalloc.h"
#include "tests/unit/link_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, link_set_up, link_tear_down)

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
