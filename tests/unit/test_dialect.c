/* SPDX-License-Identifier: MIT */
#include "bench/dialect.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BODY  "{\"n\":\"00000000\"}"
#define NAME  UINT64_C(0x0123456789abcdef)
#define INBOX "_INBOX.0123456789abcdef"

static const struct {
    const char *what;
    size_t len;
    uint8_t bytes[DIALECT_HEAD_MAX];
} bad_heads[] = {
    {"text", 2, {0x81, 1}},
    {"not the last piece", 2, {0x02, 1}},
    {"a continuation", 2, {0x80, 1}},
    {"a close", 2, {0x88, 0}},
    {"a ping", 2, {0x89, 0}},
    {"masked", 2, {0x82, 0x81}},
    {"more than 64 MB", 10, {0x82, 127, 0, 0, 0, 0, 4, 0, 0, 1}},
    {"all that a length can say",
     10,
     {0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255}},
};

/* The payload of a client's short frame, as text. */
static const char *unmasked(const uint8_t *frame, size_t len)
{
    static char text[FORM_MAX];

    assert_true(len >= 6 && frame[1] == (0x80 | (len - 6)));
    for (size_t i = 6; i < len; i++) {
        text[i - 6] = (char)(frame[i] ^ frame[2 + (i - 6) % 4]);
    }
    text[len - 6] = '\0';
    return text;
}

static ssize_t hear(const dialect_t *dialect, const char *bytes,
                    dialect_say_t *answer)
{
    answer->len = 0;
    return dialect->hear((const uint8_t *)bytes, strlen(bytes), answer);
}

/* --- plain --------------------------------------------------------------- */

static void a_message_goes_out_as_a_masked_frame_with_its_number(void **state)
{
    form_t out, in;
    (void)state;

    dialect_plain.shape(&out, &in, BODY);
    form_set(&out, 0x2a, NAME);
    assert_int_equal(out.bytes[0], FRAME_TEXT);
    assert_string_equal(unmasked(out.bytes, out.len), "{\"n\":\"0000002a\"}");
}

static void it_comes_back_as_a_frame_with_its_number(void **state)
{
    form_t out, in;
    (void)state;

    dialect_plain.shape(&out, &in, BODY);
    form_set(&in, 0xfedcba98, NAME);
    assert_int_equal(in.len, 2 + strlen(BODY));
    assert_memory_equal(in.bytes, "\x81\x10{\"n\":\"fedcba98\"}", in.len);
    assert_int_equal(in.body, 2);
}

static void a_ping_is_answered_with_its_payload(void **state)
{
    dialect_say_t answer;
    (void)state;

    assert_int_equal(hear(&dialect_plain, "\x89\x02hi…", &answer), 4);
    assert_int_equal(answer.bytes[0], FRAME_PONG);
    assert_string_equal(unmasked(answer.bytes, answer.len), "hi");
}

static void of_a_ping_all_is_awaited(void **state)
{
    dialect_say_t answer;
    (void)state;

    assert_int_equal(hear(&dialect_plain, "\x89", &answer), 0);
    assert_int_equal(hear(&dialect_plain, "\x89\x02h", &answer), 0);
    assert_int_equal(answer.len, 0);
}

static void no_other_frame_is_understood(void **state)
{
    dialect_say_t answer;
    (void)state;

    assert_int_equal(hear(&dialect_plain, "\x88", &answer), -EPROTO);
    assert_int_equal(hear(&dialect_plain, "\x89\x7e", &answer), -EPROTO);
}

/* --- NATS ---------------------------------------------------------------- */

static void a_message_is_published_with_the_inbox_to_answer_to(void **state)
{
    form_t out, in;
    (void)state;

    dialect_nats.shape(&out, &in, BODY);
    form_set(&out, 0x2a, NAME);
    assert_int_equal(out.bytes[0], FRAME_BINARY);
    assert_string_equal(unmasked(out.bytes, out.len),
                        "PUB echo " INBOX " 16\r\n{\"n\":\"0000002a\"}\r\n");
}

static void it_comes_back_to_the_inbox(void **state)
{
    static const char wanted[] =
        "MSG " INBOX " 1 16\r\n{\"n\":\"0000002a\"}\r\n";
    form_t out, in;
    (void)state;

    dialect_nats.shape(&out, &in, BODY);
    form_set(&in, 0x2a, NAME);
    assert_int_equal(in.len, strlen(wanted));
    assert_memory_equal(in.bytes, wanted, in.len);
    assert_memory_equal(in.bytes + in.body, "{", 1);
}

static void a_client_greets_and_subscribes_to_its_inbox(void **state)
{
    dialect_say_t say;
    (void)state;

    dialect_nats.greet(&say, NAME);
    assert_int_equal(say.bytes[0], FRAME_BINARY);
    assert_string_equal(
        unmasked(say.bytes, say.len),
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\","
        "\"version\":\"0\",\"protocol\":1}\r\n"
        "SUB " INBOX " 1\r\n");
}

