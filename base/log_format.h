/* SPDX-License-Identifier: MIT
 *
 * The conversions of the log's formats, one at a time, for those who put what
 * they yield into a line in a way of their own (log_json.h, log_text.h).  Known
 * are %s, %.*s, %.Ns, %c, %%, and %d, %u, %x with l, ll or z; %x with a width,
 * too, which is filled up with zeros.  Pure; no allocation.
 */
#ifndef BASE_LOG_FORMAT_H
#define BASE_LOG_FORMAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define LOG_NUMBER_MAX 40 /* bytes of one that was converted */

/* The arguments that have not been taken yet. */
typedef struct {
    va_list list;
} log_args_t;

typedef struct {
    char conversion; /* 0: the format ends in the middle of it */
    int width;       /* 0: none */
    int precision;   /* -1: none; -2: an argument */
    unsigned longs;  /* l, ll; z is one, too */
    bool is_size;    /* z */
} log_spec_t;

/* What a conversion yields: lent by its argument, or by itself. */
typedef struct {
    const char *text;
    size_t len;
    char number[LOG_NUMBER_MAX];
} log_piece_t;

/* Returns what is behind it.  at: the '%'. */
const char *log_spec_read(const char *at, log_spec_t *spec);

/* Takes its argument.  Returns false for one that is not known; then the
 * arguments are of no use any more. */
bool log_spec_take(const log_spec_t *spec, log_args_t *args,
                   log_piece_t *piece);

#endif
