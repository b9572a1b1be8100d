/* SPDX-License-Identifier: MIT
 *
 * Files with keys: which are read, and which are not.
 */
#include "base/key_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT 10

static char path[] = "/tmp/hoist-key-file-XXXXXX";
static buf_t text;

/* A file of mode 0600. */
static void writes(const char *what)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(what, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_path(void **state)
{
    int fd = mkstemp(path);
    (void)state;

    buf_init(&text, LIMIT);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;

    return unlink(path);
}

static void is_read(bool is_secret, const char *expected)
{
    assert_int_equal(key_file_read(path, is_secret, &text), 0);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
    key_file_forget(&text);
    assert_null(text.data);
}

static void is_not_read(bool is_secret, int rc)
{
    assert_int_equal(key_file_read(path, is_secret, &text), rc);
    key_file_forget(&text);
}

static void a_file_is_read_whole(void **state)
{
    (void)state;

    writes("");
    is_read(true, "");
    writes("0123456789");
    is_read(true, "0123456789");
}

static void a_longer_one_is_not_read(void **state)
{
    (void)state;

    writes("0123456789a");
    is_not_read(true, -EFBIG);
}

static void a_secret_is_nobody_elses(void **state)
{
    static const mode_t open_modes[] = {0604, 0602, 0601};
    (void)state;

    writes("key");
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        is_not_read(true, -EPERM);
        is_read(false, "key");
    }
    assert_string_equal(key_file_failure(-EPERM),
                        "others may read it: chmod o= it");
    assert_int_equal(chmod(path, 0640), 0);
    is_read(true, "key");
}

static void one_that_is_not_there_says_so(void **state)
{
    (void)state;

    assert_int_equal(key_file_read("/nowhere/at/all", true, &text), -ENOENT);
    assert_int_equal(key_file_read("/", false, &text), -EISDIR);
    assert_string_equal(key_file_failure(-ENOENT), strerror(ENOENT));
    key_file_forget(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(a_longer_one_is_not_read),
        cmocka_unit_test(a_secret_is_nobody_elses),
        cmocka_unit_test(one_that_is_not_there_says_so),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
