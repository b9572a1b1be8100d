/* SPDX-License-Identifier: MIT
 *
 * Keys: which are taken, which signs what, and that those of a file are read
 * again.
 */
#include "base/key_file.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "tests/unit/made_token.h"
#include "tests/unit/sdk.h"
#include "workers/c/auth/source.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#define CLAIMS "{\"sub\":\"ada\"}"

static EVP_PKEY *rsa, *curve, *edwards;

static int make_keys(void **state)
{
    (void)state;
    rsa = EVP_RSA_gen(2048);
    curve = EVP_EC_gen("P-256");
    edwards = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return rsa != NULL && curve != NULL && edwards != NULL ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(curve);
    EVP_PKEY_free(edwards);
    return 0;
}

/* --- keys as JSON --------------------------------------------------------- */

static void append(char *text, size_t size, const char *more)
{
    size_t len = strlen(text);

    must((size_t)snprintf(text + len, size - len, "%s", more) < size - len);
}

/* A key of HS256 with other members. */
static const char *secret_jwk(const char *secret, const char *members)
{
    static char text[8192];

    snprintf(text, sizeof text, "{\"kty\":\"oct\",\"k\":\"%s\"%s}",
             made_base64url(secret, strlen(secret)), members);
    return text;
}

static const char *number_of(EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    uint8_t bytes[1024];

    must(EVP_PKEY_get_bn_param(key, name, &number) == 1);
    int len = BN_bn2bin(number, bytes);
    BN_free(number);
    return made_base64url(bytes, (size_t)len);
}

static const char *rsa_jwk(EVP_PKEY *key, const char *exponent)
{
    static char text[2048];

    snprintf(text, sizeof text, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}",
             number_of(key, OSSL_PKEY_PARAM_RSA_N), exponent);
    return text;
}

/* A JWKS of these keys, up to NULL. */
static const char *jwks(const char *first, const char *second)
{
    static char text[20000];

    snprintf(text, sizeof text, "{\"keys\":[%s%s%s]}", first,
             second != NULL ? "," : "", second != NULL ? second : "");
    return text;
}

static keyset_t *keys_of(const char *text)
{
    const char *why = NULL;
    keyset_t *keys = keyset_of_text(hoist_str(text), &why);

    assert_true((keys == NULL) == (why != NULL));
    return keys;
}

static void is_refused(const char *text, const char *reason)
{
    const char *why = NULL;

    assert_null(keyset_of_text(hoist_str(text), &why));
    assert_non_null(why);
    if (strstr(why, reason) == NULL) {
        assert_string_equal(why, reason);
    }
}

static void no_key_in(const char *key)
{
    is_refused(jwks(key, NULL), "there is no key in it");
}

static void keys_of_other_kinds_are_passed_over(void **state)
{
    keyset_t *keys = keys_of(jwks("{\"kty\":\"EC\",\"crv\":\"P-521\"},7,null",
                                  secret_jwk(MADE_SECRET, "")));
    (void)state;

    assert_int_equal(keyset_count(keys), 1);
    keyset_drop(keys);
    no_key_in("{}");
    no_key_in("{\"kty\":\"xyz\"}");
    no_key_in("{\"kty\":\"oct\"}");
    no_key_in("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":"
              "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}");
    no_key_in("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qY\"}");
    is_refused("{}", "no JWKS");
    is_refused("{\"keys\":{}}", "no JWKS");
    is_refused("{\"keys\":[", "no JWKS");
    is_refused("{\"keys\":[],\"keys\":[]}", "no JWKS");
    is_refused("", "no key");
}

