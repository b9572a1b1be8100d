/* SPDX-License-Identifier: MIT
 *
 * Text for people at a terminal: names that others chose, made harmless, and
 * numbers in units that are read at a glance.  One thread; a UTF-8 terminal.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_NUMBER_MAX 32 /* bytes of a number with its unit */

/* What LC_CTYPE has to be for the widths; call it first. */
void text_start(void);

/*
 * Copy what may be shown: '?' for what a terminal would obey or what would turn
 * the direction of writing, and for what is no UTF-8.  It is cut behind max
 * columns, then with '…' at its end; size bytes of out are enough for
 * 4 * max + 1.
 */
void text_clean(char *out, size_t size, const char *text, size_t max);

/* A name of len bytes, in which others may have put NUL: owned, and with
 * another control in the place of each. */
char *text_of_name(const char *name, size_t len);

/* Columns that a text takes. */
size_t text_width(const char *text);

/* How many bytes of a text fit into max columns. */
size_t text_fit(const char *text, size_t max);

/* 87 µs, 1.2 ms, 34 s */
void text_us(char out[TEXT_NUMBER_MAX], uint64_t us);

/* 12 s, 5 min 10 s, 2 h 5 min, 3 d 4 h */
void text_age(char out[TEXT_NUMBER_MAX], int64_t ms);

/* 99999, 123k, 4.5M */
void text_count(char out[TEXT_NUMBER_MAX], uint64_t count);

/* 512 B, 12.3 KiB */
void text_bytes(char out[TEXT_NUMBER_MAX], uint64_t bytes);

/* 0, 0.3, 12, 1.2k */
void text_rate(char out[TEXT_NUMBER_MAX], double a_second);

#endif
