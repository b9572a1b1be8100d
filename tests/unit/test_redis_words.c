/* SPDX-License-Identifier: MIT
 *
 * Slots as a cluster computes them, commands as RESP writes them, and what
 * errors mean.
 */
#include "store/redis_auth.h"
#include "store/redis_error.h"
#include "store/redis_keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint16_t slot(const char *key)
{
    return redis_slot_of((const uint8_t *)key, strlen(key));
}

/* Of CLUSTER KEYSLOT; 12739 is the specification's own example. */
static void slots_are_those_of_a_cluster(void **state)
{
    (void)state;
    assert_int_equal(slot("123456789"), 12739);
    assert_int_equal(slot("foo"), 12182);
    assert_int_equal(slot("somekey"), 11058);
    assert_int_equal(slot(""), 0);
}

static void only_the_first_pair_of_braces_counts(void **state)
{
    (void)state;
    assert_int_equal(slot("a{foo}b"), slot("foo"));
    assert_int_equal(slot("{foo}{bar}"), slot("foo"));
    assert_int_equal(slot("foo{{bar}}zap"), slot("{bar"));
    assert_int_not_equal(slot("foo{}{bar}"), slot("bar")); /* an empty tag */
    assert_int_not_equal(slot("foo{bar"), slot("bar"));
}

static void the_slot_of_a_key_is_that_of_its_bytes(void **state)
{
    static const char *const names[] = {"ann", "",   "}",  "a}b",   "{",
                                        "{x}", "}{", "{}", "日本語"};
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[128];
        redis_key_t key = {
            .prefix = "hoist", .kind = 'u', .name = wire_bytes(names[i])};
        snprintf(text, sizeof text, "hoist:{u:%s}", names[i]);
        assert_int_equal(redis_key_slot(&key), slot(text));
    }
    assert_int_equal(
        redis_key_slot(&(redis_key_t){.prefix = "hoist", .kind = 'O'}),
        slot("hoist:owners"));
}

static void a_command_is_written_as_words(void **state)
{
    static const char expected[] =
        "*4\r\n$4\r\nHSET\r\n$14\r\nhoist:{o:AAAB}\r\n"
        "$0\r\n\r\n$3\r\n-17\r\n";
    const redis_key_t key = {"hoist", 'o', wire_bytes("AAAB")};
    buf_t out;
    redis_command_t command = {.out = &out};
    (void)state;

    buf_init(&out, 1024);
    redis_put_words(&command, 4);
    redis_put_text(&command, "HSET");
    redis_put_key(&command, &key);
    redis_put(&command, (wire_bytes_t){NULL, 0});
    redis_put_number(&command, -17);
    assert_int_equal(command.rc, 0);
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.len);
    buf_fini(&out);
}

static void a_command_that_does_not_fit_says_so(void **state)
{
    buf_t out;
    redis_command_t command = {.out = &out};
    (void)state;

    buf_init(&out, 16);
    redis_put_text(&command, "0123456789abcdef");
    redis_put_text(&command, "x");
    assert_int_equal(command.rc, -ENOBUFS);
    buf_fini(&out);
}

static void assert_verdict(const char *text, redis_advice_t advice, int rc)
{
    redis_verdict_t verdict = redis_verdict_of(wire_bytes(text));

    assert_int_equal(verdict.advice, advice);
    assert_int_equal(verdict.rc, rc);
}

static void errors_mean_what_store_h_says(void **state)
{
    (void)state;
    assert_verdict("LOADING Redis is loading", REDIS_TRY_LATER, -EBUSY);
    assert_verdict("CLUSTERDOWN Hash slot not served", REDIS_TRY_LATER, -EBUSY);
    assert_verdict("BUSY Redis is busy", REDIS_TRY_LATER, -EBUSY);
    assert_verdict("TRYAGAIN x", REDIS_TRY_LATER, -EBUSY);
    assert_verdict("OOM command not allowed", REDIS_TRY_BRIEFLY, -EBUSY);
    assert_verdict("WRONGPASS x", REDIS_GIVE_UP, -EACCES);
    assert_verdict("NOAUTH x", REDIS_GIVE_UP, -EACCES);
    assert_verdict("NOPERM x", REDIS_GIVE_UP, -EACCES);
    assert_verdict("ERR invalid password", REDIS_GIVE_UP, -EACCES);
    assert_verdict("WRONGTYPE x", REDIS_GIVE_UP, -EREMOTEIO);
    assert_verdict("ERR x", REDIS_GIVE_UP, -EREMOTEIO);
    assert_verdict("", REDIS_GIVE_UP, -EREMOTEIO);
    assert_verdict("READONLY x", REDIS_LEAVE_SERVER, -EREMOTEIO);
    assert_verdict("NOSCRIPT x", REDIS_SEND_SCRIPT, -EREMOTEIO);
    assert_verdict("MOVED 1 a:2", REDIS_GO_THERE, -EREMOTEIO);
    assert_verdict("ASK 1 a:2", REDIS_ASK_THERE, -EREMOTEIO);
}

static void assert_place(const char *text, int number, const char *name,
                         int port)
{
    redis_host_t host;
    uint16_t at;

    assert_int_equal(redis_error_place(wire_bytes(text), "from", &at, &host),
                     0);
    assert_int_equal(at, number);
    assert_string_equal(host.host, name);
    assert_int_equal(host.port, port);
}

static void a_redirection_names_slot_host_and_port(void **state)
{
    static const char *const wrong[] = {
        "MOVED",       "MOVED ",       "MOVED x a:1",    "MOVED 16384 a:1",
        "MOVED 1",     "MOVED 1 ",     "MOVED 1 a",      "MOVED 1 a:",
        "MOVED 1 a:0", "MOVED 1 a:1x", "MOVED 1 a:65536"};
    redis_host_t host;
    uint16_t at;
    (void)state;

    assert_place("MOVED 3999 127.0.0.1:6381", 3999, "127.0.0.1", 6381);
    assert_place("ASK 16383 2001:db8::1:6381", 16383, "2001:db8::1", 6381);
    assert_place("MOVED 0 :6381", 0, "from", 6381);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(
            redis_error_place(wire_bytes(wrong[i]), "from", &at, &host),
            -EPROTO);
    }
}

static void is_said_for(const char *url_text, const char *expected)
{
    redis_url_t url;
    char why[128];
    buf_t out;

    assert_int_equal(redis_url_parse(url_text, &url, why, sizeof why), 0);
    buf_init(&out, 4096);
    assert_int_equal(redis_put_auth(&out, &url), expected[0] != '\0');
    assert_int_equal(out.len, strlen(expected));
    if (out.len > 0) {
        assert_memory_equal(out.data, expected, out.len);
    }
    buf_fini(&out);
}

static void who_has_a_password_says_it_and_his_name(void **state)
{
    (void)state;
    is_said_for("redis://h", "");
    is_said_for("redis://:pw@h", "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n");
    is_said_for("redis://ada:pw@h",
                "*3\r\n$4\r\nAUTH\r\n$3\r\nada\r\n$2\r\npw\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_a_password_says_it_and_his_name),
        cmocka_unit_test(slots_are_those_of_a_cluster),
        cmocka_unit_test(only_the_first_pair_of_braces_counts),
        cmocka_unit_test(the_slot_of_a_key_is_that_of_its_bytes),
        cmocka_unit_test(a_command_is_written_as_words),
        cmocka_unit_test(a_command_that_does_not_fit_says_so),
        cmocka_unit_test(errors_mean_what_store_h_says),
        cmocka_unit_test(a_redirection_names_slot_host_and_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
