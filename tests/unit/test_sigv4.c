/* SPDX-License-Identifier: MIT
 *
 * Signatures against those that AWS published (its signing test suite, and the
 * example of its General Reference), which the file VECTORS holds; then what a
 * verifier must refuse.  Random requests against another implementation:
 * compare_sigv4.py.
 */
#include "proto/sigv4.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define HEADERS_MAX 16
#define SECRET      "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static const int64_t then_s = 1440938160; /* 20150830T123600Z */

/* --- a request ----------------------------------------------------------- */

typedef struct {
    sigv4_header_t headers[HEADERS_MAX];
    sigv4_request_t request;
    sigv4_scope_t scope;
    sigv4_secret_t secret; /* of AKIDEXAMPLE */
    char authorization[SIGV4_TEXT_MAX];
} fixture_t;

static bool find_secret(void *user, wire_bytes_t access_key,
                        sigv4_secret_t *secret)
{
    const fixture_t *f = user;

    if (!wire_is(access_key, "AKIDEXAMPLE")) {
        return false;
    }
    *secret = f->secret;
    return true;
}

static void add_header(fixture_t *f, const char *name, const char *value)
{
    assert_true(f->request.header_count < HEADERS_MAX);
    f->headers[f->request.header_count++] =
        (sigv4_header_t){wire_bytes(name), wire_bytes(value)};
}

static void plain_request(fixture_t *f)
{
    *f = (fixture_t){
        .request = {.method = wire_bytes("POST"),
                    .path = wire_bytes("/@connections/ab%3D"),
                    .query = wire_bytes("a=1&b=2"),
                    .body = wire_bytes("hello")},
        .scope = {wire_bytes("us-east-1"), wire_bytes("execute-api")},
        .secret = {.secret = wire_bytes(SECRET)}};
    f->request.headers = f->headers;
    add_header(f, "Host", "example.com");
    add_header(f, "X-Amz-Date", "20150830T123600Z");
}

static void sign(fixture_t *f)
{
    const sigv4_key_t key = {wire_bytes("AKIDEXAMPLE"), wire_bytes(SECRET)};

    assert_int_equal(sigv4_sign(&f->request, &key, &f->scope, f->authorization),
                     0);
    add_header(f, "Authorization", f->authorization);
}

static void signed_request(fixture_t *f)
{
    plain_request(f);
    sign(f);
}

static int verify_at(fixture_t *f, int64_t now_s)
{
    return sigv4_verify(&f->request, &f->scope, now_s, find_secret, f);
}

static int verify(fixture_t *f)
{
    return verify_at(f, then_s);
}

static bool is_signed(wire_bytes_t names, const char *name)
{
    char wanted[64], list[SIGV4_SIGNED_MAX + 3];

    snprintf(wanted, sizeof wanted, ";%s;", name);
    snprintf(list, sizeof list, ";%.*s;", (int)names.len,
             (const char *)names.data);
    return strcasestr(list, wanted) != NULL;
}

/* --- what AWS published -------------------------------------------------- */

static const char *text_of(const json_t *of, const char *key)
{
    const char *text = json_string_value(json_object_get(of, key));

    assert_non_null(text);
    return text;
}

static void load_case(fixture_t *f, const json_t *of)
{
    const char *target = text_of(of, "target"), *query = strchr(target, '?');
    size_t path_len = query == NULL ? strlen(target) : (size_t)(query - target);

    *f = (fixture_t){.request = {.method = wire_bytes(text_of(of, "method")),
                                 .path = {(const uint8_t *)target, path_len},
                                 .query = wire_bytes(query ? query + 1 : ""),
                                 .body = wire_bytes(text_of(of, "body"))},
                     .scope = {wire_bytes(text_of(of, "region")),
                               wire_bytes(text_of(of, "service"))},
                     .secret = {.secret = wire_bytes(SECRET)}};
    f->request.headers = f->headers;
}

static void load_headers(fixture_t *f, const json_t *of, bool all,
                         wire_bytes_t names)
{
    size_t i;
    json_t *pair;

    json_array_foreach(json_object_get(of, "headers"), i, pair)
    {
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *value = json_string_value(json_array_get(pair, 1));
        if (all || is_signed(names, name)) {
            add_header(f, name, value);
        }
        if (strcasecmp(name, "x-amz-security-token") == 0) {
            f->secret.token = wire_bytes(value);
        }
    }
}

/* Of one case the token was put in after the signature, and is not signed. */
static void check_case(const json_t *of)
{
    sigv4_authorization_t parts;
    const char *expected = text_of(of, "authorization");
    fixture_t f;

    assert_int_equal(sigv4_parse(wire_bytes(expected), &parts), 0);
    load_case(&f, of);
    load_headers(&f, of, false, parts.signed_headers);
    sign(&f);
    assert_string_equal(f.authorization, expected);

    load_case(&f, of);
    load_headers(&f, of, true, parts.signed_headers);
    add_header(&f, "authorization", expected);
    bool signs_token = f.secret.token.len == 0 ||
                       is_signed(parts.signed_headers, "x-amz-security-token");
    assert_int_equal(verify(&f), signs_token ? 0 : -EINVAL);
}

