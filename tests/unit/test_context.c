/* SPDX-License-Identifier: MIT
 *
 * What the REPLY to a CONNECT makes of a connection's context.
 */
#include "base/xalloc.h"
#include "proto/context.h"
#include "proto/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 32768

static buf_t base, options, out;

static int set_up(void **state)
{
    (void)state;
    buf_init(&base, ROOM);
    buf_init(&options, ROOM);
    buf_init(&out, ROOM);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&base);
    buf_fini(&options);
    buf_fini(&out);
    return 0;
}

static wire_bytes_t whole(const buf_t *buf)
{
    return (wire_bytes_t){buf->data, buf->len};
}

static void put_pair(buf_t *map, const char *key, const char *text)
{
    must(wire_put_text(map, key) == 0 && wire_put_text(map, text) == 0);
}

/* `len` bytes of text under key. */
static void put_long(buf_t *map, const char *key, size_t len)
{
    char *text = calloc(1, len + 1);

    must(text != NULL);
    memset(text, 'x', len);
    put_pair(map, key, text);
    free(text);
}

static void assert_text(const char *key, const char *text)
{
    wire_bytes_t found = wire_map_str(whole(&out), key);

    assert_int_equal(found.len, strlen(text));
    assert_memory_equal(found.data, text, found.len);
}

static uint32_t entries(void)
{
    wire_cursor_t in = wire_cursor(whole(&out)), head = in;
    wire_bytes_t raw;
    uint32_t count = 0;

    assert_int_equal(wire_get_raw_map(&in, &raw), 0);
    assert_true(wire_at_end(&in));
    must(wire_get_map(&head, &count) == 0);
    return count;
}

static int merge(void)
{
    return context_merge(&out, whole(&base), whole(&options));
}

static void nothing_and_nothing_is_an_empty_map(void **state)
{
    (void)state;
    assert_int_equal(merge(), 0);
    assert_int_equal(entries(), 0);
}

static void the_worker_adds_the_identity_to_what_the_gateway_saw(void **state)
{
    (void)state;
    must(wire_put_map(&base, 1) == 0);
    put_pair(&base, "ip", "127.0.0.1");
    must(wire_put_map(&options, 3) == 0);
    put_pair(&options, "user", "u1");
    put_pair(&options, "tenant", "t1");
    must(wire_put_text(&options, "attributes") == 0);
    must(wire_put_map(&options, 1) == 0);
    put_pair(&options, "k", "v");
    assert_int_equal(merge(), 0);
    assert_int_equal(entries(), 4);
    assert_text("ip", "127.0.0.1");
    assert_text("user", "u1");
    assert_text("tenant", "t1");
}

static void a_gateway_cannot_say_who_somebody_is(void **state)
{
    (void)state;
    must(wire_put_map(&base, 3) == 0);
    put_pair(&base, "user", "root");
    put_pair(&base, "ip", "::1");
    put_pair(&base, "tenant", "all");
    assert_int_equal(merge(), 0);
    assert_int_equal(entries(), 1);
    assert_text("ip", "::1");
}

static void a_worker_cannot_change_what_the_gateway_saw(void **state)
{
    (void)state;
    must(wire_put_map(&base, 1) == 0);
    put_pair(&base, "ip", "::1");
    must(wire_put_map(&options, 2) == 0);
    put_pair(&options, "ip", "made up");
    put_pair(&options, "headers", "not of the context");
    assert_int_equal(merge(), 0);
    assert_int_equal(entries(), 1);
    assert_text("ip", "::1");
}

static void nil_says_nothing(void **state)
{
    (void)state;
    must(wire_put_map(&options, 3) == 0);
    must(wire_put_text(&options, "user") == 0);
    must(wire_put_nil(&options) == 0);
    must(wire_put_text(&options, "tenant") == 0);
    must(wire_put_nil(&options) == 0);
    must(wire_put_text(&options, "attributes") == 0);
    must(wire_put_nil(&options) == 0);
    assert_int_equal(merge(), 0);
    assert_int_equal(entries(), 0);
}

