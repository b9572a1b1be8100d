/* SPDX-License-Identifier: MIT
 *
 * AWS Signature Version 4, in the Authorization header: to sign a request, and
 * to verify one that somebody else signed.  Payloads are always hashed;
 * signatures in the query string, in chunks and of S3 (whose paths are not
 * encoded twice) are not known.  A library of its own (`sigv4`), since it needs
 * libcrypto.  Pure: no clock, no environment; any thread.
 *
 *     sigv4_date(now_s, date);                  put into X-Amz-Date
 *     sigv4_sign(&request, &key, &scope, authorization);
 */
#ifndef PROTO_SIGV4_H
#define PROTO_SIGV4_H

#include "proto/wire.h"

#define SIGV4_DATE          17        /* 20150830T123600Z and a NUL */
#define SIGV4_SIGNATURE     64        /* characters, without a NUL */
#define SIGV4_HEADERS_MAX   64        /* that are signed */
#define SIGV4_QUERY_MAX     256       /* parameters */
#define SIGV4_SECRET_MAX    256       /* bytes */
#define SIGV4_SIGNED_MAX    2048      /* bytes of the names of signed headers */
#define SIGV4_TEXT_MAX      4096      /* bytes of an Authorization made here */
#define SIGV4_SKEW_S        900       /* that clocks may be apart */
#define SIGV4_CANONICAL_MAX (1 << 20) /* bytes of what is hashed */

typedef struct {
    wire_bytes_t name; /* in any case */
    wire_bytes_t value;
} sigv4_header_t;

/* A request as it is on the wire; everything lent. */
typedef struct {
    wire_bytes_t method;
    wire_bytes_t path;  /* of the request line, encoded as it is there */
    wire_bytes_t query; /* behind its '?'; may be empty */
    const sigv4_header_t *headers;
    size_t header_count;
    wire_bytes_t body;
} sigv4_request_t;

typedef struct {
    wire_bytes_t access_key, secret;
} sigv4_key_t;

typedef struct {
    wire_bytes_t region, service;
} sigv4_scope_t;

/* The parts of an Authorization header. */
typedef struct {
    wire_bytes_t access_key;
    wire_bytes_t date; /* 8 digits */
    wire_bytes_t region, service;
    wire_bytes_t signed_headers; /* names, ascending, a ';' between two */
    wire_bytes_t signature;      /* 64 digits */
} sigv4_authorization_t;

/* Unix time as X-Amz-Date has it, with a NUL; 1970 to 9999. */
void sigv4_date(int64_t unix_s, char text[SIGV4_DATE]);

/* Returns 0, or -EINVAL when text is no such date. */
int sigv4_date_parse(wire_bytes_t text, int64_t *unix_s);

/*
 * Sign the request with all of its headers, of which there must be `Host` and
 * `X-Amz-Date`; with the credentials of a session `X-Amz-Security-Token`, too.
 *
 * text   the value for Authorization, with a NUL
 * Returns 0; -EINVAL for a request or key that cannot be signed; -ENOBUFS or
 * -ENOMEM.
 */
__attribute__((warn_unused_result)) int
sigv4_sign(const sigv4_request_t *request, const sigv4_key_t *key,
           const sigv4_scope_t *scope, char text[SIGV4_TEXT_MAX]);

/* Returns 0 with the parts lent, or -EINVAL. */
__attribute__((warn_unused_result)) int sigv4_parse(wire_bytes_t text,
                                                    sigv4_authorization_t *out);

/* What a key is worth. */
typedef struct {
    wire_bytes_t secret;
    wire_bytes_t token; /* of its session; empty: the key is for ever */
} sigv4_secret_t;

/* false: nobody has this access key.  What *secret holds is lent. */
typedef bool sigv4_find_fn(void *user, wire_bytes_t access_key,
                           sigv4_secret_t *secret);

/*
 * Was the request signed by who has the secret, for this scope (an empty region
 * is any), within SIGV4_SKEW_S of now_s (Unix)?
 *
 * Returns 0; -ENOENT without an Authorization header; -EINVAL when it, or what
 * it signs, is not as it has to be; -ESTALE when it is from another time;
 * -EACCES when key, scope, session token or signature are wrong; -ENOBUFS or
 * -ENOMEM.  Secrets are compared in a time that tells nothing of them.
 */
__attribute__((warn_unused_result)) int
sigv4_verify(const sigv4_request_t *request, const sigv4_scope_t *scope,
             int64_t now_s, sigv4_find_fn *find, void *user);

#endif
