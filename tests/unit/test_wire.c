/* SPDX-License-Identifier: MIT */
#include "base/xalloc.h"
#include "proto/wire.h"
#include "tests/unit/random_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(...)                                                             \
    ((wire_bytes_t){(const uint8_t[]){__VA_ARGS__},                            \
                    sizeof((const uint8_t[]){__VA_ARGS__})})

/* --- numbers ------------------------------------------------------------- */

static void assert_uint(wire_bytes_t bytes, uint64_t expected)
{
    wire_cursor_t in = wire_cursor(bytes);
    uint64_t value = ~expected;

    assert_int_equal(wire_get_uint(&in, &value), 0);
    assert_true(value == expected);
    assert_true(wire_at_end(&in));
}

static void assert_no_uint(wire_bytes_t bytes)
{
    wire_cursor_t in = wire_cursor(bytes);
    uint64_t value = 7;

    assert_int_equal(wire_get_uint(&in, &value), -EPROTO);
    assert_true(value == 7);
    assert_ptr_equal(in.at, bytes.data);
}

static void a_uint_may_come_in_any_width_even_a_signed_one(void **state)
{
    (void)state;
    assert_uint(BYTES(0x00), 0);
    assert_uint(BYTES(0x7f), 127);
    assert_uint(BYTES(0xcc, 0x05), 5);
    assert_uint(BYTES(0xcd, 0xff, 0xff), 65535);
    assert_uint(BYTES(0xce, 0, 0, 0, 9), 9);
    assert_uint(BYTES(0xcf, 255, 255, 255, 255, 255, 255, 255, 255),
                UINT64_MAX);
    assert_uint(BYTES(0xd0, 0x7f), 127);
    assert_uint(BYTES(0xd1, 0x03, 0xe8), 1000);
    assert_uint(BYTES(0xd2, 0x7f, 255, 255, 255), INT32_MAX);
    assert_uint(BYTES(0xd3, 0x7f, 255, 255, 255, 255, 255, 255, 255),
                INT64_MAX);
}

static void negative_numbers_floats_and_flags_are_no_uint(void **state)
{
    (void)state;
    assert_no_uint(BYTES(0xff));
    assert_no_uint(BYTES(0xe0));
    assert_no_uint(BYTES(0xd0, 0x80));
    assert_no_uint(BYTES(0xd1, 0xff, 0xff));
    assert_no_uint(BYTES(0xd2, 0x80, 0, 0, 0));
    assert_no_uint(BYTES(0xd3, 255, 255, 255, 255, 255, 255, 255, 255));
    assert_no_uint(BYTES(0xca, 0, 0, 0, 0));
    assert_no_uint(BYTES(0xcb, 0, 0, 0, 0, 0, 0, 0, 0));
    assert_no_uint(BYTES(0xc3));
    assert_no_uint(BYTES(0xc0));
}

static void the_byte_that_messagepack_never_uses_is_refused(void **state)
{
    wire_bytes_t bytes = BYTES(0xc1), raw;
    wire_cursor_t in = wire_cursor(bytes);
    (void)state;

    assert_int_equal(wire_get_raw(&in, &raw), -EPROTO);
    assert_no_uint(bytes);
}

static void every_number_survives_a_round_trip(void **state)
{
    random_t random;
    buf_t out;
    (void)state;

    random_init(&random, 3);
    buf_init(&out, 64);
    for (int i = 0; i < 2000; i++) {
        uint64_t value = random_uint(&random);
        out.len = 0;
        assert_int_equal(wire_put_uint(&out, value), 0);
        assert_uint((wire_bytes_t){out.data, out.len}, value);
    }
    buf_fini(&out);
    random_fini(&random);
}

/* At the end of a frame, and with so many bytes behind it, which are not its.
 */
static void a_number_is_read_alike_wherever_it_stands(void **state)
{
    static const uint64_t numbers[] = {
        0,       0x7f,       0x80,    0xff,       0x100,     0xffff,
        0x10000, UINT32_MAX, 1000000, 1ull << 32, UINT64_MAX};
    (void)state;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        for (size_t behind = 0; behind <= 10; behind++) {
            uint64_t value;
            buf_t out;
            buf_init(&out, 64);
            assert_int_equal(wire_put_uint(&out, numbers[i]), 0);
            size_t size = out.len;
            assert_int_equal(buf_put(&out,
                                     "\xff\xff\xff\xff\xff\xff"
                                     "\xff\xff\xff\xff",
                                     behind),
                             0);
            wire_cursor_t in = wire_cursor((wire_bytes_t){out.data, out.len});
            assert_int_equal(wire_get_uint(&in, &value), 0);
            assert_true(value == numbers[i]);
            assert_int_equal(in.at - out.data, size);
            for (size_t cut = 0; cut < size; cut++) {
                assert_no_uint((wire_bytes_t){out.data, cut});
            }
            buf_fini(&out);
        }
    }
}

