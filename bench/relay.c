/* SPDX-License-Identifier: MIT
 *
 * A plain relay: an echo whose WebSockets are at one process and whose worker
 * is another, with ZeroMQ between them.  Nothing is looked at, limited or
 * remembered: a record says whose the message is, the messages of a turn of the
 * loop are one frame, and the worker sends the frame back unread.
 */
#include "base/buf.h"
#include "base/xalloc.h"
#include "base/zwatch.h"
#include "bench/bare.h"
#include "bench/numbers.h"
#include "bench/usage.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>

#include <err.h>
#include <ev.h>
#include <libwebsockets.h>
#include <zmq.h>

static const char help[] =
    "usage: bare_relay PORT | worker ENDPOINT\n"
    "\n"
    "A WebSocket server that has each message echoed by a worker: through\n"
    "libwebsockets and ZeroMQ, and nothing else.  The server prints the\n"
    "endpoint to which its one worker is to connect.\n";

#define ENDPOINT        "tcp://127.0.0.1:*"
#define MESSAGE_MAX     4096
#define CONNECTIONS_MAX 65536
#define TURN_MAX        (1 << 24) /* bytes */
#define FRAMES_PER_TURN 64

typedef struct session {
    struct lws *wsi;
    uint32_t slot;
    buf_t message; /* what has come of it */
    buf_t frames;  /* to be sent at the end of the turn */
    bool is_dirty;
    struct session *next_dirty;
} session_t;

typedef struct {
    uint32_t slot, len; /* of the body behind it */
} record_t;

static session_t *sessions[CONNECTIONS_MAX]; /* by slot */
static session_t *dirty;
static buf_t turn; /* records of this turn */
static void *peer; /* the socket: of the worker, or of the server */

/* --- to the worker and back ---------------------------------------------- */

static void put(buf_t *to, const void *bytes, size_t len)
{
    must(buf_put(to, bytes, len) == 0);
}

static void ask(const session_t *self)
{
    record_t record = {self->slot, (uint32_t)self->message.len};

    put(&turn, &record, sizeof record);
    put(&turn, self->message.data, self->message.len);
}

static void send_turn(void)
{
    if (turn.len > 0) {
        must(zmq_send(peer, turn.data, turn.len, 0) >= 0);
        turn.len = 0;
    }
}

static void gather(session_t *self, const uint8_t *body, size_t len)
{
    uint8_t head[BARE_HEAD_MAX];

    put(&self->frames, head, bare_head(head, len));
    put(&self->frames, body, len);
    if (!self->is_dirty) {
        self->is_dirty = true;
        self->next_dirty = dirty;
        dirty = self;
    }
}

static void send_gathered(void)
{
    for (session_t *self = dirty; self != NULL; self = self->next_dirty) {
        ssize_t sent = send(lws_get_socket_fd(self->wsi), self->frames.data,
                            self->frames.len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EPIPE && errno != ECONNRESET) {
            err(1, "send");
        }
        if (sent >= 0 && (size_t)sent != self->frames.len) {
            errx(1, "a client does not read"); /* ours always does */
        }
        self->frames.len = 0;
        self->is_dirty = false;
    }
    dirty = NULL;
}

static void take_answers(const uint8_t *at, size_t len)
{
    record_t record;

    for (const uint8_t *end = at + len; at < end; at += record.len) {
        memcpy(&record, at, sizeof record);
        at += sizeof record;
        must(record.slot < CONNECTIONS_MAX);
        if (sessions[record.slot] != NULL) {
            gather(sessions[record.slot], at, record.len);
        }
    }
}

static void on_frames(void *user)
{
    zmq_msg_t frame;
    (void)user;

    zmq_msg_init(&frame);
    for (int left = FRAMES_PER_TURN;
         left > 0 && zmq_msg_recv(&frame, peer, ZMQ_DONTWAIT) >= 0; left--) {
        take_answers(zmq_msg_data(&frame), zmq_msg_size(&frame));
    }
    zmq_msg_close(&frame);
}

/* --- WebSockets ---------------------------------------------------------- */

static int receive(session_t *self, const void *bytes, size_t len)
{
    if (self->message.len + len > MESSAGE_MAX) {
        return -1;
    }
    put(&self->message, bytes, len);
    if (lws_is_final_fragment(self->wsi) &&
        lws_remaining_packet_payload(self->wsi) == 0) {
        ask(self);
        self->message.len = 0;
    }
    return 0;
}

