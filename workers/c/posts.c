/* SPDX-License-Identifier: MIT */
#include "workers/c/posts.h"

#include "base/xalloc.h"

#include <errno.h>
#include <limits.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What is no larger than this is written and read whole (pipe(7)). */
_Static_assert(sizeof(task_t) <= PIPE_BUF, "a task is written at once");

/*
 * Of POSTS_MAX tasks, as Linux gives it unasked.  To a user who has very many
 * pipes it gives small ones; those have to be asked for, and may be refused.
 */
static int set_size(int fd)
{
    const int size = (int)(POSTS_MAX * sizeof(task_t));

    return fcntl(fd, F_GETPIPE_SZ) >= size ||
                   fcntl(fd, F_SETPIPE_SZ, size) >= size
               ? 0
               : -errno;
}

int posts_init(posts_t *self)
{
    int fds[2];

    *self = (posts_t){-1, -1};
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -errno;
    }
    *self = (posts_t){.read_fd = fds[0], .write_fd = fds[1]};
    int rc = set_size(self->write_fd);
    if (rc < 0) {
        posts_fini(self);
    }
    return rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void posts_close(posts_t *self)
{
    close_fd(&self->write_fd);
}

void posts_fini(posts_t *self)
{
    posts_close(self);
    close_fd(&self->read_fd);
}

int posts_put(const posts_t *self, const task_t *task)
{
    int saved = errno; /* signal handlers come here */

    if (self->write_fd < 0) {
        return -ENOTCONN;
    }
    if (write(self->write_fd, task, sizeof *task) < 0) {
        errno = saved;
        return -EAGAIN;
    }
    return 0;
}

bool posts_take(const posts_t *self, task_t *task)
{
    ssize_t len = read(self->read_fd, task, sizeof *task);

    must(len <= 0 || (size_t)len == sizeof *task);
    return len > 0;
}

size_t posts_count(const posts_t *self)
{
    int bytes = 0;

    return self->read_fd < 0 || ioctl(self->read_fd, FIONREAD, &bytes) < 0
               ? 0
               : (size_t)bytes / sizeof(task_t);
}
