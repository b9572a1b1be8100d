/* SPDX-License-Identifier: MIT */
#include "admin/server.h"

#include "base/listener.h"
#include "base/log.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG          64
#define ACCEPTS_PER_TURN 16
#define ACCEPT_PAUSE_MS  100 /* after EMFILE; descriptors may be free then */
#define READ_MAX         4096
#define IN_MAX           (SERVER_HEAD_MAX + READ_MAX)
#define KEPT_BYTES       4096 /* of a buffer, between two requests */

typedef enum { FREE, READING, ASKED, WRITING, LINGERING } state_t;

typedef struct {
    server_t *server; /* borrowed */
    state_t state;
    int fd;
    uint64_t requests; /* of this slot so far: tells calls apart */
    ev_io io;
    buf_t in, out;
    size_t request_len;  /* bytes of `in` that are being answered */
    size_t written;      /* bytes of `out` that went */
    int64_t deadline_ms; /* ASKED: none, since the answer has its own */
    bool closes;         /* when the answer is written */
    bool is_head;        /* HEAD: no body */
    bool is_continued;   /* its body was asked for */
    bool is_advancing;   /* advance() is at work */
} conn_t;

struct server {
    struct ev_loop *loop; /* borrowed */
    admin_stats_t *stats; /* borrowed */
    uint64_t body_max;
    server_asked_fn *asked; /* borrowed */
    server_takes_fn *takes_body;
    void *user; /* borrowed */
    int listener;
    ev_io accept;
    int64_t now_ms;
    int64_t accept_ms; /* accepting rests until then; 0: it does not */
    log_brake_t brake;
    char address[LISTENER_ADDRESS_MAX];
    conn_t conns[SERVER_SLOTS];
};

/* --- one connection ------------------------------------------------------ */

static void watch(conn_t *self, int events)
{
    struct ev_loop *loop = self->server->loop;

    if (self->io.events == events && ev_is_active(&self->io)) {
        return;
    }
    ev_io_stop(loop, &self->io);
    if (events != 0) {
        ev_io_set(&self->io, self->fd, events);
        ev_io_start(loop, &self->io);
    }
}

static void end(conn_t *self)
{
    watch(self, 0);
    close(self->fd);
    buf_fini(&self->in);
    buf_fini(&self->out);
    self->state = FREE;
    self->server->stats->sockets--;
}

static void read_on(conn_t *self)
{
    self->is_continued = false;
    self->state = READING;
    self->deadline_ms = self->server->now_ms + SERVER_READ_MS;
    watch(self, EV_READ);
}

/* Closing at once would reset the connection while bytes of the client's are
 * unread, and with it what the client has not read yet. */
static void linger(conn_t *self)
{
    if (shutdown(self->fd, SHUT_WR) < 0) {
        end(self);
        return;
    }
    self->state = LINGERING;
    self->deadline_ms = self->server->now_ms + SERVER_LINGER_MS;
    watch(self, EV_READ);
}

static void finish(conn_t *self)
{
    buf_reset(&self->out, KEPT_BYTES);
    if (self->closes) {
        linger(self);
        return;
    }
    buf_drop(&self->in, self->request_len);
    read_on(self);
}

static void write_on(conn_t *self)
{
    while (self->written < self->out.len) {
        ssize_t sent = send(self->fd, self->out.data + self->written,
                            self->out.len - self->written, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            watch(self, EV_WRITE);
            return;
        }
        if (sent < 0 && errno != EINTR) {
            end(self);
            return;
        }
        self->written += sent < 0 ? 0 : (size_t)sent;
    }
    finish(self);
}

static int put_answer(conn_t *self, const server_answer_t *answer)
{
    buf_t *out = &self->out;
    int rc = http_put_status(out, answer->status);

    if (rc < 0 ||
        (answer->type != NULL &&
         (rc = http_put_text_header(out, "Content-Type", answer->type)) < 0) ||
        (rc = buf_put(out, answer->headers.data, answer->headers.len)) < 0 ||
        (rc = http_put_text_header(out, "Cache-Control", "no-store")) < 0 ||
        (rc = http_put_text_header(out, "X-Content-Type-Options", "nosniff")) <
            0 ||
        (answer->allow != NULL &&
         (rc = http_put_text_header(out, "Allow", answer->allow)) < 0) ||
        (self->closes &&
         (rc = http_put_text_header(out, "Connection", "close")) < 0)) {
        return rc;
    }
    return http_put_body(out, answer->body, answer->len, !self->is_head);
}

