/* SPDX-License-Identifier: MIT */
#include "trace/exporter.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "trace/outgoing.h"

#include <errno.h>
#include <stdlib.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BYTES (1 << 20) /* asked of the kernel, which may give less */

struct exporter {
    int fd; /* our end */
    exporter_counts_t counts;
    size_t count; /* of spans that were taken this turn */
    span_t spans[OUTGOING_PACKET];
};

int exporter_new(exporter_t **self_p, const char *endpoint,
                 const otlp_source_t *source)
{
    int ends[2], size = SOCKET_BYTES;

    *self_p = NULL;
    if (endpoint[0] == '\0') {
        return 0;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return -errno;
    }
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    int rc = outgoing_start(ends[1], endpoint, source);
    if (rc < 0) {
        close(ends[0]);
        close(ends[1]);
        return rc;
    }
    *self_p = xcalloc(1, sizeof **self_p);
    (*self_p)->fd = ends[0];
    return 0;
}

void exporter_put(exporter_t *self, const span_t *span)
{
    if (self->count == OUTGOING_PACKET) {
        exporter_flush(self);
    }
    self->spans[self->count++] = *span;
}

void exporter_flush(exporter_t *self)
{
    if (self == NULL || self->count == 0) {
        return;
    }
    if (send(self->fd, self->spans, self->count * sizeof(span_t),
             MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        self->counts.dropped += self->count;
    }
    self->count = 0;
}

/* Returns false when there is nothing more to be read. */
static bool take_counts(exporter_t *self)
{
    exporter_counts_t more;

    if (recv(self->fd, &more, sizeof more, MSG_DONTWAIT) !=
        (ssize_t)sizeof more) {
        return false;
    }
    self->counts.exported += more.exported;
    self->counts.dropped += more.dropped;
    return true;
}

exporter_counts_t exporter_counts(exporter_t *self)
{
    if (self == NULL) {
        return (exporter_counts_t){0};
    }
    while (take_counts(self)) {
    }
    return self->counts;
}

/* Its end of the socket is closed when it has done. */
static void await_end(exporter_t *self)
{
    struct pollfd end = {.fd = self->fd, .events = POLLIN};
    int64_t until_ms = clock_mono_ms() + EXPORTER_END_MS, left_ms;

    while ((left_ms = until_ms - clock_mono_ms()) > 0 &&
           poll(&end, 1, (int)left_ms) > 0 && take_counts(self)) {
    }
}

void exporter_destroy(exporter_t **self_p)
{
    exporter_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    exporter_flush(self);
    shutdown(self->fd, SHUT_WR);
    await_end(self);
    close(self->fd);
    free(self);
    *self_p = NULL;
}
