/* SPDX-License-Identifier: MIT
 *
 * Request heads, and what is asked of them.
 */
#include "proto/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD_MAX 1000

static http_request_t request;

static int parses(const char *head)
{
    return http_parse((const uint8_t *)head, strlen(head), HEAD_MAX, &request);
}

static void assert_text(wire_bytes_t bytes, const char *text)
{
    assert_int_equal(bytes.len, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.len);
}

static void a_head_is_taken_apart(void **state)
{
    (void)state;
    assert_int_equal(parses("GET /a%20b?x=1&y HTTP/1.1\r\nHost: h\r\n"
                            "X-Any:  some value \r\n\r\nbody"),
                     0);
    assert_text(request.method, "GET");
    assert_text(request.path, "/a%20b");
    assert_text(request.query, "x=1&y");
    assert_int_equal(request.minor, 1);
    assert_int_equal(request.header_count, 2);
    assert_text(http_header(&request, "x-any")->value, "some value");
    assert_null(http_header(&request, "missing"));
    assert_true(request.keeps_alive);
}

static void a_head_is_awaited_to_its_last_byte(void **state)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    (void)state;

    for (size_t len = 0; len < sizeof head - 1; len++) {
        assert_int_equal(
            http_parse((const uint8_t *)head, len, HEAD_MAX, &request),
            -EAGAIN);
    }
    assert_int_equal(parses(head), 0);
    assert_int_equal(request.head_len, sizeof head - 1);
}

static void a_head_over_its_limit_is_refused_whole_or_not(void **state)
{
    char head[2 * HEAD_MAX] = "GET /";
    (void)state;

    memset(head + 5, 'a', sizeof head - 6);
    assert_int_equal(parses(head), -EMSGSIZE);
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const char *const wrong[] = {
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
        "Content-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        "GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n",
    };
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (parses(wrong[i]) != -EPROTO) {
            fail_msg("taken: %s", wrong[i]);
        }
    }
}

static void what_is_no_http_is_refused(void **state)
{
    static const char *const wrong[] = {
        "GET / HTTP/2.0\r\n\r\n",
        "GET / FTP/1.1\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "\x16\x03\x01\r\n\r\n",
    };
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (parses(wrong[i]) != -EPROTO) {
            fail_msg("taken: %s", wrong[i]);
        }
    }
}

static void the_length_of_a_body_is_told(void **state)
{
    (void)state;
    assert_int_equal(
        parses("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 42\r\n\r\n"), 0);
    assert_int_equal(request.content_length, 42);
    assert_false(request.is_chunked);
    assert_int_equal(parses("POST / HTTP/1.1\r\nHost: h\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n"),
                     0);
    assert_true(request.is_chunked);
}

static void connections_are_kept_as_the_version_and_the_client_say(void **state)
{
    (void)state;
    assert_int_equal(
        parses("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), 0);
    assert_false(request.keeps_alive);
    assert_int_equal(parses("GET / HTTP/1.0\r\nHost: h\r\n\r\n"), 0);
    assert_false(request.keeps_alive);
}

static void tokens_are_found_in_all_headers_of_a_name(void **state)
{
    (void)state;
    assert_int_equal(parses("GET / HTTP/1.1\r\nHost: h\r\n"
                            "Connection: keep-alive, x\r\n"
                            "connection: ,, UPGRADE ,\r\n\r\n"),
                     0);
    assert_true(http_has_token(&request, "Connection", "upgrade"));
    assert_true(http_has_token(&request, "Connection", "x"));
    assert_false(http_has_token(&request, "Connection", "grade"));
}

static void assert_decodes(const char *text, bool is_query, const char *plain)
{
    buf_t out;

    buf_init(&out, 1000);
    int rc = http_decode(wire_bytes(text), is_query, &out);
    assert_int_equal(rc, plain == NULL ? -EPROTO : 0);
    if (plain != NULL) {
        assert_text((wire_bytes_t){out.data, out.len}, plain);
    }
    buf_fini(&out);
}

static void escapes_are_decoded_and_broken_ones_refused(void **state)
{
    (void)state;
    assert_decodes("a%20b%2Fc", false, "a b/c");
    assert_decodes("a+b", true, "a b");
    assert_decodes("a+b", false, "a+b");
    assert_decodes("%2", false, NULL);
    assert_decodes("%zz", false, NULL);
    assert_decodes("%00", false, NULL);
}

static void a_query_is_taken_pair_by_pair(void **state)
{
    wire_bytes_t query = wire_bytes("a=1&b&c=2=3"), name, value;
    (void)state;

    assert_true(http_next_pair(&query, &name, &value));
    assert_text(name, "a");
    assert_text(value, "1");
    assert_true(http_next_pair(&query, &name, &value));
    assert_text(name, "b");
    assert_text(value, "");
    assert_true(http_next_pair(&query, &name, &value));
    assert_text(name, "c");
    assert_text(value, "2=3");
    assert_false(http_next_pair(&query, &name, &value));
}

static void a_header_cannot_smuggle_another(void **state)
{
    buf_t out;
    (void)state;

    buf_init(&out, 1000);
    assert_int_equal(
        http_put_header(&out, wire_bytes("X"), wire_bytes("a\r\nY: b")),
        -EINVAL);
    assert_int_equal(http_put_header(&out, wire_bytes("X: Y"), wire_bytes("a")),
                     -EINVAL);
    assert_int_equal(http_put_header(&out, wire_bytes(""), wire_bytes("a")),
                     -EINVAL);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(a_head_is_awaited_to_its_last_byte),
        cmocka_unit_test(a_head_over_its_limit_is_refused_whole_or_not),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(the_length_of_a_body_is_told),
        cmocka_unit_test(
            connections_are_kept_as_the_version_and_the_client_say),
        cmocka_unit_test(tokens_are_found_in_all_headers_of_a_name),
        cmocka_unit_test(escapes_are_decoded_and_broken_ones_refused),
        cmocka_unit_test(a_query_is_taken_pair_by_pair),
        cmocka_unit_test(a_header_cannot_smuggle_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
