/* SPDX-License-Identifier: MIT
 *
 * Who may use the management API, and what its paths mean.
 */
#include "manage/auth.h"
#include "manage/order.h"
#include "manage/seen.h"
#include "proto/api_path.h"
#include "proto/sigv4.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_S INT64_C(1500000000)

/* --- signatures that were seen ------------------------------------------- */

static void number_to(uint8_t signature[SEEN_BYTES], uint32_t number)
{
    memset(signature, 0, SEEN_BYTES);
    memcpy(signature, &number, sizeof number);
}

static int takes(seen_t *seen, uint32_t number, int64_t until_s, int64_t now_s)
{
    uint8_t signature[SEEN_BYTES];

    number_to(signature, number);
    return seen_take(seen, signature, until_s, now_s);
}

static void a_signature_is_taken_once_until_it_ends(void **state)
{
    seen_t *seen = seen_new();
    (void)state;

    assert_int_equal(takes(seen, 1, NOW_S + 300, NOW_S), 0);
    assert_int_equal(takes(seen, 1, NOW_S + 300, NOW_S), -EEXIST);
    assert_int_equal(takes(seen, 2, NOW_S + 300, NOW_S), 0);
    assert_int_equal(takes(seen, 1, NOW_S + 300, NOW_S + 300), -EEXIST);
    assert_int_equal(takes(seen, 1, NOW_S + 900, NOW_S + 301), 0);
    seen_destroy(&seen);
}

static void one_more_than_there_is_room_for_is_refused(void **state)
{
    seen_t *seen = seen_new();
    (void)state;

    for (uint32_t i = 0; i < SEEN_MAX; i++) {
        assert_int_equal(takes(seen, i, NOW_S + 5 + i % 7, NOW_S), 0);
    }
    assert_int_equal(takes(seen, SEEN_MAX, NOW_S + 5, NOW_S), -ENOSPC);
    assert_int_equal(takes(seen, 0, NOW_S + 5, NOW_S), -EEXIST);
    /* The first second's end makes room; the others are still known. */
    assert_int_equal(takes(seen, SEEN_MAX, NOW_S + 99, NOW_S + 6), 0);
    assert_int_equal(takes(seen, 1, NOW_S + 99, NOW_S + 6), -EEXIST);
    seen_destroy(&seen);
}

static void a_clock_that_jumps_ends_all(void **state)
{
    seen_t *seen = seen_new();
    (void)state;

    for (uint32_t i = 0; i < 600; i++) {
        assert_int_equal(takes(seen, i, NOW_S + i, NOW_S), 0);
    }
    for (uint32_t i = 0; i < 600; i++) {
        assert_int_equal(takes(seen, i, NOW_S + 1000300, NOW_S + 1000000), 0);
    }
    seen_destroy(&seen);
}

/* --- files --------------------------------------------------------------- */

static int keys_of(const char *text)
{
    auth_t *auth = auth_new(false);
    int line = auth_add_keys(auth, wire_bytes(text));

    auth_destroy(&auth);
    return line;
}

static int tokens_of(const char *text)
{
    auth_t *auth = auth_new(false);
    int line = auth_add_tokens(auth, wire_bytes(text));

    auth_destroy(&auth);
    return line;
}

static void a_file_of_keys_has_two_or_three_words_a_line(void **state)
{
    (void)state;

    assert_int_equal(keys_of(""), 0);
    assert_int_equal(keys_of("# none\n\n  \t\r\nid secret\nid secret eu\r\n"),
                     0);
    assert_int_equal(keys_of("id secret"), 0);
    assert_int_equal(keys_of("id"), 1);
    assert_int_equal(keys_of("id secret\nid secret eu more\n"), 2);
    assert_int_equal(keys_of("\n\nid s\xc3\xa4\n"), 3);
}

static void a_token_is_not_short(void **state)
{
    (void)state;

    assert_int_equal(tokens_of("0123456789abcdef\n"), 0);
    assert_int_equal(tokens_of("0123456789abcde\n"), 1);
    assert_int_equal(tokens_of("0123456789abcdef and more\n"), 1);
}

