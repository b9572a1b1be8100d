/* SPDX-License-Identifier: MIT
 *
 * RFC 6455 section 5, from the server's side.
 */
#include "gateway/ws.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FIN 0x80

typedef struct {
    ws_reader_t reader;
    uint8_t bytes[4096]; /* what the client sends */
    size_t len, taken;
    ws_event_t event;
} world_t;

static world_t world;

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    ws_reader_init(&world.reader, 300, 500);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ws_reader_fini(&world.reader);
    return 0;
}

static void sends_bytes(const void *bytes, size_t len)
{
    assert_true(world.len + len <= sizeof world.bytes);
    memcpy(world.bytes + world.len, bytes, len);
    world.len += len;
}

static void sends(int first, const char *payload, size_t len)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    uint8_t head[] = {(uint8_t)first, (uint8_t)(0x80 | (len < 126 ? len : 126)),
                      (uint8_t)(len >> 8), (uint8_t)len};

    sends_bytes(head, len < 126 ? 2 : 4);
    sends_bytes(mask, sizeof mask);
    for (size_t i = 0; i < len; i++) {
        uint8_t masked = (uint8_t)payload[i] ^ mask[i % 4];
        sends_bytes(&masked, 1);
    }
}

static int reads(void)
{
    uint8_t *at = world.bytes + world.taken;
    size_t left = world.len - world.taken;
    int got = ws_read(&world.reader, &at, &left, &world.event);

    world.taken = world.len - left;
    return got;
}

static void gets(ws_opcode_t type, const char *payload)
{
    assert_int_equal(reads(), 1);
    assert_int_equal(world.event.type, type);
    assert_int_equal(world.event.len, strlen(payload));
    assert_memory_equal(world.event.data, payload, strlen(payload));
}

static void gets_fragment(void)
{
    assert_int_equal(reads(), 1);
    assert_int_equal(world.event.type, WS_CONTINUATION);
    assert_int_equal(world.event.len, 0);
}

static void is_refused(uint16_t code)
{
    assert_int_equal(reads(), -EPROTO);
    assert_int_equal(world.event.code, code);
}

static void a_message_is_unmasked(void **state)
{
    (void)state;
    sends(FIN | WS_TEXT, "hello", 5);
    sends(FIN | WS_BINARY, "world", 5);
    gets(WS_TEXT, "hello");
    gets(WS_BINARY, "world");
    assert_int_equal(reads(), 0);
}

static void an_empty_message_is_a_message(void **state)
{
    (void)state;
    sends(FIN | WS_TEXT, "", 0);
    assert_int_equal(reads(), 1);
    assert_int_equal(world.event.len, 0);
}

static void fragments_make_one_message_and_pings_pass_between(void **state)
{
    (void)state;
    sends(WS_TEXT, "\xe2", 1);
    sends(FIN | WS_PING, "now", 3);
    sends(WS_CONTINUATION, "\x82", 1);
    sends(FIN | WS_CONTINUATION, "\xac", 1);
    gets_fragment();
    gets(WS_PING, "now");
    gets_fragment();
    gets(WS_TEXT, "\xe2\x82\xac");
}

static void a_message_may_come_byte_by_byte(void **state)
{
    uint8_t *at;
    size_t left;
    (void)state;

    sends(FIN | WS_TEXT, "hello", 5);
    for (size_t i = 0; i + 1 < world.len; i++) {
        at = world.bytes + i;
        left = 1;
        assert_int_equal(ws_read(&world.reader, &at, &left, &world.event), 0);
        assert_int_equal(left, 0);
    }
    world.taken = world.len - 1;
    gets(WS_TEXT, "hello");
}

static void a_close_tells_its_code_and_reason(void **state)
{
    (void)state;
    sends(FIN | WS_CLOSE, "\x0f\xa0why", 5);
    gets(WS_CLOSE, "why");
    assert_int_equal(world.event.code, 4000);
}

static void a_close_without_a_code_is_1005(void **state)
{
    (void)state;
    sends(FIN | WS_CLOSE, "", 0);
    assert_int_equal(reads(), 1);
    assert_int_equal(world.event.code, WS_NO_STATUS);
}

