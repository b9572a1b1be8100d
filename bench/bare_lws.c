/* SPDX-License-Identifier: MIT
 *
 * What libwebsockets costs without a broker: an echo server, single-threaded,
 * in three ways, and one that pushes, in two.  `help` says which.
 *
 * Those that push have thousands of connections, so they run on libev, as the
 * gateway does: to poll(2) them all took longer than to serve them.
 */
#include "bench/bare.h"
#include "bench/usage.h"

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

static const char help[] =
    "usage: bare_lws usual|direct|coalesced|fanout|gathered PORT\n"
    "\n"
    "An echo server of libwebsockets alone, in one of these ways:\n"
    "\n"
    "  usual      a message is queued and written in the writeable callback,\n"
    "             one a callback, as the library's own examples do\n"
    "  direct     a message is written where it was received\n"
    "  coalesced  the frames of a turn of the loop are gathered and leave in\n"
    "             one send(2) a connection, past the library\n"
    "  fanout     as direct, but what has the action \"push\" goes to everybody\n"
    "             who connected at /member: framed once, and written to each\n"
    "             in place\n"
    "  gathered   the same, but the frames of a turn are written to each\n"
    "             together\n";

#define MESSAGE_MAX 4096
#define PUSHES_MAX  (1 << 20) /* bytes of frames in a turn */

typedef enum { USUAL, DIRECT, COALESCED, FANOUT, GATHERED } way_t;

typedef struct session {
    struct lws *wsi;
    uint8_t message[LWS_PRE + MESSAGE_MAX];
    size_t len;
    uint8_t *queue; /* USUAL: messages with a length each; COALESCED: frames */
    size_t queue_len, queue_at, queue_size;
    bool is_dirty;
    struct session *next_dirty;
    struct session *next, **link; /* of those that push: among the members */
} session_t;

static way_t way;
static session_t *dirty, *members;
static uint8_t pushes[PUSHES_MAX]; /* GATHERED: frames */
static size_t pushes_len;
static volatile sig_atomic_t has_ended;

static void put(session_t *self, const void *bytes, size_t len)
{
    if (self->queue_len + len > self->queue_size) {
        self->queue_size = 2 * self->queue_size + len;
        self->queue = realloc(self->queue, self->queue_size);
        if (self->queue == NULL) {
            err(1, "no memory");
        }
    }
    memcpy(self->queue + self->queue_len, bytes, len);
    self->queue_len += len;
}

static void gather(session_t *self, const uint8_t *body, size_t len)
{
    uint8_t head[BARE_HEAD_MAX];

    put(self, head, bare_head(head, len));
    put(self, body, len);
    if (!self->is_dirty) {
        self->is_dirty = true;
        self->next_dirty = dirty;
        dirty = self;
    }
}

static void send_gathered(void)
{
    for (session_t *self = dirty; self != NULL; self = self->next_dirty) {
        ssize_t sent = send(lws_get_socket_fd(self->wsi), self->queue,
                            self->queue_len, MSG_NOSIGNAL);
        if (sent >= 0 && (size_t)sent != self->queue_len) {
            errx(1, "a client does not read"); /* ours always does */
        }
        self->queue_len = 0;
        self->is_dirty = false;
    }
    dirty = NULL;
}

static bool does_push(void)
{
    return way == FANOUT || way == GATHERED;
}

/* A member that does not read misses what comes meanwhile. */
static void write_to_members(uint8_t *frames, size_t len)
{
    for (session_t *to = members; to != NULL; to = to->next) {
        if (!lws_partial_buffered(to->wsi)) {
            lws_write(to->wsi, frames, len, LWS_WRITE_RAW);
        }
    }
}

static void send_pushes(void)
{
    if (pushes_len > 0) {
        write_to_members(pushes, pushes_len);
        pushes_len = 0;
    }
}

static void push(const uint8_t *body, size_t len)
{
    if (pushes_len + BARE_HEAD_MAX + len > sizeof pushes) {
        send_pushes();
    }
    pushes_len += bare_head(pushes + pushes_len, len);
    memcpy(pushes + pushes_len, body, len);
    pushes_len += len;
    if (way == FANOUT) {
        send_pushes();
    }
}

static bool is_push(const session_t *self)
{
    static const char start[] = "{\"action\":\"push\"";

    return does_push() && self->len >= sizeof start - 1 &&
           memcmp(self->message + LWS_PRE, start, sizeof start - 1) == 0;
}

