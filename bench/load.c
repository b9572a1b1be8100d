/* SPDX-License-Identifier: MIT
 *
 * The load generator: many WebSockets of one echo server, closed loop (a new
 * message for each reply) or open loop (a message at each tick of a clock,
 * whatever the server does).  In the open loop latency counts from when the
 * message was due, so a server that stalls is not excused from the messages
 * it kept from being sent (coordinated omission).
 */
#include "base/xalloc.h"
#include "bench/client.h"
#include "bench/clocks.h"
#include "bench/numbers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <err.h>
#include <getopt.h>

#define EVENTS_MAX  512
#define OPENED_MAX  100        /* before the others are looked at */
#define END_OF_HOLD UINT32_MAX /* instead of a client's number */

typedef struct {
    const char *host, *path;
    const dialect_t *dialect; /* borrowed */
    uint32_t port, connections, in_flight, body;
    uint32_t active; /* of the connections, that say anything; 0: all */
    double seconds, warmup, rate; /* rate: messages/s of all; 0: closed loop */
    bool holds;
} options_t;

typedef struct {
    options_t options;
    int epoll;
    client_t *clients;
    hdr_t hdr;
    uint64_t replies;
    uint64_t due; /* open loop: messages so far */
} load_t;

static const char help[] =
    "usage: load [options]\n"
    "  --host ADDRESS      IPv4 address of the server (127.0.0.1)\n"
    "  --port N            its port (8080)\n"
    "  --path PATH         of the handshake (/)\n"
    "  --protocol NAME     what is said there: plain, each message a frame, or\n"
    "                      nats, in which it goes to the subject `echo` (plain)\n"
    "  --connections N     WebSockets (50)\n"
    "  --active N          of them that say anything (0: all)\n"
    "  --in-flight N       messages in flight of each, closed loop (1)\n"
    "  --rate N            messages a second of all, open loop (0: closed)\n"
    "  --bytes N           of each message's body, 41 to 4096 (64)\n"
    "  --warmup S          seconds before the measurement (0.5)\n"
    "  --seconds S         seconds of measurement (3)\n"
    "  --hold              only keep the connections; end with standard input\n"
    "Prints `begin` when the measurement (or the holding) begins and one line\n"
    "of JSON at its end.  Exits with 1 on any reply that is not its message.\n";

/* --- options ------------------------------------------------------------- */

static void set_option(options_t *self, const char *name, const char *text)
{
    if (strcmp(name, "host") == 0) {
        self->host = text;
    } else if (strcmp(name, "path") == 0) {
        self->path = text;
    } else if (strcmp(name, "protocol") == 0) {
        if ((self->dialect = dialect_find(text)) == NULL) {
            errx(2, "--protocol %s: plain or nats", text);
        }
    } else if (strcmp(name, "port") == 0) {
        self->port = (uint32_t)numbers_read(name, text, 1, 65535);
    } else if (strcmp(name, "connections") == 0) {
        self->connections = (uint32_t)numbers_read(name, text, 1, 1000000);
    } else if (strcmp(name, "active") == 0) {
        self->active = (uint32_t)numbers_read(name, text, 0, 1000000);
    } else if (strcmp(name, "in-flight") == 0) {
        self->in_flight =
            (uint32_t)numbers_read(name, text, 1, CLIENT_FLIGHT_MAX);
    } else if (strcmp(name, "bytes") == 0) {
        self->body = (uint32_t)numbers_read(name, text, CLIENT_BODY_MIN,
                                            CLIENT_BODY_MAX);
    } else if (strcmp(name, "rate") == 0) {
        self->rate = numbers_read(name, text, 0, 1e8);
    } else if (strcmp(name, "warmup") == 0) {
        self->warmup = numbers_read(name, text, 0, 3600);
    } else if (strcmp(name, "seconds") == 0) {
        self->seconds = numbers_read(name, text, 0.1, 3600);
    } else if (strcmp(name, "hold") == 0) {
        self->holds = true;
    } else {
        fputs(help, stdout);
        exit(0);
    }
}

static options_t read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"host", 1, NULL, 0},     {"port", 1, NULL, 0},
        {"path", 1, NULL, 0},     {"connections", 1, NULL, 0},
        {"active", 1, NULL, 0},   {"in-flight", 1, NULL, 0},
        {"protocol", 1, NULL, 0}, {"rate", 1, NULL, 0},
        {"bytes", 1, NULL, 0},    {"warmup", 1, NULL, 0},
        {"seconds", 1, NULL, 0},  {"hold", 0, NULL, 0},
        {"help", 0, NULL, 0},     {NULL, 0, NULL, 0},
    };
    options_t self = {.host = "127.0.0.1",
                      .path = "/",
                      .dialect = &dialect_plain,
                      .port = 8080,
                      .connections = 50,
                      .in_flight = 1,
                      .body = 64,
                      .seconds = 3,
                      .warmup = 0.5};
    int index, c;

    while ((c = getopt_long(argc, argv, "", names, &index)) == 0) {
        set_option(&self, names[index].name, optarg);
    }
    if (c == '?' || optind < argc) {
        errx(2, "see load --help");
    }
    if (self.active == 0 || self.active > self.connections) {
        self.active = self.connections;
    }
    return self;
}

