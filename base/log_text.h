/* SPDX-License-Identifier: MIT
 *
 * The fields of an event as a line of text has them: what printf makes of the
 * format, but that a quote or a backslash of a text between quotes has a
 * backslash before it, so that nothing that a peer chose ends a value and
 * begins another field.  At a conversion that log_format.h does not know the
 * line is cut, and `cut=true` says so.  Pure; no allocation.
 */
#ifndef BASE_LOG_TEXT_H
#define BASE_LOG_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* Puts room bytes at most, and a zero behind them.  Returns how many. */
size_t log_text_format(char *to, size_t room, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