static void answer(session_t *self)
{
    uint8_t *body = self->message + LWS_PRE;

    if (is_push(self)) {
        push(body, self->len);
    } else if (way == DIRECT || does_push()) {
        lws_write(self->wsi, body, self->len, LWS_WRITE_TEXT);
    } else if (way == COALESCED) {
        gather(self, body, self->len);
    } else {
        put(self, &self->len, sizeof self->len);
        put(self, body, self->len);
        lws_callback_on_writable(self->wsi);
    }
}

static int receive(session_t *self, const void *bytes, size_t len)
{
    if (self->len + len > MESSAGE_MAX) {
        return -1;
    }
    memcpy(self->message + LWS_PRE + self->len, bytes, len);
    self->len += len;
    if (lws_is_final_fragment(self->wsi) &&
        lws_remaining_packet_payload(self->wsi) == 0) {
        answer(self);
        self->len = 0;
    }
    return 0;
}

static void write_one(session_t *self)
{
    uint8_t out[LWS_PRE + MESSAGE_MAX];
    size_t len;

    if (self->queue_at == self->queue_len) {
        return;
    }
    memcpy(&len, self->queue + self->queue_at, sizeof len);
    memcpy(out + LWS_PRE, self->queue + self->queue_at + sizeof len, len);
    self->queue_at += sizeof len + len;
    lws_write(self->wsi, out + LWS_PRE, len, LWS_WRITE_TEXT);
    if (self->queue_at < self->queue_len) {
        lws_callback_on_writable(self->wsi);
    } else {
        self->queue_at = self->queue_len = 0;
    }
}

static void enter(session_t *self, struct lws *wsi)
{
    char path[16] = "";

    memset(self, 0, sizeof *self);
    self->wsi = wsi;
    lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI);
    if (strcmp(path, "/member") == 0) {
        self->next = members;
        self->link = &members;
        if (members != NULL) {
            members->link = &self->next;
        }
        members = self;
    }
}

static void leave_members(session_t *self)
{
    if (self->link != NULL) {
        *self->link = self->next;
        if (self->next != NULL) {
            self->next->link = self->link;
        }
    }
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
    leave_members(self);
    free(self->queue);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason,
                    void *user, void *in, size_t len)
{
    session_t *self = user;

    if (reason == LWS_CALLBACK_ESTABLISHED) {
        enter(self, wsi);
    } else if (reason == LWS_CALLBACK_RECEIVE) {
        return receive(self, in, len);
    } else if (reason == LWS_CALLBACK_SERVER_WRITEABLE) {
        write_one(self);
    } else if (reason == LWS_CALLBACK_CLOSED) {
        forget(self);
    }
    return 0;
}

static bool read_way(const char *text)
{
    static const char *names[] = {"usual", "direct", "coalesced", "fanout",
                                  "gathered"};

    for (int i = 0; i < 5; i++) {
        if (strcmp(text, names[i]) == 0) {
            way = (way_t)i;
            return true;
        }
    }
    return false;
}

/* --- the two loops ------------------------------------------------------- */

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
                                             .pt_serv_buf_size = 16384};

    if (loop != NULL) {
        info.options = LWS_SERVER_OPTION_LIBEV;
        info.foreign_loops = loops;
    }
    return lws_create_context(&info);
}

static void on_signal(int number)
{
    (void)number;
    has_ended = 1;
}

static void run_echo(struct lws_context *context)
{
    signal(SIGTERM, on_signal);
    while (!has_ended && lws_service(context, 0) >= 0) {
        send_gathered();
    }
}

static void on_turn_end(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
    send_pushes();
}

static void on_term(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void run_pushes(struct ev_loop *loop)
{
    ev_prepare turn_end;
    ev_signal term;

    ev_prepare_init(&turn_end, on_turn_end);
    ev_signal_init(&term, on_term, SIGTERM);
    ev_prepare_start(loop, &turn_end);
    ev_signal_start(loop, &term);
    ev_run(loop, 0);
    ev_prepare_stop(loop, &turn_end);
    ev_signal_stop(loop, &term);
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = NULL;

    usage_read(argc, argv, 2, 2, help);
    if (!read_way(argv[1])) {
        usage_fail(help);
    }
    lws_set_log_level(LLL_ERR, NULL);
    if (does_push()) {
        loop = ev_default_loop(EVFLAG_AUTO);
    }
    struct lws_context *context = make_context(atoi(argv[2]), loop);
    if (context == NULL) {
        return 1;
    }
    puts("listening");
    fflush(stdout);
    if (loop != NULL) {
        run_pushes(loop);
    } else {
        run_echo(context);
    }
    lws_context_destroy(context);
    return 0;
}
