/* SPDX-License-Identifier: MIT
 *
 * The conversions of the log's formats, one at a time, for those who put what
 * they yield into a line in a way of their own (log_json.h, log_text.h).  Known
 * is what C11 has for printf, with its flags, widths, precisions and lengths,
 * but %n.  Pure; no allocation.
 */
#ifndef BASE_LOG_FORMAT_H
#define BASE_LOG_FORMAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Of what is not lent so much is made, and no line of the log is longer. */
#define LOG_PIECE_MAX 4096

/* The arguments that have not been taken yet. */
typedef struct {
    va_list list;
} log_args_t;

typedef struct {
    char conversion; /* 0: not known, or the format ends in the middle of it */
    char length;     /* hh: 'H', ll: 'q', else its letter; 0: none */
    char flags[6];   /* each once */
    int width;       /* 0: none; LOG_ARGUMENT */
    int precision;   /* -1: none; LOG_ARGUMENT */
} log_spec_t;

#define LOG_ARGUMENT (-2) /* '*' */

/* What a conversion yields: lent by its argument, or by itself. */
typedef struct {
    const char *text;
    size_t len;
    char made[LOG_PIECE_MAX];
} log_piece_t;

/* Returns what is behind it.  at: the '%'. */
const char *log_spec_read(const char *at, log_spec_t *spec);

/* Takes its argument.  Returns false for one that is not known; then the
 * arguments are of no use any more. */
bool log_spec_take(const log_spec_t *spec, log_args_t *args,
                   log_piece_t *piece);

#endif