static void what_aws_published_is_signed_and_verified_alike(void **state)
{
    json_t *cases = json_load_file(VECTORS, 0, NULL);
    size_t i;
    json_t *one;
    (void)state;

    assert_true(json_array_size(cases) >= 30);
    json_array_foreach(cases, i, one)
    {
        print_message("  %s\n", text_of(one, "name"));
        check_case(one);
    }
    json_decref(cases);
}

/* --- what a verifier refuses --------------------------------------------- */

static void what_was_signed_is_verified(void **state)
{
    fixture_t f;
    (void)state;

    signed_request(&f);
    assert_int_equal(verify(&f), 0);
    f.scope.region = wire_bytes(""); /* any */
    assert_int_equal(verify(&f), 0);
}

static void what_was_changed_is_refused(void **state)
{
    fixture_t f;
    (void)state;

    signed_request(&f);
    f.request.body = wire_bytes("hellO");
    assert_int_equal(verify(&f), -EACCES);
    signed_request(&f);
    f.request.method = wire_bytes("GET");
    assert_int_equal(verify(&f), -EACCES);
    signed_request(&f);
    f.request.path = wire_bytes("/@connections/ac%3D");
    assert_int_equal(verify(&f), -EACCES);
    signed_request(&f);
    f.request.query = wire_bytes("a=1&b=3");
    assert_int_equal(verify(&f), -EACCES);
    signed_request(&f);
    f.headers[0].value = wire_bytes("example.org");
    assert_int_equal(verify(&f), -EACCES);
    signed_request(&f);
    f.authorization[strlen(f.authorization) - 1] ^= 1;
    assert_int_equal(verify(&f), -EACCES);
}

static void what_is_not_signed_may_change(void **state)
{
    fixture_t f;
    (void)state;

    signed_request(&f);
    add_header(&f, "X-Forwarded-For", "192.0.2.1");
    assert_int_equal(verify(&f), 0);
}

static void a_signature_is_good_for_a_quarter_of_an_hour(void **state)
{
    fixture_t f;
    (void)state;

    signed_request(&f);
    assert_int_equal(verify_at(&f, then_s + SIGV4_SKEW_S), 0);
    assert_int_equal(verify_at(&f, then_s - SIGV4_SKEW_S), 0);
    assert_int_equal(verify_at(&f, then_s + SIGV4_SKEW_S + 1), -ESTALE);
    assert_int_equal(verify_at(&f, then_s - SIGV4_SKEW_S - 1), -ESTALE);
}

static void another_scope_is_refused(void **state)
{
    fixture_t f;
    (void)state;

    signed_request(&f);
    f.scope.region = wire_bytes("eu-west-1");
    assert_int_equal(verify(&f), -EACCES);
    signed_request(&f);
    f.scope.service = wire_bytes("dynamodb");
    assert_int_equal(verify(&f), -EACCES);
}

static void a_key_of_nobody_is_refused(void **state)
{
    static const sigv4_key_t key = {{(const uint8_t *)"AKIDNOBODY", 10},
                                    {(const uint8_t *)"nobody's", 8}};
    fixture_t f;
    (void)state;

    plain_request(&f);
    assert_int_equal(sigv4_sign(&f.request, &key, &f.scope, f.authorization),
                     0);
    add_header(&f, "Authorization", f.authorization);
    assert_int_equal(verify(&f), -EACCES);
}

static void a_session_needs_its_token(void **state)
{
    fixture_t f;
    (void)state;

    plain_request(&f);
    f.secret.token = wire_bytes("token");
    sign(&f);
    assert_int_equal(verify(&f), -EACCES);
    plain_request(&f);
    f.secret.token = wire_bytes("token");
    add_header(&f, "X-Amz-Security-Token", "tokem");
    sign(&f);
    assert_int_equal(verify(&f), -EACCES);
    f.headers[2].value = wire_bytes("token");
    assert_int_equal(verify(&f), -EACCES); /* signed with the other */
    plain_request(&f);
    f.secret.token = wire_bytes("token");
    add_header(&f, "X-Amz-Security-Token", "token");
    sign(&f);
    assert_int_equal(verify(&f), 0);
}

static void a_token_has_to_be_signed(void **state)
{
    fixture_t f;
    (void)state;

    signed_request(&f);
    f.secret.token = wire_bytes("token");
    add_header(&f, "X-Amz-Security-Token", "token");
    assert_int_equal(verify(&f), -EINVAL);
}

static void what_comes_twice_or_not_at_all_is_refused(void **state)
{
    fixture_t f;
    (void)state;

    plain_request(&f);
    assert_int_equal(verify(&f), -ENOENT);
    signed_request(&f);
    add_header(&f, "authorization", f.authorization);
    assert_int_equal(verify(&f), -EINVAL);
    signed_request(&f);
    add_header(&f, "x-amz-date", "20150830T123600Z");
    assert_int_equal(verify(&f), -EINVAL);
    signed_request(&f);
    add_header(&f, "host", "example.com");
    assert_int_equal(verify(&f), -EINVAL);
    signed_request(&f);
    f.headers[0].name = wire_bytes("Hostess");
    assert_int_equal(verify(&f), -EINVAL);
}