static void more_keys_than_there_may_be_are_a_wrong_line(void **state)
{
    char text[(AUTH_KEYS_MAX + 1) * 5 + 1] = "";
    (void)state;

    for (size_t i = 0; i <= AUTH_KEYS_MAX; i++) {
        memcpy(text + 5 * i, "id s\n", 5);
    }
    assert_int_equal(keys_of(text), AUTH_KEYS_MAX + 1);
    text[(size_t)AUTH_KEYS_MAX * 5] = '\0';
    assert_int_equal(keys_of(text), 0);
}

/* --- requests ------------------------------------------------------------ */

static http_request_t request_of(const char *head)
{
    http_request_t request;

    assert_int_equal(
        http_parse((const uint8_t *)head, strlen(head), strlen(head), &request),
        0);
    return request;
}

static const fault_t *seen_by_its_head; /* of the request checked last */

/* The head alone shows the same fault, or none. */
static const fault_t *check(auth_t *auth, const http_request_t *request,
                            wire_bytes_t body)
{
    seen_by_its_head = auth_look(auth, request, NOW_S);
    const fault_t *fault = auth_check(auth, request, body, NOW_S);
    assert_true(seen_by_its_head == NULL || seen_by_its_head == fault);
    return fault;
}

/* A POST that is signed at signed_s, as it would come. */
static const fault_t *check_signed(auth_t *auth, const char *region,
                                   int64_t signed_s, const char *body,
                                   const char *sent)
{
    char date[SIGV4_DATE], text[SIGV4_TEXT_MAX], head[8192];

    sigv4_date(signed_s, date);
    sigv4_header_t headers[] = {
        {wire_bytes("host"), wire_bytes("h")},
        {wire_bytes("x-amz-date"), wire_bytes(date)},
    };
    sigv4_request_t request = {.method = wire_bytes("POST"),
                               .path = wire_bytes("/@all"),
                               .headers = headers,
                               .header_count = 2,
                               .body = wire_bytes(body)};
    sigv4_key_t key = {wire_bytes("id"), wire_bytes("secret")};
    sigv4_scope_t scope = {wire_bytes(region), wire_bytes("execute-api")};
    assert_int_equal(sigv4_sign(&request, &key, &scope, text), 0);
    snprintf(head, sizeof head,
             "POST /@all HTTP/1.1\r\nHost: h\r\nX-Amz-Date: %s\r\n"
             "Authorization: %s\r\n\r\n",
             date, text);
    http_request_t parsed = request_of(head);
    return check(auth, &parsed, wire_bytes(sent));
}

static void a_signed_request_counts_once(void **state)
{
    auth_t *auth = auth_new(false);
    (void)state;

    assert_int_equal(auth_add_keys(auth, wire_bytes("id secret\n")), 0);
    assert_null(check_signed(auth, "eu", NOW_S, "a", "a"));
    assert_ptr_equal(check_signed(auth, "eu", NOW_S, "a", "a"),
                     &fault_replayed);
    assert_null(check_signed(auth, "eu", NOW_S, "b", "b"));
    assert_null(check_signed(auth, "eu", NOW_S + 1, "a", "a"));
    assert_ptr_equal(check_signed(auth, "eu", NOW_S, "c", "d"),
                     &fault_signature);
    auth_destroy(&auth);
}

static void replays_can_be_allowed(void **state)
{
    auth_t *auth = auth_new(true);
    (void)state;

    assert_int_equal(auth_add_keys(auth, wire_bytes("id secret\n")), 0);
    assert_null(check_signed(auth, "eu", NOW_S, "a", "a"));
    assert_null(check_signed(auth, "eu", NOW_S, "a", "a"));
    auth_destroy(&auth);
}

static void clocks_may_be_five_minutes_apart(void **state)
{
    auth_t *auth = auth_new(false);
    (void)state;

    assert_int_equal(auth_add_keys(auth, wire_bytes("id secret\n")), 0);
    assert_null(check_signed(auth, "eu", NOW_S - 300, "", ""));
    assert_null(check_signed(auth, "eu", NOW_S + 300, "", ""));
    assert_ptr_equal(check_signed(auth, "eu", NOW_S - 301, "", ""),
                     &fault_skewed);
    assert_ptr_equal(check_signed(auth, "eu", NOW_S + 301, "", ""),
                     &fault_skewed);
    assert_ptr_equal(check_signed(auth, "eu", NOW_S - 100000, "", ""),
                     &fault_skewed);
    auth_destroy(&auth);
}