static void answer_conn(conn_t *self, const server_answer_t *answer)
{
    self->server->stats->requests_refused += answer->status >= 400;
    self->written = 0;
    if (put_answer(self, answer) < 0) {
        end(self); /* without memory there is nothing to say */
        return;
    }
    self->state = WRITING;
    self->deadline_ms = self->server->now_ms + SERVER_WRITE_MS;
    write_on(self);
}

/* What comes behind is not read as a request. */
static void refuse(conn_t *self, unsigned status)
{
    char body[64];
    int len = snprintf(body, sizeof body, "%s\n", http_reason(status));
    server_answer_t answer = {.status = status,
                              .body = (const uint8_t *)body,
                              .len = (size_t)len,
                              .type = "text/plain; charset=utf-8"};

    self->closes = true;
    answer_conn(self, &answer);
}

/* --- requests ------------------------------------------------------------ */

static unsigned status_of(int error)
{
    return error == -EMSGSIZE ? 431 : 400;
}

static void ask(conn_t *self, const http_request_t *request, wire_bytes_t body)
{
    server_t *server = self->server;
    uint64_t slot = (uint64_t)(self - server->conns);

    self->request_len = request->head_len + body.len;
    self->state = ASKED;
    watch(self, 0);
    self->requests++;
    server->asked(server->user, self->requests * SERVER_SLOTS + slot, request,
                  body);
}

/* Is it a body that we do not read? */
static bool is_unread(const server_t *self, const http_request_t *request)
{
    return request->is_chunked || request->content_length > self->body_max;
}

/* A client that waits for this word sends its body sooner or later without,
 * too: what the socket does not take now is not missed. */
static void ask_for_body(conn_t *self, const http_request_t *request)
{
    static const char word[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (!self->is_continued &&
        http_has_token(request, "expect", "100-continue")) {
        self->is_continued = true;
        (void)!send(self->fd, word, strlen(word), MSG_NOSIGNAL);
    }
}

/* A head is there; what it asks for when its body is, too.  Returns false while
 * it is not. */
static bool take(conn_t *self, const http_request_t *request)
{
    server_t *server = self->server;
    bool has_body = request->is_chunked || request->content_length > 0;
    bool takes_body = has_body && server->takes_body(request);
    wire_bytes_t body = {self->in.data + request->head_len, 0};

    if (takes_body && !is_unread(server, request)) {
        body.len = (size_t)request->content_length;
    }
    if (self->in.len - request->head_len < body.len) {
        ask_for_body(self, request);
        return false;
    }
    server->stats->requests++;
    self->closes =
        !request->keeps_alive || (takes_body && is_unread(server, request));
    self->is_head = wire_is(request->method, "HEAD");
    if (has_body && !takes_body) {
        refuse(self, request->is_chunked ? 411 : 413);
    } else {
        ask(self, request, body);
    }
    return true;
}

/* Take what is there, one request after the other; answers may come at once. */
static void advance(conn_t *self)
{
    http_request_t request;

    if (self->is_advancing) {
        return;
    }
    self->is_advancing = true;
    while (self->state == READING && self->in.len > 0) {
        int rc =
            http_parse(self->in.data, self->in.len, SERVER_HEAD_MAX, &request);
        if (rc == -EAGAIN || (rc == 0 && !take(self, &request))) {
            break;
        }
        if (rc < 0) {
            self->is_head = false;
            refuse(self, status_of(rc));
        }
    }
    self->is_advancing = false;
}

static void receive(conn_t *self)
{
    buf_t *in = &self->in;

    if (buf_reserve(in, READ_MAX) < 0) {
        end(self);
        return;
    }
    ssize_t got = recv(self->fd, in->data + in->len, READ_MAX, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        end(self);
        return;
    }
    in->len += (size_t)got;
    advance(self);
}

static void discard(conn_t *self)
{
    char bytes[READ_MAX];
    ssize_t got = recv(self->fd, bytes, sizeof bytes, 0);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        end(self);
    }
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
    conn_t *self = io->data;
    (void)loop;
    (void)events;

    if (self->state == READING) {
        receive(self);
    } else if (self->state == LINGERING) {
        discard(self);
    } else {
        write_on(self);
        advance(self);
    }
}

/* --- accepting ----------------------------------------------------------- */

