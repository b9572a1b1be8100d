/* SPDX-License-Identifier: MIT
 *
 * A signed token as it is written: RFC 7515, compact serialization, with the
 * four algorithms that are taken here.  Who reads one knows nothing yet of
 * whether it is right: see keyset.h.  Pure.
 */
#ifndef WORKERS_C_AUTH_JWS_H
#define WORKERS_C_AUTH_JWS_H

#include "workers/c/hoist.h"

#include <jansson.h>

#define JWS_TOKEN_MAX     16384 /* characters of a token */
#define JWS_SIGNATURE_MAX 1024  /* bytes: that of RSA with 8192 bits */
#define JWS_KID_MAX       256   /* bytes of a key's id */

typedef enum {
    ALG_NONE = 0, /* no algorithm of ours */
    ALG_HS256,
    ALG_RS256,
    ALG_ES256,
    ALG_EDDSA, /* with Ed25519 */
} jws_alg_t;

/* The algorithm of that name (RFC 7518, RFC 8037), or ALG_NONE. */
jws_alg_t jws_alg_of(hoist_text name);

typedef struct {
    jws_alg_t alg;
    bool has_kid;
    size_t kid_len;
    char kid[JWS_KID_MAX];
    hoist_text signing_input; /* borrowed: header and payload, as signed */
    hoist_text payload;       /* borrowed: encoded */
    size_t signature_len;
    uint8_t signature[JWS_SIGNATURE_MAX];
} jws_t;

/*
 * Read a token; *self borrows from it.
 * Returns 0; -EINVAL for what is no token; -ENOTSUP for an algorithm that is
 * none of ours ("none" among them), and for what a header may ask of a reader
 * that we do not understand.
 */
__attribute__((warn_unused_result)) int jws_parse(hoist_text token,
                                                  jws_t *self);

/* The JSON object that the token carries, which the caller releases
 * (json_decref), or NULL: when it is none, has a name twice, or bytes behind
 * it. */
json_t *jws_claims(const jws_t *self);

#endif
