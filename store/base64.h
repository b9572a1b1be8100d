/* SPDX-License-Identifier: MIT
 *
 * Base64 with padding (RFC 4648 section 4), as JSON carries bytes.  Pure.
 */
#ifndef STORE_BASE64_H
#define STORE_BASE64_H

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
 * Returns 0 with *out_len set, or -EINVAL: only the one right way to write the
 * bytes is taken.
 */
__attribute__((warn_unused_result)) int
base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len);

#endif
