/* SPDX-License-Identifier: MIT
 *
 * Events that wait for another thread of the program: who has the ticket, and
 * what becomes of them.
 */
#include "base/xalloc.h"
#include "proto/request_id.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/later.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEADLINE 1010 /* ms: of what comes at 10 */

static hoist_ticket ticket;

static int wait(hoist_ctx *ctx)
{
    note("wait");
    return hoist_wait(ctx, &ticket);
}

static int plain(hoist_ctx *ctx)
{
    note("plain");
    return hoist_reply_text(ctx, "plain");
}

static int set_up(void **state)
{
    worker_set_up(state);
    serves("wait", wait);
    serves("plain", plain);
    serves("$disconnect", wait);
    ticket = (hoist_ticket){0};
    return 0;
}

static int reply(hoist_ctx *ctx, void *data)
{
    bool is_over = hoist_event_of(ctx) == HOIST_TASK;

    note(is_over ? "over" : "goes on");
    return is_over ? 0 : hoist_reply_text(ctx, data);
}

static void resumes(hoist_task *task, void *data)
{
    assert_int_equal(hoist_resume(ticket, task, data), 0);
    posts_are_run();
}

static char late[] = "late";

/* --- waiting and going on ------------------------------------------------ */

static void an_event_goes_on_when_its_ticket_comes(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 7);
    says_no_more();
    resumes(reply, late);
    const message_reply_t *said = &says(KIND_REPLY)->reply;
    assert_int_equal(said->id, 7);
    assert_true(wire_is(said->body.bytes, "late"));
    says_no_more();
    assert_trace("wait goes on");
    assert_int_equal(worker.link.asked.count, 0);
    assert_int_equal(worker.link.mail.boxes, 0);
}

static void what_comes_behind_it_waits_and_others_go_on(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    message_comes(CONN_A, "plain", 2);
    message_comes(CONN_B, "plain", 3);
    says_reply(3, 200);
    says_no_more();
    resumes(reply, late);
    says_reply(1, 200);
    says_reply(2, 200);
    says_no_more();
}

static int wait_again(hoist_ctx *ctx, void *data)
{
    (void)data;
    note("again");
    return hoist_wait(ctx, &ticket);
}

static int tell(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    (void)data;
    note("told");
    return hoist_wait(ctx, &ticket);
}

static int ask(hoist_ctx *ctx, void *data)
{
    note("asks");
    return hoist_find_count(ctx, NULL, tell, data);
}

static void it_may_wait_again_and_ask_in_between(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    hoist_ticket first = ticket;
    resumes(wait_again, NULL);
    assert_int_not_equal(first.id, ticket.id);
    resumes(ask, NULL);
    status_comes(says_query(), 200);
    resumes(reply, late);
    says_reply(1, 200);
    assert_trace("wait again asks told goes on");
}

static int conflict(hoist_ctx *ctx, void *data)
{
    (void)data;
    return hoist_fail(ctx, 409, "conflict", "no");
}

static void its_failure_is_that_of_the_task(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    resumes(conflict, NULL);
    says_reply(1, 409);
}

static void a_reply_alone_needs_no_task(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    assert_int_equal(
        hoist_reply_later(ticket, 201, HOIST_BINARY, hoist_str("picture")), 0);
    posts_are_run();
    const message_reply_t *said = &says(KIND_REPLY)->reply;
    assert_int_equal(said->status, 201);
    assert_int_equal(said->body.type, BODY_BINARY);
    assert_true(wire_is(said->body.bytes, "picture"));
}

static void a_wrong_reply_is_refused_at_once(void **state)
{
    const hoist_text broken = hoist_bytes("\xff", 1);
    (void)state;

    message_comes(CONN_A, "wait", 1);
    assert_int_equal(hoist_reply_later(ticket, 99, HOIST_NONE, broken),
                     -EINVAL);
    assert_int_equal(hoist_reply_later(ticket, 600, HOIST_NONE, broken),
                     -EINVAL);
    assert_int_equal(hoist_reply_later(ticket, 200, (hoist_type)3, broken),
                     -EINVAL);
    assert_int_equal(hoist_reply_later(ticket, 200, HOIST_TEXT, broken),
                     -EILSEQ);
    assert_int_equal(hoist_reply_later(ticket, 200, HOIST_BINARY,
                                       hoist_bytes("", OUTBOX_BODY_MAX + 1)),
                     -EMSGSIZE);
    assert_int_equal(hoist_reply_later(ticket, 200, HOIST_NONE, broken), 0);
    posts_are_run();
    says_reply(1, 200);
}

