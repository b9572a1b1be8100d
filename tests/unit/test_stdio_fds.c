/* SPDX-License-Identifier: MIT */
#include "base/stdio_fds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* In a process of its own: with these closed (a bit each), what is opened next
 * is none of the three. */
static bool next_is_another(unsigned closed)
{
    for (int fd = 0; fd <= 2; fd++) {
        if ((closed >> fd & 1) != 0) {
            close(fd);
        }
    }
    return stdio_fds_open() == 0 && open("/dev/null", O_RDONLY) > 2 &&
           fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0 &&
           fcntl(2, F_GETFD) >= 0;
}

static void whichever_is_closed_nothing_else_gets_its_number(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            _exit(next_is_another(closed) ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_is_closed_nothing_else_gets_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
