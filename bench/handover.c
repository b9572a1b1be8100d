/* SPDX-License-Identifier: MIT
 *
 * What it costs to wake another thread: the floor under a message that goes
 * through several.
 */
#include "base/xalloc.h"
#include "bench/clocks.h"
#include "bench/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TURNS     5000  /* of each thread, in a round */
#define ROUNDS    5     /* the cheapest counts: others disturb the rest */
#define BYTES_MAX 65536 /* beyond, a write may wait for the reader */

static const char help[] =
    "usage: bench_handover\n"
    "\n"
    "Two threads take turns, each asleep until it has all that the other gave\n"
    "it: by an eventfd, as a thread and ZeroMQ's own wake each other, or by\n"
    "bytes over loopback TCP, as processes do.  Prints a line of JSON for each\n"
    "way: CPU of both for each time that one wakes the other.\n";

typedef struct {
    int in, out;
    size_t bytes; /* of a turn */
    uint8_t memory[BYTES_MAX];
} end_t;

static void wait_for(int epoll)
{
    struct epoll_event event;

    must(epoll_wait(epoll, &event, 1, -1) == 1);
}

static void take(end_t *self, int epoll)
{
    for (size_t got = 0; got < self->bytes;) {
        wait_for(epoll);
        ssize_t more = read(self->in, self->memory, self->bytes - got);
        must(more > 0);
        got += (size_t)more;
    }
}

static void give(end_t *self)
{
    must(write(self->out, self->memory, self->bytes) == (ssize_t)self->bytes);
}

static int watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    must(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    return epoll;
}

static void *answer(void *user)
{
    end_t *self = user;
    int epoll = watch(self->in);

    for (int i = 0; i < TURNS; i++) {
        take(self, epoll);
        give(self);
    }
    close(epoll);
    return NULL;
}

/* Microseconds of CPU of both threads, for each time that one wakes the other.
 */
static double measure_round(end_t *one, end_t *other)
{
    uint64_t start_ns = clocks_process_ns();
    int epoll = watch(one->in);
    pthread_t thread;

    must(pthread_create(&thread, NULL, answer, other) == 0);
    for (int i = 0; i < TURNS; i++) {
        give(one);
        take(one, epoll);
    }
    must(pthread_join(thread, NULL) == 0);
    close(epoll);
    return (double)(clocks_process_ns() - start_ns) / 1e3 / (2.0 * TURNS);
}

static void measure(const char *way, end_t *one, end_t *other, size_t bytes)
{
    double least = 0;

    one->bytes = other->bytes = bytes;
    for (int i = 0; i < ROUNDS; i++) {
        double took = measure_round(one, other);
        least = i == 0 || took < least ? took : least;
    }
    printf("{\"way\":\"%s\",\"bytes\":%zu,\"cpu_us\":%.2f}\n", way, bytes,
           least);
}

static void measure_eventfd(end_t *one, end_t *other)
{
    const uint64_t wake = 1;

    one->in = other->out = eventfd(0, EFD_CLOEXEC);
    one->out = other->in = eventfd(0, EFD_CLOEXEC);
    memcpy(one->memory, &wake, sizeof wake);
    memcpy(other->memory, &wake, sizeof wake);
    measure("eventfd", one, other, sizeof wake);
    close(one->in);
    close(one->out);
}

static void connect_ends(end_t *one, end_t *other)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *any = (struct sockaddr *)&address;
    socklen_t size = sizeof address;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(bind(listener, any, size) == 0 && listen(listener, 1) == 0 &&
         getsockname(listener, any, &size) == 0);
    one->in = one->out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(connect(one->in, any, size) == 0);
    other->in = other->out = accept(listener, NULL, NULL);
    must(other->in >= 0);
    setsockopt(one->in, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(other->in, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
}

static void measure_tcp(end_t *one, end_t *other)
{
    static const size_t bytes[] = {100, 4200, 16800, 50400};

    connect_ends(one, other);
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        measure("tcp", one, other, bytes[i]);
    }
    close(one->in);
    close(other->in);
}

int main(int argc, char **argv)
{
    static end_t one, other;

    usage_read(argc, argv, 0, 0, help);
    measure_eventfd(&one, &other);
    measure_tcp(&one, &other);
    return 0;
}
