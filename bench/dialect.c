/* SPDX-License-Identifier: MIT */
#include "bench/dialect.h"

#include <errno.h>
#include <string.h>

#define PING_MAX 125 /* bytes of its payload */

static void shape(form_t *out, form_t *in, const char *body)
{
    static const form_around_t sent = {FORM_CLIENT, FRAME_TEXT, "", ""};
    static const form_around_t served = {FORM_SERVER, FRAME_TEXT, "", ""};

    form_make(out, &sent, body);
    form_make(in, &served, body);
}

static void greet(dialect_say_t *say, uint64_t name)
{
    (void)name;
    say->len = 0;
}

/* A ping, which a client must answer. */
static ssize_t hear(const uint8_t *bytes, size_t len, dialect_say_t *answer)
{
    size_t payload = len < 2 ? 0 : bytes[1];

    if ((len > 0 && bytes[0] != FRAME_PING) || payload > PING_MAX) {
        return -EPROTO;
    }
    if (len < 2 || len < 2 + payload) {
        return 0;
    }
    answer->len = form_put_frame(answer->bytes, FRAME_PONG, bytes + 2, payload);
    return (ssize_t)(2 + payload);
}

const dialect_t dialect_plain = {shape, greet, NULL, hear};

const dialect_t *dialect_find(const char *name)
{
    if (strcmp(name, "plain") == 0) {
        return &dialect_plain;
    }
    return strcmp(name, "nats") == 0 ? &dialect_nats : NULL;
}
