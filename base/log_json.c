/* SPDX-License-Identifier: MIT */
#include "base/log_json.h"

#include "base/json_text.h"
#include "base/log_format.h"
#include "base/xalloc.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ending[] = "\",\"cut\":true}";

/* Where the walk over a format is. */
typedef struct {
    const char *at;
    log_args_t args;
    bool is_quoted; /* the value at hand ends at a quote */
    bool is_value;  /* … else at a space; false: it is the message */
} walk_t;

/* --- bytes --------------------------------------------------------------- */

static bool put(log_json_t *self, const char *bytes, size_t len)
{
    if (self->is_cut || self->len + len > self->limit) {
        self->is_cut = true;
        return false;
    }
    memcpy(self->bytes + self->len, bytes, len);
    self->len += len;
    return true;
}

/* A piece of the value: of a string, or a number. */
static void put_text(log_json_t *self, const char *text, size_t len)
{
    char character[JSON_CHAR_MAX];
    size_t size;

    for (size_t at = 0; at < len && !self->is_cut;) {
        at += json_text_char((const uint8_t *)text + at, len - at, character,
                             &size);
        put(self, character, size);
    }
    if (self->is_cut && !self->is_string) {
        self->len = self->field; /* a number is whole, or not there */
    }
}

static void close_string(log_json_t *self)
{
    if (self->is_string && put(self, "\"", 1)) {
        self->is_string = false;
    }
}

/* The key of a field, whole or not at all; its value follows. */
static void put_key(log_json_t *self, const char *key, size_t len,
                    bool is_string)
{
    close_string(self);
    self->field = self->len;
    if (put(self, ",\"", 2) && put(self, key, len) && put(self, "\":", 2) &&
        (!is_string || put(self, "\"", 1))) {
        self->is_string = is_string;
    } else {
        self->len = self->field;
    }
}

static void put_field(log_json_t *self, const char *key, const char *text)
{
    put_key(self, key, strlen(key), true);
    put_text(self, text, strlen(text));
}

log_json_t log_json(char *bytes, size_t size, const char *time,
                    const char *level, const char *event)
{
    static const char start[] = "{\"time\":\"";
    log_json_t self = {.limit = size - strlen(ending)};

    must(size >= LOG_JSON_MIN);
    self.bytes = bytes;
    put(&self, start, strlen(start));
    self.is_string = true;
    put_text(&self, time, strlen(time));
    put_field(&self, "level", level);
    put_field(&self, "event", event);
    return self;
}

size_t log_json_end(log_json_t *self)
{
    const char *end = ending;

    close_string(self);
    if (!self->is_string) {
        end++; /* the quote */
    }
    if (!self->is_cut) {
        end = "}";
    }
    memcpy(self->bytes + self->len, end, strlen(end));
    self->len += strlen(end);
    return self->len;
}

/* --- formats ------------------------------------------------------------- */

/* The length of a key at the start of at, behind which is '='; 0: none is. */
static size_t key_length(const char *at)
{
    size_t len = 0;

    while (islower((unsigned char)at[len]) || isdigit((unsigned char)at[len]) ||
           at[len] == '_') {
        len++;
    }
    return at[len] == '=' ? len : 0;
}

/* Does a conversion yield what JSON takes for a number, if it is one? */
static bool is_plain(const log_spec_t *spec)
{
    if (spec->conversion == '\0' || spec->flags[0] != '\0' ||
        spec->width != 0) {
        return false;
    }
    return strchr("eEfFgG", spec->conversion) != NULL ||
           (strchr("diu", spec->conversion) != NULL && spec->precision == -1);
}

/* Is the value one number? */
static bool is_number(const char *value)
{
    log_spec_t spec;

    if (value[0] != '%') {
        return false;
    }
    const char *behind = log_spec_read(value, &spec);
    return is_plain(&spec) && (*behind == ' ' || *behind == '\0');
}

/* A key where a field may begin, or the start of the message. */
static void begin_field(log_json_t *self, walk_t *walk)
{
    size_t len = key_length(walk->at);

    walk->is_value = len > 0;
    walk->is_quoted = false;
    if (len == 0) {
        put_key(self, "message", strlen("message"), true);
        return;
    }
    const char *key = walk->at;
    walk->at += len + 1;
    walk->is_quoted = *walk->at == '"';
    walk->at += walk->is_quoted;
    put_key(self, key, len, walk->is_quoted || !is_number(walk->at));
}

/* Does the value end here?  What is behind it may begin another. */
static bool ends(const walk_t *walk)
{
    return *walk->at == (walk->is_quoted ? '"' : ' ') &&
           (walk->is_value || key_length(walk->at + 1) > 0);
}

/* nan and inf are none, nor is what has a comma of the program's locale. */
static bool is_finite(const log_piece_t *piece)
{
    static const char bytes[] = "0123456789+-.eE";

    for (size_t i = 0; i < piece->len; i++) {
        if (memchr(bytes, piece->text[i], sizeof bytes - 1) == NULL) {
            return false;
        }
    }
    return true;
}

static void put_piece(log_json_t *self, const log_piece_t *piece)
{
    if (!self->is_string && !is_finite(piece)) {
        self->is_string = put(self, "\"", 1);
    }
    put_text(self, piece->text, piece->len);
}

/* Put a piece of the value.  It is cut at a conversion that is unknown. */
static void go_on(log_json_t *self, walk_t *walk)
{
    log_spec_t spec;
    log_piece_t piece;

    if (*walk->at != '%') {
        put_text(self, walk->at++, 1);
        return;
    }
    walk->at = log_spec_read(walk->at, &spec);
    if (log_spec_take(&spec, &walk->args, &piece)) {
        put_piece(self, &piece);
    } else {
        self->is_cut = true;
    }
}

void log_json_format(log_json_t *self, const char *format, va_list args)
{
    walk_t walk = {.at = format};

    va_copy(walk.args.list, args);
    while (*walk.at != '\0' && !self->is_cut) {
        begin_field(self, &walk);
        while (*walk.at != '\0' && !ends(&walk) && !self->is_cut) {
            go_on(self, &walk);
        }
        walk.at += walk.is_quoted && *walk.at == '"';
        walk.at += *walk.at == ' ';
    }
    va_end(walk.args.list);
}

void log_json_pairs(log_json_t *self, const char *pairs)
{
    while (*pairs != '\0' && !self->is_cut) {
        size_t key = key_length(pairs);
        size_t len = strcspn(pairs + key + 1, " ");
        must(key > 0 && len > 0);
        put_key(self, pairs, key, false);
        put_text(self, pairs + key + 1, len);
        pairs += key + 1 + len;
        pairs += *pairs == ' ';
    }
}
