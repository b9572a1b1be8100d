/* SPDX-License-Identifier: MIT
 *
 * The worker of the fan-outs, on the protocol alone, so that what is measured
 * is the way through broker and gateway: who connects at /member is in a group,
 * what comes with the route "push" is pushed to the group, "echo" is echoed.
 */
#include "base/buf.h"
#include "base/xalloc.h"
#include "bench/usage.h"
#include "proto/message.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <sys/socket.h>
#include <sys/un.h>

#include <err.h>
#include <zmq.h>

#define WINDOW       4096
#define WINDOW_BYTES (64 << 20)
#define SILENCE_MS   500
#define OUT_MAX      ((size_t)FRAME_MAX)
#define POST_MAX     4096

static const char help[] =
    "usage: bench_pusher BROKER [PATH]\n"
    "\n"
    "A worker for fan-outs, at the broker's endpoint for workers.  Who connects\n"
    "at /member is in a group, what comes with the route \"push\" is pushed to\n"
    "it, \"echo\" is echoed.  What comes as a datagram to the socket of PATH\n"
    "is pushed, too.  It runs until SIGTERM.\n";

/* ["group", "members"] and {"groups": ["members"]} */
static const char target[] = "\x92\xa5group\xa7members";
static const char options[] = "\x81\xa6groups\x91\xa7members";

static void *broker;
static int post = -1; /* the datagrams' socket */
static buf_t out;

static wire_bytes_t constant(const char *bytes, size_t size)
{
    return (wire_bytes_t){(const uint8_t *)bytes, size - 1};
}

static void greet(void)
{
    static const char routes[] = "\x93\xa8$connect\xa4push\xa4"
                                 "echo";
    message_hello_t hello = {.version = PROTOCOL_VERSION,
                             .role = wire_bytes("worker"),
                             .boot = wire_bytes("pusher"),
                             .name = wire_bytes("pusher")};
    message_ready_t ready = {constant(routes, sizeof routes), WINDOW,
                             WINDOW_BYTES};

    must(message_put_hello(&out, &hello) == 0 &&
         message_put_ready(&out, &ready) == 0);
}

static void push(body_t body)
{
    message_push_t push = {constant(target, sizeof target), body, {NULL, 0}};

    must(message_put_push(&out, &push) == 0);
}

static void handle(const message_request_t *request)
{
    message_reply_t reply = {.id = request->id, .status = 200};

    if (request->event == EVENT_CONNECT &&
        wire_is(wire_map_str(request->details, "path"), "/member")) {
        reply.options = constant(options, sizeof options);
    } else if (wire_is(request->route, "push")) {
        push(request->body);
    } else if (wire_is(request->route, "echo")) {
        reply.body = request->body;
    }
    must(message_put_reply(&out, &reply) == 0);
}

static void take(const message_t *message)
{
    if (message->kind == KIND_REQUEST) {
        handle(&message->request);
    } else if (message->kind == KIND_PING) {
        must(message_put_bare(&out, KIND_PONG) == 0);
    } else if (message->kind == KIND_WELCOME) {
        puts("ready");
        fflush(stdout);
    } else if (message->kind == KIND_ERROR) {
        errx(1, "%.*s", (int)message->error.code.len,
             (const char *)message->error.code.data);
    }
}

static void read_frames(void)
{
    zmq_msg_t frame;

    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, broker, ZMQ_DONTWAIT) >= 0) {
        wire_cursor_t at = wire_cursor(
            (wire_bytes_t){zmq_msg_data(&frame), zmq_msg_size(&frame)});
        for (message_t message; message_decode(&at, &message) > 0;) {
            take(&message);
        }
    }
    zmq_msg_close(&frame);
}

static void read_post(void)
{
    static uint8_t body[POST_MAX];
    ssize_t len;

    while ((len = recv(post, body, sizeof body, MSG_DONTWAIT)) > 0) {
        push((body_t){BODY_TEXT, {body, (size_t)len}});
    }
}

/* All that is there.  Returns false when nothing came for so long. */
static bool read_all(int wait_ms)
{
    zmq_pollitem_t items[] = {{.socket = broker, .events = ZMQ_POLLIN},
                              {.fd = post, .events = ZMQ_POLLIN}};

    if (zmq_poll(items, post < 0 ? 1 : 2, wait_ms) <= 0) {
        return false;
    }
    read_frames();
    if (post >= 0) {
        read_post();
    }
    return true;
}

static int open_post(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        err(1, "%s", path);
    }
    return fd;
}

int main(int argc, char **argv)
{
    usage_read(argc, argv, 1, 2, help);
    if (argc == 3) {
        post = open_post(argv[2]);
    }
    buf_init(&out, OUT_MAX);
    broker = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
    if (broker == NULL || zmq_connect(broker, argv[1]) < 0) {
        errx(1, "%s: %s", argv[1], zmq_strerror(zmq_errno()));
    }
    greet();
    for (;;) { /* until SIGTERM */
        if (out.len > 0) {
            must(zmq_send(broker, out.data, out.len, 0) >= 0);
            buf_reset(&out, 1 << 20);
        }
        if (!read_all(SILENCE_MS)) {
            must(message_put_ping(&out, &(message_ping_t){0}) == 0);
        }
    }
}
