/* SPDX-License-Identifier: MIT */
#include "proto/conn_id.h"
#include "tests/unit/random_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_layout_is_the_one_of_the_protocol(void **state)
{
    /* base64url of 010203 040506 0708 090a0b0c, computed by hand. */
    conn_id_t id = {0x010203, 0x040506, 0x0708, 0x090a0b0c}, parsed;
    uint32_t loop;
    char text[CONN_ID_TEXT];
    (void)state;

    conn_id_format(&id, text);
    assert_memory_equal(text, "AQIDBAUGBwgJCgsM", CONN_ID_TEXT);
    assert_int_equal(conn_id_parse(text, sizeof text, &parsed), 0);
    assert_int_equal(parsed.loop, 0x010203);
    assert_int_equal(parsed.slot, 0x040506);
    assert_int_equal(parsed.generation, 0x0708);
    assert_int_equal(parsed.random, 0x090a0b0c);
    assert_int_equal(conn_id_parse_loop(text, CONN_ID_LOOP_TEXT, &loop), 0);
    assert_int_equal(loop, 0x010203);
    assert_int_equal(conn_id_parse_loop(text, 3, &loop), -EINVAL);
    assert_int_equal(conn_id_parse_loop("AA=A", 4, &loop), -EINVAL);
}

static void the_ends_of_the_range_have_their_texts(void **state)
{
    conn_id_t least = {0, 0, 0, 0};
    conn_id_t most = {CONN_ID_LOOP_MAX, CONN_ID_SLOT_MAX, UINT16_MAX,
                      UINT32_MAX};
    char text[CONN_ID_TEXT];
    (void)state;

    conn_id_format(&least, text);
    assert_memory_equal(text, "AAAAAAAAAAAAAAAA", CONN_ID_TEXT);
    conn_id_format(&most, text);
    assert_memory_equal(text, "________________", CONN_ID_TEXT);
}

static void every_id_survives_a_round_trip(void **state)
{
    random_t random;
    (void)state;

    random_init(&random, 17);
    for (int i = 0; i < 10000; i++) {
        conn_id_t id = {(uint32_t)random_below(&random, CONN_ID_LOOP_MAX + 1),
                        (uint32_t)random_below(&random, CONN_ID_SLOT_MAX + 1),
                        (uint16_t)random_u64(&random),
                        (uint32_t)random_u64(&random)};
        conn_id_t parsed;
        char text[CONN_ID_TEXT];
        conn_id_format(&id, text);
        assert_int_equal(conn_id_parse(text, sizeof text, &parsed), 0);
        assert_int_equal(conn_id_slot(text), id.slot);
        assert_int_equal(parsed.loop, id.loop);
        assert_int_equal(parsed.slot, id.slot);
        assert_int_equal(parsed.generation, id.generation);
        assert_int_equal(parsed.random, id.random);
    }
    random_fini(&random);
}

static bool is_base64url(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static void only_the_64_characters_are_taken_at_every_place(void **state)
{
    conn_id_t id;
    (void)state;

    for (size_t at = 0; at < CONN_ID_TEXT; at++) {
        for (int c = 0; c < 256; c++) {
            char text[CONN_ID_TEXT];
            memset(text, 'Q', sizeof text);
            text[at] = (char)c;
            assert_int_equal(conn_id_parse(text, sizeof text, &id),
                             is_base64url(c) ? 0 : -EINVAL);
        }
    }
}

static void a_text_of_another_length_is_refused(void **state)
{
    static const char text[] = "AAAAAAAAAAAAAAAAAAAAAAAA";
    conn_id_t id;
    (void)state;

    for (size_t len = 0; len <= 24; len++) {
        assert_int_equal(conn_id_parse(text, len, &id),
                         len == CONN_ID_TEXT ? 0 : -EINVAL);
    }
}

static void what_is_no_id_names_a_slot_that_could_be(void **state)
{
    char text[CONN_ID_TEXT];
    (void)state;

    for (int byte = 0; byte <= UINT8_MAX; byte++) {
        memset(text, byte, sizeof text);
        assert_true(conn_id_slot(text) <= CONN_ID_SLOT_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_the_one_of_the_protocol),
        cmocka_unit_test(the_ends_of_the_range_have_their_texts),
        cmocka_unit_test(every_id_survives_a_round_trip),
        cmocka_unit_test(only_the_64_characters_are_taken_at_every_place),
        cmocka_unit_test(a_text_of_another_length_is_refused),
        cmocka_unit_test(what_is_no_id_names_a_slot_that_could_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
