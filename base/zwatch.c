/* SPDX-License-Identifier: MIT */
#include "base/zwatch.h"

#include <zmq.h>

#define FLAG_PRIORITY (ZWATCH_PRIORITY + 1) /* set before on_check looks */

static bool is_readable(const zwatch_t *self)
{
    int events = 0;
    size_t size = sizeof events;

    return zmq_getsockopt(self->socket, ZMQ_EVENTS, &events, &size) == 0 &&
           (events & ZMQ_POLLIN) != 0;
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
    zwatch_t *self = io->data;
    (void)loop;
    (void)events;

    self->has_fired = true;
}

/* Its only purpose is that the loop turns; on_check does the reading, because
 * idle watchers wait until nobody else has anything to do. */
static void on_idle(struct ev_loop *loop, ev_idle *idle, int events)
{
    (void)loop;
    (void)idle;
    (void)events;
}

static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    zwatch_t *self = prepare->data;
    (void)events;

    if (self->is_left || self->use == ZWATCH_READS_AND_SENDS) {
        self->is_left = is_readable(self);
    }
    if (self->is_left) {
        ev_idle_start(loop, &self->idle);
    }
}

static void on_check(struct ev_loop *loop, ev_check *check, int events)
{
    zwatch_t *self = check->data;
    (void)events;

    ev_idle_stop(loop, &self->idle);
    if (self->has_fired || self->is_left) {
        self->has_fired = false;
        self->is_left = true;
        self->readable(self->user);
    }
}

void zwatch_start(zwatch_t *self, struct ev_loop *loop, void *socket,
                  zwatch_use_t use, zwatch_fn *readable, void *user)
{
    int fd = -1;
    size_t size = sizeof fd;

    zmq_getsockopt(socket, ZMQ_FD, &fd, &size);
    self->loop = loop;
    self->socket = socket;
    self->readable = readable;
    self->user = user;
    self->use = use;
    self->is_left = true; /* what came before */
    ev_io_init(&self->io, on_io, fd, EV_READ);
    ev_prepare_init(&self->prepare, on_prepare);
    ev_check_init(&self->check, on_check);
    ev_idle_init(&self->idle, on_idle);
    self->io.data = self;
    self->prepare.data = self;
    self->check.data = self;
    ev_set_priority(&self->io, FLAG_PRIORITY);
    ev_set_priority(&self->prepare, ZWATCH_PRIORITY);
    ev_io_start(loop, &self->io);
    ev_prepare_start(loop, &self->prepare);
    ev_check_start(loop, &self->check);
}

void zwatch_stop(zwatch_t *self)
{
    if (self->loop != NULL) {
        ev_io_stop(self->loop, &self->io);
        ev_prepare_stop(self->loop, &self->prepare);
        ev_check_stop(self->loop, &self->check);
        ev_idle_stop(self->loop, &self->idle);
        self->loop = NULL;
    }
}
