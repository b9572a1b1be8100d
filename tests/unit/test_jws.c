/* SPDX-License-Identifier: MIT
 *
 * Tokens as texts: what is one, what is none, and whose signature is right.
 * The vectors are those of the RFCs that each names.
 */
#include "base/xalloc.h"
#include "tests/unit/made_token.h"
#include "workers/c/auth/keyset.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HS256_HEADER "{\"alg\":\"HS256\"}"

static jws_t jws;

static int parse(const char *token)
{
    return jws_parse(hoist_str(token), &jws);
}

/* With this header, a payload and any signature. */
static int parse_header(const char *header)
{
    return parse(made_token(header, "{}", "c2ln"));
}

/* --- what is a token ------------------------------------------------------ */

static void a_token_has_three_parts(void **state)
{
    (void)state;
    assert_int_equal(parse_header(HS256_HEADER), 0);
    assert_int_equal(jws.alg, ALG_HS256);
    assert_int_equal(jws.signature_len, 3);
    assert_true(hoist_is(jws.payload, "e30"));
    assert_true(hoist_is(jws.signing_input, "eyJhbGciOiJIUzI1NiJ9.e30"));
    assert_int_equal(parse(""), -EINVAL);
    assert_int_equal(parse("."), -EINVAL);
    assert_int_equal(parse(".."), -EINVAL);
    assert_int_equal(parse("eyJhbGciOiJIUzI1NiJ9"), -EINVAL);
    assert_int_equal(parse("eyJhbGciOiJIUzI1NiJ9.e30"), -EINVAL);
    assert_int_equal(parse("eyJhbGciOiJIUzI1NiJ9.e30."), -EINVAL);
    assert_int_equal(parse("eyJhbGciOiJIUzI1NiJ9.e30.c2ln."), -EINVAL);
    assert_int_equal(parse("eyJhbGciOiJIUzI1NiJ9.e30.c2ln.c2ln.c2ln"), -EINVAL);
    assert_int_equal(parse("eyJhbGciOiJIUzI1NiJ9.e30.c2ln "), -EINVAL);
    assert_int_equal(parse(" eyJhbGciOiJIUzI1NiJ9.e30.c2ln"), -EINVAL);
    assert_int_equal(parse("eyJhbGciOiJIUzI1NiJ9.e30.c2lo="), -EINVAL);
    assert_int_equal(parse("eyJhbGciOiJIUzI1NiJ9.e30.c2k"), 0);
    assert_int_equal(parse("eyJhbGciOiJIUzI1NiJ9.e30.c2l"), -EINVAL);
}

static void an_algorithm_is_one_of_four_as_they_are_written(void **state)
{
    static const char *const others[] = {
        "none",  "None",  "NONE",  "",       "HS384", "HS512",   "hs256",
        "RS384", "PS256", "ES384", "ES256K", "eddsa", "Ed25519", "HS256 ",
    };
    char header[64];
    (void)state;

    assert_int_equal(parse_header("{\"alg\":\"RS256\"}"), 0);
    assert_int_equal(jws.alg, ALG_RS256);
    assert_int_equal(parse_header("{\"alg\":\"ES256\"}"), 0);
    assert_int_equal(jws.alg, ALG_ES256);
    assert_int_equal(parse_header("{\"alg\":\"EdDSA\"}"), 0);
    assert_int_equal(jws.alg, ALG_EDDSA);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", others[i]);
        assert_int_equal(parse_header(header), -ENOTSUP);
    }
    /* The unsecured one of RFC 7519 6.1. */
    assert_int_equal(
        parse("eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAs"
              "DQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."),
        -EINVAL);
}

