/* SPDX-License-Identifier: MIT */
#include "bench/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <err.h>

#define READ_MAX  65536
#define HEAD_MAX  4096 /* bytes of the answer to the handshake, and more */
#define SHOWN_MAX 200  /* bytes of what is refused */

/* What is said, and how. */
static struct {
    const dialect_t *dialect; /* borrowed */
    size_t body;              /* bytes */
    form_t out, in;
} message;

void client_set_message(const dialect_t *dialect, const char *action,
                        size_t body)
{
    char text[CLIENT_BODY_MAX + 1];

    memset(text, 'x', sizeof text);
    int start = snprintf(
        text, sizeof text,
        "{\"action\":\"%.4s\",\"n\":\"" FORM_NUMBER "\",\"pad\":\"", action);
    text[start] = 'x';
    memcpy(text + body - 2, "\"}", 3);
    message.dialect = dialect;
    message.body = body;
    dialect->shape(&message.out, &message.in, text);
}

static void say(const client_t *self, const dialect_say_t *what)
{
    if (what->len > 0 &&
        write(self->fd, what->bytes, what->len) != (ssize_t)what->len) {
        err(1, "the socket is full");
    }
}

/* So many bytes have come behind those that are there. */
static void take_bytes(client_t *self, size_t len)
{
    const dialect_t *dialect = message.dialect;
    uint8_t *fresh = self->in + self->in_len;
    ssize_t kept = dialect->unwrap ? dialect->unwrap(&self->frames, fresh, len)
                                   : (ssize_t)len;

    if (kept < 0) {
        errx(1, "a frame is none that is understood");
    }
    self->in_len += (size_t)kept;
}

/* --- opening ------------------------------------------------------------- */

/* Returns the length of the answer's head; behind it may be more. */
static size_t await_head(client_t *self, size_t *len)
{
    char *answer = (char *)self->in;
    const char *end;

    do {
        ssize_t got = read(self->fd, answer + *len, HEAD_MAX - *len);
        if (got <= 0) {
            errx(1, "the server closed during the handshake");
        }
        *len += (size_t)got;
        answer[*len] = '\0';
        end = strstr(answer, "\r\n\r\n");
    } while (end == NULL && *len < HEAD_MAX);
    if (end == NULL || strncmp(answer, "HTTP/1.1 101", 12) != 0) {
        errx(1, "refused: %.*s", (int)strcspn(answer, "\r\n"), answer);
    }
    return (size_t)(end - answer) + 4;
}

static void shake_hands(client_t *self, const char *path)
{
    dialect_say_t greeting;
    size_t len = 0;

    if (dprintf(self->fd,
                "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                path) < 0) {
        err(1, "cannot send the handshake");
    }
    size_t head = await_head(self, &len);
    memmove(self->in, self->in + head, len - head);
    take_bytes(self, len - head);
    message.dialect->greet(&greeting, self->name);
    say(self, &greeting);
}

void client_open(client_t *self, const struct sockaddr_in *address,
                 const char *path, const client_t *source)
{
    int one = 1;

    *self = (client_t){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                       .source = source};
    self->in = malloc(READ_MAX);
    if (source == NULL) {
        self->source = self;
        self->sent_ns = calloc(CLIENT_FLIGHT_MAX, sizeof *self->sent_ns);
    }
    if (self->fd < 0 || self->in == NULL || self->source->sent_ns == NULL) {
        err(1, "cannot make another connection");
    }
    if (connect(self->fd, (const struct sockaddr *)address, sizeof *address) <
        0) {
        err(1, "cannot connect");
    }
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    self->name = (uint64_t)getpid() << 32 | (uint32_t)self->fd;
    shake_hands(self, path);
    fcntl(self->fd, F_SETFL, O_NONBLOCK);
}

void client_close(client_t *self)
{
    close(self->fd);
    free(self->in);
    free(self->sent_ns);
}

/* --- messages ------------------------------------------------------------ */

/* Another message is on its way, whose number is returned. */
static uint32_t count_one(client_t *self, uint64_t due_ns)
{
    if (self->sent - self->answered == CLIENT_FLIGHT_MAX) {
        errx(1, "more than %d messages wait for a reply", CLIENT_FLIGHT_MAX);
    }
    self->sent_ns[self->sent % CLIENT_FLIGHT_MAX] = due_ns;
    return self->sent++;
}

void client_send(client_t *self, uint32_t count, uint64_t due_ns)
{
    static uint8_t out[CLIENT_FLIGHT_MAX * FORM_MAX];
    const form_t *form = &message.out;
    size_t len = 0;

    for (uint32_t i = 0; i < count; i++, len += form->len) {
        form_set(&message.out, count_one(self, due_ns), self->name);
        memcpy(out + len, form->bytes, form->len);
    }
    ssize_t put = write(self->fd, out, len);
    if (put < 0 || (size_t)put != len) {
        err(1, "the socket is full");
    }
}

void client_post(client_t *self, int socket, uint32_t count, uint64_t due_ns)
{
    const uint8_t *body = message.in.bytes + message.in.body;

    for (uint32_t i = 0; i < count; i++) {
        form_set(&message.in, count_one(self, due_ns), self->name);
        if (send(socket, body, message.body, 0) < 0) {
            err(1, "cannot post");
        }
    }
}

/* All that is no message. */
static size_t take_other(const client_t *self, const uint8_t *bytes, size_t len)
{
    dialect_say_t answer = {.len = 0};
    ssize_t taken = message.dialect->hear(bytes, len, &answer);

    if (taken < 0) {
        errx(1, "not understood: %.*s",
             (int)(len < SHOWN_MAX ? len : SHOWN_MAX), (const char *)bytes);
    }
    say(self, &answer);
    return (size_t)taken;
}

static void take_message(client_t *self, const uint8_t *bytes, uint64_t now_ns,
                         hdr_t *hdr)
{
    const uint64_t *sent_ns = self->source->sent_ns;

    form_set(&message.in, self->answered, self->name);
    if (memcmp(bytes, message.in.bytes, message.in.len) != 0) {
        errx(1, "message %u is another one: %.*s", self->answered,
             (int)message.in.len, (const char *)bytes);
    }
    hdr_add(hdr, now_ns - sent_ns[self->answered % CLIENT_FLIGHT_MAX]);
    self->answered++;
}

/* Take what is at the beginning; returns its length, 0 when it is not whole. */
static size_t take_next(client_t *self, const uint8_t *bytes, size_t len,
                        uint64_t now_ns, hdr_t *hdr)
{
    if (len > 0 && bytes[0] != message.in.bytes[0]) {
        return take_other(self, bytes, len);
    }
    if (len < message.in.len) {
        return 0;
    }
    take_message(self, bytes, now_ns, hdr);
    return message.in.len;
}

uint32_t client_receive(client_t *self, uint64_t now_ns, hdr_t *hdr)
{
    size_t at = 0, taken;
    uint32_t before = self->answered;
    ssize_t got =
        read(self->fd, self->in + self->in_len, READ_MAX - self->in_len);

    if (got < 0 && errno == EAGAIN) {
        return 0;
    }
    if (got <= 0) {
        errx(1, "the server closed a connection");
    }
    take_bytes(self, (size_t)got);
    while ((taken = take_next(self, self->in + at, self->in_len - at, now_ns,
                              hdr)) > 0) {
        at += taken;
    }
    self->in_len -= at;
    memmove(self->in, self->in + at, self->in_len);
    return self->answered - before;
}
