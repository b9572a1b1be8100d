/* SPDX-License-Identifier: MIT
 *
 * An incremental UTF-8 validator (RFC 3629: shortest form, no surrogates, at
 * most U+10FFFF).  A text may come in any number of pieces.  Pure.
 */
#ifndef GATEWAY_UTF8_H
#define GATEWAY_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* The longest prefix of at most max bytes that ends between characters. */
size_t utf8_cut(const uint8_t *bytes, size_t len, size_t max);

#endif
