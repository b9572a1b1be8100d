/* SPDX-License-Identifier: MIT
 *
 * We look at what lies in the socket (MSG_PEEK) and take as much of it as
 * belongs to the header: all while that is not whole, so that the loop does not
 * spin, and no byte of what follows, which TLS or libwebsockets is to read.
 */
#include "gateway/arrivals.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/xalloc.h"
#include "gateway/proxy_header.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <sys/socket.h>
#include <unistd.h>

struct arrivals {
    arrivals_options_t options;
    ip_nets_t proxies;
    list_t waiting; /* arrival_t.node */
    int64_t count;
};

typedef struct {
    arrivals_t *owner; /* borrowed */
    list_t node;
    int fd; /* owned, until it has arrived */
    ip_t peer;
    ev_io readable;
    ev_timer late;
    buf_t head; /* what was read of the header */
} arrival_t;

static void refuse(arrivals_t *self, const ip_t *peer, const char *reason)
{
    self->options.ops->refused(self->options.user, peer, reason);
}

/* Free all but the descriptor. */
static void leave(arrival_t *self)
{
    arrivals_t *owner = self->owner;

    ev_io_stop(owner->options.loop, &self->readable);
    ev_timer_stop(owner->options.loop, &self->late);
    list_remove(&self->node);
    owner->count--;
    buf_fini(&self->head);
    free(self);
}

static void drop(arrival_t *self)
{
    int fd = self->fd;

    leave(self);
    close(fd);
}

static void drop_because(arrival_t *self, const char *reason)
{
    refuse(self->owner, &self->peer, reason);
    drop(self);
}

/* Of a proxy that speaks for itself (it looks whether we live) the client is
 * the proxy. */
static void arrive(arrival_t *self, const proxy_header_t *header)
{
    const arrivals_options_t *options = &self->owner->options;
    ip_t client = header->has_client ? header->client : self->peer;
    int fd = self->fd;

    leave(self);
    options->ops->arrived(options->user, fd, &client);
}

/* Take so many bytes from the socket, in which they were seen. */
static bool take(arrival_t *self, size_t len)
{
    uint8_t bytes[PROXY_HEADER_MAX];

    return recv(self->fd, bytes, len, 0) == (ssize_t)len;
}

/* `seen` bytes, which are in the socket still, were put to the head. */
static void take_header(arrival_t *self, size_t seen)
{
    size_t before = self->head.len - seen;
    proxy_header_t header;
    int rc = proxy_header_parse(self->head.data, self->head.len, &header);

    if (rc == -EMSGSIZE) {
        drop_because(self, "its PROXY header is too long");
    } else if (rc == -EPROTO) {
        drop_because(self, "it sends no PROXY header");
    } else if (!take(self, rc == -EAGAIN ? seen : header.len - before)) {
        drop(self);
    } else if (rc == 0) {
        arrive(self, &header);
    }
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    arrival_t *self = watcher->data;
    uint8_t bytes[PROXY_HEADER_MAX];
    (void)loop;
    (void)events;

    ssize_t got =
        recv(self->fd, bytes, sizeof bytes - self->head.len, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) { /* it only looked whether somebody listens, or has left */
        drop(self);
    } else if (buf_put(&self->head, bytes, (size_t)got) < 0) {
        drop_because(self, "there is no memory");
    } else {
        take_header(self, (size_t)got);
    }
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;

    drop_because(timer->data, "its PROXY header does not come");
}

static const char *why_not(const arrivals_t *self, const ip_t *peer)
{
    int64_t max = self->options.max;

    if (!ip_nets_have(&self->proxies, peer)) {
        return "it is none of --trusted-proxies";
    }
    return max > 0 && self->count >= max ? "too many have sent no PROXY header"
                                         : NULL;
}

void arrivals_put(arrivals_t *self, int fd, const ip_t *peer)
{
    const char *reason = why_not(self, peer);
    arrival_t *arrival = reason == NULL ? calloc(1, sizeof *arrival) : NULL;

    if (arrival == NULL) {
        refuse(self, peer, reason == NULL ? "there is no memory" : reason);
        close(fd);
        return;
    }
    arrival->owner = self;
    arrival->fd = fd;
    arrival->peer = *peer;
    buf_init(&arrival->head, PROXY_HEADER_MAX);
    ev_io_init(&arrival->readable, on_readable, fd, EV_READ);
    ev_timer_init(&arrival->late, on_late,
                  (double)self->options.timeout_ms / 1000, 0);
    arrival->readable.data = arrival;
    arrival->late.data = arrival;
    list_append(&self->waiting, &arrival->node);
    self->count++;
    ev_io_start(self->options.loop, &arrival->readable);
    ev_timer_start(self->options.loop, &arrival->late);
}

arrivals_t *arrivals_new(const arrivals_options_t *options)
{
    arrivals_t *self = xcalloc(1, sizeof *self);

    self->options = *options;
    list_init(&self->waiting);
    if (ip_nets_parse(options->proxies, &self->proxies) < 0) {
        arrivals_destroy(&self);
    }
    return self;
}

void arrivals_destroy(arrivals_t **self_p)
{
    arrivals_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    for (list_t *node; (node = list_take(&self->waiting)) != NULL;) {
        drop(list_entry(node, arrival_t, node));
    }
    free(self);
}

void arrivals_limit(arrivals_t *self, int64_t max)
{
    self->options.max = max;
}