static void what_cannot_be_signed_is_refused(void **state)
{
    const sigv4_key_t key = {wire_bytes("AKIDEXAMPLE"), wire_bytes(SECRET)};
    const sigv4_key_t none = {wire_bytes("AKIDEXAMPLE"), wire_bytes("")};
    fixture_t f;
    (void)state;

    plain_request(&f);
    assert_int_equal(sigv4_sign(&f.request, &none, &f.scope, f.authorization),
                     -EINVAL);
    f.headers[1].value = wire_bytes("20150830T123660Z");
    assert_int_equal(sigv4_sign(&f.request, &key, &f.scope, f.authorization),
                     -EINVAL);
    plain_request(&f);
    f.request.header_count = 1;
    assert_int_equal(sigv4_sign(&f.request, &key, &f.scope, f.authorization),
                     -EINVAL);
    plain_request(&f);
    f.scope.region = wire_bytes("");
    assert_int_equal(sigv4_sign(&f.request, &key, &f.scope, f.authorization),
                     -EINVAL);
}

/* --- the header ---------------------------------------------------------- */

#define HASH            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
#define GOOD_CREDENTIAL "Credential=A/20150830/r/s/aws4_request"

static void what_is_no_authorization_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "AWS4-HMAC-SHA256",
        "Bearer abc",
        "AWS4-HMAC-SHA512 " GOOD_CREDENTIAL
        ", SignedHeaders=host, Signature=" HASH,
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL ", Signature=" HASH,
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=" HASH,
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL ", SignedHeaders=host",
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
        ", SignedHeaders=host, SignedHeaders=host, Signature=" HASH,
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
        ", SignedHeaders=Host, Signature=" HASH,
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
        ", SignedHeaders=x;host, Signature=" HASH,
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
        ", SignedHeaders=host;host, Signature=" HASH,
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
        ", SignedHeaders=host;, Signature=" HASH,
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
        ", SignedHeaders=host, Signature=" HASH "0",
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
        ", SignedHeaders=host, Signature=5D",
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
        "/x, SignedHeaders=host, Signature=" HASH,
        "AWS4-HMAC-SHA256 Credential=A/2015083/r/s/aws4_request"
        ", SignedHeaders=host, Signature=" HASH,
        "AWS4-HMAC-SHA256 Credential=/20150830/r/s/aws4_request"
        ", SignedHeaders=host, Signature=" HASH,
        "AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
        ", SignedHeaders=host, Signature=" HASH ", Extra=1",
    };
    sigv4_authorization_t parts;
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (sigv4_parse(wire_bytes(wrong[i]), &parts) != -EINVAL) {
            fail_msg("taken for an Authorization: %s", wrong[i]);
        }
    }
}

static void spaces_behind_commas_are_optional(void **state)
{
    sigv4_authorization_t parts;
    (void)state;

    assert_int_equal(
        sigv4_parse(wire_bytes("AWS4-HMAC-SHA256 " GOOD_CREDENTIAL
                               ",SignedHeaders=a;b,Signature=" HASH),
                    &parts),
        0);
    assert_true(wire_is(parts.access_key, "A"));
    assert_true(wire_is(parts.date, "20150830"));
    assert_true(wire_is(parts.region, "r"));
    assert_true(wire_is(parts.service, "s"));
    assert_true(wire_is(parts.signed_headers, "a;b"));
    assert_true(wire_is(parts.signature, HASH));
}

static void dates_are_read_as_they_are_written(void **state)
{
    static const int64_t times[] = {0, 1, 951782400, 1440938160, 4102444799};
    char text[SIGV4_DATE];
    int64_t again;
    (void)state;

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        sigv4_date(times[i], text);
        assert_int_equal(sigv4_date_parse(wire_bytes(text), &again), 0);
        assert_int_equal(again, times[i]);
    }
    assert_int_equal(sigv4_date_parse(wire_bytes("20150230T000000Z"), &again),
                     -EINVAL);
    assert_int_equal(sigv4_date_parse(wire_bytes("20150830 123600Z"), &again),
                     -EINVAL);
    assert_int_equal(sigv4_date_parse(wire_bytes("2015083"), &again), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_aws_published_is_signed_and_verified_alike),
        cmocka_unit_test(what_was_signed_is_verified),
        cmocka_unit_test(what_was_changed_is_refused),
        cmocka_unit_test(what_is_not_signed_may_change),
        cmocka_unit_test(a_signature_is_good_for_a_quarter_of_an_hour),
        cmocka_unit_test(another_scope_is_refused),
        cmocka_unit_test(a_key_of_nobody_is_refused),
        cmocka_unit_test(a_session_needs_its_token),
        cmocka_unit_test(a_token_has_to_be_signed),
        cmocka_unit_test(what_comes_twice_or_not_at_all_is_refused),
        cmocka_unit_test(what_cannot_be_signed_is_refused),
        cmocka_unit_test(what_is_no_authorization_is_refused),
        cmocka_unit_test(spaces_behind_commas_are_optional),
        cmocka_unit_test(dates_are_read_as_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