static void a_key_is_for_what_it_says_it_is_for(void **state)
{
    (void)state;
    no_key_in(secret_jwk(MADE_SECRET, ",\"alg\":\"HS512\""));
    no_key_in(secret_jwk(MADE_SECRET, ",\"alg\":\"RS256\""));
    no_key_in(secret_jwk(MADE_SECRET, ",\"alg\":1"));
    no_key_in(secret_jwk(MADE_SECRET, ",\"use\":\"enc\""));
    no_key_in(secret_jwk(MADE_SECRET, ",\"key_ops\":[\"sign\"]"));
    no_key_in(secret_jwk(MADE_SECRET, ",\"key_ops\":\"verify\""));
    no_key_in(secret_jwk(MADE_SECRET, ",\"kid\":7"));
    keyset_t *keys = keys_of(
        jwks(secret_jwk(MADE_SECRET, ",\"alg\":\"HS256\",\"use\":\"sig\","
                                     "\"key_ops\":[\"sign\",\"verify\"]"),
             NULL));
    assert_int_equal(keyset_count(keys), 1);
    keyset_drop(keys);
}

static void weak_keys_are_none(void **state)
{
    EVP_PKEY *weak = EVP_RSA_gen(1024), *other = EVP_EC_gen("P-384");
    (void)state;

    no_key_in(secret_jwk("31 bytes are too few for SHA-25", ""));
    no_key_in(rsa_jwk(weak, "AQAB"));
    no_key_in(rsa_jwk(rsa, "AQ"));   /* 1 */
    no_key_in(rsa_jwk(rsa, "AQAA")); /* even */
    is_refused(made_pem(weak), "another kind");
    is_refused(made_pem(other), "another kind");
    EVP_PKEY_free(weak);
    EVP_PKEY_free(other);
}

static void a_point_off_the_curve_is_no_key(void **state)
{
    (void)state;
    no_key_in("{\"kty\":\"EC\",\"crv\":\"P-256\","
              "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
              "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}");
}

static void a_set_has_at_most_64_keys(void **state)
{
    static char text[20000] = "{\"keys\":[";
    (void)state;

    for (int i = 0; i < KEYSET_MAX; i++) {
        append(text, sizeof text, i > 0 ? "," : "");
        append(text, sizeof text, secret_jwk(MADE_SECRET, ",\"kid\":\"a\""));
    }
    size_t len = strlen(text);
    append(text, sizeof text, "]}");
    keyset_t *keys = keys_of(text);
    assert_int_equal(keyset_count(keys), KEYSET_MAX);
    keyset_drop(keys);
    snprintf(text + len, sizeof text - len, ",{}]}");
    is_refused(text, "64");
}

/* --- keys as PEM ---------------------------------------------------------- */

static void pem_has_public_keys_and_nothing_else(void **state)
{
    char text[8192];
    (void)state;

    snprintf(text, sizeof text, "some words\n%s", made_pem(rsa));
    append(text, sizeof text, made_pem(curve));
    append(text, sizeof text, made_pem(edwards));
    keyset_t *keys = keys_of(text);
    assert_int_equal(keyset_count(keys), 3);
    keyset_drop(keys);
    append(text, sizeof text,
           "-----BEGIN PRIVATE KEY-----\nMAA=\n"
           "-----END PRIVATE KEY-----\n");
    is_refused(text, "private key");
    is_refused("-----BEGIN CERTIFICATE-----\nMAA=\n"
               "-----END CERTIFICATE-----\n",
               "no public key");
    is_refused("-----BEGIN PUBLIC KEY-----\nMAA=\n"
               "-----END PUBLIC KEY-----\n",
               "another kind");
    is_refused("no key at all", "no key");
}

/* PEM of two keys, the second of which is as this makes it. */
static const char *broken_pem(void (*breaks)(char *block))
{
    static char text[8192];

    snprintf(text, sizeof text, "%s", made_pem(rsa));
    size_t len = strlen(text);
    append(text, sizeof text, made_pem(curve));
    breaks(text + len);
    return text;
}

static void cut_begin(char *block)
{
    block[strlen("-----BEGIN PUB")] = '\0';
}

static void spoil_begin(char *block)
{
    *block = '+';
}

static void cut_body(char *block)
{
    strchr(block, '\n')[20] = '\0';
}

static void spoil_body(char *block)
{
    strchr(block, '\n')[20] = '!';
}

static void cut_end(char *block)
{
    block[strlen(block) - 5] = '\0';
}

static void spoil_end(char *block)
{
    strstr(block, "-----END")[strlen("-----END ")] = 'p';
}