/* --- too late ------------------------------------------------------------ */

static void at_its_deadline_it_fails_and_what_comes_then_is_a_task(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    message_comes(CONN_A, "plain", 2);
    time_is(DEADLINE - 1);
    says_no_more();
    time_is(DEADLINE);
    says_reply(1, 504);
    feed(DEADLINE);
    says_reply(2, 200);
    resumes(reply, late);
    says_no_more();
    assert_trace("wait plain over");
}

static void a_disconnect_waits_for_a_minute(void **state)
{
    (void)state;
    comes(EVENT_DISCONNECT, CONN_A, "$disconnect", 1);
    assert_int_equal(asked_due_ms(&worker.link.asked), 10 + ASKED_PARKED_MS);
    bare_comes(KIND_PONG, 10 + ASKED_PARKED_MS - 1);
    assert_int_equal(worker.link.asked.count, 1);
    bare_comes(KIND_PONG, 10 + ASKED_PARKED_MS);
    assert_int_equal(worker.link.asked.count, 0);
}

static void it_goes_on_once(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    assert_int_equal(hoist_resume(ticket, reply, late), 0);
    assert_int_equal(hoist_resume(ticket, reply, late), 0);
    posts_are_run();
    says_reply(1, 200);
    says_no_more();
    assert_trace("wait goes on over");
}

static void a_late_reply_is_logged(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    time_is(DEADLINE);
    says_reply(1, 504);
    assert_int_equal(
        hoist_reply_later(ticket, 200, HOIST_TEXT, hoist_str("late")), 0);
    log_set_level(LEVEL_WARN);
    sdk_catch();
    posts_are_run();
    assert_non_null(strstr(sdk_caught(),
                           "WORKER-TASK-FAILED error=\"a reply when "
                           "the event is over: request="));
    says_no_more();
}

static void a_second_reply_names_request_and_route(void **state)
{
    char words[128], id[REQUEST_ID_TEXT];
    (void)state;

    message_comes(CONN_A, "wait", 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            hoist_reply_later(ticket, 200, HOIST_TEXT, hoist_str("here")), 0);
    }
    log_set_level(LEVEL_WARN);
    sdk_catch();
    posts_are_run();
    request_id_format(ticket.request, id);
    snprintf(words, sizeof words,
             " request=%.*s route=wait\" code=", (int)sizeof id, id);
    assert_non_null(strstr(sdk_caught(), words));
    says_reply(1, 200);
    says_no_more();
}

static void a_broker_that_is_lost_ends_it_without_a_word(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    bare_comes(KIND_WHO, 20);
    assert_int_equal(worker.link.asked.count, 0);
    come_up(20);
    resumes(reply, late);
    assert_trace("wait over");
}

static void a_ticket_of_before_is_no_other_events(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    hoist_ticket old = ticket;
    resumes(reply, late);
    says_reply(1, 200);
    for (uint64_t id = 2; id < UINT64_C(2) * ASKED_MAX;
         id++) { /* each place anew */
        message_comes(CONN_A, "wait", id);
        hoist_ticket current = ticket;
        ticket = old;
        resumes(reply, late);
        says_no_more();
        ticket = current;
        resumes(reply, late);
        says_reply(id, 200);
    }
}

static int fail_behind(hoist_ctx *ctx)
{
    assert_int_equal(hoist_wait(ctx, &ticket), 0);
    return -EACCES;
}

static int reply_in_vain(hoist_ctx *ctx, void *data)
{
    (void)data;
    assert_int_equal(hoist_event_of(ctx), HOIST_MESSAGE);
    assert_int_equal(hoist_reply_text(ctx, "late"), -EALREADY);
    note("in vain");
    return 0;
}

static void who_fails_behind_it_has_failed(void **state)
{
    (void)state;
    message_runs(fail_behind);
    says_reply(1, 403);
    resumes(reply_in_vain, NULL);
    says_no_more();
    assert_trace("in vain");
}

/* --- what cannot wait ---------------------------------------------------- */

static int try_both(hoist_ctx *ctx)
{
    hoist_ticket other;

    assert_int_equal(hoist_wait(ctx, &ticket), 0);
    assert_int_equal(hoist_wait(ctx, &other), -EALREADY);
    assert_int_equal(hoist_reply_text(ctx, "now"), -EALREADY);
    assert_int_equal(hoist_find_count(ctx, NULL, tell, NULL), -EALREADY);
    return 0;
}

static void one_that_waits_does_nothing_else(void **state)
{
    (void)state;
    message_runs(try_both);
    resumes(reply, late);
    says_reply(1, 200);
}

