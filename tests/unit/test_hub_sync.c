/* SPDX-License-Identifier: MIT
 *
 * The list of connections that a gateway gives a broker: in as many frames as
 * it takes, however many connections there are.
 */
#include "gateway/standing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 9000 contexts of 8000 bytes: 72 MB, which no frame can hold. */
#define MANY         9000
#define CONTEXT_SIZE 8000
#define TURNS_MAX    1000
#define LIVENESS_MS  3500

/* A gateway, and what the broker has heard from it. */
typedef struct {
    hub_t *hub;
    int64_t now_ms;
    uint64_t session; /* of the WELCOME */
    bool answers;     /* PONG to each PING */
    buf_t answer;     /* the PONGs, for the next turn */
    uint32_t listed;  /* connections named so far */
    uint32_t lists;   /* SYNCs without `more` */
    uint32_t parts;   /* SYNCs */
    uint32_t frames, hellos, disconnects;
    bool is_early; /* a REQUEST came before the end of the list */
} fixture_t;

static int setup(void **state)
{
    static gateway_options_t options;
    char error[200];
    fixture_t *self = calloc(1, sizeof *self);

    gateway_options_init(&options);
    self->hub = hub_new(&options, 0, error, sizeof error);
    standing_add(self->hub, 0, "tcp://a:1", 0);
    self->answers = true;
    self->session = 1;
    buf_init(&self->answer, 1 << 20);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *self = *state;

    hub_destroy(&self->hub);
    buf_fini(&self->answer);
    free(self);
    return 0;
}

/* --- the broker ---------------------------------------------------------- */

static void hear_sync(fixture_t *self, const message_sync_t *sync)
{
    wire_cursor_t list = wire_cursor(sync->connections);
    uint32_t count = 0;

    assert_int_equal(sync->session, self->session);
    assert_int_equal(wire_get_array(&list, &count), 0);
    self->listed += count;
    self->parts++;
    self->lists += !sync->more;
}

static void hear(fixture_t *self, const message_t *message)
{
    switch (message->kind) {
    case KIND_HELLO:
        self->hellos++;
        return;
    case KIND_PING:
        assert_int_equal(message_put_bare(&self->answer, KIND_PONG), 0);
        return;
    case KIND_REQUEST:
        self->is_early |= self->lists == 0;
        self->disconnects += message->request.event == EVENT_DISCONNECT;
        return;
    case KIND_SYNC:
        hear_sync(self, &message->sync);
        return;
    default:
        return;
    }
}

/* The gateway's frame, as the socket would take it. */
static void take_frame(fixture_t *self)
{
    buf_t *out = &self->hub->links[0]->out;
    wire_cursor_t frame = wire_cursor((wire_bytes_t){out->data, out->len});
    message_t message;
    int rc;

    assert_true(out->len <= FRAME_MAX);
    self->frames += out->len > 0;
    while ((rc = message_decode(&frame, &message)) != 0) {
        assert_int_equal(rc, 1);
        hear(self, &message);
    }
    buf_reset(out, 0);
}

static void give(fixture_t *self, buf_t *bytes)
{
    if (bytes->len > 0) {
        hub_frame(self->hub, self->hub->links[0], bytes->data, bytes->len);
    }
    buf_fini(bytes);
}

/* A turn that hears nothing and whose frame stays where it is. */
static void turn_unsent(fixture_t *self)
{
    hub_begin(self->hub, self->now_ms * 1000, self->now_ms);
    hub_end(self->hub);
}

static void turn(fixture_t *self)
{
    hub_begin(self->hub, self->now_ms * 1000, self->now_ms);
    if (self->answers) {
        give(self, &self->answer);
    }
    hub_end(self->hub);
    take_frame(self);
}

static void say_welcome(fixture_t *self, const char *boot)
{
    buf_t bytes, options;

    buf_init(&bytes, 1000);
    buf_init(&options, 1000);
    assert_int_equal(wire_put_map(&options, 2), 0);
    assert_int_equal(wire_put_text(&options, "session"), 0);
    assert_int_equal(wire_put_uint(&options, self->session), 0);
    assert_int_equal(wire_put_text(&options, "window"), 0);
    assert_int_equal(wire_put_uint(&options, 100), 0);
    message_welcome_t welcome = {
        .version = PROTOCOL_VERSION,
        .boot = wire_bytes(boot),
        .heartbeat_ms = 1000,
        .liveness_ms = LIVENESS_MS,
        .options = {options.data, options.len},
    };
    assert_int_equal(message_put_welcome(&bytes, &welcome), 0);
    give(self, &bytes);
    buf_fini(&options);
}

static void say(fixture_t *self, message_kind_t kind)
{
    buf_t bytes;

    buf_init(&bytes, 1000);
    assert_int_equal(message_put_bare(&bytes, kind), 0);
    give(self, &bytes);
}

static void forget_what_was_heard(fixture_t *self)
{
    self->listed = self->lists = self->parts = self->frames = 0;
}

static void turn_until_the_list_ends(fixture_t *self)
{
    for (int i = 0; i < TURNS_MAX && self->lists == 0; i++) {
        turn(self);
    }
    assert_int_equal(self->lists, 1);
}

/* --- the gateway --------------------------------------------------------- */