static void a_header_that_two_readers_could_read_is_none(void **state)
{
    static const char *const headers[] = {
        "",
        "{}",
        "{\"alg\":1}",
        "{\"alg\":null}",
        "[\"HS256\"]",
        "\"HS256\"",
        "{\"alg\":\"HS256\",\"alg\":\"none\"}",
        "{\"alg\":\"HS256\"}{}",
        "{\"alg\":\"HS256\"} x",
        "{\"alg\":\"HS256\"",
        "{'alg':'HS256'}",
        "{\"alg\":\"HS256\",\"kid\":7}",
        "{\"alg\":\"HS256\",\"kid\":null}",
        "{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}",
        "{\"alg\":\"HS256\",\"kid\":\"\xff\"}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        assert_int_equal(parse_header(headers[i]), -EINVAL);
    }
}

static void what_a_header_demands_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_header("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}"),
                     -ENOTSUP);
    assert_int_equal(parse_header("{\"alg\":\"HS256\",\"crit\":[]}"), -ENOTSUP);
    assert_int_equal(
        parse_header("{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}"),
        -ENOTSUP);
}

static void a_token_of_another_type_opens_no_connection(void **state)
{
    (void)state;
    assert_int_equal(parse_header("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), 0);
    assert_int_equal(parse_header("{\"alg\":\"HS256\",\"typ\":\"jwt\"}"), 0);
    assert_int_equal(parse_header("{\"alg\":\"HS256\",\"typ\":\"at+JWT\"}"), 0);
    assert_int_equal(
        parse_header("{\"alg\":\"HS256\",\"typ\":\"application/jwt\"}"), 0);
    assert_int_equal(
        parse_header("{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}"), 0);
    assert_int_equal(
        parse_header("{\"alg\":\"HS256\",\"typ\":\"application/dpop+jwt\"}"),
        -ENOTSUP);
    assert_int_equal(parse_header("{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}"),
                     -ENOTSUP);
    assert_int_equal(parse_header("{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}"),
                     -ENOTSUP);
    assert_int_equal(parse_header("{\"alg\":\"HS256\",\"typ\":1}"), -ENOTSUP);
}

static void a_token_and_its_key_id_have_limits(void **state)
{
    static char header[JWS_KID_MAX + 64], token[JWS_TOKEN_MAX + 2];
    char kid[JWS_KID_MAX + 2] = "";
    (void)state;

    memset(kid, 'k', JWS_KID_MAX);
    snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid);
    assert_int_equal(parse_header(header), 0);
    assert_int_equal(jws.kid_len, JWS_KID_MAX);
    kid[JWS_KID_MAX] = 'k';
    snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid);
    assert_int_equal(parse_header(header), -EINVAL);

    int len = snprintf(token, sizeof token, "eyJhbGciOiJIUzI1NiJ9.");
    memset(token + len, 'A', sizeof token - (size_t)len);
    memcpy(token + JWS_TOKEN_MAX - 5, ".c2ln", 5);
    assert_int_equal(jws_parse(hoist_bytes(token, JWS_TOKEN_MAX), &jws), 0);
    memcpy(token + JWS_TOKEN_MAX - 5, "A.c2ln", 6);
    assert_int_equal(jws_parse(hoist_bytes(token, JWS_TOKEN_MAX + 1), &jws),
                     -EINVAL);
}

static void a_signature_has_at_most_that_of_8192_bits(void **state)
{
    uint8_t bytes[JWS_SIGNATURE_MAX + 1] = {0};
    char signature[2000];
    (void)state;

    snprintf(signature, sizeof signature, "%s",
             made_base64url(bytes, JWS_SIGNATURE_MAX));
    assert_int_equal(parse(made_token(HS256_HEADER, "{}", signature)), 0);
    assert_int_equal(jws.signature_len, JWS_SIGNATURE_MAX);
    snprintf(signature, sizeof signature, "%s",
             made_base64url(bytes, JWS_SIGNATURE_MAX + 1));
    assert_int_equal(parse(made_token(HS256_HEADER, "{}", signature)), -EINVAL);
}