static void a_pem_with_a_block_that_is_broken_is_refused_whole(void **state)
{
    void (*const breaks[])(char *) = {cut_begin,  spoil_begin, cut_body,
                                      spoil_body, cut_end,     spoil_end};
    (void)state;

    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        is_refused(broken_pem(breaks[i]), "a block of it is broken");
    }
}

/* --- what they sign ------------------------------------------------------- */

static int verify(const char *keys, const char *token)
{
    keyset_t *set = keys_of(keys);
    jws_t jws;

    assert_int_equal(jws_parse(hoist_str(token), &jws), 0);
    int rc = keyset_verify(set, &jws);
    keyset_drop(set);
    return rc;
}

static void each_kind_of_key_signs_its_algorithm_and_no_other(void **state)
{
    EVP_PKEY *const keys[] = {rsa, curve, edwards};
    static const char *const headers[] = {
        "{\"alg\":\"RS256\"}", "{\"alg\":\"ES256\"}", "{\"alg\":\"EdDSA\"}"};
    (void)state;

    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            const char *token = made_signed(headers[j], CLAIMS, keys[i]);
            assert_int_equal(verify(made_pem(keys[i]), token),
                             j == i ? 0 : -ENOENT);
        }
    }
}

static void a_public_key_is_nobodys_secret(void **state)
{
    static const char header[] = "{\"alg\":\"HS256\"}";
    const char *pem = made_pem(rsa);
    (void)state;

    assert_int_equal(verify(pem, made_hs256(header, CLAIMS, pem)), -ENOENT);
    assert_int_equal(verify(jwks(rsa_jwk(rsa, "AQAB"), NULL),
                            made_hs256(header, CLAIMS, number_of(rsa, "n"))),
                     -ENOENT);
}

static void who_signs_with_another_key_is_somebody_else(void **state)
{
    EVP_PKEY *other = EVP_EC_gen("P-256");
    (void)state;

    assert_int_equal(verify(made_pem(curve),
                            made_signed("{\"alg\":\"ES256\"}", CLAIMS, other)),
                     -EACCES);
    assert_int_equal(
        verify(jwks(secret_jwk(MADE_SECRET, ""), NULL),
               made_hs256("{\"alg\":\"HS256\"}", CLAIMS, MADE_SECRET "x")),
        -EACCES);
    EVP_PKEY_free(other);
}

static void a_token_that_names_its_key_has_no_other(void **state)
{
    static const char header[] = "{\"alg\":\"HS256\",\"kid\":\"b\"}";
    char *keys = strdup(jwks(secret_jwk(MADE_SECRET, ",\"kid\":\"a\""), NULL));
    (void)state;

    assert_int_equal(verify(keys, made_hs256(header, CLAIMS, MADE_SECRET)),
                     -ENOENT);
    assert_int_equal(
        verify(keys, made_hs256("{\"alg\":\"HS256\"}", CLAIMS, MADE_SECRET)),
        0);
    assert_int_equal(verify(jwks(secret_jwk(MADE_SECRET, ""), NULL),
                            made_hs256(header, CLAIMS, MADE_SECRET)),
                     0);
    free(keys);
}

/* So many keys of HS256, the last of which is MADE_SECRET; with these members.
 */
static const char *many_keys(int count, const char *members)
{
    static char text[4096];
    char secret[48];

    snprintf(text, sizeof text, "{\"keys\":[");
    for (int i = 1; i < count; i++) {
        snprintf(secret, sizeof secret, "another secret of 32 bytes    %02d",
                 i);
        append(text, sizeof text, secret_jwk(secret, members));
        append(text, sizeof text, ",");
    }
    append(text, sizeof text, secret_jwk(MADE_SECRET, members));
    append(text, sizeof text, "]}");
    return text;
}

