/* SPDX-License-Identifier: MIT */
#include "store/redis_lookup.h"

#include <unistd.h>

static void on_answer(struct ev_loop *loop, ev_io *io, int events)
{
    redis_lookup_t *self = io->data;
    redis_addresses_t answer;
    (void)loop;
    (void)events;

    redis_addresses_take(self->fd, &answer);
    redis_lookup_stop(self);
    self->done(self->user, &answer);
}

void redis_lookup_init(redis_lookup_t *self, struct ev_loop *loop,
                       redis_lookup_fn *done, void *user)
{
    self->loop = loop;
    self->done = done;
    self->user = user;
    self->fd = -1;
    ev_init(&self->io, on_answer);
    self->io.data = self;
}

int redis_lookup_start(redis_lookup_t *self, const redis_host_t *host)
{
    redis_addresses_t answer;
    int rc = redis_addresses_ask(host, &answer, &self->fd);

    if (rc < 0) {
        return rc;
    }
    if (self->fd < 0) {
        self->done(self->user, &answer);
        return 0;
    }
    ev_io_set(&self->io, self->fd, EV_READ);
    ev_io_start(self->loop, &self->io);
    return 0;
}

void redis_lookup_stop(redis_lookup_t *self)
{
    if (self->fd >= 0) {
        ev_io_stop(self->loop, &self->io);
        close(self->fd);
        self->fd = -1;
    }
}