static void claims_that_two_readers_could_read_are_none(void **state)
{
    static const char *const payloads[] = {
        "",       "[]",
        "null",   "{\"sub\":\"a\",\"sub\":\"b\"}",
        "{} {}",  "{\"a\":{\"b\":1,\"b\":2}}",
        "{\"a\"", "{\"sub\":\"a\\u0000\"}",
        "{}\x01", "{\"exp\":99999999999999999999}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        assert_int_equal(parse(made_token(HS256_HEADER, payloads[i], "c2ln")),
                         0);
        assert_null(jws_claims(&jws));
    }
}

/* --- whose it is --------------------------------------------------------- */

/* As keyset_verify, with the keys of a text. */
static int verify(const char *keys, const char *token)
{
    const char *why = NULL;
    keyset_t *set = keyset_of_text(hoist_str(keys), &why);

    assert_non_null(set);
    assert_int_equal(parse(token), 0);
    int rc = keyset_verify(set, &jws);
    keyset_drop(set);
    return rc;
}

/* A JWKS of one key. */
static const char *jwks_of(const json_t *key)
{
    static char text[4096];
    char *json = json_dumps(key, JSON_COMPACT);

    snprintf(text, sizeof text, " {\"keys\":[%s]}", json);
    free(json);
    return text;
}

/* Each bit of the signature counts, and each character of what is signed. */
static void nothing_else_verifies(const char *keys, const char *token)
{
    static char changed[4096];
    size_t len = strlen(token), dot = (size_t)(strrchr(token, '.') - token);
    const char *why;
    keyset_t *set = keyset_of_text(hoist_str(keys), &why);

    for (size_t i = 0; i < len; i += i + 9 < len ? 7 : 1) {
        snprintf(changed, sizeof changed, "%s", token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (i != dot && parse(changed) == 0) {
            assert_true(keyset_verify(set, &jws) < 0);
        }
    }
    snprintf(changed, sizeof changed, "%.*s", (int)len - 4, token);
    if (parse(changed) == 0) {
        assert_true(keyset_verify(set, &jws) < 0);
    }
    keyset_drop(set);
}

static void check_vector(const json_t *vector)
{
    const char *token = json_string_value(json_object_get(vector, "token"));
    const char *keys = jwks_of(json_object_get(vector, "key"));
    json_t *wanted = json_object_get(vector, "claims");

    assert_int_equal(verify(keys, token), 0);
    json_t *claims = jws_claims(&jws);
    assert_true(json_is_null(wanted) ? claims == NULL
                                     : json_equal(claims, wanted));
    json_decref(claims);
    nothing_else_verifies(keys, token);
}

static void the_tokens_of_the_rfcs_are_right(void **state)
{
    json_t *vectors = json_load_file(VECTORS, 0, NULL), *vector;
    size_t i, j;
    (void)state;

    assert_int_equal(json_array_size(vectors), 4);
    json_array_foreach(vectors, i, vector)
    {
        print_message("%s\n", json_string_value(json_object_get(vector, "of")));
        check_vector(vector);
        for (j = 0; j < 4; j++) { /* and nobody else's */
            const json_t *other = json_array_get(vectors, j);
            const char *token =
                json_string_value(json_object_get(vector, "token"));
            int rc = verify(jwks_of(json_object_get(other, "key")), token);
            assert_int_equal(rc, j == i ? 0 : -ENOENT);
        }
    }
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_three_parts),
        cmocka_unit_test(an_algorithm_is_one_of_four_as_they_are_written),
        cmocka_unit_test(a_header_that_two_readers_could_read_is_none),
        cmocka_unit_test(what_a_header_demands_is_refused),
        cmocka_unit_test(a_token_of_another_type_opens_no_connection),
        cmocka_unit_test(a_token_and_its_key_id_have_limits),
        cmocka_unit_test(a_signature_has_at_most_that_of_8192_bits),
        cmocka_unit_test(claims_that_two_readers_could_read_are_none),
        cmocka_unit_test(the_tokens_of_the_rfcs_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
