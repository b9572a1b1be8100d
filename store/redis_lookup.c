/* SPDX-License-Identifier: MIT */
#include "store/redis_lookup.h"

#include "base/thread.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <netdb.h>

/* What the thread has; it frees it. */
typedef struct {
    int fd;
    redis_host_t host;
} question_t;

static void look_up(const redis_host_t *host, int flags,
                    redis_addresses_t *answer)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];

    memset(answer, 0, sizeof *answer);
    snprintf(port, sizeof port, "%u", (unsigned)host->port);
    answer->error = getaddrinfo(host->host, port, &hints, &list);
    if (answer->error != 0) {
        return;
    }
    for (const struct addrinfo *at = list;
         at != NULL && answer->count < REDIS_ADDRESSES_MAX; at = at->ai_next) {
        if (at->ai_addrlen <= sizeof answer->addresses[0]) {
            memcpy(&answer->addresses[answer->count++], at->ai_addr,
                   at->ai_addrlen);
        }
    }
    freeaddrinfo(list);
}

static void *run(void *user)
{
    question_t *question = user;
    redis_addresses_t answer;

    look_up(&question->host, 0, &answer);
    (void)send(question->fd, &answer, sizeof answer, MSG_NOSIGNAL);
    close(question->fd);
    free(question);
    return NULL;
}

static void on_answer(struct ev_loop *loop, ev_io *io, int events)
{
    redis_lookup_t *self = io->data;
    redis_addresses_t answer;
    (void)loop;
    (void)events;

    if (recv(self->fd, &answer, sizeof answer, MSG_DONTWAIT) !=
        (ssize_t)sizeof answer) {
        memset(&answer, 0, sizeof answer);
        answer.error = EAI_AGAIN;
    }
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
    int ends[2];

    look_up(host, AI_NUMERICHOST, &answer);
    if (answer.error == 0) {
        self->done(self->user, &answer);
        return 0;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return -errno;
    }
    question_t *question = xcalloc(1, sizeof *question);
    question->fd = ends[1];
    question->host = *host;
    int rc = thread_detach(run, question, "hoist-lookup");
    if (rc < 0) {
        close(ends[0]);
        close(ends[1]);
        free(question);
        return rc;
    }
    self->fd = ends[0];
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
