/* SPDX-License-Identifier: MIT */
#include "tests/unit/link_fixture.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

fixture_t *fixture;

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

int link_set_up(void **state)
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

int link_tear_down(void **state)
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

void feed(int64_t now_ms)
{
    sdk_feed(&fixture->link, &fixture->in, now_ms);
}

void feed_bare(message_kind_t kind, int64_t now_ms)
{
    must(message_put_bare(&fixture->in, kind) == 0);
    feed(now_ms);
}

void put_welcome(uint64_t push_window)
{
    sdk_put_welcome(&fixture->in, &(sdk_welcome_t){.push_window = push_window});
}

void put_welcome_for(const char *peer)
{
    sdk_put_welcome(&fixture->in, &(sdk_welcome_t){.peer = peer});
}

void put_welcome_of(const char *broker, uint64_t session)
{
    sdk_put_welcome(&fixture->in,
                    &(sdk_welcome_t){.broker = broker, .session = session});
}

void put_request(uint64_t id)
{
    message_request_t request = sdk_message("a");

    request.id = id;
    must(message_put_request(&fixture->in, &request) == 0);
}

void put_credit(uint64_t messages)
{
    message_credit_t credit = {messages, messages * strlen("push")};

    must(message_put_credit(&fixture->in, &credit) == 0);
}

/* --- what the worker says ------------------------------------------------ */

void assert_ready(const char *kinds)
{
    assert_string_equal(sdk_kinds(&fixture->link.outbox.ready), kinds);
}

void send_all(int64_t now_ms)
{
    link_sent(&fixture->link, fixture->link.outbox.ready.len, now_ms);
}

void come_up(uint64_t push_window, int64_t now_ms)
{
    send_all(now_ms);
    put_welcome(push_window);
    feed(now_ms);
    assert_int_equal(fixture->link.state, LINK_UP);
    assert_ready("");
}
