/* SPDX-License-Identifier: MIT */
#include "base/log_text.h"

#include "base/log_format.h"

#include <stdbool.h>
#include <stdio.h>
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

/* A quote is whole, or not there. */
static void put_escaped(text_t *self, char byte)
{
    if (self->room - self->len >= 2) {
        put(self, '\\');
        put(self, byte);
    } else {
        self->room = self->len;
    }
}

static void put_piece(text_t *self, const log_piece_t *piece)
{
    for (size_t i = 0; i < piece->len; i++) {
        char byte = piece->text[i];
        if (self->is_quoted && (byte == '"' || byte == '\\')) {
            put_escaped(self, byte);
        } else {
            put(self, byte);
        }
    }
}

/* Does a piece say all of it?  at: the '%'. */
static bool is_plain(const char *at, const log_spec_t *spec)
{
    bool is_hex = spec->conversion == 'x' && at[1] == '0';

    return strchr("-+ #", at[1]) == NULL && (spec->width == 0 || is_hex) &&
           (spec->precision == -1 || spec->conversion == 's');
}

/* Returns false at what is printf's alone. */
static bool put_all(text_t *self, const char *at, log_args_t *args)
{
    log_spec_t spec;
    log_piece_t piece;

    while (*at != '\0') {
        if (*at != '%') {
            self->is_quoted ^= *at == '"';
            put(self, *at++);
            continue;
        }
        const char *behind = log_spec_read(at, &spec);
        if (!is_plain(at, &spec) || !log_spec_take(&spec, args, &piece)) {
            return false;
        }
        put_piece(self, &piece);
        at = behind;
    }
    return true;
}

size_t log_text_format(char *to, size_t room, const char *format, va_list args)
{
    text_t text = {.bytes = to, .room = room};
    log_args_t copy;

    va_copy(copy.list, args);
    bool is_whole = put_all(&text, format, &copy);
    va_end(copy.list);
    if (is_whole) {
        to[text.len] = '\0';
        return text.len;
    }
    int len = vsnprintf(to, room + 1, format, args);
    return len <= 0 ? 0 : (size_t)len < room ? (size_t)len : room;
}
