/* SPDX-License-Identifier: MIT
 *
 * The load generator of fan-outs: many WebSockets that are members of what a
 * server gives its pushes to, and one that sends what is to be pushed, so many
 * messages on their way at a time.  The next comes when every member has had
 * the oldest, which is what a latency counts to.
 *
 * Connections stay for many measurements, since to open them takes longer than
 * to measure; each line of standard input is one.
 */
#include "base/xalloc.h"
#include "bench/client.h"
#include "bench/clocks.h"
#include "bench/numbers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <err.h>
#include <getopt.h>

#define EVENTS_MAX  512
#define COMMANDS    UINT32_MAX       /* in epoll: standard input … */
#define PUBLISHER   (UINT32_MAX - 1) /* … and who only hears pings */
#define DEAF_BYTES  4096 /* that the kernel takes for one who is deaf */
#define SILENCE_S   30
#define COMMAND_MAX 32

typedef struct {
    uint32_t port, members, deaf, body;
    double seconds, warmup;
    const char *post; /* borrowed: a socket's path; NULL: a client asks */
} options_t;

typedef struct {
    options_t options;
    int epoll;
    client_t publisher;
    int post; /* the socket of a worker that pushes by itself; -1: none */
    client_t *members; /* owned; behind them those who are deaf: not read */
    uint32_t missing[CLIENT_FLIGHT_MAX]; /* of message n: who has not had it */
    hdr_t each, last; /* latencies: deliveries; the last one of each message */
    uint64_t deliveries, fanouts;
    bool is_publishing; /* the next when all have had the oldest */
    bool has_command;   /* standard input is to be read */
} fan_t;

static const char help[] =
    "usage: fan [options]\n"
    "  --port N        of the server on 127.0.0.1 (8080)\n"
    "  --members N     WebSockets at /member, which get what is pushed (1000)\n"
    "  --deaf N        as many beside them that do not read (0)\n"
    "  --bytes N       of each message's body, 41 to 4096 (64)\n"
    "  --post PATH     send what is to be pushed as datagrams to this socket, and\n"
    "                  not as messages of a WebSocket\n"
    "  --warmup S      seconds before the measurement (0.5)\n"
    "  --seconds S     seconds of measurement (2)\n"
    "Prints `open` when all are.  Then each line of its input is a measurement\n"
    "with so many messages that not all members have had: it prints `begin`\n"
    "when that begins, and a line of JSON at its end.  Exits with 1 when a\n"
    "member gets anything but each message in turn.\n";

/* --- options ------------------------------------------------------------- */

static void set_option(options_t *self, const char *name, const char *text)
{
    if (strcmp(name, "port") == 0) {
        self->port = (uint32_t)numbers_read(name, text, 1, 65535);
    } else if (strcmp(name, "members") == 0) {
        self->members = (uint32_t)numbers_read(name, text, 1, 1000000);
    } else if (strcmp(name, "deaf") == 0) {
        self->deaf = (uint32_t)numbers_read(name, text, 0, 1000000);
    } else if (strcmp(name, "bytes") == 0) {
        self->body = (uint32_t)numbers_read(name, text, CLIENT_BODY_MIN,
                                            CLIENT_BODY_MAX);
    } else if (strcmp(name, "post") == 0) {
        self->post = text;
    } else if (strcmp(name, "warmup") == 0) {
        self->warmup = numbers_read(name, text, 0, 3600);
    } else if (strcmp(name, "seconds") == 0) {
        self->seconds = numbers_read(name, text, 0.1, 3600);
    } else {
        fputs(help, stdout);
        exit(0);
    }
}

static options_t read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, NULL, 0},    {"members", 1, NULL, 0},
        {"deaf", 1, NULL, 0},    {"bytes", 1, NULL, 0},
        {"post", 1, NULL, 0},    {"warmup", 1, NULL, 0},
        {"seconds", 1, NULL, 0}, {"help", 0, NULL, 0},
        {NULL, 0, NULL, 0},
    };
    options_t self = {
        .port = 8080, .members = 1000, .body = 64, .seconds = 2, .warmup = 0.5};
    int index, c;

    while ((c = getopt_long(argc, argv, "", names, &index)) == 0) {
        set_option(&self, names[index].name, optarg);
    }
    if (c == '?' || optind < argc) {
        errx(2, "see fan --help");
    }
    return self;
}

/* --- work ---------------------------------------------------------------- */

static uint32_t connections(const fan_t *self)
{
    return self->options.members + self->options.deaf;
}

static void watch(fan_t *self, int fd, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};

    if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        err(1, "epoll");
    }
}

