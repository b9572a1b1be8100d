/* SPDX-License-Identifier: MIT
 *
 * A text as it stands in a JSON string (RFC 8259), a character at a time.  It
 * holds nothing that a terminal or a reader would obey (utf8_obeyed), and no
 * broken UTF-8.  Pure; no allocation.
 */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define JSON_CHAR_MAX 8 /* \u0000, and a final NUL */

/*
 * How a character that must not, or should not, stand in a string as it is is
 * written, with a NUL behind it; "" when it may stand.  left: bytes from at on,
 * not 0.
 * Returns the bytes that are taken, 1 when it may stand.
 */
size_t json_text_escape(const uint8_t *at, size_t left,
                        char text[JSON_CHAR_MAX]);

/*
 * The first character of any bytes: itself, its escape, or U+FFFD for a part
 * that is no UTF-8; *len is the bytes of that, without a NUL.
 * Returns the bytes that are taken.
 */
size_t json_text_char(const uint8_t *at, size_t left, char text[JSON_CHAR_MAX],
                      size_t *len);

#endif
