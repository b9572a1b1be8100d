/* SPDX-License-Identifier: MIT
 *
 * What libzmq asks about a peer, and what it is told.
 */
#include "broker/zap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[32] = {0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B};

/* A question as libzmq asks it. */
static void ask(wire_bytes_t parts[ZAP_PARTS], const char *domain)
{
    const char *texts[] = {"1.0", "id", domain, "192.0.2.1", "", "CURVE"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        parts[i] = wire_bytes(texts[i]);
    }
    parts[ZAP_PARTS - 1] = (wire_bytes_t){key, sizeof key};
}

static void a_question_names_the_side_and_the_key(void **state)
{
    wire_bytes_t parts[ZAP_PARTS];
    zap_question_t question;
    (void)state;

    ask(parts, "workers");
    assert_int_equal(zap_read(parts, ZAP_PARTS, &question), 0);
    assert_int_equal(question.side, SIDE_WORKERS);
    assert_true(wire_is(question.address, "192.0.2.1"));
    /* The first eight bytes are those of rfc.zeromq.org/spec/32. */
    assert_string_equal(question.key,
                        "HelloWorld000000000000000000000000000000");
    ask(parts, "gateways");
    assert_int_equal(zap_read(parts, ZAP_PARTS, &question), 0);
    assert_int_equal(question.side, SIDE_GATEWAYS);
}

static void what_is_no_question_about_curve_is_refused(void **state)
{
    static const struct {
        size_t part;
        const char *text;
    } wrong[] = {{0, "2.0"}, {2, "admin"}, {2, ""}, {5, "NULL"}, {6, "short"}};
    wire_bytes_t parts[ZAP_PARTS];
    zap_question_t question;
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ask(parts, "workers");
        parts[wrong[i].part] = wire_bytes(wrong[i].text);
        assert_int_equal(zap_read(parts, ZAP_PARTS, &question), -EPROTO);
    }
    ask(parts, "workers");
    assert_int_equal(zap_read(parts, ZAP_PARTS - 1, &question), -EPROTO);
    assert_int_equal(zap_read(parts, 0, &question), -EPROTO);
}

static void who_is_allowed_is_known_by_its_key_from_then_on(void **state)
{
    wire_bytes_t parts[ZAP_PARTS], answer[ZAP_ANSWER];
    zap_question_t question;
    (void)state;

    ask(parts, "workers");
    assert_int_equal(zap_read(parts, ZAP_PARTS, &question), 0);
    zap_answer(&question, true, answer);
    assert_true(wire_is(answer[0], "1.0"));
    assert_true(wire_is(answer[1], "id"));
    assert_true(wire_is(answer[2], "200"));
    assert_true(wire_is(answer[4], question.key));
    assert_int_equal(answer[5].len, 0);
}

static void who_is_not_allowed_is_told_so(void **state)
{
    wire_bytes_t parts[ZAP_PARTS], answer[ZAP_ANSWER];
    zap_question_t question;
    (void)state;

    ask(parts, "workers");
    assert_int_equal(zap_read(parts, ZAP_PARTS, &question), 0);
    zap_answer(&question, false, answer);
    assert_true(wire_is(answer[1], "id"));
    assert_true(wire_is(answer[2], "400"));
    assert_int_equal(answer[4].len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_names_the_side_and_the_key),
        cmocka_unit_test(what_is_no_question_about_curve_is_refused),
        cmocka_unit_test(who_is_allowed_is_known_by_its_key_from_then_on),
        cmocka_unit_test(who_is_not_allowed_is_told_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
