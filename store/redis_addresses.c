/* SPDX-License-Identifier: MIT */
#include "store/redis_addresses.h"

#include "base/thread.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <netdb.h>

/* A peer that vanished is noticed while nothing is asked of it, too. */
#define KEEPALIVE_IDLE_S     15
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES     3

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

int redis_addresses_ask(const redis_host_t *host, redis_addresses_t *answer,
                        int *fd)
{
    int ends[2];

    *fd = -1;
    look_up(host, AI_NUMERICHOST, answer);
    if (answer->error == 0) {
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
    *fd = ends[0];
    return 0;
}

void redis_addresses_take(int fd, redis_addresses_t *answer)
{
    if (recv(fd, answer, sizeof *answer, MSG_DONTWAIT) !=
        (ssize_t)sizeof *answer) {
        memset(answer, 0, sizeof *answer);
        answer->error = EAI_AGAIN;
    }
}

/* --- connecting ---------------------------------------------------------- */

static void set_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
    };

    /* None of them is worth a connection. */
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        (void)setsockopt(fd, options[i].level, options[i].name,
                         &options[i].value, sizeof options[i].value);
    }
}

int redis_addresses_connect(const struct sockaddr_storage *to)
{
    socklen_t len = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                              : sizeof(struct sockaddr_in);
    int fd =
        socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    set_options(fd);
    if (connect(fd, (const struct sockaddr *)to, len) < 0 &&
        errno != EINPROGRESS) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}
