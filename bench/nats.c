/* SPDX-License-Identifier: MIT
 *
 * A client of NATS: it subscribes to an inbox of its own, and publishes each
 * message to the subject "echo", with the inbox as where the answer is to go.
 */
#include "bench/dialect.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE_LIMIT  4096                 /* bytes, as a server's own limit */
#define FRAME_LIMIT (UINT64_C(64) << 20) /* bytes: what a server holds */
#define INBOX       "_INBOX." FORM_NAME

/* In the second byte of a frame: the length follows, in as many bytes. */
#define TWO_BYTE_LEN   126
#define EIGHT_BYTE_LEN 127

/* --- messages ------------------------------------------------------------ */

static void shape(form_t *out, form_t *in, const char *body)
{
    char publish[64], message[64];
    form_around_t sent = {FORM_CLIENT, FRAME_BINARY, publish, "\r\n"};
    form_around_t served = {FORM_BARE, 0, message, "\r\n"};

    snprintf(publish, sizeof publish, "PUB echo " INBOX " %zu\r\n",
             strlen(body));
    snprintf(message, sizeof message, "MSG " INBOX " 1 %zu\r\n", strlen(body));
    form_make(out, &sent, body);
    form_make(in, &served, body);
}

static void say(dialect_say_t *self, const char *text)
{
    self->len = form_put_frame(self->bytes, FRAME_BINARY, text, strlen(text));
}

static void greet(dialect_say_t *self, uint64_t name)
{
    char text[DIALECT_SAY_MAX - 8];

    snprintf(text, sizeof text,
             "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\","
             "\"version\":\"0\",\"protocol\":1}\r\n"
             "SUB _INBOX.%016llx 1\r\n",
             (unsigned long long)name);
    say(self, text);
}

/* --- frames -------------------------------------------------------------- */

/* How long the head is whose first two bytes are there. */
static size_t whole_head(const dialect_frames_t *self)
{
    if (self->head[1] < TWO_BYTE_LEN) {
        return 2;
    }
    return self->head[1] == TWO_BYTE_LEN ? 4 : DIALECT_HEAD_MAX;
}

/* The next byte of a head.  Returns 0, or -EPROTO. */
static int take_head(dialect_frames_t *self, uint8_t byte)
{
    self->head[self->head_len++] = byte;
    if (self->head_len < 2) {
        return 0;
    }
    if (self->head[0] != FRAME_BINARY || self->head[1] > EIGHT_BYTE_LEN) {
        return -EPROTO;
    }
    if (self->head_len < whole_head(self)) {
        return 0;
    }
    self->left = self->head_len == 2 ? self->head[1] : 0;
    for (size_t i = 2; i < self->head_len; i++) {
        self->left = self->left << 8 | self->head[i];
    }
    self->head_len = 0;
    return self->left > FRAME_LIMIT ? -EPROTO : 0;
}

static ssize_t unwrap(dialect_frames_t *self, uint8_t *bytes, size_t len)
{
    size_t kept = 0, at = 0;

    while (at < len) {
        if (self->left == 0) {
            if (take_head(self, bytes[at++]) < 0) {
                return -EPROTO;
            }
            continue;
        }
        size_t piece = len - at < self->left ? len - at : self->left;
        memmove(bytes + kept, bytes + at, piece);
        kept += piece;
        at += piece;
        self->left -= piece;
    }
    return (ssize_t)kept;
}

/* --- lines --------------------------------------------------------------- */

static bool begins(const uint8_t *bytes, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(bytes, with, strlen(with)) == 0;
}

/* All but MSG: what the server is, whether the client is there, that it is. */
static ssize_t hear(const uint8_t *bytes, size_t len, dialect_say_t *answer)
{
    size_t most = len < LINE_LIMIT ? len : LINE_LIMIT;
    const uint8_t *end = memmem(bytes, most, "\r\n", 2);

    if (end == NULL) {
        return most < LINE_LIMIT ? 0 : -EPROTO;
    }
    len = (size_t)(end - bytes) + 2;
    if (begins(bytes, len, "PING\r\n")) {
        say(answer, "PONG\r\n");
    } else if (!begins(bytes, len, "INFO {") &&
               !begins(bytes, len, "PONG\r\n") &&
               !begins(bytes, len, "+OK\r\n")) {
        return -EPROTO; /* -ERR among them */
    }
    return (ssize_t)len;
}

const dialect_t dialect_nats = {shape, greet, unwrap, hear};
