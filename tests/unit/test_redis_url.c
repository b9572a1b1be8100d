/* SPDX-License-Identifier: MIT
 *
 * What a redis:// URL says.
 */
#include "store/redis_url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

static redis_url_t url;
static char error[256];

static redis_url_t *parsed(const char *text)
{
    if (redis_url_parse(text, &url, error, sizeof error) < 0) {
        fail_msg("%s: %s", text, error);
    }
    return &url;
}

static void assert_refused(const char *text)
{
    error[0] = '\0';
    assert_int_equal(redis_url_parse(text, &url, error, sizeof error), -EINVAL);
    assert_true(strlen(error) > 10);
    assert_null(strstr(error, "secret"));
    assert_null(strchr(error, '\n'));
}

static void a_host_alone_is_enough(void **state)
{
    (void)state;
    parsed("redis://localhost");
    assert_int_equal(url.host_count, 1);
    assert_string_equal(url.hosts[0].host, "localhost");
    assert_int_equal(url.hosts[0].port, 6379);
    assert_int_equal(url.mode, REDIS_AUTO);
    assert_string_equal(url.prefix, "hoist");
    assert_string_equal(url.password, "");
    assert_false(url.has_tls);
}

static void all_parts_are_taken(void **state)
{
    (void)state;
    parsed(
        "rediss://me:pa%3Ass%40@a:1,[::1]:2,c/3?prefix=app.1&ca=/etc/ca%26.pem");
    assert_true(url.has_tls);
    assert_string_equal(url.user, "me");
    assert_string_equal(url.password, "pa:ss@");
    assert_int_equal(url.host_count, 3);
    assert_string_equal(url.hosts[1].host, "::1");
    assert_int_equal(url.hosts[1].port, 2);
    assert_int_equal(url.hosts[2].port, 6379);
    assert_int_equal(url.db, 3);
    assert_int_equal(url.mode, REDIS_PLAIN); /* a cluster has no database 3 */
    assert_string_equal(url.prefix, "app.1");
    assert_string_equal(url.ca, "/etc/ca&.pem");
}

static void a_password_needs_no_user(void **state)
{
    (void)state;
    parsed("redis://:secret@host");
    assert_string_equal(url.user, "");
    assert_string_equal(url.password, "secret");
}

static void sentinels_have_a_port_of_their_own(void **state)
{
    (void)state;
    parsed("redis://a,b:5?sentinel=mymaster");
    assert_int_equal(url.mode, REDIS_SENTINEL);
    assert_string_equal(url.master, "mymaster");
    assert_int_equal(url.hosts[0].port, 26379);
    assert_int_equal(url.hosts[1].port, 5);
}

static void whether_it_is_a_cluster_can_be_said(void **state)
{
    (void)state;
    assert_int_equal(parsed("redis://a?cluster=yes")->mode, REDIS_CLUSTER);
    assert_int_equal(parsed("redis://a?cluster=no")->mode, REDIS_PLAIN);
    assert_int_equal(parsed("redis://a?cluster=auto")->mode, REDIS_AUTO);
}

static void what_is_no_url_is_refused_without_its_secrets(void **state)
{
    static const char *const wrong[] = {
        "redis:/a",
        "redis://",
        "redis://,a",
        "redis://:secret@",
        "redis://:secret@a:0",
        "redis://:secret@a:65536",
        "redis://:secret@a:1x",
        "redis://:secret@[::1",
        "redis://:secret@[::1]x:2",
        "redis://u:se@cret@a",
        "redis://u:secret%@a",
        "redis://u:secret%0@a",
        "redis://u:secret%zz@a",
        "redis://u:secret%00@a",
        "redis://u:secret/1@a",
        "redis://a/x",
        "redis://a/99999",
        "redis://a?prefix=",
        "redis://a?prefix={x}",
        "redis://a?cluster=perhaps",
        "redis://a?secret=1",
        "redis://a/1?cluster=yes",
        "redis://a?cluster=yes&sentinel=m",
        "rediss://a?cert=/x",
        "redis://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
    };
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_refused(wrong[i]);
    }
}

static void a_text_that_is_too_long_is_refused(void **state)
{
    char text[4096];
    (void)state;

    snprintf(text, sizeof text, "redis://%0300d", 1);
    assert_refused(text);
    snprintf(text, sizeof text, "redis://u:%02000d@a", 1);
    assert_refused(text);
    snprintf(text, sizeof text, "redis://a?prefix=%0100d", 1);
    assert_refused(text);
}

static void the_log_has_hosts_only(void **state)
{
    char name[64];
    (void)state;

    redis_url_name(parsed("rediss://u:secret@a:1,[::1]:2/0?ca=/x"), name,
                   sizeof name);
    assert_string_equal(name, "rediss://a:1,[::1]:2");
    redis_url_name(&url, name, 12); /* cut, not overrun */
    assert_string_equal(name, "rediss://a:");
}

static void a_password_is_the_first_line_of_its_file(void **state)
{
    char path[] = "/tmp/hoist-secret-XXXXXX", text[128];
    char secret[REDIS_SECRET_TEXT];
    (void)state;

    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "one\r\ntwo\n", 9), 9);
    close(fd);
    snprintf(text, sizeof text, "redis://a?password_file=%s", path);
    assert_int_equal(redis_url_secret(parsed(text), secret), 0);
    assert_string_equal(secret, "one");
    unlink(path);
    assert_int_equal(redis_url_secret(&url, secret), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_alone_is_enough),
        cmocka_unit_test(all_parts_are_taken),
        cmocka_unit_test(a_password_needs_no_user),
        cmocka_unit_test(sentinels_have_a_port_of_their_own),
        cmocka_unit_test(whether_it_is_a_cluster_can_be_said),
        cmocka_unit_test(what_is_no_url_is_refused_without_its_secrets),
        cmocka_unit_test(a_text_that_is_too_long_is_refused),
        cmocka_unit_test(the_log_has_hosts_only),
        cmocka_unit_test(a_password_is_the_first_line_of_its_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