static void a_token_is_checked_with_at_most_4_keys(void **state)
{
    const char *token = made_hs256("{\"alg\":\"HS256\"}", CLAIMS, MADE_SECRET);
    (void)state;

    assert_int_equal(verify(many_keys(KEYSET_TRIES, ""), token), 0);
    assert_int_equal(verify(many_keys(KEYSET_TRIES, ",\"kid\":\"a\""), token),
                     0);
    assert_int_equal(
        verify(many_keys(KEYSET_TRIES + 1, ",\"kid\":\"a\""), token), -EACCES);
}

static void keys_that_no_token_would_be_checked_with_are_refused(void **state)
{
    char text[8192] = "";
    (void)state;

    for (int i = 0; i < KEYSET_TRIES; i++) {
        append(text, sizeof text, made_pem(curve));
        append(text, sizeof text, made_pem(edwards));
    }
    keyset_t *keys = keys_of(text);
    assert_int_equal(keyset_count(keys), 2 * KEYSET_TRIES);
    keyset_drop(keys);
    append(text, sizeof text, made_pem(curve));
    is_refused(text, "more than 4 keys of one algorithm without an id");
    is_refused(many_keys(KEYSET_TRIES + 1, ""), "more than 4 keys");
}

static void a_secret_has_32_bytes_at_least(void **state)
{
    char long_secret[KEY_SECRET_MAX + 1];
    const char *why = NULL;
    (void)state;

    memset(long_secret, 's', sizeof long_secret);
    keyset_t *keys = keyset_of_secret(hoist_bytes(long_secret, 32), &why);
    assert_int_equal(keyset_count(keys), 1);
    keyset_drop(keys);
    assert_null(keyset_of_secret(hoist_bytes(long_secret, 31), &why));
    assert_non_null(why);
    assert_null(
        keyset_of_secret(hoist_bytes(long_secret, sizeof long_secret), &why));
}

/* --- keys of a file ------------------------------------------------------- */

#define REFRESH_MS   INT64_C(10000)
#define AGAIN_MS     ((int64_t)SOURCE_AGAIN_MS)
#define OTHER_SECRET "another secret that has 32 bytes"

static char path[] = "/tmp/hoist-keys-XXXXXX";
static source_t source;

