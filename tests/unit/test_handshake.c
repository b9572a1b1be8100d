/* SPDX-License-Identifier: MIT
 *
 * The opening handshake, RFC 6455 section 4.2.
 */
#include "gateway/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"

static char head[1000]; /* the request lends from it */
static http_request_t request;

static void asks(const char *line, const char *headers)
{
    snprintf(head, sizeof head, "%s\r\nHost: h\r\n%s\r\n", line, headers);
    assert_int_equal(
        http_parse((const uint8_t *)head, strlen(head), sizeof head, &request),
        0);
}

static unsigned status_of(const char *line, const char *headers)
{
    asks(line, headers);
    return handshake_check(&request, "");
}

static void a_client_that_follows_the_rules_is_let_in(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET / HTTP/1.1", UPGRADE VERSION KEY), 0);
    assert_true(handshake_is_wanted(&request));
}

static void a_plain_request_wants_no_websocket(void **state)
{
    (void)state;
    asks("GET / HTTP/1.1", "");
    assert_false(handshake_is_wanted(&request));
}

static void each_rule_that_is_broken_has_its_status(void **state)
{
    (void)state;
    assert_int_equal(status_of("POST / HTTP/1.1", UPGRADE VERSION KEY), 405);
    assert_int_equal(status_of("GET / HTTP/1.0", UPGRADE VERSION KEY), 400);
    assert_int_equal(status_of("GET / HTTP/1.1", UPGRADE KEY), 426);
    assert_int_equal(status_of("GET / HTTP/1.1", UPGRADE VERSION), 400);
    assert_int_equal(status_of("GET / HTTP/1.1",
                               UPGRADE VERSION "Sec-WebSocket-Key: short\r\n"),
                     400);
    assert_int_equal(
        status_of("GET / HTTP/1.1", "Upgrade: websocket\r\n" VERSION KEY), 400);
    assert_int_equal(status_of("GET / HTTP/1.1",
                               UPGRADE VERSION KEY "Content-Length: 1\r\n"),
                     400);
}

static void only_listed_origins_are_let_in(void **state)
{
    (void)state;
    asks("GET / HTTP/1.1", UPGRADE VERSION KEY "Origin: https://b.example\r\n");
    assert_int_equal(
        handshake_check(&request, "https://a.example, https://b.example"), 0);
    assert_int_equal(handshake_check(&request, "https://a.example"), 403);
    asks("GET / HTTP/1.1", UPGRADE VERSION KEY);
    assert_int_equal(handshake_check(&request, "https://a.example"), 403);
}

static bool answers_with(const char *subprotocol, wire_bytes_t headers,
                         const char *line)
{
    buf_t out;

    buf_init(&out, 4096);
    assert_int_equal(
        handshake_accept(&out, &request, wire_bytes(subprotocol), headers), 0);
    assert_int_equal(buf_put(&out, "", 1), 0);
    bool is_there = strstr((const char *)out.data, line) != NULL;
    buf_fini(&out);
    return is_there;
}

static void the_accept_key_is_that_of_the_rfc(void **state)
{
    (void)state;
    asks("GET / HTTP/1.1", UPGRADE VERSION KEY);
    assert_true(answers_with("", (wire_bytes_t){0},
                             "\r\nSec-WebSocket-Accept: "
                             "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
}

static void only_a_subprotocol_that_was_offered_is_chosen(void **state)
{
    (void)state;
    asks("GET / HTTP/1.1", UPGRADE VERSION KEY
         "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c\r\n");
    assert_true(answers_with("c", (wire_bytes_t){0}, "Protocol: c\r\n"));
    assert_false(answers_with("d", (wire_bytes_t){0}, "Protocol:"));
}

static void a_worker_cannot_overwrite_the_handshake(void **state)
{
    buf_t headers;
    (void)state;

    buf_init(&headers, 1000);
    assert_int_equal(wire_put_array(&headers, 3), 0);
    const char *pairs[] = {"Sec-WebSocket-Accept", "forged", "X-Evil",
                           "a\r\nX-More: b",       "X-Good", "yes"};
    for (int i = 0; i < 6; i++) {
        if (i % 2 == 0) {
            assert_int_equal(wire_put_array(&headers, 2), 0);
        }
        assert_int_equal(wire_put_text(&headers, pairs[i]), 0);
    }
    wire_bytes_t given = {headers.data, headers.len};
    asks("GET / HTTP/1.1", UPGRADE VERSION KEY);
    assert_false(answers_with("", given, "forged"));
    assert_false(answers_with("", given, "X-More"));
    assert_true(answers_with("", given, "\r\nX-Good: yes\r\n"));
    buf_fini(&headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_follows_the_rules_is_let_in),
        cmocka_unit_test(a_plain_request_wants_no_websocket),
        cmocka_unit_test(each_rule_that_is_broken_has_its_status),
        cmocka_unit_test(only_listed_origins_are_let_in),
        cmocka_unit_test(the_accept_key_is_that_of_the_rfc),
        cmocka_unit_test(only_a_subprotocol_that_was_offered_is_chosen),
        cmocka_unit_test(a_worker_cannot_overwrite_the_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
