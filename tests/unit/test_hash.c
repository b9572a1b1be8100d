/* SPDX-License-Identifier: MIT
 *
 * Hashes of tables: the rounds of SipHash against its authors' vectors, and
 * names that somebody chose so that they collide.
 */
#include "base/hash.h"
#include "base/rand.h"
#include "tests/unit/colliding_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 64

/* Of SipHash-2-4 with the key 00 01 … 0f, for 00 01 … of each length below 64
 * (vectors.h of the reference implementation). */
static const uint64_t vectors[TEXT_MAX] = {
    UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
    UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d),
    UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
    UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
    UINT64_C(0x93f5f5799a932462), UINT64_C(0x9e0082df0ba9e4b0),
    UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
    UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90),
    UINT64_C(0xf723ca908e7af2ee), UINT64_C(0xa129ca6149be45e5),
    UINT64_C(0x3f2acc7f57c29bdb), UINT64_C(0x699ae9f52cbe4794),
    UINT64_C(0x4bc1b3f0968dd39c), UINT64_C(0xbb6dc91da77961bd),
    UINT64_C(0xbed65cf21aa2ee98), UINT64_C(0xd0f2cbb02e3b67c7),
    UINT64_C(0x93536795e3a33e88), UINT64_C(0xa80c038ccd5ccec8),
    UINT64_C(0xb8ad50c6f649af94), UINT64_C(0xbce192de8a85b8ea),
    UINT64_C(0x17d835b85bbb15f3), UINT64_C(0x2f2e6163076bcfad),
    UINT64_C(0xde4daaaca71dc9a5), UINT64_C(0xa6a2506687956571),
    UINT64_C(0xad87a3535c49ef28), UINT64_C(0x32d892fad841c342),
    UINT64_C(0x7127512f72f27cce), UINT64_C(0xa7f32346f95978e3),
    UINT64_C(0x12e0b01abb051238), UINT64_C(0x15e034d40fa197ae),
    UINT64_C(0x314dffbe0815a3b4), UINT64_C(0x027990f029623981),
    UINT64_C(0xcadcd4e59ef40c4d), UINT64_C(0x9abfd8766a33735c),
    UINT64_C(0x0e3ea96b5304a7d0), UINT64_C(0xad0c42d6fc585992),
    UINT64_C(0x187306c89bc215a9), UINT64_C(0xd4a60abcf3792b95),
    UINT64_C(0xf935451de4f21df2), UINT64_C(0xa9538f0419755787),
    UINT64_C(0xdb9acddff56ca510), UINT64_C(0xd06c98cd5c0975eb),
    UINT64_C(0xe612a3cb9ecba951), UINT64_C(0xc766e62cfcadaf96),
    UINT64_C(0xee64435a9752fe72), UINT64_C(0xa192d576b245165a),
    UINT64_C(0x0a8787bf8ecb74b2), UINT64_C(0x81b3e73d20b49b6f),
    UINT64_C(0x7fa8220ba3b2ecea), UINT64_C(0x245731c13ca42499),
    UINT64_C(0xb78dbfaf3a8d83bd), UINT64_C(0xea1ad565322a1a0b),
    UINT64_C(0x60e61c23a3795013), UINT64_C(0x6606d7e446282b93),
    UINT64_C(0x6ca4ecb15c5f91e1), UINT64_C(0x9f626da15c9625f3),
    UINT64_C(0xe51b38608ef25f57), UINT64_C(0x958a324ceb064572),
};

