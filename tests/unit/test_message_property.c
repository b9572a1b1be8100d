/* SPDX-License-Identifier: MIT
 *
 * What holds for every message of every kind, tried on random ones.  Each
 * frame is decoded from a block of exactly its size, so that a sanitizer sees
 * any byte read past it.
 */
#include "base/xalloc.h"
#include "proto/message.h"
#include "tests/unit/random_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS    200 /* random messages of each kind */
#define FRAME_CAP 65536

static const message_kind_t kinds[] = {
    KIND_HELLO,  KIND_WELCOME,  KIND_READY,  KIND_REQUEST, KIND_REPLY,
    KIND_PUSH,   KIND_QUERY,    KIND_RESULT, KIND_CLOSE,   KIND_GONE,
    KIND_CREDIT, KIND_PING,     KIND_PONG,   KIND_SYNC,    KIND_DRAIN,
    KIND_BYE,    KIND_WHO,      KIND_ERROR,  KIND_PUSHED,  KIND_JOIN,
    KIND_LEAVE,  KIND_INTEREST, KIND_WATCH};

#define KINDS (sizeof kinds / sizeof kinds[0])

/* --- random messages ----------------------------------------------------- */

static wire_bytes_t some_conn(random_t *random)
{
    return random_text(random, CONN_ID_TEXT, CONN_ID_TEXT);
}

/* A map, or none: both occur on the wire. */
static wire_bytes_t some_map(random_t *random)
{
    return random_below(random, 2) == 0 ? (wire_bytes_t){NULL, 0}
                                        : random_map(random);
}

static message_request_t some_request(random_t *random)
{
    return (message_request_t){
        .id = random_uint(random),
        .event = EVENT_CONNECT + random_below(random, 4),
        .conn = some_conn(random),
        .route = random_text(random, 1, ROUTE_KEY_MAX),
        .body = random_body(random),
        .deadline_ms = random_below(random, DURATION_MAX + UINT64_C(1)),
        .context = some_map(random),
        .details = some_map(random),
        .number = random_uint(random),
        .attempt =
            random_below(random, 2) == 0 ? 0 : 2 + random_below(random, 9),
        .traceparent = random_below(random, 2) == 0
                           ? (wire_bytes_t){NULL, 0}
                           : random_text(random, 1, TRACEPARENT_MAX),
    };
}

static message_push_t some_push(random_t *random)
{
    message_push_t push = {
        .target = random_array(random, (uint32_t)random_below(random, 6)),
        .body = random_body(random),
        .options = some_map(random),
    };
    if (push.body.type == BODY_NONE) {
        push.body.type = BODY_BINARY;
    }
    return push;
}

static void fill_greeting(random_t *random, message_t *message)
{
    if (message->kind == KIND_HELLO) {
        message->hello = (message_hello_t){
            random_uint(random), random_text(random, 0, 64),
            random_text(random, 1, BOOT_ID_MAX),
            random_text(random, 0, PEER_NAME_MAX), some_map(random)};
    } else if (message->kind == KIND_WELCOME) {
        message->welcome = (message_welcome_t){
            random_uint(random),
            random_text(random, 1, BOOT_ID_MAX),
            random_text(random, 0, PEER_NAME_MAX),
            random_below(random, DURATION_MAX + UINT64_C(1)),
            random_below(random, DURATION_MAX + UINT64_C(1)),
            some_map(random)};
    } else {
        message->ready = (message_ready_t){
            random_array(random, (uint32_t)random_below(random, 30)),
            random_uint(random), random_uint(random)};
    }
}

/* What pushes are made of, and what is said of them. */
static void fill_push(random_t *random, message_t *message)
{
    switch (message->kind) {
    case KIND_PUSH:
        message->push = some_push(random);
        return;
    case KIND_CLOSE:
        message->close = (message_close_t){
            some_conn(random),
            CLOSE_CODE_MIN +
                random_below(random, CLOSE_CODE_MAX - CLOSE_CODE_MIN + 1),
            random_text(random, 0, REASON_MAX), random_uint(random)};
        return;
    case KIND_GONE:
        message->gone =
            (message_gone_t){some_conn(random), random_uint(random)};
        return;
    case KIND_CREDIT:
        message->credit =
            (message_credit_t){random_uint(random), random_uint(random)};
        return;
    case KIND_PUSHED:
        message->pushed =
            (message_pushed_t){random_uint(random), random_uint(random),
                               random_uint(random), random_uint(random)};
        return;
    case KIND_JOIN:
    case KIND_LEAVE:
        message->join =
            (message_join_t){random_text(random, 1, GROUP_MAX),
                             some_conn(random), random_uint(random)};
        return;
    case KIND_INTEREST:
        message->interest = (message_interest_t){
            random_below(random, 3),
            random_array(random, (uint32_t)random_below(random, 20)),
            random_below(random, 2) == 0, random_uint(random)};
        return;
    default:
        return;
    }
}

