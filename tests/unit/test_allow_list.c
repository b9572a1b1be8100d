/* SPDX-License-Identifier: MIT
 *
 * Lists of keys that may come, and the certificates in which keys lie.
 */
#include "broker/allow_list.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ONE   "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define TWO   "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
#define LARGE "########################################" /* no such number */

static allowed_t *keys;
static size_t wrong_line;

static int parse(const char *text)
{
    free(keys);
    return allow_list_parse(text, strlen(text), &keys, &wrong_line);
}

static int forget(void **state)
{
    (void)state;
    free(keys);
    keys = NULL;
    return 0;
}

/* --- text ---------------------------------------------------------------- */

static void a_line_has_a_key_and_a_name(void **state)
{
    (void)state;

    assert_int_equal(parse("# both\n\n  " ONE "\tworker one \r\n" TWO), 2);
    assert_string_equal(keys[0].key, TWO); /* they are sorted */
    assert_string_equal(keys[0].name, "");
    assert_string_equal(keys[1].key, ONE);
    assert_string_equal(keys[1].name, "worker one");
}

static void an_empty_list_allows_nobody(void **state)
{
    (void)state;

    assert_int_equal(parse(""), 0);
    assert_int_equal(parse("\n# nobody\n"), 0);
}

static void a_key_that_is_there_twice_counts_once(void **state)
{
    (void)state;

    assert_int_equal(parse(ONE " a\n" TWO "\n" ONE " b\n"), 2);
}

static void a_comment_is_no_key_and_no_key_a_comment(void **state)
{
    (void)state;

    assert_false(curve_is_key("#" ONE, CURVE_KEY_TEXT));
    assert_int_equal(parse("#" ONE " left out\n" LARGE "\n"), 0);
}

static void the_line_that_is_wrong_is_named(void **state)
{
    (void)state;

    assert_int_equal(parse(ONE "\n# fine\nworker one\n"), -EINVAL);
    assert_int_equal(wrong_line, 3);
    assert_int_equal(parse(ONE "x a key too long\n"), -EINVAL);
    assert_int_equal(wrong_line, 1);
}

static void a_long_name_is_cut(void **state)
{
    char text[400];
    (void)state;

    snprintf(text, sizeof text, "%s %0300d", ONE, 0);
    assert_int_equal(parse(text), 1);
    assert_int_equal(strlen(keys[0].name), ALLOW_NAME_MAX);
}

/* --- the file ------------------------------------------------------------ */

#define AGAIN_MS 50

static char path[64];
static int64_t now_ms = 1000;

static void writes(const char *text)
{
    char new_path[80];

    snprintf(new_path, sizeof new_path, "%s.new", path);
    FILE *file = fopen(new_path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(new_path, path), 0);
}

static allow_list_t *opens(const char *text)
{
    char error[256];

    writes(text);
    allow_list_t *list = allow_list_open(path, error, sizeof error);
    assert_non_null(list);
    return list;
}

/* The next look, after so long that the file is read in any case of doubt. */
static bool looks(allow_list_t *list)
{
    now_ms += AGAIN_MS;
    return allow_list_refresh(list, now_ms);
}

/* The file that is there, as memory: what is written to it changes no time
 * stamp any more, once its page is dirty. */
static char *maps(void)
{
    int fd = open(path, O_RDWR);

    assert_true(fd >= 0);
    char *text =
        mmap(NULL, CURVE_KEY_TEXT, PROT_WRITE | PROT_READ, MAP_SHARED, fd, 0);
    assert_true(text != MAP_FAILED);
    assert_int_equal(close(fd), 0);
    return text;
}

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/hoist-allow-list-%d", (int)getpid());
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static uint64_t number_of(const allow_list_t *list, const char *key)
{
    const allowed_t *entry = allow_list_find(list, key);

    return entry == NULL ? 0 : entry->number;
}