static int enter(session_t *self, struct lws *wsi)
{
    uint32_t slot = 0;

    while (slot < CONNECTIONS_MAX && sessions[slot] != NULL) {
        slot++;
    }
    if (slot == CONNECTIONS_MAX) {
        return -1;
    }
    *self = (session_t){.wsi = wsi, .slot = slot};
    buf_init(&self->message, MESSAGE_MAX);
    buf_init(&self->frames, TURN_MAX);
    sessions[slot] = self;
    return 0;
}

static void forget(session_t *self)
{
    session_t **link = &dirty;

    while (*link != NULL && *link != self) {
        link = &(*link)->next_dirty;
    }
    if (*link != NULL) {
        *link = self->next_dirty;
    }
    sessions[self->slot] = NULL;
    buf_fini(&self->message);
    buf_fini(&self->frames);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason,
                    void *user, void *in, size_t len)
{
    if (reason == LWS_CALLBACK_ESTABLISHED) {
        return enter(user, wsi);
    }
    if (reason == LWS_CALLBACK_RECEIVE) {
        return receive(user, in, len);
    }
    if (reason == LWS_CALLBACK_CLOSED) {
        forget(user);
    }
    return 0;
}

/* --- the loop ------------------------------------------------------------ */

static struct lws_context *make_context(int port, struct ev_loop *loop)
{
    static const struct lws_protocols protocols[] = {
        {.name = "echo",
         .callback = on_event,
         .per_session_data_size = sizeof(session_t),
         .rx_buffer_size = MESSAGE_MAX},
        {.name = NULL},
    };
    void *loops[1] = {loop};
    struct lws_context_creation_info info = {.port = port,
                                             .iface = "127.0.0.1",
                                             .protocols = protocols,
                                             .pt_serv_buf_size = 16384,
                                             .options = LWS_SERVER_OPTION_LIBEV,
                                             .foreign_loops = loops};

    return lws_create_context(&info);
}

static void on_turn_end(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
    send_turn();
    send_gathered();
}

static void on_term(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void run_turns(struct ev_loop *loop)
{
    ev_prepare turn_end;
    ev_signal term;
    zwatch_t answers = {.loop = NULL};

    ev_prepare_init(&turn_end, on_turn_end);
    ev_set_priority(&turn_end, ZWATCH_PRIORITY + 1);
    ev_signal_init(&term, on_term, SIGTERM);
    ev_prepare_start(loop, &turn_end);
    ev_signal_start(loop, &term);
    zwatch_start(&answers, loop, peer, ZWATCH_READS_AND_SENDS, on_frames, NULL);
    ev_run(loop, 0);
    zwatch_stop(&answers);
    ev_prepare_stop(loop, &turn_end);
    ev_signal_stop(loop, &term);
}

static int run_server(void *context, int port)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    char endpoint[64];
    size_t len = sizeof endpoint;

    lws_set_log_level(LLL_ERR, NULL);
    buf_init(&turn, TURN_MAX);
    peer = zmq_socket(context, ZMQ_DEALER);
    must(zmq_bind(peer, ENDPOINT) == 0);
    must(zmq_getsockopt(peer, ZMQ_LAST_ENDPOINT, endpoint, &len) == 0);
    struct lws_context *server = make_context(port, loop);
    if (server == NULL) {
        return 1;
    }
    printf("listening, workers %s\n", endpoint);
    fflush(stdout);
    run_turns(loop);
    lws_context_destroy(server);
    return 0;
}

/* Until it is ended. */
static int run_worker(void *context, const char *endpoint)
{
    zmq_msg_t frame;

    peer = zmq_socket(context, ZMQ_DEALER);
    if (zmq_connect(peer, endpoint) < 0) {
        err(1, "%s", endpoint);
    }
    puts("started");
    fflush(stdout);
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, peer, 0) >= 0) {
        must(zmq_msg_send(&frame, peer, 0) >= 0);
    }
    return 1;
}

int main(int argc, char **argv)
{
    usage_read(argc, argv, 1, 2, help);
    void *context = zmq_ctx_new();
    if (argc == 2) {
        return run_server(context,
                          (int)numbers_read("PORT", argv[1], 1, 65535));
    }
    if (strcmp(argv[1], "worker") == 0) {
        return run_worker(context, argv[2]);
    }
    usage_fail(help);
}
