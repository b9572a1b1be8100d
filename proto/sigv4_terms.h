/* SPDX-License-Identifier: MIT
 *
 * What both sides have agreed on before the signature, and the signature.  For
 * the files of the library sigv4 only.  Pure; any thread.
 */
#ifndef PROTO_SIGV4_TERMS_H
#define PROTO_SIGV4_TERMS_H

#include "proto/sigv4.h"

#define SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
#define SIGV4_END       "aws4_request" /* of a scope */
#define SIGV4_DAY       8              /* digits */

/* Everything lent. */
typedef struct {
    wire_bytes_t date; /* as X-Amz-Date */
    wire_bytes_t access_key, secret;
    wire_bytes_t region, service;
    wire_bytes_t signed_headers;
} sigv4_terms_t;

/* The first header of this name, or NULL; *times is how many there are. */
const sigv4_header_t *sigv4_terms_header(const sigv4_request_t *request,
                                         const char *name, size_t *times);

/* The value of the one header of this name; empty: there is none, or more. */
wire_bytes_t sigv4_terms_value(const sigv4_request_t *request,
                               const char *name);

/* Can something be signed with them? */
bool sigv4_terms_are_valid(const sigv4_terms_t *terms);

/* 20150830/us-east-1/iam/aws4_request.  Returns as buf_put. */
int sigv4_terms_put_scope(buf_t *out, const sigv4_terms_t *terms);

/* The signature of valid terms.  Returns as sigv4_canonical_put. */
int sigv4_terms_sign(const sigv4_request_t *request, const sigv4_terms_t *terms,
                     char signature[SIGV4_SIGNATURE]);

#endif