static void
a_changed_file_is_read_again_and_who_stays_keeps_its_number(void **state)
{
    allow_list_t *list = opens(ONE "\n" TWO "\n");
    (void)state;

    uint64_t one = number_of(list, ONE), two = number_of(list, TWO);
    assert_true(one != 0 && two != 0 && one != two);
    writes(ONE " by name\n");
    assert_true(looks(list));
    assert_int_equal(number_of(list, ONE), one);
    assert_null(allow_list_find(list, TWO));
    assert_true(allow_list_has(list, one));
    assert_false(allow_list_has(list, two));
    assert_false(allow_list_has(list, 0));
    allow_list_destroy(&list);
}

static void a_key_that_comes_back_is_somebody_else(void **state)
{
    allow_list_t *list = opens(ONE "\n");
    (void)state;

    uint64_t before = number_of(list, ONE);
    writes("");
    assert_true(looks(list));
    assert_null(allow_list_find(list, ONE));
    writes(ONE "\n");
    assert_true(looks(list));
    assert_true(number_of(list, ONE) > before);
    allow_list_destroy(&list);
}

static void a_file_with_the_same_keys_changes_nothing(void **state)
{
    allow_list_t *list = opens(ONE "\n");
    (void)state;

    writes("# the same\n" ONE " renamed\n");
    assert_false(looks(list));
    assert_string_equal(allow_list_find(list, ONE)->name, "renamed");
    allow_list_destroy(&list);
}

static void a_list_with_a_wrong_line_keeps_the_former_one(void **state)
{
    allow_list_t *list = opens(ONE "\n");
    (void)state;

    writes(TWO "\nhalf a ke");
    assert_false(looks(list));
    assert_true(number_of(list, ONE) != 0);
    assert_null(allow_list_find(list, TWO));
    assert_int_equal(unlink(path), 0);
    assert_false(looks(list));
    assert_true(number_of(list, ONE) != 0);
    writes(TWO "\n");
    assert_true(looks(list));
    assert_true(number_of(list, TWO) != 0);
    allow_list_destroy(&list);
}

static void a_change_that_cannot_be_seen_is_found_within_50_ms(void **state)
{
    allow_list_t *list = opens(ONE "\n");
    char *text = maps();
    (void)state;

    memcpy(text, ONE, CURVE_KEY_TEXT);
    assert_false(looks(list));
    memcpy(text, TWO, CURVE_KEY_TEXT);
    assert_false(allow_list_refresh(list, now_ms + AGAIN_MS - 1));
    assert_true(allow_list_refresh(list, now_ms + AGAIN_MS));
    assert_true(number_of(list, TWO) != 0);
    assert_int_equal(munmap(text, CURVE_KEY_TEXT), 0);
    allow_list_destroy(&list);
}

static void a_change_that_can_be_seen_is_found_at_once(void **state)
{
    allow_list_t *list = opens(ONE "\n");
    (void)state;

    (void)looks(list);
    writes(TWO "\n");
    assert_true(allow_list_refresh(list, now_ms));
    allow_list_destroy(&list);
}

/* An empty list, and an old one: nothing says that it should be read again. */
static void becomes_dev_null(void)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
}

static void what_could_not_be_read_is_tried_again(void **state)
{
    struct rlimit limit, none;
    allow_list_t *list = opens(ONE "\n");
    (void)state;

    becomes_dev_null();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0; /* no descriptor for it */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool has_changed = looks(list);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(has_changed);
    assert_true(number_of(list, ONE) != 0);
    assert_true(looks(list));
    assert_null(allow_list_find(list, ONE));
    allow_list_destroy(&list);
}

static void a_list_that_cannot_be_read_is_not_opened(void **state)
{
    char error[256];
    (void)state;

    assert_null(allow_list_open("/nowhere", error, sizeof error));
    assert_non_null(strstr(error, "/nowhere: No such file"));
}