static void a_key_of_a_region_is_of_no_other(void **state)
{
    auth_t *auth = auth_new(false);
    (void)state;

    assert_int_equal(auth_add_keys(auth, wire_bytes("id secret eu\n")), 0);
    assert_null(check_signed(auth, "eu", NOW_S, "", ""));
    assert_ptr_equal(check_signed(auth, "us", NOW_S, "", ""), &fault_signature);
    auth_destroy(&auth);
}

static const fault_t *check_bearer(auth_t *auth, const char *value)
{
    char head[1024];

    snprintf(head, sizeof head,
             "GET /@all HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n\r\n",
             value);
    http_request_t request = request_of(head);
    return check(auth, &request, (wire_bytes_t){NULL, 0});
}

static void a_bearer_has_one_of_the_tokens(void **state)
{
    auth_t *auth = auth_new(false);
    (void)state;

    assert_ptr_equal(check_bearer(auth, "Bearer 0123456789abcdef"),
                     &fault_token);
    assert_int_equal(auth_add_tokens(auth, wire_bytes("0123456789abcdef\n"
                                                      "fedcba9876543210\n")),
                     0);
    assert_null(check_bearer(auth, "Bearer 0123456789abcdef"));
    assert_null(check_bearer(auth, "bearer   fedcba9876543210"));
    assert_ptr_equal(check_bearer(auth, "Bearer 0123456789abcde"),
                     &fault_token);
    assert_ptr_equal(check_bearer(auth, "Basic 0123456789abcdef"),
                     &fault_bad_credentials);
    auth_destroy(&auth);
}

static void a_head_shows_whose_it_cannot_be(void **state)
{
    auth_t *auth = auth_new(false);
    (void)state;

    check_signed(auth, "eu", NOW_S, "a", "a");
    assert_ptr_equal(seen_by_its_head, &fault_signature); /* nobody's key */
    assert_int_equal(auth_add_keys(auth, wire_bytes("id secret\n")), 0);
    check_signed(auth, "eu", NOW_S, "a", "altered");
    assert_null(seen_by_its_head);
    check_signed(auth, "eu", NOW_S - 301, "a", "a");
    assert_ptr_equal(seen_by_its_head, &fault_skewed);
    check_bearer(auth, "Bearer 0123456789abcdef");
    assert_ptr_equal(seen_by_its_head, &fault_token);
    check_bearer(auth, "AWS4-HMAC-SHA256 x");
    assert_ptr_equal(seen_by_its_head, &fault_bad_credentials);
    auth_destroy(&auth);
}

/* --- other files -------------------------------------------------------- */

static auth_t *auth_of(const char *keys, const char *tokens)
{
    auth_t *auth = auth_new(false);

    assert_int_equal(auth_add_keys(auth, wire_bytes(keys)), 0);
    assert_int_equal(auth_add_tokens(auth, wire_bytes(tokens)), 0);
    return auth;
}

static void what_other_files_say_counts_from_then_on(void **state)
{
    auth_t *auth = auth_of("id secret\n", "0123456789abcdef\n");
    auth_t *other = auth_of("id another\n", "fedcba9876543210\n"
                                            "0011223344556677\n");
    (void)state;

    auth_renew(auth, &other);
    assert_null(other);
    assert_int_equal(auth_key_count(auth), 1);
    assert_int_equal(auth_token_count(auth), 2);
    assert_ptr_equal(check_signed(auth, "eu", NOW_S, "a", "a"),
                     &fault_signature);
    assert_ptr_equal(check_bearer(auth, "Bearer 0123456789abcdef"),
                     &fault_token);
    assert_null(check_bearer(auth, "Bearer fedcba9876543210"));
    auth_destroy(&auth);
}

static void what_was_seen_before_stays_seen(void **state)
{
    auth_t *auth = auth_of("id secret\n", "");
    auth_t *other = auth_of("id secret\n", "");
    (void)state;

    assert_null(check_signed(auth, "eu", NOW_S, "a", "a"));
    auth_renew(auth, &other);
    assert_ptr_equal(check_signed(auth, "eu", NOW_S, "a", "a"),
                     &fault_replayed);
    auth_destroy(&auth);
}

/* --- paths --------------------------------------------------------------- */