/* What is sent to it fills the sender's socket soon. */
static void deafen(client_t *member)
{
    int bytes = DEAF_BYTES;

    setsockopt(member->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

static int open_post(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        err(1, "%s", path);
    }
    return fd;
}

static void open_clients(fan_t *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port =
                                      htons((uint16_t)self->options.port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};

    self->members = xcalloc(connections(self), sizeof *self->members);
    client_open(&self->publisher, &address, "/", NULL);
    watch(self, self->publisher.fd, PUBLISHER);
    for (uint32_t i = 0; i < connections(self); i++) {
        client_open(&self->members[i], &address, "/member", &self->publisher);
        if (i < self->options.members) {
            watch(self, self->members[i].fd, i);
        } else {
            deafen(&self->members[i]);
        }
    }
    watch(self, STDIN_FILENO, COMMANDS);
}

static void publish(fan_t *self, uint32_t count)
{
    if (count == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        self->missing[(self->publisher.sent + i) % CLIENT_FLIGHT_MAX] =
            self->options.members;
    }
    if (self->post >= 0) {
        client_post(&self->publisher, self->post, count, clocks_now_ns());
    } else {
        client_send(&self->publisher, count, clocks_now_ns());
    }
}

/* Returns how many messages every member has had by this. */
static uint32_t take(fan_t *self, uint32_t index)
{
    client_t *member = &self->members[index];
    uint64_t now_ns = clocks_now_ns();
    uint32_t at = member->answered, done = 0;

    self->deliveries += client_receive(member, now_ns, &self->each);
    for (; at != member->answered; at++) {
        uint32_t place = at % CLIENT_FLIGHT_MAX;
        if (--self->missing[place] == 0) {
            hdr_add(&self->last, now_ns - self->publisher.sent_ns[place]);
            done++;
        }
    }
    self->publisher.answered += done;
    self->fanouts += done;
    return done;
}

static void work(fan_t *self)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(self->epoll, events, EVENTS_MAX, 100);
    uint32_t done = 0;

    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == COMMANDS) {
            self->has_command = true;
        } else if (events[i].data.u32 == PUBLISHER) {
            client_receive(&self->publisher, clocks_now_ns(), &self->each);
        } else {
            done += take(self, events[i].data.u32);
        }
    }
    if (self->is_publishing) {
        publish(self, done);
    }
}

static void work_for(fan_t *self, double seconds)
{
    uint64_t end_ns = clocks_now_ns() + (uint64_t)(seconds * (double)SECOND_NS);

    while (clocks_now_ns() < end_ns) {
        work(self);
    }
}

/* Until all have had all. */
static void work_off(fan_t *self)
{
    uint64_t deliveries = self->deliveries, heard_ns = clocks_now_ns();

    self->is_publishing = false;
    while (self->publisher.answered != self->publisher.sent) {
        work(self);
        if (self->deliveries != deliveries) {
            deliveries = self->deliveries;
            heard_ns = clocks_now_ns();
        } else if (clocks_now_ns() - heard_ns > SILENCE_S * SECOND_NS) {
            errx(1, "a member has waited %d s for a message", SILENCE_S);
        }
    }
}

static void print_latencies(const char *name, const hdr_t *hdr)
{
    printf(",\"%s_p50_us\":%.1f,\"%s_p99_us\":%.1f,\"%s_max_us\":%.1f", name,
           (double)hdr_at(hdr, 0.5) / 1e3, name,
           (double)hdr_at(hdr, 0.99) / 1e3, name, (double)hdr->max / 1e3);
}

static void print_result(const fan_t *self, double took, double spent_us)
{
    printf("{\"deliveries\":%llu,\"fanouts\":%llu,\"seconds\":%.4f,"
           "\"deliveries_per_s\":%.0f,\"load_cpu_us\":%.0f",
           (unsigned long long)self->deliveries,
           (unsigned long long)self->fanouts, took,
           (double)self->deliveries / took, spent_us);
    print_latencies("each", &self->each);
    print_latencies("last", &self->last);
    puts("}");
    fflush(stdout);
}

static void measure(fan_t *self, uint32_t in_flight)
{
    self->is_publishing = true;
    publish(self, in_flight);
    work_for(self, self->options.warmup);
    hdr_reset(&self->each);
    hdr_reset(&self->last);
    self->deliveries = self->fanouts = 0;
    puts("begin");
    fflush(stdout);
    uint64_t cpu_begin_ns = clocks_process_ns();
    uint64_t begin_ns = clocks_now_ns();
    work_for(self, self->options.seconds);
    double took = (double)(clocks_now_ns() - begin_ns) / (double)SECOND_NS;
    print_result(self, took,
                 (double)(clocks_process_ns() - cpu_begin_ns) / 1e3);
    work_off(self);
}

/* The next line of the input, while pings are answered; false at its end. */
static bool await_command(fan_t *self, char line[COMMAND_MAX])
{
    self->has_command = false;
    while (!self->has_command) {
        work(self);
    }
    return fgets(line, COMMAND_MAX, stdin) != NULL;
}

int main(int argc, char **argv)
{
    static fan_t self;
    char line[COMMAND_MAX];

    self.options = read_options(argc, argv);
    self.epoll = epoll_create1(EPOLL_CLOEXEC);
    self.post = self.options.post ? open_post(self.options.post) : -1;
    client_set_message(&dialect_plain, "push", self.options.body);
    open_clients(&self);
    puts("open");
    fflush(stdout);
    while (await_command(&self, line)) {
        line[strcspn(line, "\n")] = '\0';
        measure(&self, (uint32_t)numbers_read("in-flight", line, 1,
                                              CLIENT_FLIGHT_MAX));
    }
    for (uint32_t i = 0; i < connections(&self); i++) {
        client_close(&self.members[i]);
    }
    client_close(&self.publisher);
    free(self.members);
    close(self.epoll);
    return 0;
}