static void a_number_above_its_maximum_leaves_the_cursor(void **state)
{
    wire_bytes_t bytes = BYTES(0xcc, 200);
    wire_cursor_t in = wire_cursor(bytes);
    uint64_t value = 0;
    (void)state;

    assert_int_equal(wire_get_uint_max(&in, 199, &value), -EPROTO);
    assert_ptr_equal(in.at, bytes.data);
    assert_int_equal(wire_get_uint_max(&in, 200, &value), 0);
    assert_int_equal(value, 200);
}

/* --- lengths ------------------------------------------------------------- */

static void a_length_is_compared_with_the_bytes_left(void **state)
{
    const wire_bytes_t frames[] = {
        BYTES(0xa1),                         /* str of 1, nothing there */
        BYTES(0xd9),                         /* str 8 without its length */
        BYTES(0xd9, 2, 'x'),                 /* str 8, one short */
        BYTES(0xda, 0xff),                   /* str 16, half a length */
        BYTES(0xdb, 0xff, 0xff, 0xff, 0xff), /* str 32 of 4 GiB */
        BYTES(0xc4, 1),                      /* bin 8 */
        BYTES(0xc6, 0xff, 0xff, 0xff, 0xff), /* bin 32 of 4 GiB */
        BYTES(0xc9, 0xff, 0xff, 0xff, 0xff), /* ext 32 of 4 GiB and a type */
        BYTES(0xc7, 0),                      /* ext 8 without its type */
        BYTES(0xd8, 1, 2, 3),                /* fixext 16 */
        BYTES(0xdd, 0x04, 0, 0, 0),          /* array of 2^26 */
        BYTES(0xdd, 0xff, 0xff, 0xff, 0xff), /* array of 4 Gi */
        BYTES(0xdf, 0xff, 0xff, 0xff, 0xff), /* map of 4 Gi pairs */
        BYTES(0x92, 1),                      /* array of 2, one there */
        BYTES(0x81, 0xa0),                   /* map of 1, no value */
        BYTES(0xca, 0, 0),                   /* float 32 */
        BYTES(0xcb, 0, 0, 0, 0),             /* float 64 */
        BYTES(0xcf, 0, 0, 0, 0),             /* uint 64 */
    };
    (void)state;

    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        uint8_t *exact = malloc(frames[i].len);
        must(exact != NULL);
        memcpy(exact, frames[i].data, frames[i].len);
        wire_cursor_t in = wire_cursor((wire_bytes_t){exact, frames[i].len});
        wire_bytes_t raw;
        assert_int_equal(wire_get_raw(&in, &raw), -EPROTO);
        assert_ptr_equal(in.at, exact);
        free(exact);
    }
}

static void nothing_is_read_from_no_bytes(void **state)
{
    wire_cursor_t in = wire_cursor((wire_bytes_t){NULL, 0});
    wire_bytes_t raw;
    uint64_t value;
    body_t body;
    (void)state;

    assert_true(wire_at_end(&in));
    assert_int_equal(wire_get_raw(&in, &raw), -EPROTO);
    assert_int_equal(wire_get_uint(&in, &value), -EPROTO);
    assert_int_equal(wire_get_body(&in, &body), -EPROTO);
    assert_int_equal(wire_get_nil(&in), -EPROTO);
}

static void nesting_of_any_depth_is_skipped_without_recursion(void **state)
{
    enum { DEPTH = 1000000 };
    uint8_t *deep = malloc(DEPTH + 1);
    wire_bytes_t raw;
    (void)state;

    must(deep != NULL);
    memset(deep, 0x91, DEPTH);
    deep[DEPTH] = 0xc0;
    wire_cursor_t in = wire_cursor((wire_bytes_t){deep, DEPTH + 1});
    assert_int_equal(wire_get_raw(&in, &raw), 0);
    assert_int_equal(raw.len, DEPTH + 1);
    in = wire_cursor((wire_bytes_t){deep, DEPTH}); /* the innermost missing */
    assert_int_equal(wire_get_raw(&in, &raw), -EPROTO);
    free(deep);
}