/* A connection that the broker knows; its context is a map of one entry. */
static session_t *connection(fixture_t *self, size_t size)
{
    ip_t from = ip_of_v4((const uint8_t[]){127, 0, 0, 1});
    session_t *session = hub_transport_ops.opened(self->hub, &from);
    buf_t context;
    char *text = calloc(1, size);

    assert_non_null(session);
    memset(text, 'x', size - 1);
    buf_init(&context, CONTEXT_MAX);
    assert_int_equal(wire_put_map(&context, 1), 0);
    assert_int_equal(wire_put_text(&context, "user"), 0);
    assert_int_equal(wire_put_text(&context, text), 0);
    free(text);
    session->context = context.data;
    session->context_len = (uint32_t)context.len;
    session->link = self->hub->links[0];
    session->is_known = true;
    session->is_told = true;
    return session;
}

static void connections(fixture_t *self, int count)
{
    for (int i = 0; i < count; i++) {
        (void)connection(self, CONTEXT_SIZE);
    }
}

/* --- tests --------------------------------------------------------------- */

static void a_short_list_is_one_frame(void **state)
{
    fixture_t *self = *state;

    connections(self, 10);
    turn(self);
    forget_what_was_heard(self);
    say_welcome(self, "b1");
    turn(self);
    assert_int_equal(self->lists, 1);
    assert_int_equal(self->parts, 1);
    assert_int_equal(self->listed, 10);
    assert_int_equal(self->hub->links[0]->state, LINK_UP);
}

static void nobody_is_an_empty_list(void **state)
{
    fixture_t *self = *state;

    say_welcome(self, "b1");
    turn(self);
    assert_int_equal(self->lists, 1);
    assert_int_equal(self->listed, 0);
}

static void a_list_longer_than_a_frame_is_many(void **state)
{
    fixture_t *self = *state;

    connections(self, MANY);
    say_welcome(self, "b1");
    turn_until_the_list_ends(self);
    assert_int_equal(self->listed, MANY);
    assert_true(self->frames > 1);
    assert_int_equal(self->hub->links[0]->state, LINK_UP);
}

static void the_next_part_waits_until_the_last_is_read(void **state)
{
    fixture_t *self = *state;

    connections(self, MANY);
    self->answers = false;
    say_welcome(self, "b1");
    for (int i = 0; i < 5; i++) {
        turn(self);
    }
    assert_int_equal(self->parts, 1);
    self->answers = true;
    turn(self);
    assert_int_equal(self->parts, 2);
}

static void requests_wait_for_the_end_of_the_list(void **state)
{
    fixture_t *self = *state;
    session_t *leaver = connection(self, CONTEXT_SIZE);

    connections(self, MANY);
    say_welcome(self, "b1");
    turn(self);
    session_end(leaver, 1006, "");
    turn_until_the_list_ends(self);
    turn(self);
    assert_int_equal(self->listed, MANY + 1);
    assert_false(self->is_early);
    assert_int_equal(self->disconnects, 1);
}

static void a_broker_that_forgets_us_gets_the_list_from_its_start(void **state)
{
    fixture_t *self = *state;

    connections(self, MANY);
    say_welcome(self, "b1");
    turn(self);
    turn(self);
    say(self, KIND_WHO);
    turn(self);
    turn(self);
    assert_int_equal(self->parts, 2); /* none to a stranger */
    forget_what_was_heard(self);
    self->session = 2;
    say_welcome(self, "b2");
    turn_until_the_list_ends(self);
    assert_int_equal(self->listed, MANY);
}

static void a_second_welcome_does_not_start_it_again(void **state)
{
    fixture_t *self = *state;

    connections(self, MANY);
    say_welcome(self, "b1");
    turn(self);
    say_welcome(self, "b1");
    turn_until_the_list_ends(self);
    assert_int_equal(self->listed, MANY);
}

static void a_broker_that_dies_amid_the_list_is_lost(void **state)
{
    fixture_t *self = *state;

    connections(self, MANY);
    say_welcome(self, "b1");
    turn(self);
    self->answers = false;
    uint32_t hellos = self->hellos;
    for (int i = 0; i < LIVENESS_MS / 100; i++) { /* a gap would be a pause */
        self->now_ms += 100;
        turn(self);
    }
    assert_int_equal(self->hub->stats.broker_lost, 1);
    assert_int_equal(self->hellos, hellos + 1);
    assert_int_equal(self->parts, 1);
}

/* The frame before has not left, and there is no room behind it. */
static void a_part_that_finds_no_room_comes_later(void **state)
{
    fixture_t *self = *state;
    buf_t *out = &self->hub->links[0]->out;

    connections(self, MANY);
    turn(self);
    say_welcome(self, "b1");
    message_ping_t ping = {0};
    while (out->len + (1 << 20) < out->limit) {
        assert_int_equal(message_put_ping(out, &ping), 0);
    }
    turn_unsent(self);
    buf_reset(out, 0);
    turn_until_the_list_ends(self);
    assert_int_equal(self->listed, MANY);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_short_list_is_one_frame),
        T(nobody_is_an_empty_list),
        T(a_list_longer_than_a_frame_is_many),
        T(the_next_part_waits_until_the_last_is_read),
        T(requests_wait_for_the_end_of_the_list),
        T(a_broker_that_forgets_us_gets_the_list_from_its_start),
        T(a_second_welcome_does_not_start_it_again),
        T(a_broker_that_dies_amid_the_list_is_lost),
        T(a_part_that_finds_no_room_comes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
