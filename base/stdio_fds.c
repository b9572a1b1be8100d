/* SPDX-License-Identifier: MIT */
#include "base/stdio_fds.h"

#include <errno.h>

#include <fcntl.h>
#include <unistd.h>

/* The lowest that is free is the one that is opened. */
int stdio_fds_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) {
            return -errno;
        }
    }
    return 0;
}
