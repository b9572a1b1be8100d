/* SPDX-License-Identifier: MIT
 *
 * What libwebsockets costs without a broker: an echo server, single-threaded,
 * in three ways.
 *
 *   usual      a message is queued and written in the writeable callback, one
 *              a callback, as the library's own examples do
 *   direct     a message is written where it was received
 *   coalesced  the frames of a turn of the loop are gathered and leave in one
 *              send(2) a connection, past the library
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>

#include <err.h>
#include <libwebsockets.h>

#define MESSAGE_MAX 4096
#define QUEUE_MAX   1024 /* messages; the load generator's flight */
#define HEADER_MAX  4

typedef enum { USUAL, DIRECT, COALESCED } way_t;

typedef struct session {
    struct lws *wsi;
    uint8_t message[LWS_PRE + MESSAGE_MAX];
    size_t len;
    uint8_t *queue; /* USUAL: messages with a length each; COALESCED: frames */
    size_t queue_len, queue_at, queue_size;
    bool is_dirty;
    struct session *next_dirty;
} session_t;

static way_t way;
static session_t *dirty;
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
    uint8_t head[HEADER_MAX] = {0x81, (uint8_t)len};
    size_t head_len = 2;

    if (len >= 126) {
        head[1] = 126;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)len;
        head_len = 4;
    }
    put(self, head, head_len);
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

static void echo(session_t *self)
{
    uint8_t *body = self->message + LWS_PRE;

    if (way == DIRECT) {
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
        echo(self);
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

static void forget(session_t *self)
{
    session_t **link = &dirty;

    while (*link != NULL && *link != self) {
        link = &(*link)->next_dirty;
    }
    if (*link != NULL) {
        *link = self->next_dirty;
    }
    free(self->queue);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason,
                    void *user, void *in, size_t len)
{
    session_t *self = user;

    if (reason == LWS_CALLBACK_ESTABLISHED) {
        memset(self, 0, sizeof *self);
        self->wsi = wsi;
    } else if (reason == LWS_CALLBACK_RECEIVE) {
        return receive(self, in, len);
    } else if (reason == LWS_CALLBACK_SERVER_WRITEABLE) {
        write_one(self);
    } else if (reason == LWS_CALLBACK_CLOSED) {
        forget(self);
    }
    return 0;
}

static void on_signal(int number)
{
    (void)number;
    has_ended = 1;
}

static bool read_way(const char *text)
{
    static const char *names[] = {"usual", "direct", "coalesced"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            way = (way_t)i;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {
        {.name = "echo",
         .callback = on_event,
         .per_session_data_size = sizeof(session_t),
         .rx_buffer_size = MESSAGE_MAX},
        {.name = NULL},
    };

    if (argc != 3 || !read_way(argv[1])) {
        fputs("usage: bare_lws usual|direct|coalesced PORT\n", stderr);
        return 2;
    }
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context_creation_info info = {.port = atoi(argv[2]),
                                             .iface = "127.0.0.1",
                                             .protocols = protocols,
                                             .pt_serv_buf_size = 16384};
    struct lws_context *context = lws_create_context(&info);
    if (context == NULL) {
        return 1;
    }
    signal(SIGTERM, on_signal);
    puts("listening");
    fflush(stdout);
    while (!has_ended && lws_service(context, 0) >= 0) {
        send_gathered();
    }
    lws_context_destroy(context);
    return 0;
}