/* Arrays of which each claims as many elements as bytes are left. */
static void counts_that_together_exceed_the_bytes_are_refused(void **state)
{
    uint8_t claims[4096];
    wire_bytes_t raw;
    (void)state;

    memset(claims, 0x9f, sizeof claims);
    wire_cursor_t in = wire_cursor((wire_bytes_t){claims, sizeof claims});
    assert_int_equal(wire_get_raw(&in, &raw), -EPROTO);
}

/* --- text, bodies, raw elements ------------------------------------------ */

static void a_body_is_text_binary_or_none(void **state)
{
    wire_bytes_t bytes = BYTES(0xa2, 'h', 'i', 0xc4, 1, 0xff, 0xc0, 0x01);
    wire_cursor_t in = wire_cursor(bytes);
    body_t body;
    (void)state;

    assert_int_equal(wire_get_body(&in, &body), 0);
    assert_int_equal(body.type, BODY_TEXT);
    assert_true(wire_is(body.bytes, "hi"));
    assert_int_equal(wire_get_body(&in, &body), 0);
    assert_int_equal(body.type, BODY_BINARY);
    assert_int_equal(body.bytes.len, 1);
    assert_int_equal(wire_get_body(&in, &body), 0);
    assert_int_equal(body.type, BODY_NONE);
    assert_int_equal(body.bytes.len, 0);
    assert_int_equal(wire_get_body(&in, &body), -EPROTO); /* a number */
}

static void text_of_every_length_class_survives_a_round_trip(void **state)
{
    static const size_t lengths[] = {0,   1,     31,    32,   255,
                                     256, 65535, 65536, 70000};
    char *text = malloc(70000);
    buf_t out;
    (void)state;

    must(text != NULL);
    memset(text, 'x', 70000);
    buf_init(&out, 100000);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (int type = BODY_TEXT; type <= BODY_BINARY; type++) {
            body_t body = {(body_type_t)type,
                           {(const uint8_t *)text, lengths[i]}};
            body_t again;
            out.len = 0;
            assert_int_equal(wire_put_body(&out, &body), 0);
            wire_cursor_t in = wire_cursor((wire_bytes_t){out.data, out.len});
            assert_int_equal(wire_get_body(&in, &again), 0);
            assert_int_equal(again.type, type);
            assert_true(wire_equal(again.bytes, body.bytes));
        }
    }
    buf_fini(&out);
    free(text);
}

/* --- writing ------------------------------------------------------------- */

typedef int put_fn(buf_t *out, uint64_t number);

static int put_array(buf_t *out, uint64_t count)
{
    return wire_put_array(out, (uint32_t)count);
}

static int put_map(buf_t *out, uint64_t count)
{
    return wire_put_map(out, (uint32_t)count);
}

static int put_zeros(buf_t *out, body_type_t type, uint64_t len)
{
    static const uint8_t zeros[65536];
    body_t body = {type, {zeros, len}};

    must(len <= sizeof zeros);
    return wire_put_body(out, &body);
}

static int put_text(buf_t *out, uint64_t len)
{
    return put_zeros(out, BODY_TEXT, len);
}

static int put_binary(buf_t *out, uint64_t len)
{
    return put_zeros(out, BODY_BINARY, len);
}

/* As the specification of MessagePack has them. */
static void every_head_is_written_in_its_shortest_form(void **state)
{
    static const struct {
        put_fn *put;
        uint64_t number;
        size_t size;
        uint8_t head[9];
    } cases[] = {
        {wire_put_uint, 0, 1, {0x00}},
        {wire_put_uint, 0x7f, 1, {0x7f}},
        {wire_put_uint, 0x80, 2, {0xcc, 0x80}},
        {wire_put_uint, 0xff, 2, {0xcc, 0xff}},
        {wire_put_uint, 0x100, 3, {0xcd, 1, 0}},
        {wire_put_uint, 0xffff, 3, {0xcd, 0xff, 0xff}},
        {wire_put_uint, 0x10000, 5, {0xce, 0, 1, 0, 0}},
        {wire_put_uint, UINT32_MAX, 5, {0xce, 0xff, 0xff, 0xff, 0xff}},
        {wire_put_uint, 0x123456789a, 9, {0xcf, 0, 0, 0, 18, 52, 86, 120, 154}},
        {put_text, 0, 1, {0xa0}},
        {put_text, 31, 1, {0xbf}},
        {put_text, 32, 2, {0xd9, 32}},
        {put_text, 255, 2, {0xd9, 255}},
        {put_text, 256, 3, {0xda, 1, 0}},
        {put_text, 65536, 5, {0xdb, 0, 1, 0, 0}},
        {put_binary, 0, 2, {0xc4, 0}},
        {put_binary, 255, 2, {0xc4, 255}},
        {put_binary, 256, 3, {0xc5, 1, 0}},
        {put_binary, 65536, 5, {0xc6, 0, 1, 0, 0}},
        {put_array, 15, 1, {0x9f}},
        {put_array, 16, 3, {0xdc, 0, 16}},
        {put_array, 65535, 3, {0xdc, 255, 255}},
        {put_array, 65536, 5, {0xdd, 0, 1, 0, 0}},
        {put_map, 15, 1, {0x8f}},
        {put_map, 16, 3, {0xde, 0, 16}},
        {put_map, 65536, 5, {0xdf, 0, 1, 0, 0}},
    };
    buf_t out;
    (void)state;

    buf_init(&out, 100000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool has_payload =
            cases[i].put == put_text || cases[i].put == put_binary;
        out.len = 0;
        assert_int_equal(cases[i].put(&out, cases[i].number), 0);
        assert_int_equal(out.len,
                         cases[i].size + (has_payload ? cases[i].number : 0));
        assert_memory_equal(out.data, cases[i].head, cases[i].size);
    }
    buf_fini(&out);
}

