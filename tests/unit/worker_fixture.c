/* SPDX-License-Identifier: MIT */
#include "tests/unit/worker_fixture.h"

#include "base/xalloc.h"
#include "workers/c/later.h"

#include <stdio.h>
#include <string.h>

worker_t worker;

static void open_link(void)
{
    link_init(&worker.link,
              &(link_options_t){.core = &worker.core,
                                .endpoint = "tcp://broker",
                                .boot = "boot",
                                .process = "process",
                                .name = "name",
                                .window = 4096,
                                .window_bytes = 8 << 20},
              1);
}

void worker_gets_app(void)
{
    log_set_level(LEVEL_ERROR);
    worker = (worker_t){.app = hoist_app_new(), .now_ms = 10};
    buf_init(&worker.in, FRAME_MAX);
    buf_init(&worker.frame, FRAME_MAX);
}

void worker_opens(void)
{
    routes_freeze(&worker.app->routes, &worker.app->around);
    core_init(&worker.core, worker.app);
    open_link();
    come_up(1);
}

int worker_set_up(void **state)
{
    (void)state;
    worker_gets_app();
    worker_opens();
    return 0;
}

int worker_tear_down(void **state)
{
    (void)state;
    link_fini(&worker.link);
    core_fini(&worker.core);
    hoist_app_destroy(&worker.app);
    buf_fini(&worker.in);
    buf_fini(&worker.frame);
    return 0;
}

void serves(const char *route, hoist_handler *handler)
{
    must(hoist_on(worker.app, route, handler) == 0);
    worker_freezes();
}

void worker_freezes(void)
{
    routes_freeze(&worker.app->routes, &worker.app->around);
}

void worker_ends(void)
{
    link_fini(&worker.link);
    open_link();
}

/* --- what handlers do ---------------------------------------------------- */

void note(const char *word)
{
    size_t len = strlen(worker.trace);

    if (len < sizeof worker.trace - 32) { /* of a thousand, none reads on */
        (void)snprintf(worker.trace + len, sizeof worker.trace - len, "%s%s",
                       len > 0 ? " " : "", word);
    }
}

void assert_trace(const char *expected)
{
    assert_string_equal(worker.trace, expected);
    worker.trace[0] = '\0';
}

/* --- what the broker does ------------------------------------------------ */

void feed(int64_t now_ms)
{
    sdk_feed(&worker.link, &worker.in, now_ms);
    while (link_resume(&worker.link)) {
    }
    link_tick(&worker.link, now_ms);
}

void come_up(int64_t now_ms)
{
    link_sent(&worker.link, worker.link.outbox.ready.len, now_ms);
    sdk_put_welcome(&worker.in,
                    &(sdk_welcome_t){.push_window = worker.push_window});
    feed(now_ms);
    assert_int_equal(worker.link.state, LINK_UP);
}

void comes(event_t event, const char *conn, const char *route, uint64_t id)
{
    message_request_t request =
        event == EVENT_MESSAGE ? sdk_message(route) : sdk_event(event);

    request.id = id;
    request.conn = wire_bytes(conn);
    must(message_put_request(&worker.in, &request) == 0);
    feed(worker.now_ms);
}

void message_comes(const char *conn, const char *route, uint64_t id)
{
    comes(EVENT_MESSAGE, conn, route, id);
}

void message_runs(hoist_handler *handler)
{
    serves("runs", handler);
    message_comes(CONN_A, "runs", 1);
}

void result_comes(const message_result_t *result)
{
    must(message_put_result(&worker.in, result) == 0);
    feed(worker.now_ms);
}

void status_comes(uint64_t id, unsigned status)
{
    result_comes(&(message_result_t){.id = id, .status = status});
}

void bare_comes(message_kind_t kind, int64_t now_ms)
{
    must(message_put_bare(&worker.in, kind) == 0);
    feed(now_ms);
}

static void run_posts(const posts_t *posts)
{
    task_t task;

    while (posts_take(posts, &task)) {
        uint64_t id = later_open(&task);
        if (task.run != NULL &&
            (id == 0 || !link_go_on(&worker.link, id, &task))) {
            link_run(&worker.link, &task);
        }
    }
}

void posts_are_run(void)
{
    run_posts(&worker.app->inlets[0].posts);
    run_posts(&worker.app->inlets[0].resumptions);
    feed(worker.now_ms);
}

void time_is(int64_t now_ms)
{
    buf_t *ready = &worker.link.outbox.ready;
    size_t start = ready->len;
    message_t message;

    link_tick(&worker.link, now_ms);
    wire_bytes_t more = {ready->data + start, ready->len - start};
    wire_cursor_t at = wire_cursor(more);
    while (message_decode(&at, &message) == 1) {
        if (message.kind == KIND_PING) {
            ready->len = start;
            return;
        }
    }
}

/* --- what the worker says ------------------------------------------------ */

const message_t *says(message_kind_t kind)
{
    must(sdk_take(&worker.link.outbox.ready, &worker.frame, &worker.said));
    assert_int_equal(worker.said.kind, kind);
    return &worker.said;
}

void says_reply(uint64_t id, unsigned status)
{
    const message_reply_t *reply = &says(KIND_REPLY)->reply;

    assert_int_equal(reply->id, id);
    assert_int_equal(reply->status, status);
}

void says_no_more(void)
{
    assert_string_equal(sdk_kinds(&worker.link.outbox.ready), "");
}

uint64_t says_query(void)
{
    return says(KIND_QUERY)->query.id;
}