/* The same of 128 bits (vectors_sip128 there). */
static const char *const wide_vectors[TEXT_MAX] = {
    "a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45",
    "8177228da4a45dc7fca38bdef60affe4", "9c70b60c5267a94e5f33b6b02985ed51",
    "f88164c12d9c8faf7d0f6e7c7bcd5579", "1368875980776f8854527a07690e9627",
    "14eeca338b208613485ea0308fd7a15e", "a1f1ebbed8dbc153c0b84aa61ff08239",
    "3b62a9ba6258f5610f83e264f31497b4", "264499060ad9baabc47f8b02bb6d71ed",
    "00110dc378146956c95447d3f3d0fbba", "0151c568386b6677a2b4dc6f81e5dc18",
    "d626b266905ef35882634df68532c125", "9869e247e9c08b10d029934fc4b952f7",
    "31fcefac66d7de9c7ec7485fe4494902", "5493e99933b0a8117e08ec0f97cfc3d9",
    "6ee2a4ca67b054bbfd3315bf85230577", "473d06e8738db89854c066c47ae47740",
    "a426e5e423bf4885294da481feaef723", "78017731cf65fab074d5208952512eb1",
    "9e25fc833f2290733e9344a5e83839eb", "568e495abe525a218a2214cd3e071d12",
    "4a29b54552d16b9a469c10528eff0aae", "c9d184ddd5a9f5e0cf8ce29a9abf691c",
    "2db479ae78bd50d8882a8a178a6132ad", "8ece5f042d5e447b5051b9eacb8d8f6f",
    "9c0b53b4b3c307e87eaee08678141f66", "abf248af69a6eae4bfd3eb2f129eeb94",
    "0664da1668574b88b935f3027358aef4", "aa4b9dc4bf337de90cd4fd3c467c6ab7",
    "ea5c7f471faf6bde2b1ad7d4686d2287", "2939b0183223fafc1723de4f52c43d35",
    "7c3956ca5eeafc3e363e9d556546eb68", "77c6077146f01c32b6b69d5f4ea9ffcf",
    "37a6986cb8847edf0925f0f1309b54de", "a705f0e69da9a8f907241a2e923c8cc8",
    "3dc47d1f29c448461e9e76ed904f6711", "0d62bf01e6fc0e1a0d3c4751c5d3692b",
    "8c03468bca7c669ee4fd5e084bbee7b5", "528a5bb93baf2c9c4473cce5d0d22bd9",
    "df6a301e95c95dad97ae0cc8c6913bd8", "801189902c857f39e73591285e70b6db",
    "e617346ac9c231bb3650ae34ccca0c5b", "27d93437efb721aa401821dcec5adf89",
    "89237d9ded9c5e78d8b1c9b166cc7342", "4a6d8091bf5e7d651189fa94a250b14c",
    "0e33f96055e7ae893ffc0e3dcf492902", "e61c432b720b19d18ec8d84bdc63151b",
    "f7e5aef549f782cf379055a608269b16", "438d030fd0b7a54fa837f2ad201a6403",
    "a590d3ee4fbf04e3247e0d27f286423f", "5fe2c1a172fe93c4b15cd37caef9f538",
    "2c97325cbd06b36eb2133dd08b3a017c", "92c814227a6bca949ff0659f002ad39e",
    "dce850110bd8328cfbd50841d6911d87", "67f14984c7da791248e32bb5922583da",
    "1938f2cf72d54ee97e94166fa91d2a36", "74481e9646ed49fe0f6224301604698e",
    "57fca5de98a9d6d8006438d0583d8a1d", "9fecde1cefdc1cbed4763674d9575359",
    "e3040c00eb28f15366ca73cbd872e740", "7697009a6a831dfecca91c5993670f7a",
    "5853542321f567a005d547a4f04759bd", "5150d1772f50834a503e069a973fbd7c",
};

static hash_key_t counted_key(void)
{
    hash_key_t key;

    for (size_t i = 0; i < sizeof key; i++) {
        ((uint8_t *)&key)[i] = (uint8_t)i;
    }
    return key;
}

static hash_key_t random_key(void)
{
    hash_key_t key;

    rand_bytes(&key, sizeof key);
    return key;
}

static void siphash_2_4_is_that_of_its_authors(void **state)
{
    const hash_key_t key = counted_key();
    uint8_t text[TEXT_MAX];
    (void)state;

    for (size_t len = 0; len < TEXT_MAX; len++) {
        text[len] = (uint8_t)len;
        assert_int_equal(hash_sip(&key, 2, 4, text, len), vectors[len]);
    }
}

static void its_128_bits_are_those_of_its_authors(void **state)
{
    const hash_key_t key = counted_key();
    uint8_t text[TEXT_MAX], hash[HASH_WIDE];
    char hex[2 * HASH_WIDE + 1];
    (void)state;

    for (size_t len = 0; len < TEXT_MAX; len++) {
        text[len] = (uint8_t)len;
        hash_wide(&key, text, len, hash);
        for (size_t i = 0; i < HASH_WIDE; i++) {
            (void)snprintf(hex + 2 * i, 3, "%02x", hash[i]);
        }
        assert_string_equal(hex, wide_vectors[len]);
    }
}

