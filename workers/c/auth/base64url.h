/* SPDX-License-Identifier: MIT
 *
 * Base64 for addresses, without padding (RFC 4648 section 5, RFC 7515 appendix
 * C).  Pure.
 */
#ifndef WORKERS_C_AUTH_BASE64URL_H
#define WORKERS_C_AUTH_BASE64URL_H

#include "workers/c/hoist.h"

/* Bytes that so many characters become, at most. */
#define BASE64URL_BYTES(characters) ((characters) / 4 * 3 + 2)

/*
 * Decode text into out, which has room for BASE64URL_BYTES(text.len).
 * Returns 0 with *out_len set, or -EINVAL: only the one right way to write the
 * bytes is taken, so that nobody can write the same token in another.
 */
__attribute__((warn_unused_result)) int
base64url_decode(hoist_text text, uint8_t *out, size_t *out_len);

#endif
