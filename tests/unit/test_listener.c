/* SPDX-License-Identifier: MIT
 *
 * Whose a port is that is listened on.
 */
#include "base/listener.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <unistd.h>

#include <cmocka.h>

#define BACKLOG 8

static char address[LISTENER_ADDRESS_MAX];

static int opens(const char *where, listener_share_t share)
{
    char bound[LISTENER_ADDRESS_MAX], error[256];
    int fd = listener_open(where, share, BACKLOG, bound, error, sizeof error);

    if (fd >= 0 && share != LISTENER_JOINS) {
        snprintf(address, sizeof address, "%s", bound);
    }
    return fd;
}

static void is_refused(listener_share_t share)
{
    assert_int_equal(opens(address, share), -EADDRINUSE);
}

static void a_port_is_nobody_elses(void **state)
{
    int fd = opens("127.0.0.1:0", LISTENER_ALONE);
    (void)state;

    assert_true(fd >= 0);
    is_refused(LISTENER_ALONE);
    is_refused(LISTENER_FIRST);
    is_refused(LISTENER_JOINS);
    close(fd);
}

static void others_join_the_first(void **state)
{
    int first = opens("127.0.0.1:0", LISTENER_FIRST);
    (void)state;

    assert_true(first >= 0);
    int second = opens(address, LISTENER_JOINS);
    int third = opens(address, LISTENER_JOINS);
    assert_true(second >= 0 && third >= 0);
    close(first);
    close(second);
    close(third);
}

/* A hoist that is started a second time by mistake says so, and takes no
 * clients from the one that runs. */
static void who_comes_first_finds_nobody_there(void **state)
{
    int first = opens("127.0.0.1:0", LISTENER_FIRST);
    int second = opens(address, LISTENER_JOINS);
    (void)state;

    is_refused(LISTENER_FIRST);
    is_refused(LISTENER_ALONE);
    close(first);
    is_refused(LISTENER_FIRST);
    close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_nobody_elses),
        cmocka_unit_test(others_join_the_first),
        cmocka_unit_test(who_comes_first_finds_nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