/* Of a PING: without one, the element behind it would be taken for it. */
static uint64_t some_number(random_t *random)
{
    return random_uint(random) | 1;
}

static void fill(random_t *random, message_t *message)
{
    switch (message->kind) {
    case KIND_HELLO:
    case KIND_WELCOME:
    case KIND_READY:
        fill_greeting(random, message);
        return;
    case KIND_REQUEST:
        message->request = some_request(random);
        return;
    case KIND_REPLY:
        message->reply = (message_reply_t){
            random_uint(random),
            STATUS_MIN + random_below(random, STATUS_MAX - STATUS_MIN + 1),
            random_body(random), some_map(random)};
        return;
    case KIND_QUERY:
        message->query = (message_query_t){
            random_uint(random), random_array(random, 2), some_map(random)};
        return;
    case KIND_RESULT:
        message->result = (message_result_t){
            random_uint(random),
            STATUS_MIN + random_below(random, STATUS_MAX - STATUS_MIN + 1),
            random_array(random, (uint32_t)random_below(random, 20)),
            some_map(random)};
        return;
    case KIND_PING:
        message->ping = (message_ping_t){
            random_uint(random), random_uint(random), some_number(random)};
        return;
    case KIND_PONG:
        message->pong = (message_pong_t){some_number(random)};
        return;
    case KIND_SYNC:
        message->sync = (message_sync_t){
            random_array(random, (uint32_t)random_below(random, 20)),
            random_below(random, 2) == 0, random_uint(random),
            random_below(random, 3)};
        return;
    case KIND_ERROR:
        message->error = (message_error_t){
            random_text(random, 0, ERROR_CODE_MAX),
            random_text(random, 0, ERROR_TEXT_MAX), random_below(random, 3)};
        return;
    case KIND_WATCH:
        message->watch.presence = random_below(random, 2) == 0;
        return;
    default:
        fill_push(random, message);
        return; /* no fields */
    }
}

/* --- the harness --------------------------------------------------------- */

typedef void check_fn(random_t *random, const message_t *message,
                      const buf_t *frame);

static void for_all(check_fn *check)
{
    random_t random;
    buf_t frame;

    random_init(&random, 20260131);
    buf_init(&frame, FRAME_CAP);
    for (size_t k = 0; k < KINDS; k++) {
        for (int round = 0; round < ROUNDS; round++) {
            message_t message = {.kind = kinds[k]};
            random_reuse(&random);
            fill(&random, &message);
            frame.len = 0;
            assert_int_equal(message_put(&frame, &message), 0);
            check(&random, &message, &frame);
        }
    }
    buf_fini(&frame);
    random_fini(&random);
}

/* The bytes in a block of their own size; free it. */
static uint8_t *exact(const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    must(copy != NULL);
    memcpy(copy, bytes, len);
    return copy;
}

static void assert_encodes_to(const message_t *message, const buf_t *frame)
{
    buf_t again;

    buf_init(&again, FRAME_CAP);
    assert_int_equal(message_put(&again, message), 0);
    assert_int_equal(again.len, frame->len);
    assert_memory_equal(again.data, frame->data, frame->len);
    buf_fini(&again);
}

/* --- the properties ------------------------------------------------------ */

static void check_round_trip(random_t *random, const message_t *message,
                             const buf_t *frame)
{
    uint8_t *bytes = exact(frame->data, frame->len);
    wire_cursor_t in = wire_cursor((wire_bytes_t){bytes, frame->len});
    message_t decoded;
    (void)random;

    assert_int_equal(message_decode(&in, &decoded), 1);
    assert_int_equal(decoded.kind, message->kind);
    assert_int_equal(decoded.size, frame->len);
    assert_true(wire_at_end(&in));
    assert_int_equal(message_decode(&in, &decoded), 0);
    in = wire_cursor((wire_bytes_t){bytes, frame->len});
    (void)message_decode(&in, &decoded);
    assert_encodes_to(&decoded, frame);
    free(bytes);
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
    (void)state;
    for_all(check_round_trip);
}

static void check_prefixes(random_t *random, const message_t *message,
                           const buf_t *frame)
{
    message_t decoded;
    (void)message;

    /* Each length of a short message, a few random ones of a long one. */
    for (size_t len = 1; len < frame->len; len++) {
        if (frame->len > 300) {
            len += random_below(random, 50);
        }
        if (len >= frame->len) {
            break;
        }
        uint8_t *bytes = exact(frame->data, len);
        wire_cursor_t in = wire_cursor((wire_bytes_t){bytes, len});
        assert_int_equal(message_decode(&in, &decoded), -EBADMSG);
        assert_true(wire_at_end(&in));
        free(bytes);
    }
}

static void every_truncated_message_is_malformed(void **state)
{
    (void)state;
    for_all(check_prefixes);
}

