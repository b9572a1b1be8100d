/* SPDX-License-Identifier: MIT
 *
 * Tokens as nobody's library would make them: any bytes as header and payload,
 * signed as the test likes.  Texts live until the next of the same function.
 */
#ifndef TESTS_MADE_TOKEN_H
#define TESTS_MADE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#define MADE_SECRET "0123456789abcdef0123456789abcdef" /* for HS256 */

/* base64url, without padding. */
const char *made_base64url(const void *bytes, size_t len);

/* Of these texts, with this signature as it is written. */
const char *made_token(const char *header, const char *payload,
                       const char *signature);

/* Signed with HS256 and a secret. */
const char *made_hs256(const char *header, const char *payload,
                       const char *secret);

/* Signed with a private key: RSA, P-256 or Ed25519. */
const char *made_signed(const char *header, const char *payload, EVP_PKEY *key);

/* The public part as PEM. */
const char *made_pem(EVP_PKEY *key);

#endif
