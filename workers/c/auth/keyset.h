/* SPDX-License-Identifier: MIT
 *
 * The keys that count at a time.  Immutable and counted: who holds a set goes
 * on with it while another takes its place.  Any thread.
 */
#ifndef WORKERS_C_AUTH_KEYSET_H
#define WORKERS_C_AUTH_KEYSET_H

#include "workers/c/auth/key.h"

#define KEYSET_MAX      64        /* keys */
#define KEYSET_TRIES    4         /* keys that a token is checked with */
#define KEYSET_TEXT_MAX (1 << 20) /* bytes of a file of keys */

typedef struct keyset keyset_t;

/*
 * The keys of a text: a JWKS (RFC 7517) when it begins with '{', else public
 * keys as PEM, one behind the other.  Of a JWKS, what is no key of ours is
 * passed over.
 *
 * why  what is wrong, for people, a constant.
 * Returns NULL when there is no key in it, more than KEYSET_MAX, more than
 * KEYSET_TRIES of one algorithm without an id, or something that should not be
 * there, a private key as PEM; and when a block of PEM is broken.
 */
keyset_t *keyset_of_text(hoist_text text, const char **why);

/* The one key of HS256; NULL when it is too short or too long. */
keyset_t *keyset_of_secret(hoist_text secret, const char **why);

/* Each keyset_hold, and each set made, has a keyset_drop. */
keyset_t *keyset_hold(keyset_t *self);
void keyset_drop(keyset_t *self);

size_t keyset_count(const keyset_t *self);

/* Is there one for this algorithm?  One of HS256 is a secret, which can sign as
 * well as check. */
bool keyset_has(const keyset_t *self, jws_alg_t alg);

/*
 * Which key signed this token?  Those that fit are tried, KEYSET_TRIES at most.
 * Returns 0; -ENOENT when none fits; -EACCES when none of them did.
 */
int keyset_verify(const keyset_t *self, const jws_t *jws);

#endif
