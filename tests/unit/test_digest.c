/* SPDX-License-Identifier: MIT
 *
 * SHA-256: the examples of its standard, and random texts in random pieces, of
 * which OpenSSL knows the digest.
 */
#include "base/digest.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/sha.h>

#define ROUNDS   2000
#define TEXT_MAX 600

static void assert_digest(digest_t *digest, const char *hex)
{
    uint8_t bytes[DIGEST_BYTES];
    char text[2 * DIGEST_BYTES + 1];

    digest_end(digest, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    assert_string_equal(text, hex);
}

static void the_examples_of_the_standard_come_out(void **state)
{
    static const struct {
        const char *text, *hex;
    } examples[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb924"
             "27ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223"
                "b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039"
         "a33ce45964ff2167f6ecedd419db06c1"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        digest_t digest;
        digest_init(&digest);
        digest_add(&digest, examples[i].text, strlen(examples[i].text));
        assert_digest(&digest, examples[i].hex);
    }
}

static void a_million_times_a_comes_out(void **state)
{
    digest_t digest;
    (void)state;

    digest_init(&digest);
    for (int i = 0; i < 1000000; i++) {
        digest_add(&digest, "a", 1);
    }
    assert_digest(&digest, "cdc76e5c9914fb9281a1c7e284d73e67"
                           "f1809a48a497200e046d39ccc7112cd0");
}

static void add_in_pieces(digest_t *digest, const uint8_t *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t piece = 1 + rand_u32() % (len - at);
        digest_add(digest, text + at, piece);
        at += piece;
    }
}

static void random_texts_in_pieces_are_as_openssl_says(void **state)
{
    uint8_t text[TEXT_MAX], ours[DIGEST_BYTES], theirs[DIGEST_BYTES];
    (void)state;

    for (int i = 0; i < ROUNDS; i++) {
        size_t len = (size_t)i % TEXT_MAX;
        digest_t digest;
        rand_bytes(text, len);
        digest_init(&digest);
        add_in_pieces(&digest, text, len);
        digest_end(&digest, ours);
        (void)SHA256(text, len, theirs);
        assert_memory_equal(ours, theirs, sizeof ours);
    }
}

static void nothing_may_be_added(void **state)
{
    digest_t digest;
    (void)state;

    digest_init(&digest);
    digest_add(&digest, NULL, 0);
    digest_add(&digest, "abc", 3);
    digest_add(&digest, NULL, 0);
    assert_digest(&digest, "ba7816bf8f01cfea414140de5dae2223"
                           "b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_standard_come_out),
        cmocka_unit_test(a_million_times_a_comes_out),
        cmocka_unit_test(random_texts_in_pieces_are_as_openssl_says),
        cmocka_unit_test(nothing_may_be_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
