/* SPDX-License-Identifier: MIT
 *
 * A key that signatures are checked with.  It is for one algorithm, which is
 * its own property and never what a token says: so nobody can have a public key
 * taken for the secret of an HMAC.
 */
#ifndef WORKERS_C_AUTH_KEY_H
#define WORKERS_C_AUTH_KEY_H

#include "workers/c/auth/jws.h"

#include <openssl/evp.h>

/* Bytes of a secret, at least those of the hash, and bits of a modulus, as RFC
 * 7518 has it. */
#define KEY_SECRET_MIN 32
#define KEY_SECRET_MAX 1024
#define KEY_RSA_MIN    2048
#define KEY_RSA_MAX    8192

typedef struct {
    jws_alg_t alg;
    bool has_kid;
    size_t kid_len;
    char kid[JWS_KID_MAX];
    EVP_PKEY *key; /* owned; NULL for HS256 */
    size_t secret_len;
    uint8_t secret[KEY_SECRET_MAX]; /* of HS256 */
} signing_key_t;

/* Each makes *self, which key_fini ends.  Returns 0; -ENOTSUP for a key of
 * another kind or algorithm, one that is too weak, or not for signatures;
 * -EINVAL for what is no key; -ENOMEM.  Nothing is left then. */
__attribute__((warn_unused_result)) int key_of_secret(hoist_text secret,
                                                      signing_key_t *self);
/* RFC 7517, 7518, 8037; private parts are not looked at. */
__attribute__((warn_unused_result)) int key_of_json(const json_t *jwk,
                                                    signing_key_t *self);
/* key: moved in any case. */
__attribute__((warn_unused_result)) int key_of_public(EVP_PKEY *key,
                                                      signing_key_t *self);

/* Wipe and free. */
void key_fini(signing_key_t *self);

/* May it be the one that signed this token: of its algorithm, and of the id
 * that it names, where both have one? */
bool key_fits(const signing_key_t *self, const jws_t *jws);

/* Did it sign this token?  Any thread. */
bool key_verifies(const signing_key_t *self, const jws_t *jws);

#endif