static void tables_have_siphash_1_3(void **state)
{
    const hash_key_t key = random_key();
    uint8_t text[TEXT_MAX];
    (void)state;

    rand_bytes(text, sizeof text);
    for (size_t len = 0; len <= TEXT_MAX; len++) {
        assert_int_equal(hash_keyed(&key, text, len),
                         hash_sip(&key, 1, 3, text, len));
    }
}

static void a_text_has_one_hash_wherever_it_lies(void **state)
{
    const hash_key_t key = random_key();
    uint8_t text[TEXT_MAX], copies[TEXT_MAX + 8];
    (void)state;

    rand_bytes(text, sizeof text);
    for (size_t len = 0; len <= TEXT_MAX; len++) {
        for (size_t at = 0; at < 8; at++) {
            rand_bytes(copies, sizeof copies);
            memcpy(copies + at, text, len);
            assert_int_equal(hash_keyed(&key, copies + at, len),
                             hash_keyed(&key, text, len));
        }
    }
}

static void each_bit_of_text_and_key_counts(void **state)
{
    hash_key_t key = random_key();
    uint8_t text[TEXT_MAX];
    (void)state;

    rand_bytes(text, sizeof text);
    const uint64_t hash = hash_keyed(&key, text, sizeof text);
    for (size_t bit = 0; bit < 8 * sizeof text; bit++) {
        text[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(hash_keyed(&key, text, sizeof text) != hash);
        text[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof key; bit++) {
        key.half[bit / 64] ^= UINT64_C(1) << bit % 64;
        assert_true(hash_keyed(&key, text, sizeof text) != hash);
        key.half[bit / 64] ^= UINT64_C(1) << bit % 64;
    }
}

static void zeros_of_each_length_differ(void **state)
{
    const hash_key_t key = random_key();
    const uint8_t zeros[TEXT_MAX] = {0};
    (void)state;

    for (size_t len = 0; len <= TEXT_MAX; len++) {
        for (size_t shorter = 0; shorter < len; shorter++) {
            assert_true(hash_keyed(&key, zeros, len) !=
                        hash_keyed(&key, zeros, shorter));
        }
    }
}

static uint64_t fnv_behind(uint64_t secret, const uint8_t *name)
{
    for (size_t i = 0; i < COLLIDING_NAME_LEN; i++) {
        secret = (secret ^ name[i]) * UINT64_C(0x100000001b3);
    }
    return secret;
}

/* Otherwise the next test, and those of tables, would show nothing. */
static void the_chosen_names_collide_behind_a_secret_of_fnv(void **state)
{
    uint8_t first[COLLIDING_NAME_LEN], name[COLLIDING_NAME_LEN];
    uint64_t secret;
    (void)state;

    rand_bytes(&secret, sizeof secret);
    secret = (secret & ~UINT64_C(0xff)) | COLLIDING_NAMES_END;
    colliding_name(0, first);
    for (unsigned i = 1; i < COLLIDING_NAMES; i++) {
        colliding_name(i, name);
        assert_memory_not_equal(name, first, sizeof name);
        assert_int_equal(fnv_behind(secret, name), fnv_behind(secret, first));
    }
}

static void the_chosen_names_fall_apart_behind_a_key(void **state)
{
    const hash_key_t key = random_key();
    uint64_t hashes[COLLIDING_NAMES];
    (void)state;

    for (unsigned i = 0; i < COLLIDING_NAMES; i++) {
        uint8_t name[COLLIDING_NAME_LEN];
        colliding_name(i, name);
        hashes[i] = hash_keyed(&key, name, sizeof name);
        for (unsigned j = 0; j < i; j++) {
            assert_true(hashes[i] != hashes[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_2_4_is_that_of_its_authors),
        cmocka_unit_test(its_128_bits_are_those_of_its_authors),
        cmocka_unit_test(tables_have_siphash_1_3),
        cmocka_unit_test(a_text_has_one_hash_wherever_it_lies),
        cmocka_unit_test(each_bit_of_text_and_key_counts),
        cmocka_unit_test(zeros_of_each_length_differ),
        cmocka_unit_test(the_chosen_names_collide_behind_a_secret_of_fnv),
        cmocka_unit_test(the_chosen_names_fall_apart_behind_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