static int try_task(hoist_ctx *ctx, void *data)
{
    (void)data;
    assert_int_equal(hoist_wait(ctx, &ticket), -EINVAL);
    note("tried");
    return 0;
}

static void a_task_does_not_wait(void **state)
{
    (void)state;
    link_run(&worker.link, &(task_t){try_task, NULL});
    assert_trace("tried");
}

static void no_more_than_1024_wait(void **state)
{
    char conn[CONN_ID_TEXT + 1] = CONN_A;
    (void)state;

    for (unsigned i = 0; i <= ASKED_MAX; i++) {
        (void)snprintf(conn + 10, sizeof conn - 10, "%06u", i);
        message_comes(conn, "wait", i + 1);
    }
    says_reply(ASKED_MAX + 1, 503);
    says_no_more();
    worker_ends();
}

/* Replies, until not one byte more has room. */
static void fill_outbox(void)
{
    static uint8_t bytes[1 << 20];
    message_reply_t reply = {.status = 200,
                             .body = {BODY_BINARY, {bytes, sizeof bytes}}};
    outbox_mark_t mark;

    while (reply.body.bytes.len > 0) {
        int rc = outbox_reply(&worker.link.outbox, &reply, &mark);
        if (rc < 0) {
            assert_int_equal(rc, -ENOBUFS);
            reply.body.bytes.len /= 2;
        }
    }
    reply.body = (body_t){.type = BODY_NONE};
    while (outbox_reply(&worker.link.outbox, &reply, &mark) == 0) {
    }
}

/* How many of the messages behind `at` are replies of that status. */
static unsigned count_replies(size_t at, unsigned status)
{
    const buf_t *ready = &worker.link.outbox.ready;
    wire_cursor_t rest =
        wire_cursor((wire_bytes_t){ready->data + at, ready->len - at});
    message_t message;
    unsigned count = 0;

    while (message_decode(&rest, &message) == 1) {
        count += message.kind == KIND_REPLY && message.reply.status == status;
    }
    return count;
}

static int fail_at_length(hoist_ctx *ctx)
{
    char code[ERROR_CODE_MAX + 1], text[ERROR_MESSAGE_MAX + 1];
    char details[ERROR_DETAILS_MAX + 1];

    (void)snprintf(code, sizeof code, "%0*d", ERROR_CODE_MAX, 0);
    memset(text, '\1', sizeof text - 1); /* six bytes of JSON each */
    text[sizeof text - 1] = '\0';
    (void)snprintf(details, sizeof details, "%0*d", ERROR_DETAILS_MAX, 1);
    return hoist_fail_with(ctx, &(hoist_error){.status = 503,
                                               .code = hoist_str(code),
                                               .message = hoist_str(text),
                                               .details = hoist_str(details)});
}

static int reply_or_fail(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    (void)answer;
    assert_int_equal(hoist_reply_text(ctx, data), -ENOBUFS);
    return fail_at_length(ctx);
}

static int ask_what_is_late(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, reply_or_fail, late);
}

static void what_finds_the_outbox_full_fails_and_has_its_outcome(void **state)
{
    char conn[CONN_ID_TEXT + 1] = CONN_A;
    (void)state;

    serves("asks", ask_what_is_late);
    must(hoist_use_on(worker.app, "asks", hoist_recover, NULL) == 0);
    worker_freezes();
    for (unsigned i = 0; i < ASKED_MAX; i++) {
        (void)snprintf(conn + 10, sizeof conn - 10, "%06u", i);
        message_comes(conn, "asks", i + 1);
    }
    fill_outbox();
    size_t full = worker.link.outbox.ready.len;
    link_tick(&worker.link, 10 + ASKED_TIMEOUT_MS);
    assert_int_equal(count_replies(full, 503), ASKED_MAX);
    assert_in_range(worker.link.outbox.ready.len - full, 2 * ASKED_MAX * 1024,
                    OUTBOX_RESERVE);                 /* in all their words */
    link_drain(&worker.link, 10 + ASKED_TIMEOUT_MS); /* that is said, too */
}

/* --- while too much waits to be sent ------------------------------------- */

static void outbox_drains(void)
{
    link_sent(&worker.link, worker.link.outbox.ready.len, worker.now_ms);
    feed(worker.now_ms);
}

