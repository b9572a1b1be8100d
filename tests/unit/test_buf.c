/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void put_appends_and_drop_takes_from_the_front(void **state)
{
    buf_t buf;
    (void)state;

    buf_init(&buf, 100);
    assert_int_equal(buf_put(&buf, "hello ", 6), 0);
    assert_int_equal(buf_put(&buf, "world", 5), 0);
    buf_drop(&buf, 6);
    assert_int_equal(buf.len, 5);
    assert_memory_equal(buf.data, "world", 5);
    buf_fini(&buf);
}

static void put_past_the_limit_is_refused_and_changes_nothing(void **state)
{
    char bytes[101] = {0};
    buf_t buf;
    (void)state;

    buf_init(&buf, 100);
    assert_int_equal(buf_put(&buf, bytes, 60), 0);
    assert_int_equal(buf_put(&buf, bytes, 41), -ENOBUFS);
    assert_int_equal(buf.len, 60);
    assert_int_equal(buf_put(&buf, bytes, 40), 0);
    assert_true(buf.cap <= 100);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX), -ENOBUFS);
    buf_fini(&buf);
}

static void reset_gives_back_memory_above_keep(void **state)
{
    buf_t buf;
    (void)state;

    buf_init(&buf, 1 << 20);
    assert_int_equal(buf_reserve(&buf, 100000), 0);
    buf_reset(&buf, 1 << 20);
    assert_non_null(buf.data);
    buf_reset(&buf, 1000);
    assert_int_equal(buf.cap, 0);
    assert_int_equal(buf_put(&buf, "x", 1), 0);
    buf_fini(&buf);
}

static void what_is_wiped_leaves_nothing(void **state)
{
    static const uint8_t zeros[256];
    buf_t buf;
    (void)state;

    buf_init(&buf, 1000);
    buf_wipe(&buf); /* that of nothing is harmless */
    assert_int_equal(buf_put(&buf, "secret", 6), 0);
    buf.len = 0;
    buf_wipe(&buf);
    assert_int_equal(buf.len, 0);
    assert_in_range(buf.cap, 6, sizeof zeros);
    assert_memory_equal(buf.data, zeros, buf.cap);
    buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_appends_and_drop_takes_from_the_front),
        cmocka_unit_test(put_past_the_limit_is_refused_and_changes_nothing),
        cmocka_unit_test(reset_gives_back_memory_above_keep),
        cmocka_unit_test(what_is_wiped_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
