/* SPDX-License-Identifier: MIT
 *
 * UTF-8 as RFC 3629 has it: shortest form, no surrogates, at most U+10FFFF.
 * The validator is incremental: a text may come in any number of pieces.  Pure.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

#include <stdbool.h>

typedef struct {
    uint8_t left;      /* continuation bytes that must follow, 0..3 */
    uint8_t low, high; /* bounds of the next one */
} utf8_t;

/* A zeroed utf8_t is at the start of a text. */

/* false as soon as no continuation could make the text valid. */
bool utf8_check(utf8_t *self, const uint8_t *bytes, size_t len);

/* May the text end here? */
static inline bool utf8_is_whole(const utf8_t *self)
{
    return self->left == 0;
}

/* Is it one whole text? */
bool utf8_is_valid(const uint8_t *bytes, size_t len);

/*
 * Append bytes, and U+FFFD in place of each part that is no UTF-8: a sequence
 * cut short counts as one part (Unicode 15, section 3.9, "U+FFFD Substitution
 * of Maximal Subparts").
 * Returns as buf_put; on error some of it may be there.
 */
__attribute__((warn_unused_result)) int
utf8_put_repaired(buf_t *out, const uint8_t *bytes, size_t len);

/*
 * How many bytes the first character takes; or, with *is_whole false, the part
 * that is no UTF-8 and would be replaced.  len is not 0.
 */
size_t utf8_first(const uint8_t *bytes, size_t len, bool *is_whole);

/*
 * How many bytes the first character takes if it is one that is not shown but
 * obeyed: a control (of C1, too), the end of a line or paragraph, a change of
 * the direction of writing; else 0.  len is not 0.
 */
size_t utf8_obeyed(const uint8_t *bytes, size_t len);

/* The longest prefix of at most max bytes that ends between characters. */
size_t utf8_cut(const uint8_t *bytes, size_t len, size_t max);

#endif
