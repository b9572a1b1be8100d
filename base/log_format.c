/* SPDX-License-Identifier: MIT */
#include "base/log_format.h"

#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/types.h>

#include <wchar.h>

/* --- reading ------------------------------------------------------------- */

static const char *read_flags(const char *at, char flags[6])
{
    size_t len = 0;

    for (; *at != '\0' && strchr("-+ #0", *at) != NULL; at++) {
        if (memchr(flags, *at, len) == NULL) {
            flags[len++] = *at;
        }
    }
    return at;
}

/* A width, or a precision: without digits it is 0. */
static const char *read_number(const char *at, int *number)
{
    char *end;

    *number = 0;
    if (*at == '*') {
        *number = LOG_ARGUMENT;
        return at + 1;
    }
    if (!isdigit((unsigned char)*at)) {
        return at;
    }
    long value = strtol(at, &end, 10);
    *number = value < INT_MAX ? (int)value : INT_MAX;
    return end;
}

static const char *read_length(const char *at, char *length)
{
    if (*at == '\0' || strchr("hljztL", *at) == NULL) {
        return at;
    }
    *length = *at++;
    if (*at == *length && (*at == 'h' || *at == 'l')) {
        *length = *at++ == 'h' ? 'H' : 'q';
    }
    return at;
}

/* Does C11 have it? */
static bool is_known(char conversion, char length)
{
    static const struct {
        const char *conversions;
        const char *lengths;
    } known[] = {
        {"diouxX", "Hhlqjzt"}, {"aAeEfFgG", "lL"}, {"cs", "l"}, {"p%", ""}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strchr(known[i].conversions, conversion) != NULL) {
            return length == '\0' || strchr(known[i].lengths, length) != NULL;
        }
    }
    return false;
}

const char *log_spec_read(const char *at, log_spec_t *spec)
{
    *spec = (log_spec_t){.precision = -1};
    at = read_flags(at + 1, spec->flags);
    at = read_number(at, &spec->width);
    if (*at == '.') {
        at = read_number(at + 1, &spec->precision);
    }
    at = read_length(at, &spec->length);
    if (*at == '\0') {
        return at;
    }
    spec->conversion = *at;
    if (!is_known(*at, spec->length)) {
        spec->conversion = '\0';
    }
    return at + 1;
}

/* --- arguments ----------------------------------------------------------- */

static intmax_t take_signed(char length, log_args_t *args)
{
    return length == 'H'   ? (signed char)va_arg(args->list, int)
           : length == 'h' ? (short)va_arg(args->list, int)
           : length == 'l' ? va_arg(args->list, long)
           : length == 'q' ? va_arg(args->list, long long)
           : length == 'j' ? va_arg(args->list, intmax_t)
           : length == 'z' ? va_arg(args->list, ssize_t)
           : length == 't' ? va_arg(args->list, ptrdiff_t)
                           : va_arg(args->list, int);
}

static uintmax_t take_unsigned(char length, log_args_t *args)
{
    return length == 'H'   ? (unsigned char)va_arg(args->list, unsigned)
           : length == 'h' ? (unsigned short)va_arg(args->list, unsigned)
           : length == 'l' ? va_arg(args->list, unsigned long)
           : length == 'q' ? va_arg(args->list, unsigned long long)
           : length == 'j' ? va_arg(args->list, uintmax_t)
           : length == 'z' ? va_arg(args->list, size_t)
           : length == 't' ? (size_t)va_arg(args->list, ptrdiff_t)
                           : va_arg(args->list, unsigned);
}

/* --- what they yield ----------------------------------------------------- */

#define FORM_MAX 32

/* Not more than there is room for. */
static int bounded(int number)
{
    return number > LOG_PIECE_MAX    ? LOG_PIECE_MAX
           : number < -LOG_PIECE_MAX ? -LOG_PIECE_MAX
                                     : number;
}

