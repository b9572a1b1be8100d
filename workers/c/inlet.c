/* SPDX-License-Identifier: MIT */
#include "workers/c/inlet.h"

#include <errno.h>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Returns 0, or a negative errno with *fd -1. */
static int open_event(int *fd)
{
    *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *fd < 0 ? -errno : 0;
}

int inlet_init(inlet_t *self)
{
    int posts = posts_init(&self->posts);
    int resumptions = posts_init(&self->resumptions);
    int stop = open_event(&self->stop_fd);
    int reload = open_event(&self->reload_fd);

    return posts < 0         ? posts
           : resumptions < 0 ? resumptions
           : stop < 0        ? stop
                             : reload;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void inlet_fini(inlet_t *self)
{
    posts_fini(&self->posts);
    posts_fini(&self->resumptions);
    close_fd(&self->stop_fd);
    close_fd(&self->reload_fd);
}

static int take_number(int fd, int number)
{
    return dup3(fd, number, O_CLOEXEC) < 0 ? -errno : 0;
}

static int take_numbers(const posts_t *fresh, const posts_t *numbers)
{
    int rc = take_number(fresh->read_fd, numbers->read_fd);

    return rc == 0 ? take_number(fresh->write_fd, numbers->write_fd) : rc;
}

int inlet_renew(inlet_t *self)
{
    inlet_t fresh;
    int rc = inlet_init(&fresh);

    if (rc == 0) {
        rc = take_number(fresh.stop_fd, self->stop_fd);
    }
    if (rc == 0) {
        rc = take_number(fresh.reload_fd, self->reload_fd);
    }
    if (rc == 0) {
        rc = take_numbers(&fresh.posts, &self->posts);
    }
    if (rc == 0) {
        rc = take_numbers(&fresh.resumptions, &self->resumptions);
    }
    inlet_fini(&fresh);
    return rc;
}

/* Fails only when it is as good as set already.  Signal handlers come here. */
static void add_one(int event_fd)
{
    int saved = errno;

    (void)eventfd_write(event_fd, 1);
    errno = saved;
}

static bool take_all(int event_fd)
{
    eventfd_t times;

    return eventfd_read(event_fd, &times) == 0;
}

void inlet_stop(const inlet_t *self)
{
    add_one(self->stop_fd);
}

void inlet_reload(const inlet_t *self)
{
    add_one(self->reload_fd);
}

bool inlet_take_stop(const inlet_t *self)
{
    return take_all(self->stop_fd);
}

bool inlet_take_reload(const inlet_t *self)
{
    return take_all(self->reload_fd);
}

/* A full pipe has the loop awake already: it waits for this one always. */
void inlet_wake(const inlet_t *self)
{
    (void)posts_put(&self->resumptions, &(task_t){NULL, NULL});
}
