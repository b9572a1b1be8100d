/* SPDX-License-Identifier: MIT */
#include "base/log_text.h"

#include "base/log_format.h"

#include <stdbool.h>
#include <string.h>

typedef struct {
    char *bytes;    /* borrowed */
    size_t len;     /* of them, so far */
    size_t room;    /* how many there may be */
    bool is_quoted; /* between quotes of the format */
} text_t;

static void put(text_t *self, char byte)
{
    if (self->len < self->room) {
        self->bytes[self->len++] = byte;
    }
}

/* All of it, or nothing from here on. */
static void put_whole(text_t *self, const char *bytes, size_t len)
{
    if (self->room - self->len >= len) {
        memcpy(self->bytes + self->len, bytes, len);
        self->len += len;
    } else {
        self->room = self->len;
    }
}

static void put_piece(text_t *self, const log_piece_t *piece)
{
    for (size_t i = 0; i < piece->len; i++) {
        char byte = piece->text[i];
        if (self->is_quoted && (byte == '"' || byte == '\\')) {
            put_whole(self, (const char[]){'\\', byte}, 2);
        } else {
            put(self, byte);
        }
    }
}

/* Whose arguments these are is not known any more. */
static void put_cut(text_t *self)
{
    const char *ending = self->is_quoted ? "\" cut=true" : " cut=true";

    put_whole(self, ending, strlen(ending));
}

/* Returns what is behind it.  at: the '%'. */
static const char *put_conversion(text_t *self, const char *at,
                                  log_args_t *args)
{
    log_spec_t spec;
    log_piece_t piece;

    at = log_spec_read(at, &spec);
    if (!log_spec_take(&spec, args, &piece)) {
        put_cut(self);
        return at + strlen(at);
    }
    put_piece(self, &piece);
    return at;
}

size_t log_text_format(char *to, size_t room, const char *format, va_list args)
{
    text_t text = {.bytes = to, .room = room};
    log_args_t copy;

    va_copy(copy.list, args);
    while (*format != '\0') {
        if (*format == '%') {
            format = put_conversion(&text, format, &copy);
        } else {
            text.is_quoted ^= *format == '"';
            put(&text, *format++);
        }
    }
    va_end(copy.list);
    to[text.len] = '\0';
    return text.len;
}
