/* SPDX-License-Identifier: MIT
 *
 * An event of the log as one JSON object, made from the format that the line of
 * text is made from.  What is a field is read off the format and never off the
 * values, so nothing that a peer chose can pass for a field:
 *
 *     key=%s key=%d key="%s" …    a field each; without quotes up to a space
 *     anything else               text: the field `message`
 *
 * A field that is one number is a number, others are strings of valid UTF-8, as
 * is a number that JSON has no word for (nan, inf).  What does not fit is cut,
 * as is what follows a conversion that log_format.h does not know, and `cut`
 * says so: the object is whole whatever happens.  Pure; no allocation.
 */
#ifndef BASE_LOG_JSON_H
#define BASE_LOG_JSON_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char *bytes;    /* borrowed */
    size_t len;     /* of them, so far */
    size_t field;   /* where the one at hand begins */
    size_t limit;   /* behind which only the end is put */
    bool is_string; /* one is open */
    bool is_cut;
} log_json_t;

#define LOG_JSON_MIN 256 /* bytes that there have to be */

/* Begin an object of at most size bytes.  time, level, event: ours. */
log_json_t log_json(char *bytes, size_t size, const char *time,
                    const char *level, const char *event);

/* Its fields. */
void log_json_format(log_json_t *self, const char *format, va_list args);

/* Fields of ours: name=number, with a space between. */
void log_json_pairs(log_json_t *self, const char *pairs);

/* Returns the bytes of the whole object. */
size_t log_json_end(log_json_t *self);

#endif
