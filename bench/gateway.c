/* SPDX-License-Identifier: MIT
 *
 * What a message costs in the gateway's hub, without sockets: its frame from a
 * client, the REQUEST to the broker, and the REPLY back as a frame.  Turns of
 * 64 of them, as under load, from clients that are in no trace and, where there
 * are many, far from each other in memory; some share of them is sampled.
 */
#include "base/log.h"
#include "base/xalloc.h"
#include "bench/clocks.h"
#include "bench/counted.h"
#include "bench/numbers.h"
#include "gateway/standing.h"
#include "proto/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <err.h>
#include <getopt.h>

#define ROUNDS  31   /* the quickest counts: others disturb the rest */
#define FRAMES  500  /* in a round */
#define A_FRAME 64   /* messages of a turn */
#define APART   7919 /* who is next is so many on */
#define FIN     0x80
#define MASKED  0x80
#define TEXT    "{\"action\":\"echo\",\"n\":\"00000001\",\"pad\":\"xxxxxxxxxxxx\"}"

#define HEAD                                                                   \
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"                      \
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"   \
    "Sec-WebSocket-Version: 13\r\n\r\n"

typedef struct {
    double sampled; /* share of events that have a span */
    uint32_t connections;
    uint64_t messages; /* to carry and be done; 0: measure */
} options_t;

typedef struct {
    hub_t *hub;
    link_t *link;
    int64_t now_us;
    void **users; /* owned: of the hub */
    uint32_t connections, next;
    buf_t replies;
    uint64_t spans;
} bench_t;

static const char help[] =
    "usage: bench_gateway [options]\n"
    "  --connections N  64 or more (64)\n"
    "  --sampled SHARE  of messages, 0 to 1 (0)\n"
    "  --messages N     carry so many and print nothing: for who counts\n"
    "                   instructions\n"
    "Prints a line of JSON: CPU of a message.\n";

/* --- gateway/transport.h: a client that reads at once -------------------- */

static uint64_t written;

void transport_write(transport_sock_t *sock, const uint8_t *bytes, size_t len)
{
    (void)sock;
    (void)bytes;
    written += len;
}

bool transport_is_drained(transport_sock_t *sock)
{
    (void)sock;
    return true;
}

void transport_pause(transport_sock_t *sock)
{
    (void)sock;
}

void transport_resume(transport_sock_t *sock)
{
    (void)sock;
}

const X509 *transport_client_cert(transport_sock_t *sock)
{
    (void)sock;
    return NULL;
}

int64_t transport_silent_ms(transport_sock_t *sock)
{
    (void)sock;
    return 0;
}

void transport_shutdown(transport_sock_t *sock)
{
    (void)sock;
}

void transport_kill(transport_sock_t *sock)
{
    (void)sock;
    abort(); /* nobody here gives a reason for it */
}

/* --- the broker ---------------------------------------------------------- */

static void answer(bench_t *self, const message_t *message)
{
    message_reply_t reply = {.id = message->request.id, .status = 200};

    if (message->kind == KIND_REQUEST) {
        reply.body = message->request.body;
        must(message_put_reply(&self->replies, &reply) == 0);
    }
}

/* Take what the hub says in this turn, and answer in the next. */
static void exchange_with_broker(bench_t *self)
{
    buf_t *out = &self->link->out;
    wire_cursor_t in = wire_cursor((wire_bytes_t){out->data, out->len});
    message_t message;

    self->replies.len = 0;
    while (message_decode(&in, &message) == 1) {
        answer(self, &message);
    }
    out->len = 0;
    self->now_us += 100;
    counted_enter();
    hub_begin(self->hub, self->now_us, self->now_us / 1000);
    hub_frame(self->hub, self->link, self->replies.data, self->replies.len);
    hub_end(self->hub);
    counted_leave();
}

static void welcome(bench_t *self)
{
    static const uint8_t windows[] = {
        0x82, 0xa6, 'w', 'i', 'n',  'd',  'o',  'w',  0xcd, 0x27,
        0x10, 0xac, 'w', 'i', 'n',  'd',  'o',  'w',  '_',  'b',
        'y',  't',  'e', 's', 0xce, 0x02, 0x00, 0x00, 0x00};
    message_welcome_t message = {.version = PROTOCOL_VERSION,
                                 .boot = wire_bytes("b"),
                                 .heartbeat_ms = 1000,
                                 .liveness_ms = 100000,
                                 .options = {windows, sizeof windows}};

    self->link = standing_add(self->hub, 0, "tcp://b:1", 0);
    self->replies.len = 0;
    must(message_put_welcome(&self->replies, &message) == 0);
    must(message_put_bare(&self->replies, KIND_PONG) == 0);
    hub_begin(self->hub, self->now_us, self->now_us / 1000);
    hub_frame(self->hub, self->link, self->replies.data, self->replies.len);
    hub_end(self->hub);
    must(self->link->state == LINK_UP);
    self->link->out.len = 0;
}