/* As who rotates keys does it: another file takes its name. */
static void write_file(const char *text)
{
    char other[sizeof path + 4];

    snprintf(other, sizeof other, "%s.new", path);
    FILE *file = fopen(other, "w");
    must(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    must(chmod(other, S_IRUSR) == 0);
    must(rename(other, path) == 0);
}

static void write_secret(const char *secret)
{
    write_file(jwks(secret_jwk(secret, ",\"kid\":\"x\""), NULL));
}

static int open_source(void **state)
{
    (void)state;
    log_set_level(LEVEL_INFO);
    memset(path + sizeof path - 7, 'X', 6);
    close(mkstemp(path));
    write_secret(MADE_SECRET);
    const char *why;
    return source_init_file(&source, path, REFRESH_MS, 0, &why);
}

static int close_source(void **state)
{
    (void)state;
    source_fini(&source);
    unlink(path);
    return 0;
}

/* Is this the secret that counts at that time? */
static bool counts(const char *secret, int64_t now_ms)
{
    keyset_t *keys = source_keys(&source, now_ms);
    jws_t jws;

    assert_int_equal(
        jws_parse(hoist_str(made_hs256("{\"alg\":\"HS256\",\"kid\":\"x\"}",
                                       CLAIMS, secret)),
                  &jws),
        0);
    int rc = keyset_verify(keys, &jws);
    keyset_drop(keys);
    return rc == 0;
}

static void logged(const char *text)
{
    const char *caught = sdk_caught();

    if (text[0] == '\0' || strstr(caught, text) == NULL) {
        assert_string_equal(caught, text);
    }
}

static void
keys_of_a_file_are_read_when_it_changes_and_that_is_due(void **state)
{
    (void)state;
    assert_true(counts(MADE_SECRET, 1));
    write_secret(OTHER_SECRET);
    assert_true(counts(MADE_SECRET, REFRESH_MS - 1));
    sdk_catch();
    assert_true(counts(OTHER_SECRET, REFRESH_MS));
    logged("info WORKER-KEYS-READ file=/tmp/hoist-keys-");
    sdk_catch();
    assert_true(counts(OTHER_SECRET, 2 * REFRESH_MS));
    logged("");
}

static void who_holds_a_set_goes_on_with_it(void **state)
{
    keyset_t *old = source_keys(&source, 1);
    (void)state;

    write_secret(OTHER_SECRET);
    sdk_catch();
    assert_true(counts(OTHER_SECRET, REFRESH_MS));
    logged("keys=1");
    assert_int_equal(keyset_count(old), 1);
    keyset_drop(old);
}

static void for_want_of_a_key_it_is_read_at_once_but_once_a_second(void **state)
{
    (void)state;
    sdk_catch();
    write_secret(OTHER_SECRET);
    assert_false(source_again(&source, AGAIN_MS - 1));
    assert_true(counts(MADE_SECRET, AGAIN_MS - 1));
    assert_true(source_again(&source, AGAIN_MS));
    assert_true(counts(OTHER_SECRET, AGAIN_MS));
    write_secret(MADE_SECRET);
    assert_false(source_again(&source, 2 * AGAIN_MS - 1));
    assert_true(source_again(&source, 2 * AGAIN_MS));
    assert_true(counts(MADE_SECRET, 2 * AGAIN_MS));
    logged("WORKER-KEYS-READ");
}

static void who_finds_the_file_claimed_leaves_it_for_later(void **state)
{
    (void)state;
    write_secret(OTHER_SECRET);
    source.is_claimed = true; /* by another thread */
    assert_true(counts(MADE_SECRET, REFRESH_MS));
    assert_false(source_again(&source, REFRESH_MS));
    source.is_claimed = false;
    sdk_catch();
    assert_true(source_again(&source, REFRESH_MS));
    assert_true(counts(OTHER_SECRET, REFRESH_MS));
    logged("WORKER-KEYS-READ");
}

static void a_file_that_is_broken_changes_nothing_and_is_told_once(void **state)
{
    (void)state;
    write_file("{\"keys\":[]}");
    sdk_catch();
    assert_true(counts(MADE_SECRET, REFRESH_MS));
    logged("warn WORKER-KEYS-KEPT file=/tmp/hoist-keys-");
    sdk_catch();
    assert_true(counts(MADE_SECRET, 2 * REFRESH_MS));
    assert_false(source_again(&source, 2 * REFRESH_MS));
    logged("");
    unlink(path);
    sdk_catch();
    assert_true(counts(MADE_SECRET, 3 * REFRESH_MS));
    logged("error=\"No such file or directory\"");
    write_secret(OTHER_SECRET);
    sdk_catch();
    assert_true(counts(OTHER_SECRET, 4 * REFRESH_MS));
    logged("WORKER-KEYS-READ");
}

static void of_a_file_that_is_cut_no_key_counts(void **state)
{
    (void)state;
    write_file(broken_pem(cut_end));
    sdk_catch();
    assert_true(counts(MADE_SECRET, REFRESH_MS));
    logged("error=\"a block of it is broken\"");
    assert_int_equal(keyset_count(source.keys), 1);
}

static void does_not_begin(const char *file, int error, const char *words)
{
    source_t other;
    const char *why = NULL;

    assert_int_equal(source_init_file(&other, file, REFRESH_MS, 0, &why),
                     error);
    assert_string_equal(why, words);
}

static void a_worker_does_not_begin_with_a_file_that_is_broken(void **state)
{
    (void)state;

    does_not_begin("/nowhere", -ENOENT, "No such file or directory");
    write_file("");
    does_not_begin(path, -EINVAL, "there is no key in it");
}

static void a_file_is_read_up_to_a_mebibyte(void **state)
{
    (void)state;

    must(truncate(path, KEYSET_TEXT_MAX + 1) == 0);
    does_not_begin(path, -EFBIG, key_file_failure(-EFBIG));
}

static void a_secret_that_others_may_read_is_refused(void **state)
{
    source_t other;
    const char *why;
    (void)state;

    must(chmod(path, S_IRUSR | S_IROTH) == 0);
    does_not_begin(path, -EPERM, "others may read it: chmod o= it");
    sdk_catch();
    assert_true(counts(MADE_SECRET, REFRESH_MS));
    logged("WORKER-KEYS-KEPT");
    write_file(made_pem(curve));
    must(chmod(path, S_IRUSR | S_IROTH) == 0);
    assert_int_equal(source_init_file(&other, path, REFRESH_MS, 0, &why), 0);
    source_fini(&other);
}

static void keys_of_no_file_stay(void **state)
{
    const char *why;
    source_t other;
    (void)state;

    source_init(&other, keyset_of_secret(hoist_str(MADE_SECRET), &why));
    assert_false(source_again(&other, REFRESH_MS));
    keyset_t *keys = source_keys(&other, REFRESH_MS);
    assert_int_equal(keyset_count(keys), 1);
    keyset_drop(keys);
    source_fini(&other);
}

/* --- threads -------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS  300

/* Each time another millisecond; what it sees is one key or the other. */
static void *use_keys(void *data)
{
    static atomic_long now_ms;
    jws_t jws;

    must(jws_parse(hoist_str(data), &jws) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t now = atomic_fetch_add(&now_ms, 700);
        keyset_t *keys = source_keys(&source, now);
        int rc = keyset_verify(keys, &jws);
        must(rc == 0 || rc == -EACCES);
        keyset_drop(keys);
        if (rc < 0) {
            (void)source_again(&source, now);
        }
    }
    return NULL;
}

static void keys_are_rotated_under_threads_that_use_them(void **state)
{
    char *token = strdup(
        made_hs256("{\"alg\":\"HS256\",\"kid\":\"x\"}", CLAIMS, MADE_SECRET));
    pthread_t threads[THREADS];
    (void)state;

    log_set_level(LEVEL_ERROR);
    for (int i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, use_keys, token) == 0);
    }
    for (int i = 0; i < ROUNDS / 10; i++) {
        write_secret(i % 2 == 0 ? OTHER_SECRET : MADE_SECRET);
    }
    for (int i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    assert_true(counts(MADE_SECRET, INT64_MAX / 2));
    free(token);
}