/* The conversion again, of an argument of this length.  A width that is less
 * than 0 is a flag and a width. */
static void put_form(char to[FORM_MAX], const log_spec_t *spec,
                     const char *length)
{
    int len = snprintf(to, FORM_MAX, "%%%s", spec->flags);

    if (spec->width != 0) {
        len += snprintf(to + len, FORM_MAX - (size_t)len, "%d",
                        bounded(spec->width));
    }
    if (spec->precision >= 0) {
        len += snprintf(to + len, FORM_MAX - (size_t)len, ".%d",
                        bounded(spec->precision));
    }
    snprintf(to + len, FORM_MAX - (size_t)len, "%s%c", length,
             spec->conversion);
}

/* What printf makes of one argument of this length. */
static void make(log_piece_t *piece, const log_spec_t *spec, const char *length,
                 ...)
{
    char form[FORM_MAX];
    va_list argument;

    put_form(form, spec, length);
    va_start(argument, length);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int len = vsnprintf(piece->made, LOG_PIECE_MAX, form, argument);
#pragma GCC diagnostic pop
    va_end(argument);
    piece->text = len < 0 ? "?" : piece->made; /* a wide text that is none */
    piece->len = strlen(piece->text);
}

/* A text is lent as it is, however long, but where it is filled up. */
static void take_text(const log_spec_t *spec, log_args_t *args,
                      log_piece_t *piece)
{
    const char *text = va_arg(args->list, const char *);

    if (text == NULL) {
        text = spec->precision == 0 ? "" : "(null)";
    }
    piece->text = text;
    piece->len = spec->precision < 0 ? strlen(text)
                                     : strnlen(text, (size_t)spec->precision);
    if (piece->len < (size_t)abs(bounded(spec->width))) {
        make(piece, spec, "", text);
    }
}

static void take_wide_text(const log_spec_t *spec, log_args_t *args,
                           log_piece_t *piece)
{
    const wchar_t *text = va_arg(args->list, const wchar_t *);

    make(piece, spec, "l", text == NULL ? L"(null)" : text);
}

static void take_real(const log_spec_t *spec, log_args_t *args,
                      log_piece_t *piece)
{
    if (spec->length == 'L') {
        make(piece, spec, "L", va_arg(args->list, long double));
    } else {
        make(piece, spec, "", va_arg(args->list, double));
    }
}

static void take_character(const log_spec_t *spec, log_args_t *args,
                           log_piece_t *piece)
{
    if (spec->length == 'l') {
        make(piece, spec, "l", va_arg(args->list, wint_t));
    } else {
        make(piece, spec, "", va_arg(args->list, int));
    }
}

/* The width and the precision that are arguments: they come first. */
static log_spec_t take_numbers(const log_spec_t *spec, log_args_t *args)
{
    log_spec_t self = *spec;

    if (self.width == LOG_ARGUMENT) {
        self.width = va_arg(args->list, int);
    }
    if (self.precision == LOG_ARGUMENT) {
        self.precision = va_arg(args->list, int);
    }
    return self;
}

bool log_spec_take(const log_spec_t *read, log_args_t *args, log_piece_t *piece)
{
    log_spec_t spec = take_numbers(read, args);

    switch (spec.conversion) {
    case '\0':
        return false;
    case '%':
        piece->text = "%";
        piece->len = 1;
        break;
    case 's':
        (spec.length == 'l' ? take_wide_text : take_text)(&spec, args, piece);
        break;
    case 'c':
        take_character(&spec, args, piece);
        break;
    case 'p':
        make(piece, &spec, "", va_arg(args->list, void *));
        break;
    case 'd':
    case 'i':
        make(piece, &spec, "j", take_signed(spec.length, args));
        break;
    case 'o':
    case 'u':
    case 'x':
    case 'X':
        make(piece, &spec, "j", take_unsigned(spec.length, args));
        break;
    default:
        take_real(&spec, args, piece);
    }
    return true;
}
