/* SPDX-License-Identifier: MIT
 *
 * Base64 (RFC 4648): with padding, as JSON carries bytes (section 4), and for
 * addresses without it, as tokens are written (section 5).  Of the ways to
 * write the same bytes decoders take the one right one, so that nobody can
 * write the same token in another.  Pure.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters that len bytes become. */
static inline size_t base64_len(size_t len)
{
    return (len + 2) / 3 * 4;
}

/* Write base64_len(len) characters, without a NUL. */
void base64_encode(const uint8_t *bytes, size_t len, char *text);

/*
 * Decode text into out, which has room for len / 4 * 3 bytes.
 * Returns 0 with *out_len set, or -EINVAL.
 */
__attribute__((warn_unused_result)) int
base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len);

/* Bytes that so many characters without padding become, at most. */
#define BASE64URL_BYTES(characters) ((characters) / 4 * 3 + 2)

/*
 * Decode text into out, which has room for BASE64URL_BYTES(len).
 * Returns 0 with *out_len set, or -EINVAL.
 */
__attribute__((warn_unused_result)) int
base64url_decode(const char *text, size_t len, uint8_t *out, size_t *out_len);

#endif
