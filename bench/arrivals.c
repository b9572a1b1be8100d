/* SPDX-License-Identifier: MIT
 *
 * How many WebSockets a server opens a second.
 */
#include "bench/clocks.h"
#include "bench/numbers.h"
#include "bench/usage.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <err.h>

#define AT_ONCE_MAX 1024
#define HEAD_MAX    2048

static const char help[] =
    "usage: bench_arrivals PORT AT_ONCE SECONDS\n"
    "\n"
    "How many WebSockets the server on this port opens a second: so many\n"
    "handshakes are on their way at once, each connection ends when it is\n"
    "open, and the next one comes.  Prints `begin`, and at the end a line of\n"
    "JSON.  Exits with 1 when one is refused.\n";

static const char request[] =
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

typedef struct {
    size_t len; /* of the head so far */
    int fd;
    char head[HEAD_MAX + 1];
} arrival_t;

static struct sockaddr_in address;
static arrival_t arrivals[AT_ONCE_MAX];
static int epoll;
static uint64_t opened;

/* Connecting over loopback does not wait. */
static void arrive(uint32_t number)
{
    arrival_t *self = &arrivals[number];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};

    self->len = 0;
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || connect(self->fd, (const struct sockaddr *)&address,
                                sizeof address) < 0) {
        err(1, "cannot connect");
    }
    if (write(self->fd, request, sizeof request - 1) < 0) {
        err(1, "cannot send the handshake");
    }
    epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event);
}

static void read_answer(uint32_t number)
{
    arrival_t *self = &arrivals[number];
    ssize_t got = read(self->fd, self->head + self->len, HEAD_MAX - self->len);

    if (got <= 0) {
        errx(1, "the server closed during the handshake");
    }
    self->len += (size_t)got;
    self->head[self->len] = '\0';
    if (strstr(self->head, "\r\n\r\n") == NULL) {
        return;
    }
    if (strncmp(self->head, "HTTP/1.1 101", 12) != 0) {
        errx(1, "refused: %.40s", self->head);
    }
    opened++;
    close(self->fd);
    arrive(number);
}

static void work_until(uint64_t end_ns)
{
    struct epoll_event events[AT_ONCE_MAX];

    while (clocks_now_ns() < end_ns) {
        int count = epoll_wait(epoll, events, AT_ONCE_MAX, 100);
        for (int i = 0; i < count; i++) {
            read_answer(events[i].data.u32);
        }
    }
}

int main(int argc, char **argv)
{
    usage_read(argc, argv, 3, 3, help);
    double port = numbers_read("PORT", argv[1], 1, 65535);
    double at_once = numbers_read("AT_ONCE", argv[2], 1, AT_ONCE_MAX);
    double seconds = numbers_read("SECONDS", argv[3], 0.1, 3600);

    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < (uint32_t)at_once; i++) {
        arrive(i);
    }
    puts("begin");
    fflush(stdout);
    uint64_t begin_ns = clocks_now_ns();
    opened = 0;
    work_until(begin_ns + (uint64_t)(seconds * (double)SECOND_NS));
    double took = (double)(clocks_now_ns() - begin_ns) / (double)SECOND_NS;
    printf("{\"opened\":%llu,\"per_s\":%.0f}\n", (unsigned long long)opened,
           (double)opened / took);
    return 0;
}
