/* SPDX-License-Identifier: MIT
 *
 * Keys of CURVE (rfc.zeromq.org/spec/26) as text (Z85), and the files in which
 * they lie: czmq's certificates, which pyzmq reads too.
 *
 *     curve
 *         public-key = "…"
 *         secret-key = "…"
 *
 * Start-up; any thread.
 */
#ifndef BASE_CURVE_H
#define BASE_CURVE_H

#include <stdbool.h>
#include <stddef.h>

#define CURVE_KEY_TEXT 40 /* bytes of a key, without its 0 */

typedef char curve_key_t[CURVE_KEY_TEXT + 1];

/* What a gateway or worker needs; both "": it speaks without CURVE. */
typedef struct {
    curve_key_t secret; /* its own */
    curve_key_t broker; /* the brokers' public one */
} curve_peer_t;

/* Are these bytes, exactly, a key? */
bool curve_is_key(const char *text, size_t len);

/*
 * The key that `name` ("public-key") has in a certificate's text.  Pure.
 * Returns 0 with key set, or -EINVAL.
 */
int curve_find(const char *text, size_t len, const char *name, curve_key_t key);

/* Each returns 0 with key set, -EINVAL when there is no such key, -EPERM when
 * a secret is there for others to read, or why the file could not be read. */
int curve_read_public(const char *key_or_file, curve_key_t key);
int curve_read_secret(const char *file, curve_key_t key);

/*
 * Both keys of a peer; a file of "" means no CURVE.
 * Returns 0, or a negative errno with one line in error.
 */
int curve_read_peer(curve_peer_t *self, const char *secret_file,
                    const char *broker_key_or_file, char *error,
                    size_t error_size);

/* What such a failure means, for people. */
const char *curve_failure(int rc);

#endif