static void who_is_resumed_waits_until_its_broker_takes_more(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    hoist_ticket first = ticket;
    message_comes(CONN_B, "wait", 2);
    hoist_ticket second = ticket;
    assert_trace("wait wait");
    fill_outbox();
    assert_int_equal(hoist_resume(second, reply, late), 0);
    assert_int_equal(hoist_resume(first, reply, late), 0);
    posts_are_run();
    assert_trace("");
    assert_false(link_can_resume(&worker.link));
    assert_false(link_is_drained(&worker.link));
    outbox_drains();
    assert_trace("goes on goes on");
    says_reply(2, 200);
    says_reply(1, 200);
    says_no_more();
}

static void what_comes_behind_waits_for_it_still(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    message_comes(CONN_A, "plain", 2);
    fill_outbox();
    resumes(reply, late);
    outbox_drains();
    says_reply(1, 200);
    says_reply(2, 200);
    assert_trace("wait goes on plain");
}

static void it_goes_on_once_all_the_same(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    fill_outbox();
    resumes(reply, late);
    resumes(reply, late);
    outbox_drains();
    says_reply(1, 200);
    says_no_more();
    assert_trace("wait over goes on");
}

static void at_its_deadline_it_has_waited_long_enough(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    fill_outbox();
    resumes(reply, late);
    size_t full = worker.link.outbox.ready.len;
    link_tick(&worker.link, DEADLINE);
    assert_int_equal(count_replies(full, 504), 1);
    assert_trace("wait over");
    outbox_drains();
    says_no_more();
}

static void without_its_broker_it_is_over(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    fill_outbox();
    resumes(reply, late);
    bare_comes(KIND_WHO, 20);
    come_up(20);
    assert_trace("wait over");
    assert_int_equal(worker.link.asked.count, 0);
}

static void what_is_no_ticket_is_refused(void **state)
{
    hoist_ticket none = {0}, other = {.app = worker.app, .thread = 7, .id = 1};
    (void)state;

    message_comes(CONN_A, "wait", 1);
    assert_int_equal(hoist_resume(ticket, NULL, NULL), -EINVAL);
    assert_int_equal(hoist_resume(none, reply, NULL), -EINVAL);
    other.app = worker.app;
    assert_int_equal(hoist_resume(other, reply, NULL), -EINVAL);
    for (int i = 0; i < POSTS_MAX; i++) {
        assert_int_equal(hoist_resume(ticket, reply, late), 0);
    }
    assert_int_equal(hoist_resume(ticket, reply, late), -EAGAIN);
    posts_are_run();
    says_reply(1, 200);
}

static void one_that_waits_is_waited_for_by_a_stop(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    link_drain(&worker.link, 20);
    bare_comes(KIND_PONG, 20);
    worker.link.outbox.ready.len = 0;
    assert_false(link_is_drained(&worker.link));
    resumes(reply, late);
    says_reply(1, 200);
    assert_true(link_is_drained(&worker.link));
}

static void what_never_ran_is_run_when_the_app_goes(void **state)
{
    (void)state;
    message_comes(CONN_A, "wait", 1);
    assert_int_equal(hoist_resume(ticket, reply, late), 0);
    worker_ends();
    app_run_posts(worker.app);
    assert_trace("wait over");
}

/* -----------------------------------------------------------------------------------
 */

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up, worker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_goes_on_when_its_ticket_comes),
        TEST(what_comes_behind_it_waits_and_others_go_on),
        TEST(it_may_wait_again_and_ask_in_between),
        TEST(its_failure_is_that_of_the_task),
        TEST(a_reply_alone_needs_no_task),
        TEST(a_wrong_reply_is_refused_at_once),
        TEST(at_its_deadline_it_fails_and_what_comes_then_is_a_task),
        TEST(a_disconnect_waits_for_a_minute),
        TEST(it_goes_on_once),
        TEST(a_late_reply_is_logged),
        TEST(a_second_reply_names_request_and_route),
        TEST(a_broker_that_is_lost_ends_it_without_a_word),
        TEST(a_ticket_of_before_is_no_other_events),
        TEST(who_fails_behind_it_has_failed),
        TEST(one_that_waits_does_nothing_else),
        TEST(a_task_does_not_wait),
        TEST(no_more_than_1024_wait),
        TEST(what_finds_the_outbox_full_fails_and_has_its_outcome),
        TEST(who_is_resumed_waits_until_its_broker_takes_more),
        TEST(what_comes_behind_waits_for_it_still),
        TEST(it_goes_on_once_all_the_same),
        TEST(at_its_deadline_it_has_waited_long_enough),
        TEST(without_its_broker_it_is_over),
        TEST(what_is_no_ticket_is_refused),
        TEST(one_that_waits_is_waited_for_by_a_stop),
        TEST(what_never_ran_is_run_when_the_app_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
