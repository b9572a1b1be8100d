/* SPDX-License-Identifier: MIT
 *
 * The canonical request: the one text that all ways to write a request become,
 * and that is hashed.  For the files of the library sigv4 only.  Pure; any
 * thread.
 */
#ifndef PROTO_SIGV4_CANONICAL_H
#define PROTO_SIGV4_CANONICAL_H

#include "proto/sigv4.h"

/* Both return 0; -EINVAL for a request that has none, or lacks one of
 * signed_headers; -ENOBUFS or -ENOMEM. */
int sigv4_canonical_put(buf_t *out, const sigv4_request_t *request,
                        wire_bytes_t signed_headers);

/* The SHA-256 of bytes, in digits. */
int sigv4_canonical_put_hash(buf_t *out, wire_bytes_t bytes);

#endif