static void assert_written(const buf_t *put, const uint8_t *room,
                           const uint8_t *end)
{
    assert_int_equal(end - room, put->len);
    assert_memory_equal(room, put->data, put->len);
}

static void what_is_written_into_room_is_what_is_put(void **state)
{
    static uint8_t room[1 << 17];
    random_t random;
    buf_t out;
    (void)state;

    random_init(&random, 19);
    buf_init(&out, sizeof room);
    for (int i = 0; i < 2000; i++) {
        uint64_t number = random_uint(&random);
        uint32_t few = (uint32_t)random_below(&random, WIRE_FEW_MAX + 1);
        body_t body = random_body(&random);
        random_reuse(&random);
        out.len = 0;
        assert_int_equal(wire_put_uint(&out, number), 0);
        assert_written(&out, room, wire_write_uint(room, number));
        out.len = 0;
        assert_int_equal(wire_put_array(&out, few), 0);
        assert_written(&out, room, wire_write_few(room, few));
        out.len = 0;
        assert_int_equal(wire_put_body(&out, &body), 0);
        assert_written(&out, room, wire_write_body(room, &body));
    }
    buf_fini(&out);
    random_fini(&random);
}

static void what_has_no_room_leaves_nothing_behind(void **state)
{
    buf_t out;
    (void)state;

    buf_init(&out, 6);
    assert_int_equal(wire_put_text(&out, "123456"), -ENOBUFS);
    assert_int_equal(out.len, 0);
    assert_int_equal(wire_put_text(&out, "12345"), 0); /* just fits */
    assert_int_equal(wire_put_nil(&out), -ENOBUFS);
    assert_int_equal(out.len, 6);
    buf_fini(&out);
}

/* --- skipping ------------------------------------------------------------ */

static void random_elements_are_skipped_to_their_end(void **state)
{
    random_t random;
    buf_t out;
    (void)state;

    random_init(&random, 11);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 2000; i++) {
        wire_bytes_t raw;
        random_reuse(&random);
        out.len = 0;
        random_element(&random, &out, 5);
        size_t len = out.len;
        assert_int_equal(buf_put(&out, "\xc1\xc1", 2), 0);
        wire_cursor_t in = wire_cursor((wire_bytes_t){out.data, out.len});
        assert_int_equal(wire_get_raw(&in, &raw), 0);
        assert_int_equal(raw.len, len);
    }
    buf_fini(&out);
    random_fini(&random);
}

/* --- maps ---------------------------------------------------------------- */

typedef struct {
    const char *key;
    uint64_t number; /* 0: not a number */
    const char *text;
} entry_t;