static void a_path_of_the_api_has_a_word_behind_an_at(void **state)
{
    static const char *const others[] = {
        "/", "", "/a", "/a/b/@all", "@all", "//@all", "/a@all", "/a%40/b"};
    api_path_t path;
    (void)state;

    assert_true(api_path_parse(wire_bytes("/@all"), &path));
    assert_true(wire_is(path.word, "all") && !path.has_rest);
    assert_true(api_path_parse(wire_bytes("/prod/%40users/a/b"), &path));
    assert_true(wire_is(path.stage, "prod") && wire_is(path.word, "users"));
    assert_true(path.has_rest && wire_is(path.rest, "a/b"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(api_path_parse(wire_bytes(others[i]), &path));
    }
}

static const fault_t *reads(const char *line, const char *stage, order_t *out)
{
    char head[4096];
    buf_t detail;

    snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: h\r\n\r\n", line);
    http_request_t request = request_of(head);
    buf_init(&detail, 65536);
    const fault_t *fault = order_read(&request, stage, out, &detail);
    buf_fini(&detail);
    return fault;
}

static void an_order_is_read_from_method_path_and_query(void **state)
{
    order_t order;
    (void)state;

    assert_null(reads("DELETE /p/%40connections/AAAAAAAAAAAAAAA%41"
                      "?x=y&reason=a%20b&code=4999",
                      "p", &order));
    assert_int_equal(order.verb, ORDER_CLOSE);
    assert_memory_equal(order.name, "AAAAAAAAAAAAAAAA", order.name_len);
    assert_int_equal(order.code, 4999);
    assert_memory_equal(order.reason, "a b", order.reason_len);
    assert_null(reads("POST /@all", "p", &order));
    assert_int_equal(order.name_len, 0);
    assert_null(reads("POST /@groups/%2F", "", &order));
    assert_string_equal(order.type, "group");
    assert_int_equal(order.name_len, 1);
}

static void what_is_no_order_is_a_fault(void **state)
{
    static const struct {
        const char *line;
        const fault_t *fault;
    } wrong[] = {
        {"PUT /@all", &fault_forbidden},
        {"POST /q/@all", &fault_forbidden},
        {"POST /@all/", &fault_forbidden},
        {"POST /@groups/a/b", &fault_forbidden},
        {"GET /@groups/a", &fault_forbidden},
        {"POST /@nobody/a", &fault_forbidden},
        {"POST /@groups/", &fault_name},
        {"POST /@groups/%ff", &fault_name},
        {"POST /@groups/%00", &fault_syntax},
        {"POST /@groups/%4", &fault_syntax},
        {"GET /@connections/", &fault_id},
        {"GET /@connections/AAAAAAAAAAAAAAAAA", &fault_id},
        {"DELETE /@connections/AAAAAAAAAAAAAAAA?code=1006", &fault_close},
        {"DELETE /@connections/AAAAAAAAAAAAAAAA?code=10000", &fault_close},
        {"DELETE /@connections/AAAAAAAAAAAAAAAA?code=", &fault_close},
        {"DELETE /@connections/AAAAAAAAAAAAAAAA?reason=%ff", &fault_close},
        {"DELETE /@connections/AAAAAAAAAAAAAAAA?reason=%f", &fault_syntax},
    };
    order_t order;
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_ptr_equal(reads(wrong[i].line, "p", &order), wrong[i].fault);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_taken_once_until_it_ends),
        cmocka_unit_test(one_more_than_there_is_room_for_is_refused),
        cmocka_unit_test(a_clock_that_jumps_ends_all),
        cmocka_unit_test(a_file_of_keys_has_two_or_three_words_a_line),
        cmocka_unit_test(a_token_is_not_short),
        cmocka_unit_test(more_keys_than_there_may_be_are_a_wrong_line),
        cmocka_unit_test(a_signed_request_counts_once),
        cmocka_unit_test(replays_can_be_allowed),
        cmocka_unit_test(clocks_may_be_five_minutes_apart),
        cmocka_unit_test(a_key_of_a_region_is_of_no_other),
        cmocka_unit_test(a_bearer_has_one_of_the_tokens),
        cmocka_unit_test(a_head_shows_whose_it_cannot_be),
        cmocka_unit_test(what_other_files_say_counts_from_then_on),
        cmocka_unit_test(what_was_seen_before_stays_seen),
        cmocka_unit_test(a_path_of_the_api_has_a_word_behind_an_at),
        cmocka_unit_test(an_order_is_read_from_method_path_and_query),
        cmocka_unit_test(what_is_no_order_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