/* --- work ---------------------------------------------------------------- */

static void take_replies(load_t *self, uint32_t index)
{
    client_t *client = &self->clients[index];
    uint64_t now_ns = clocks_now_ns();
    uint32_t replies = client_receive(client, now_ns, &self->hdr);

    self->replies += replies;
    if (replies > 0 && self->options.rate == 0) {
        client_send(client, replies, now_ns);
    }
}

/* What has come, or comes within the time; whoever is pinged answers.  Returns
 * whether standard input stands, where it is waited for. */
static bool take_events(load_t *self, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(self->epoll, events, EVENTS_MAX, timeout_ms);

    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == END_OF_HOLD) {
            return false;
        }
        take_replies(self, events[i].data.u32);
    }
    return true;
}

static void open_clients(load_t *self)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)self->options.port)};

    if (inet_pton(AF_INET, self->options.host, &address.sin_addr) != 1) {
        errx(2, "--host %s: an IPv4 address", self->options.host);
    }
    self->clients = calloc(self->options.connections, sizeof *self->clients);
    if (self->clients == NULL) {
        err(1, "no memory");
    }
    for (uint32_t i = 0; i < self->options.connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        client_open(&self->clients[i], &address, self->options.path, NULL);
        epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->clients[i].fd, &event);
        if (i % OPENED_MAX == 0) {
            take_events(self, 0);
        }
    }
}

/* Open loop: send all that is due by now, each as of its own moment.  Returns
 * the nanoseconds until the next is due. */
static uint64_t send_due(load_t *self, uint64_t start_ns)
{
    double gap_ns = (double)SECOND_NS / self->options.rate;
    uint32_t clients = self->options.active;

    must(clients > 0);
    for (;;) {
        uint64_t due_ns = start_ns + (uint64_t)((double)self->due * gap_ns);
        uint64_t now_ns = clocks_now_ns();
        if (due_ns > now_ns) {
            return due_ns - now_ns;
        }
        uint64_t turn = self->due++ % clients;
        client_send(&self->clients[turn], 1, due_ns);
    }
}

static void work_until(load_t *self, uint64_t start_ns, uint64_t end_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {.tv_nsec = 100000000};

    while (clocks_now_ns() < end_ns) {
        if (self->options.rate > 0) {
            uint64_t wait_ns = send_due(self, start_ns);
            wait.tv_sec = (time_t)(wait_ns / SECOND_NS);
            wait.tv_nsec = (long)(wait_ns % SECOND_NS);
        }
        int count = epoll_pwait2(self->epoll, events, EVENTS_MAX, &wait, NULL);
        for (int i = 0; i < count; i++) {
            take_replies(self, events[i].data.u32);
        }
    }
}

static void say_begin(void)
{
    puts("begin");
    fflush(stdout);
}

static void measure(load_t *self)
{
    const options_t *options = &self->options;
    uint64_t start_ns = clocks_now_ns();
    uint64_t begin_ns =
        start_ns + (uint64_t)(options->warmup * (double)SECOND_NS);
    uint64_t end_ns =
        begin_ns + (uint64_t)(options->seconds * (double)SECOND_NS);

    for (uint32_t i = 0; options->rate == 0 && i < options->active; i++) {
        client_send(&self->clients[i], options->in_flight, start_ns);
    }
    work_until(self, start_ns, begin_ns);
    hdr_reset(&self->hdr);
    self->replies = 0;
    uint64_t cpu_begin_ns = clocks_process_ns();
    say_begin();
    begin_ns = clocks_now_ns();
    work_until(self, start_ns, end_ns);
    double took = (double)(clocks_now_ns() - begin_ns) / (double)SECOND_NS;
    printf("{\"replies\":%llu,\"seconds\":%.4f,\"replies_per_s\":%.0f,"
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
           "\"max_us\":%.1f,\"load_cpu_us\":%.0f}\n",
           (unsigned long long)self->replies, took,
           (double)self->replies / took, (double)hdr_at(&self->hdr, 0.5) / 1e3,
           (double)hdr_at(&self->hdr, 0.99) / 1e3,
           (double)hdr_at(&self->hdr, 0.999) / 1e3, (double)self->hdr.max / 1e3,
           (double)(clocks_process_ns() - cpu_begin_ns) / 1e3);
}

static void hold(load_t *self)
{
    struct epoll_event end = {.events = EPOLLIN, .data.u32 = END_OF_HOLD};

    epoll_ctl(self->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &end);
    say_begin();
    while (take_events(self, -1)) {
    }
}

int main(int argc, char **argv)
{
    static load_t self;

    self.options = read_options(argc, argv);
    self.epoll = epoll_create1(EPOLL_CLOEXEC);
    client_set_message(self.options.dialect, "echo", self.options.body);
    open_clients(&self);
    if (self.options.holds) {
        hold(&self);
    } else {
        measure(&self);
    }
    for (uint32_t i = 0; i < self.options.connections; i++) {
        client_close(&self.clients[i]);
    }
    free(self.clients);
    close(self.epoll);
    return 0;
}