static conn_t *find_free(server_t *self)
{
    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        if (self->conns[i].state == FREE) {
            return &self->conns[i];
        }
    }
    return NULL;
}

/* Who has nothing under way, and of those the one that came first. */
static conn_t *find_idle(server_t *self)
{
    conn_t *oldest = NULL;

    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        conn_t *conn = &self->conns[i];
        bool is_idle = conn->state == READING || conn->state == LINGERING;
        if (is_idle &&
            (oldest == NULL || conn->deadline_ms < oldest->deadline_ms)) {
            oldest = conn;
        }
    }
    return oldest;
}

static void adopt(server_t *self, int fd)
{
    conn_t *conn = find_free(self);

    self->stats->sockets_accepted++;
    if (conn == NULL && (conn = find_idle(self)) != NULL) {
        self->stats->sockets_evicted++;
        end(conn);
    }
    if (conn == NULL) {
        self->stats->sockets_refused++;
        close(fd);
        return;
    }
    self->stats->sockets++;
    conn->fd = fd;
    conn->closes = false;
    buf_init(&conn->in, IN_MAX + (size_t)self->body_max);
    buf_init(&conn->out, SERVER_ANSWER_MAX);
    ev_io_init(&conn->io, on_io, fd, EV_READ);
    conn->io.data = conn;
    read_on(conn);
}

static void pause_accepting(server_t *self, int error)
{
    log_braked(&self->brake, LEVEL_WARN, "ADMIN-ACCEPT-PAUSED", "error=\"%s\"",
               strerror(error));
    ev_io_stop(self->loop, &self->accept);
    self->accept_ms = self->now_ms + ACCEPT_PAUSE_MS;
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int events)
{
    server_t *self = io->data;
    (void)loop;
    (void)events;

    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd =
            accept4(self->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            adopt(self, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                   errno == ENOMEM) {
            pause_accepting(self, errno);
            return;
        } else if (errno == EAGAIN) {
            return;
        } /* else: that client is gone already; the next may stand */
    }
}

/* --- turns --------------------------------------------------------------- */

void server_begin(server_t *self, int64_t now_ms)
{
    self->now_ms = now_ms;
}

/* A head that has begun is told why it ends. */
static void give_up(conn_t *self)
{
    if (self->state == LINGERING) {
        end(self);
        return;
    }
    self->server->stats->sockets_late +=
        self->state == WRITING || self->in.len > 0;
    if (self->state == READING && self->in.len > 0) {
        self->is_head = false;
        refuse(self, 408);
    } else {
        end(self);
    }
}

void server_end(server_t *self)
{
    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        conn_t *conn = &self->conns[i];
        if (conn->state != FREE && conn->state != ASKED &&
            self->now_ms >= conn->deadline_ms) {
            give_up(conn);
        }
    }
    if (self->accept_ms != 0 && self->now_ms >= self->accept_ms) {
        self->accept_ms = 0;
        ev_io_start(self->loop, &self->accept);
    }
}

void server_answer(server_t *self, server_call_t call,
                   const server_answer_t *answer)
{
    conn_t *conn = &self->conns[call % SERVER_SLOTS];

    if (conn->state == ASKED && conn->requests == call / SERVER_SLOTS) {
        answer_conn(conn, answer);
        advance(conn);
    }
}

/* --- start and end ------------------------------------------------------- */

server_t *server_new(struct ev_loop *loop, const server_options_t *options,
                     char *error, size_t error_size)
{
    server_t *self = xcalloc(1, sizeof *self);

    self->loop = loop;
    self->stats = options->stats;
    self->body_max = options->body_max;
    self->asked = options->asked;
    self->takes_body = options->takes_body;
    self->user = options->user;
    self->listener = listener_open(options->address, LISTENER_ALONE, BACKLOG,
                                   self->address, error, error_size);
    if (self->listener < 0) {
        free(self);
        return NULL;
    }
    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        self->conns[i].server = self;
    }
    ev_io_init(&self->accept, on_acceptable, self->listener, EV_READ);
    self->accept.data = self;
    ev_io_start(loop, &self->accept);
    return self;
}

void server_destroy(server_t **self_p)
{
    server_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        if (self->conns[i].state != FREE) {
            end(&self->conns[i]);
        }
    }
    ev_io_stop(self->loop, &self->accept);
    close(self->listener);
    free(self);
}

const char *server_address(const server_t *self)
{
    return self->address;
}