/* --- clients ------------------------------------------------------------- */

static void *open_one(bench_t *self)
{
    static char sock; /* nobody looks at it */
    char head[] = HEAD;
    ip_t from = ip_of_v4((const uint8_t[]){127, 0, 0, 1});
    void *user = hub_transport_ops.opened(self->hub, &from);

    must(user != NULL);
    hub_transport_ops.bound(user, (transport_sock_t *)&sock);
    hub_transport_ops.received(user, (uint8_t *)head, strlen(head));
    return user;
}

static void connect_all(bench_t *self)
{
    self->users = xcalloc(self->connections, sizeof *self->users);
    for (uint32_t i = 0; i < self->connections;) {
        hub_begin(self->hub, self->now_us, self->now_us / 1000);
        for (int left = A_FRAME; left > 0 && i < self->connections; left--) {
            self->users[i++] = open_one(self);
        }
        hub_end(self->hub);
        exchange_with_broker(self);
    }
    must(self->hub->stats.connections == self->connections);
}

/* Its mask is of zeros, so the bytes are there for the next time. */
static void say(bench_t *self)
{
    static uint8_t frame[6 + sizeof TEXT] = {FIN | 1,
                                             MASKED | (sizeof TEXT - 1)};

    memcpy(frame + 6, TEXT, sizeof TEXT - 1);
    counted_enter();
    hub_begin(self->hub, self->now_us, self->now_us / 1000);
    for (int i = 0; i < A_FRAME; i++) {
        hub_transport_ops.received(self->users[self->next], frame,
                                   6 + sizeof TEXT - 1);
        self->next = (self->next + APART) % self->connections;
    }
    hub_end(self->hub);
    counted_leave();
    exchange_with_broker(self);
}

static void count_span(void *user, const span_t *span)
{
    bench_t *self = user;
    (void)span;

    self->spans++;
}

/* --- measuring ----------------------------------------------------------- */

static void carry(bench_t *self, uint64_t frames)
{
    uint64_t before = written;

    for (uint64_t i = 0; i < frames; i++) {
        say(self);
    }
    must(written - before == frames * A_FRAME * (2 + sizeof TEXT - 1));
}

/* Of those, callgrind counts the second half. */
static void carry_counted(bench_t *self, uint64_t frames)
{
    counted_warm();
    carry(self, frames / 2);
    counted_begin();
    carry(self, frames - frames / 2);
    counted_end();
}

/* ns of a message. */
static double measure(bench_t *self)
{
    double took[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start_ns = clocks_thread_ns();
        carry(self, FRAMES);
        took[round] = (double)(clocks_thread_ns() - start_ns) /
                      ((double)FRAMES * A_FRAME);
    }
    numbers_sort(took, ROUNDS);
    return took[0];
}

static options_t read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"sampled", 1, NULL, 0},     {"messages", 1, NULL, 0},
        {"connections", 1, NULL, 0}, {"help", 0, NULL, 0},
        {NULL, 0, NULL, 0},
    };
    options_t self = {.connections = A_FRAME};
    int index, c;

    while ((c = getopt_long(argc, argv, "", names, &index)) == 0) {
        if (index == 0) {
            self.sampled = numbers_read("sampled", optarg, 0, 1);
        } else if (index == 1) {
            self.messages = (uint64_t)numbers_read("messages", optarg, 1, 1e12);
        } else if (index == 2) {
            self.connections =
                (uint32_t)numbers_read("connections", optarg, A_FRAME, 1e6);
        } else {
            fputs(help, stdout);
            exit(0);
        }
    }
    if (c == '?' || optind < argc) {
        errx(2, "see bench_gateway --help");
    }
    return self;
}

static void start(bench_t *self, const options_t *told)
{
    gateway_options_t options;
    char error[256];

    log_set_level(LEVEL_ERROR);
    gateway_options_init(&options);
    options.trace_sample = told->sampled;
    self->connections = told->connections;
    buf_init(&self->replies, 1 << 20);
    self->hub = hub_new(&options, self->now_us / 1000, error, sizeof error);
    must(self->hub != NULL);
    hub_trace(self->hub, count_span, self);
    welcome(self);
    connect_all(self);
}

int main(int argc, char **argv)
{
    options_t options = read_options(argc, argv);
    bench_t self = {.now_us = 1000000000};

    start(&self, &options);
    if (options.messages > 0) {
        carry_counted(&self, options.messages / A_FRAME);
    } else {
        printf("{\"key\":\"gateway\",\"name\":\"a message and its reply in "
               "the gateway, and at its broker\",\"connections\":%u,"
               "\"sampled\":%g,\"ns\":%.1f}\n",
               options.connections, options.sampled, measure(&self));
    }
    must((self.spans > 0) == (options.sampled > 0));
    hub_destroy(&self.hub);
    buf_fini(&self.replies);
    free(self.users);
    return 0;
}