static void what_breaks_the_protocol_is_refused_by_1002(void **state)
{
    static const struct {
        uint8_t bytes[8];
        size_t len;
    } wrong[] = {
        {{0x81, 0x01, 'x'}, 3},                 /* no mask */
        {{0xc1, 0x80, 0, 0, 0, 0}, 6},          /* a reserved bit */
        {{0x83, 0x80, 0, 0, 0, 0}, 6},          /* a reserved opcode */
        {{0x80, 0x80, 0, 0, 0, 0}, 6},          /* continues nothing */
        {{0x09, 0x80, 0, 0, 0, 0}, 6},          /* a ping in fragments */
        {{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, 8},  /* a long ping */
        {{0x88, 0x81, 0, 0, 0, 0, 3}, 7},       /* half a close code */
        {{0x88, 0x82, 0, 0, 0, 0, 3, 0xed}, 8}, /* close code 1005 */
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        tear_down(state);
        set_up(state);
        sends_bytes(wrong[i].bytes, wrong[i].len);
        is_refused(1002);
    }
}

static void a_text_that_is_no_utf8_is_refused_by_1007(void **state)
{
    (void)state;
    sends(FIN | WS_TEXT, "\xed\xa0\x80", 3);
    is_refused(1007);
}

static void begins_anew(void)
{
    void *unused = NULL;

    (void)tear_down(&unused);
    (void)set_up(&unused);
}

/* Text is unmasked eight bytes at a time, and only what is beyond ASCII is
 * looked at again. */
static void one_wrong_byte_is_found_wherever_it_is(void **state)
{
    char text[40];
    (void)state;

    for (size_t len = 1; len <= sizeof text; len++) {
        for (size_t wrong = 0; wrong < len; wrong++) {
            memset(text, 'a', len);
            text[wrong] = (char)0x80;
            begins_anew();
            sends(FIN | WS_TEXT, text, len);
            is_refused(1007);
            begins_anew();
            sends(WS_TEXT, text, len);
            is_refused(1007);
        }
    }
}

static void ascii_does_not_go_on_with_a_character(void **state)
{
    (void)state;
    sends(WS_TEXT, "caf\xc3", 4);
    gets_fragment();
    sends(FIN | WS_CONTINUATION, "e", 1);
    is_refused(1007);
}

static void binary_may_have_any_bytes(void **state)
{
    (void)state;
    sends(FIN | WS_BINARY, "\x80\xff", 2);
    gets(WS_BINARY, "\x80\xff");
}

static void a_frame_or_message_over_its_limit_is_refused_by_1009(void **state)
{
    static const char payload[400];

    sends(FIN | WS_BINARY, payload, 301);
    is_refused(1009);
    tear_down(state);
    set_up(state);
    sends(WS_BINARY, payload, 300);
    gets_fragment();
    sends(FIN | WS_CONTINUATION, payload, 201);
    is_refused(1009);
    tear_down(state);
    set_up(state);
    sends(WS_BINARY, payload, 300);
    gets_fragment();
    sends(FIN | WS_CONTINUATION, payload, 200);
    assert_int_equal(reads(), 1);
    assert_int_equal(world.event.len, 500);
}

static void a_frame_has_the_shortest_head(void **state)
{
    static const uint8_t payload[70000];
    static const size_t lens[] = {0, 125, 126, 65535, 65536};
    static const size_t heads[] = {2, 2, 4, 4, 10};
    buf_t out;
    (void)state;

    for (size_t i = 0; i < 5; i++) {
        buf_init(&out, 1 << 20);
        assert_int_equal(ws_head_len(lens[i]), heads[i]);
        assert_int_equal(ws_put_frame(&out, WS_BINARY, payload, lens[i]), 0);
        assert_int_equal(out.len, heads[i] + lens[i]);
        assert_int_equal(out.data[0], FIN | WS_BINARY);
        buf_fini(&out);
    }
}

static void a_close_reason_is_cut_between_characters(void **state)
{
    char reason[126];
    buf_t out;
    (void)state;

    for (size_t i = 0; i < sizeof reason; i += 2) {
        memcpy(reason + i, "\xc3\xa4", 2);
    }
    buf_init(&out, 1000);
    assert_int_equal(
        ws_put_close(&out, 1000, (const uint8_t *)reason, sizeof reason), 0);
    assert_int_equal(out.len, 2 + 2 + 122);
    buf_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_unmasked),
        TEST(an_empty_message_is_a_message),
        TEST(fragments_make_one_message_and_pings_pass_between),
        TEST(a_message_may_come_byte_by_byte),
        TEST(a_close_tells_its_code_and_reason),
        TEST(a_close_without_a_code_is_1005),
        TEST(what_breaks_the_protocol_is_refused_by_1002),
        TEST(a_text_that_is_no_utf8_is_refused_by_1007),
        TEST(one_wrong_byte_is_found_wherever_it_is),
        TEST(ascii_does_not_go_on_with_a_character),
        TEST(binary_may_have_any_bytes),
        TEST(a_frame_or_message_over_its_limit_is_refused_by_1009),
        TEST(a_frame_has_the_shortest_head),
        TEST(a_close_reason_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