static void check_trailing_byte(random_t *random, const message_t *message,
                                const buf_t *frame)
{
    uint8_t *bytes = malloc(frame->len + 1);
    message_t decoded;

    must(bytes != NULL);
    memcpy(bytes, frame->data, frame->len);
    bytes[frame->len] = (uint8_t)random_u64(random);
    wire_cursor_t in = wire_cursor((wire_bytes_t){bytes, frame->len + 1});
    assert_int_equal(message_decode(&in, &decoded), 1);
    assert_int_equal(decoded.kind, message->kind);
    assert_int_equal(decoded.size, frame->len);
    int rc = message_decode(&in, &decoded);
    /* 0x90 is an array, if an empty one. */
    assert_int_equal(rc, bytes[frame->len] == 0x90 ? -EPROTO : -EBADMSG);
    assert_int_equal(decoded.size, 1);
    assert_true(wire_at_end(&in));
    free(bytes);
}

static void one_byte_behind_a_message_is_malformed(void **state)
{
    (void)state;
    for_all(check_trailing_byte);
}

/* A frame of the first message's bytes with more elements in its array. */
static void lengthen(random_t *random, const buf_t *frame, buf_t *longer)
{
    wire_cursor_t in = wire_cursor((wire_bytes_t){frame->data, frame->len});
    uint32_t count = 0, more = 1 + (uint32_t)random_below(random, 20);

    must(wire_get_array(&in, &count) == 0);
    must(wire_put_array(longer, count + more) == 0);
    must(buf_put(longer, in.at, (size_t)(in.end - in.at)) == 0);
    for (; more > 0; more--) {
        random_element(random, longer, 3);
    }
}

static bool has_optional_field(const message_t *message)
{
    return (message->kind == KIND_REQUEST &&
            message->request.traceparent.len == 0) ||
           (message->kind == KIND_REPLY && message->reply.options.len == 0) ||
           (message->kind == KIND_PUSH && message->push.options.len == 0) ||
           (message->kind == KIND_ERROR && message->error.from == 0) ||
           (message->kind == KIND_QUERY && message->query.options.len == 0) ||
           (message->kind == KIND_RESULT && message->result.options.len == 0);
}

static void check_longer(random_t *random, const message_t *message,
                         const buf_t *frame)
{
    message_t decoded;
    buf_t longer;

    if (has_optional_field(message)) {
        return; /* what is added there is a field of this version */
    }
    buf_init(&longer, FRAME_CAP);
    lengthen(random, frame, &longer);
    uint8_t *bytes = exact(longer.data, longer.len);
    wire_cursor_t in = wire_cursor((wire_bytes_t){bytes, longer.len});
    assert_int_equal(message_decode(&in, &decoded), 1);
    assert_int_equal(decoded.size, longer.len);
    assert_true(wire_at_end(&in));
    assert_encodes_to(&decoded, frame);
    free(bytes);
    buf_fini(&longer);
}

static void elements_of_a_newer_version_are_skipped(void **state)
{
    (void)state;
    for_all(check_longer);
}

static void check_unknown_kind(random_t *random, const message_t *message,
                               const buf_t *frame)
{
    message_t decoded;
    buf_t two;

    buf_init(&two, FRAME_CAP);
    must(wire_put_array(&two, 3) == 0);
    must(wire_put_uint(&two, 25 + random_below(random, 200)) == 0);
    random_element(random, &two, 4);
    random_element(random, &two, 4);
    size_t first = two.len;
    must(buf_put(&two, frame->data, frame->len) == 0);
    wire_cursor_t in = wire_cursor((wire_bytes_t){two.data, two.len});
    assert_int_equal(message_decode(&in, &decoded), -ENOTSUP);
    assert_int_equal(decoded.size, first);
    assert_int_equal(message_decode(&in, &decoded), 1);
    assert_int_equal(decoded.kind, message->kind);
    buf_fini(&two);
}

static void a_message_behind_one_of_unknown_kind_is_read(void **state)
{
    (void)state;
    for_all(check_unknown_kind);
}

static void check_full_buffer(random_t *random, const message_t *message,
                              const buf_t *frame)
{
    buf_t small;
    size_t before = random_below(random, 10);

    buf_init(&small, before + random_below(random, frame->len));
    must(buf_put(&small, "0123456789", before) == 0);
    assert_int_equal(message_put(&small, message), -ENOBUFS);
    assert_int_equal(small.len, before);
    if (before > 0) {
        assert_memory_equal(small.data, "0123456789", before);
    }
    buf_fini(&small);
}

static void
a_message_that_does_not_fit_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    for_all(check_full_buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_decodes_to_the_same),
        cmocka_unit_test(every_truncated_message_is_malformed),
        cmocka_unit_test(one_byte_behind_a_message_is_malformed),
        cmocka_unit_test(elements_of_a_newer_version_are_skipped),
        cmocka_unit_test(a_message_behind_one_of_unknown_kind_is_read),
        cmocka_unit_test(
            a_message_that_does_not_fit_leaves_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