#define FILE_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, open_source, close_source)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_other_kinds_are_passed_over),
        cmocka_unit_test(a_key_is_for_what_it_says_it_is_for),
        cmocka_unit_test(weak_keys_are_none),
        cmocka_unit_test(a_point_off_the_curve_is_no_key),
        cmocka_unit_test(a_set_has_at_most_64_keys),
        cmocka_unit_test(pem_has_public_keys_and_nothing_else),
        cmocka_unit_test(a_pem_with_a_block_that_is_broken_is_refused_whole),
        cmocka_unit_test(each_kind_of_key_signs_its_algorithm_and_no_other),
        cmocka_unit_test(a_public_key_is_nobodys_secret),
        cmocka_unit_test(who_signs_with_another_key_is_somebody_else),
        cmocka_unit_test(a_token_that_names_its_key_has_no_other),
        cmocka_unit_test(a_token_is_checked_with_at_most_4_keys),
        cmocka_unit_test(keys_that_no_token_would_be_checked_with_are_refused),
        cmocka_unit_test(a_secret_has_32_bytes_at_least),
        FILE_TEST(keys_of_a_file_are_read_when_it_changes_and_that_is_due),
        FILE_TEST(who_holds_a_set_goes_on_with_it),
        FILE_TEST(for_want_of_a_key_it_is_read_at_once_but_once_a_second),
        FILE_TEST(who_finds_the_file_claimed_leaves_it_for_later),
        FILE_TEST(a_file_that_is_broken_changes_nothing_and_is_told_once),
        FILE_TEST(of_a_file_that_is_cut_no_key_counts),
        FILE_TEST(a_worker_does_not_begin_with_a_file_that_is_broken),
        FILE_TEST(a_file_is_read_up_to_a_mebibyte),
        FILE_TEST(a_secret_that_others_may_read_is_refused),
        FILE_TEST(keys_of_no_file_stay),
        FILE_TEST(keys_are_rotated_under_threads_that_use_them),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
