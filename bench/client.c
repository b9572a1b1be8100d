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

#define HEADER_MAX   8 /* of a masked frame of at most 65535 bytes */
#define MASK_LEN     4
#define NUMBER_AT    22 /* of the eight digits in the body */
#define READ_MAX     65536
#define TEXT_FRAME   0x81
#define MASKED       0x80
#define TWO_BYTE_LEN 126
#define PING_FRAME   0x89
#define PONG_FRAME   0x8a
#define PING_MAX     125 /* bytes of its payload */

static const uint8_t mask[MASK_LEN] = {0x37, 0xfa, 0x21, 0x3d};

/* A message as it is sent and as it comes back, but for its number. */
static struct {
    uint8_t out[HEADER_MAX + CLIENT_BODY_MAX];
    uint8_t in[HEADER_MAX + CLIENT_BODY_MAX];
    size_t out_head, in_head; /* bytes before the body */
    size_t body;
} form;

static size_t put_head(uint8_t *at, size_t body, uint8_t masked)
{
    at[0] = TEXT_FRAME;
    if (body < TWO_BYTE_LEN) {
        at[1] = (uint8_t)(masked | body);
        return 2;
    }
    at[1] = masked | TWO_BYTE_LEN;
    at[2] = (uint8_t)(body >> 8);
    at[3] = (uint8_t)body;
    return 4;
}

void client_set_message(const char *action, size_t body)
{
    char text[CLIENT_BODY_MAX];

    memset(text, 'x', sizeof text);
    int start =
        snprintf(text, sizeof text,
                 "{\"action\":\"%.4s\",\"n\":\"00000000\",\"pad\":\"", action);
    text[start] = 'x';
    memcpy(text + body - 2, "\"}", 2);
    form.body = body;
    form.in_head = put_head(form.in, body, 0);
    memcpy(form.in + form.in_head, text, body);
    form.out_head = put_head(form.out, body, MASKED);
    memcpy(form.out + form.out_head, mask, MASK_LEN);
    form.out_head += MASK_LEN;
    for (size_t i = 0; i < body; i++) {
        form.out[form.out_head + i] = (uint8_t)text[i] ^ mask[i % MASK_LEN];
    }
}

static void put_number(uint8_t *digits, uint32_t number)
{
    static const char hex[] = "0123456789abcdef";

    for (int i = 0; i < 8; i++) {
        digits[i] = (uint8_t)hex[(number >> (28 - 4 * i)) & 15];
    }
}

static size_t put_message(uint8_t *at, uint32_t number)
{
    uint8_t *digits = at + form.out_head + NUMBER_AT;

    memcpy(at, form.out, form.out_head + form.body);
    put_number(digits, number);
    for (size_t i = 0; i < 8; i++) {
        digits[i] ^= mask[(NUMBER_AT + i) % MASK_LEN];
    }
    return form.out_head + form.body;
}

/* --- opening ------------------------------------------------------------- */

static void shake_hands(int fd, const char *path)
{
    char answer[4096];
    size_t len = 0;

    if (dprintf(fd,
                "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                path) < 0) {
        err(1, "cannot send the handshake");
    }
    do { /* nothing follows the head before we ask for it */
        ssize_t got = read(fd, answer + len, sizeof answer - 1 - len);
        if (got <= 0) {
            errx(1, "the server closed during the handshake");
        }
        len += (size_t)got;
        answer[len] = '\0';
    } while (strstr(answer, "\r\n\r\n") == NULL && len < sizeof answer - 1);
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0) {
        errx(1, "refused: %.*s", (int)strcspn(answer, "\r\n"), answer);
    }
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
    shake_hands(self->fd, path);
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
    static uint8_t out[CLIENT_FLIGHT_MAX * (HEADER_MAX + CLIENT_BODY_MAX)];
    size_t len = 0;

    for (uint32_t i = 0; i < count; i++) {
        len += put_message(out + len, count_one(self, due_ns));
    }
    ssize_t put = write(self->fd, out, len);
    if (put < 0 || (size_t)put != len) {
        err(1, "the socket is full");
    }
}

void client_post(client_t *self, int socket, uint32_t count, uint64_t due_ns)
{
    uint8_t *body = form.in + form.in_head;

    for (uint32_t i = 0; i < count; i++) {
        put_number(body + NUMBER_AT, count_one(self, due_ns));
        if (send(socket, body, form.body, 0) < 0) {
            err(1, "cannot post");
        }
    }
}

static void check(const client_t *self, const uint8_t *frame)
{
    put_number(form.in + form.in_head + NUMBER_AT, self->answered);
    if (memcmp(frame, form.in, form.in_head + form.body) != 0) {
        errx(1, "message %u is another one: %.*s", self->answered,
             (int)form.body, (const char *)frame + form.in_head);
    }
}

/* Answer the ping at the beginning of `len` bytes, as a client must; returns
 * its length, 0 when it is not whole. */
static size_t take_ping(const client_t *self, const uint8_t *frame, size_t len)
{
    uint8_t pong[2 + MASK_LEN + PING_MAX] = {PONG_FRAME};
    size_t payload = len < 2 ? 0 : frame[1];

    if (len < 2 || len < 2 + payload) {
        return 0;
    }
    if (payload > PING_MAX) {
        errx(1, "a ping of %zu bytes", payload);
    }
    pong[1] = (uint8_t)(MASKED | payload);
    memcpy(pong + 2, mask, MASK_LEN);
    for (size_t i = 0; i < payload; i++) {
        pong[2 + MASK_LEN + i] = frame[2 + i] ^ mask[i % MASK_LEN];
    }
    if (write(self->fd, pong, 2 + MASK_LEN + payload) < 0) {
        err(1, "cannot answer a ping");
    }
    return 2 + payload;
}

static void take_message(client_t *self, const uint8_t *frame, uint64_t now_ns,
                         hdr_t *hdr)
{
    const uint64_t *sent_ns = self->source->sent_ns;

    check(self, frame);
    hdr_add(hdr, now_ns - sent_ns[self->answered % CLIENT_FLIGHT_MAX]);
    self->answered++;
}

/* Take the frame at the beginning; returns its length, 0 when it is not whole.
 */
static size_t take_frame(client_t *self, const uint8_t *frame, size_t len,
                         uint64_t now_ns, hdr_t *hdr)
{
    size_t message = form.in_head + form.body;

    if (len > 0 && frame[0] == PING_FRAME) {
        return take_ping(self, frame, len);
    }
    if (len < message) {
        return 0;
    }
    take_message(self, frame, now_ns, hdr);
    return message;
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
    self->in_len += (size_t)got;
    while ((taken = take_frame(self, self->in + at, self->in_len - at, now_ns,
                               hdr)) > 0) {
        at += taken;
    }
    self->in_len -= at;
    memmove(self->in, self->in + at, self->in_len);
    return self->answered - before;
}