/* Three frames, with each length of a head. */
static size_t put_frames(uint8_t *at)
{
    static const uint8_t heads[][DIALECT_HEAD_MAX] = {
        {0x82, 3}, {0x82, 126, 0, 4}, {0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5}};
    static const size_t lens[] = {2, 4, DIALECT_HEAD_MAX};
    static const char *payloads[] = {"one", "more", "three"};
    size_t len = 0;

    for (size_t i = 0; i < 3; i++) {
        memcpy(at + len, heads[i], lens[i]);
        memcpy(at + len + lens[i], payloads[i], strlen(payloads[i]));
        len += lens[i] + strlen(payloads[i]);
    }
    return len;
}

static void frames_are_taken_off_wherever_they_were_cut(void **state)
{
    uint8_t frames[64];
    size_t len = put_frames(frames);
    (void)state;

    for (size_t cut = 0; cut <= len; cut++) {
        dialect_frames_t self = {0};
        uint8_t first[64], rest[64];
        memcpy(first, frames, cut);
        memcpy(rest, frames + cut, len - cut);
        ssize_t kept = dialect_nats.unwrap(&self, first, cut);
        assert_in_range(kept, 0, 12);
        ssize_t more = dialect_nats.unwrap(&self, rest, len - cut);
        assert_int_equal(kept + more, 12);
        memcpy(first + kept, rest, (size_t)more);
        assert_memory_equal(first, "onemorethree", 12);
    }
}

static void a_frame_may_be_empty(void **state)
{
    dialect_frames_t self = {0};
    uint8_t bytes[] = {0x82, 0, 0x82, 1, '+'};
    (void)state;

    assert_int_equal(dialect_nats.unwrap(&self, bytes, sizeof bytes), 1);
    assert_int_equal(bytes[0], '+');
}

static void no_frame_but_a_whole_binary_one_is_understood(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof bad_heads / sizeof bad_heads[0]; i++) {
        dialect_frames_t self = {0};
        uint8_t bytes[DIALECT_HEAD_MAX];
        memcpy(bytes, bad_heads[i].bytes, sizeof bytes);
        if (dialect_nats.unwrap(&self, bytes, bad_heads[i].len) != -EPROTO) {
            fail_msg("taken: %s", bad_heads[i].what);
        }
    }
}

static void a_ping_of_nats_is_answered(void **state)
{
    dialect_say_t answer;
    (void)state;

    assert_int_equal(hear(&dialect_nats, "PING\r\nMSG", &answer), 6);
    assert_int_equal(answer.bytes[0], FRAME_BINARY);
    assert_string_equal(unmasked(answer.bytes, answer.len), "PONG\r\n");
}

static void what_wants_no_answer_is_passed_over(void **state)
{
    dialect_say_t answer;
    (void)state;

    assert_int_equal(hear(&dialect_nats, "INFO {\"a\":1}\r\nP", &answer), 14);
    assert_int_equal(hear(&dialect_nats, "PONG\r\n", &answer), 6);
    assert_int_equal(hear(&dialect_nats, "+OK\r\n", &answer), 5);
    assert_int_equal(answer.len, 0);
}

static void of_a_line_all_is_awaited(void **state)
{
    dialect_say_t answer;
    (void)state;

    assert_int_equal(hear(&dialect_nats, "", &answer), 0);
    assert_int_equal(hear(&dialect_nats, "PING\r", &answer), 0);
    assert_int_equal(hear(&dialect_nats, "INFO {", &answer), 0);
}

static void no_other_line_is_understood(void **state)
{
    static const char *lines[] = {"-ERR 'no'\r\n", "HMSG a 1 2 3\r\n",
                                  "PINGS\r\n", "INFO\r\n", "\r\n"};
    dialect_say_t answer;
    (void)state;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (hear(&dialect_nats, lines[i], &answer) != -EPROTO) {
            fail_msg("taken: %s", lines[i]);
        }
    }
}

static void a_line_without_end_is_refused(void **state)
{
    static char line[5000] = "INFO {";
    dialect_say_t answer;
    (void)state;

    memset(line + 6, 'x', sizeof line - 7);
    assert_int_equal(hear(&dialect_nats, line, &answer), -EPROTO);
    line[4095] = '\0';
    assert_int_equal(hear(&dialect_nats, line, &answer), 0);
}

static void dialects_have_names(void **state)
{
    (void)state;

    assert_ptr_equal(dialect_find("plain"), &dialect_plain);
    assert_ptr_equal(dialect_find("nats"), &dialect_nats);
    assert_null(dialect_find("mqtt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_out_as_a_masked_frame_with_its_number),
        cmocka_unit_test(it_comes_back_as_a_frame_with_its_number),
        cmocka_unit_test(a_ping_is_answered_with_its_payload),
        cmocka_unit_test(of_a_ping_all_is_awaited),
        cmocka_unit_test(no_other_frame_is_understood),
        cmocka_unit_test(a_message_is_published_with_the_inbox_to_answer_to),
        cmocka_unit_test(it_comes_back_to_the_inbox),
        cmocka_unit_test(a_client_greets_and_subscribes_to_its_inbox),
        cmocka_unit_test(frames_are_taken_off_wherever_they_were_cut),
        cmocka_unit_test(a_frame_may_be_empty),
        cmocka_unit_test(no_frame_but_a_whole_binary_one_is_understood),
        cmocka_unit_test(a_ping_of_nats_is_answered),
        cmocka_unit_test(what_wants_no_answer_is_passed_over),
        cmocka_unit_test(of_a_line_all_is_awaited),
        cmocka_unit_test(no_other_line_is_understood),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(dialects_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