static void what_keygen_writes_is_told_to_be_no_list(void **state)
{
    char error[256];
    (void)state;

    writes("# a pair\n\ncurve\n    public-key = \"" ONE "\"\n");
    assert_null(allow_list_open(path, error, sizeof error));
    assert_non_null(strstr(error,
                           "line 3 does not begin with a key: a list has "
                           "lines KEY NAME, as hoist keygen prints"));
}

/* --- certificates -------------------------------------------------------- */

static void a_key_has_40_characters_that_stand_for_32_bytes(void **state)
{
    (void)state;

    assert_true(curve_is_key(ONE, strlen(ONE)));
    assert_false(curve_is_key(ONE, strlen(ONE) - 1));
    assert_false(curve_is_key(LARGE, strlen(LARGE)));
    assert_false(curve_is_key("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\"7", 40));
}

static int find(const char *text, const char *name, curve_key_t key)
{
    return curve_find(text, strlen(text), name, key);
}

static void a_certificate_is_read_as_czmq_writes_it(void **state)
{
    static const char text[] =
        "#   comment\nmetadata\n    name = \"x\"\ncurve\n"
        "    public-key = \"" ONE "\"\n"
        "    secret-key = \"" TWO "\"\n";
    curve_key_t key;
    (void)state;

    assert_int_equal(find(text, "public-key", key), 0);
    assert_string_equal(key, ONE);
    assert_int_equal(find(text, "secret-key", key), 0);
    assert_string_equal(key, TWO);
}

static void what_has_no_whole_key_has_none(void **state)
{
    curve_key_t key;
    (void)state;

    assert_int_equal(find("", "public-key", key), -EINVAL);
    assert_int_equal(find("public-key", "public-key", key), -EINVAL);
    assert_int_equal(find("public-key = \"" ONE, "public-key", key), -EINVAL);
    assert_int_equal(find("public-key = \"short\"\n", "public-key", key),
                     -EINVAL);
}

static void a_secret_that_others_may_read_is_none(void **state)
{
    curve_key_t key;
    (void)state;

    writes("secret-key = \"" ONE "\"\n");
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(curve_read_secret(path, key), -EPERM);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(curve_read_secret(path, key), 0);
    assert_int_equal(curve_read_public(path, key), -EINVAL);
    assert_int_equal(curve_read_public(TWO, key), 0);
    assert_string_equal(key, TWO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_line_has_a_key_and_a_name, forget),
        cmocka_unit_test_teardown(an_empty_list_allows_nobody, forget),
        cmocka_unit_test_teardown(a_key_that_is_there_twice_counts_once,
                                  forget),
        cmocka_unit_test_teardown(a_comment_is_no_key_and_no_key_a_comment,
                                  forget),
        cmocka_unit_test_teardown(the_line_that_is_wrong_is_named, forget),
        cmocka_unit_test_teardown(a_long_name_is_cut, forget),
        cmocka_unit_test(
            a_changed_file_is_read_again_and_who_stays_keeps_its_number),
        cmocka_unit_test(a_key_that_comes_back_is_somebody_else),
        cmocka_unit_test(a_file_with_the_same_keys_changes_nothing),
        cmocka_unit_test(a_list_with_a_wrong_line_keeps_the_former_one),
        cmocka_unit_test(a_change_that_cannot_be_seen_is_found_within_50_ms),
        cmocka_unit_test(a_change_that_can_be_seen_is_found_at_once),
        cmocka_unit_test(what_could_not_be_read_is_tried_again),
        cmocka_unit_test(a_list_that_cannot_be_read_is_not_opened),
        cmocka_unit_test(what_keygen_writes_is_told_to_be_no_list),
        cmocka_unit_test(a_key_has_40_characters_that_stand_for_32_bytes),
        cmocka_unit_test(a_certificate_is_read_as_czmq_writes_it),
        cmocka_unit_test(what_has_no_whole_key_has_none),
        cmocka_unit_test(a_secret_that_others_may_read_is_none),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