static void shuffle(random_t *random, size_t *order, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = random_below(random, i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

static void put_shuffled(random_t *random, buf_t *out, const entry_t *entries,
                         size_t count)
{
    size_t order[8];
    uint32_t strangers = (uint32_t)random_below(random, 5);

    must(count <= 8);
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    shuffle(random, order, count);
    must(wire_put_map(out, (uint32_t)count + strangers) == 0);
    for (size_t i = 0; i < count; i++) {
        const entry_t *entry = &entries[order[i]];
        for (; strangers > 0 && random_below(random, 2) == 0; strangers--) {
            must(wire_put_str(out, random_text(random, 20, 40)) == 0);
            random_element(random, out, 3);
        }
        must(wire_put_text(out, entry->key) == 0);
        must((entry->text != NULL ? wire_put_text(out, entry->text)
                                  : wire_put_uint(out, entry->number)) == 0);
    }
    for (; strangers > 0; strangers--) {
        random_element(random, out, 2); /* a key need not even be text */
        random_element(random, out, 3);
    }
}

static void keys_are_found_in_any_order_among_unknown_ones(void **state)
{
    static const entry_t entries[] = {{"window", 64, NULL},
                                      {"window_bytes", 1048576, NULL},
                                      {"user", 0, "ada"},
                                      {"tenant", 0, ""},
                                      {"loop", 16777215, NULL}};
    random_t random;
    buf_t out;
    (void)state;

    random_init(&random, 5);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 500; i++) {
        random_reuse(&random);
        out.len = 0;
        put_shuffled(&random, &out, entries, 5);
        wire_bytes_t map = {out.data, out.len};
        wire_cursor_t in = wire_cursor(map);
        assert_int_equal(wire_get_raw_map(&in, &map), 0);
        assert_int_equal(wire_map_uint(map, "window", 1), 64);
        assert_int_equal(wire_map_uint(map, "window_bytes", 1), 1048576);
        assert_int_equal(wire_map_uint(map, "loop", 1), 16777215);
        assert_true(wire_is(wire_map_str(map, "user"), "ada"));
        assert_true(wire_is(wire_map_str(map, "tenant"), ""));
    }
    buf_fini(&out);
    random_fini(&random);
}

static void
an_option_that_is_absent_or_of_another_type_reads_as_its_fallback(void **state)
{
    /* {"a": "text", "b": 3, "c": true} */
    wire_bytes_t map = BYTES(0x83, 0xa1, 'a', 0xa4, 't', 'e', 'x', 't', 0xa1,
                             'b', 3, 0xa1, 'c', 0xc3);
    wire_bytes_t none = {NULL, 0}, number = BYTES(5);
    (void)state;

    assert_int_equal(wire_map_uint(map, "a", 42), 42);
    assert_int_equal(wire_map_uint(map, "d", 43), 43);
    assert_int_equal(wire_map_str(map, "b").len, 0);
    assert_true(wire_map_bool(map, "c", false));
    assert_true(wire_map_bool(map, "b", true));
    assert_false(wire_map_bool(none, "c", false));
    assert_int_equal(wire_map_uint(none, "a", 44), 44);
    assert_int_equal(wire_map_uint(number, "a", 45), 45);
}

static void of_equal_keys_the_first_counts(void **state)
{
    wire_bytes_t map = BYTES(0x82, 0xa1, 'a', 1, 0xa1, 'a', 2);
    (void)state;

    assert_int_equal(wire_map_uint(map, "a", 0), 1);
}

static void a_key_is_not_found_by_its_beginning(void **state)
{
    wire_bytes_t map = BYTES(0x82, 0xa2, 'a', 'b', 1, 0xa0, 2);
    (void)state;

    assert_int_equal(wire_map_uint(map, "a", 9), 9);
    assert_int_equal(wire_map_uint(map, "abc", 9), 9);
    assert_int_equal(wire_map_uint(map, "", 9), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uint_may_come_in_any_width_even_a_signed_one),
        cmocka_unit_test(negative_numbers_floats_and_flags_are_no_uint),
        cmocka_unit_test(the_byte_that_messagepack_never_uses_is_refused),
        cmocka_unit_test(every_number_survives_a_round_trip),
        cmocka_unit_test(a_number_is_read_alike_wherever_it_stands),
        cmocka_unit_test(a_number_above_its_maximum_leaves_the_cursor),
        cmocka_unit_test(a_length_is_compared_with_the_bytes_left),
        cmocka_unit_test(nothing_is_read_from_no_bytes),
        cmocka_unit_test(nesting_of_any_depth_is_skipped_without_recursion),
        cmocka_unit_test(counts_that_together_exceed_the_bytes_are_refused),
        cmocka_unit_test(a_body_is_text_binary_or_none),
        cmocka_unit_test(text_of_every_length_class_survives_a_round_trip),
        cmocka_unit_test(every_head_is_written_in_its_shortest_form),
        cmocka_unit_test(what_is_written_into_room_is_what_is_put),
        cmocka_unit_test(what_has_no_room_leaves_nothing_behind),
        cmocka_unit_test(random_elements_are_skipped_to_their_end),
        cmocka_unit_test(keys_are_found_in_any_order_among_unknown_ones),
        cmocka_unit_test(
            an_option_that_is_absent_or_of_another_type_reads_as_its_fallback),
        cmocka_unit_test(of_equal_keys_the_first_counts),
        cmocka_unit_test(a_key_is_not_found_by_its_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