/* Merge options of one number under key. */
static int merge_number(const char *key)
{
    options.len = 0;
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, key) == 0);
    must(wire_put_uint(&options, 1) == 0);
    return merge();
}

static void a_wrong_type_is_refused_and_leaves_the_buffer_alone(void **state)
{
    (void)state;
    must(wire_put_text(&out, "before") == 0);
    size_t before = out.len;
    assert_int_equal(merge_number("user"), -EPROTO);
    assert_int_equal(merge_number("tenant"), -EPROTO);
    assert_int_equal(merge_number("attributes"), -EPROTO);
    assert_int_equal(out.len, before);
}

/* Merge options of one text of `len` bytes under key. */
static int merge_long(const char *key, size_t len)
{
    options.len = 0;
    out.len = 0;
    must(wire_put_map(&options, 1) == 0);
    put_long(&options, key, len);
    return merge();
}

static void a_worker_says_how_long_a_record_lasts(void **state)
{
    (void)state;
    assert_int_equal(merge_number("ttl"), 0);
    assert_int_equal(wire_map_uint(whole(&out), "ttl", 0), 1);
    assert_int_equal(merge_long("ttl", 3), -EPROTO);
}

static void user_and_tenant_may_be_as_long_as_their_limit(void **state)
{
    (void)state;
    assert_int_equal(merge_long("user", USER_MAX), 0);
    assert_int_equal(merge_long("user", USER_MAX + 1), -EPROTO);
    assert_int_equal(merge_long("tenant", TENANT_MAX), 0);
    assert_int_equal(merge_long("tenant", TENANT_MAX + 1), -EPROTO);
}

/* Merge attributes {"k": text} of `size` encoded bytes together. */
static int merge_attributes(size_t size)
{
    options.len = 0;
    out.len = 0;
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "attributes") == 0);
    must(wire_put_map(&options, 1) == 0);
    put_long(&options, "k", size - 1 - 2 - 3); /* heads: map, key, text */
    return merge();
}

static void attributes_may_be_as_large_as_their_limit(void **state)
{
    (void)state;
    assert_int_equal(merge_attributes(ATTRIBUTES_MAX), 0);
    assert_int_equal(merge_attributes(ATTRIBUTES_MAX + 1), -EPROTO);
}

static void the_whole_may_be_as_large_as_its_limit(void **state)
{
    size_t heads = 1 + 2 + 3; /* map, key, text */
    (void)state;

    must(wire_put_map(&base, 1) == 0);
    put_long(&base, "k", CONTEXT_MAX - heads);
    assert_int_equal(merge(), 0);
    assert_int_equal(out.len, CONTEXT_MAX);
    out.len = 0;
    base.len = 0;
    must(wire_put_map(&base, 1) == 0);
    put_long(&base, "k", CONTEXT_MAX - heads + 1);
    assert_int_equal(merge(), -EPROTO);
    assert_int_equal(out.len, 0);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
    buf_t small;
    (void)state;

    must(wire_put_map(&base, 1) == 0);
    put_long(&base, "k", 100);
    buf_init(&small, 50);
    assert_int_equal(context_merge(&small, whole(&base), whole(&options)),
                     -ENOBUFS);
    assert_int_equal(small.len, 0);
    buf_fini(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_and_nothing_is_an_empty_map),
        TEST(the_worker_adds_the_identity_to_what_the_gateway_saw),
        TEST(a_gateway_cannot_say_who_somebody_is),
        TEST(a_worker_cannot_change_what_the_gateway_saw),
        TEST(nil_says_nothing),
        TEST(a_wrong_type_is_refused_and_leaves_the_buffer_alone),
        TEST(a_worker_says_how_long_a_record_lasts),
        TEST(user_and_tenant_may_be_as_long_as_their_limit),
        TEST(attributes_may_be_as_large_as_their_limit),
        TEST(the_whole_may_be_as_large_as_its_limit),
        TEST(a_full_buffer_is_left_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
