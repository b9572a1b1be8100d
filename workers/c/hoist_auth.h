/* SPDX-License-Identifier: MIT
 *
 * libhoist-auth: middleware for workers whose clients have tokens.  A library
 * beside libhoist (pkg-config hoist-auth), because it needs more: libcrypto for
 * signatures, jansson for claims.
 *
 *     hoist_use(app, hoist_jwt, &(hoist_jwt_config){
 *         .key_file = "/etc/hoist/keys.json",
 *         .issuer = "https://login.example.com",
 *         .audience = "orders",
 *     });
 *     hoist_use(app, hoist_authorize, NULL);
 *
 * It reads tokens itself, for want of a library that Debian 12 and 13 both have
 * and somebody keeps: jose and cjose have no EdDSA; libjwt has neither that nor
 * sets of keys in Debian 12 (1.10); rhonabwy has been given up by its author,
 * and the release that compares in constant time (1.1.14, CVE-2024-25714) is in
 * neither.  Between libcrypto and jansson a text is left to be cut at its dots.
 */
#ifndef HOIST_AUTH_H
#define HOIST_AUTH_H

#include <hoist.h>
#include <hoist_middleware.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* what the library shows */

/* Where a token may be, in the order in which it is looked for. */
#define HOIST_JWT_HEADER      1u /* Authorization: Bearer TOKEN */
#define HOIST_JWT_SUBPROTOCOL 2u /* Sec-WebSocket-Protocol: …, bearer.TOKEN */
#define HOIST_JWT_QUERY       4u /* ?token=TOKEN, and in logs of addresses */

/*
 * Who connects shows a JSON Web Token (RFC 7519), signed with HS256, RS256,
 * ES256 or EdDSA (Ed25519).  One that is right says who it is: user, tenant,
 * roles, scopes and other claims become the connection's (hoist_accept_user and
 * the like), so every later event has them.  Any other is refused:
 *
 *     401 token-missing            there is none
 *     401 token-expired            of another time
 *     401 token-not-yet-valid
 *     401 token-invalid            for all other reasons, which are counted
 *                                  (docs/authentication.md), and not
 *                                  told
 *
 * with the header WWW-Authenticate.  Events but CONNECT pass.  No part of a
 * token is ever logged.
 *
 * An app without a handler of "$connect" serves it all the same
 * (hoist_serve_connect): a CONNECT that nobody serves is accepted unasked.  It
 * is so while no worker is there, unless the gateways wait for one
 * (--require-connect), and who came in then stays: run them with it, and have
 * hoist_authorize around the routes.
 *
 * A token is taken when one of the keys has its algorithm and, where both have
 * an id (kid), its id, and has signed it.  Of those that fit the first four are
 * tried and no more, so that a token costs no more than that: where there are
 * more of an algorithm, keys and tokens need ids, and keys of which more than
 * four have none are refused; PEM has no ids.  A key has one algorithm: a
 * secret has HS256, RSA from 2048 bits RS256, P-256 ES256, Ed25519 EdDSA; so
 * what a token says of itself cannot have it checked in another way.  Base64url
 * that is not canonical, JSON with a name twice or bytes behind it, "crit", and
 * a "typ" other than JWT or at+jwt, which may have "application/" in front, are
 * refused.
 *
 * A client that offers its token as a subprotocol offers another beside it, as
 * browsers want one of them answered, and it is never the token: the first
 * other one is (hoist_accept_subprotocol), unless a handler chooses another.
 *
 * A connection outlives its token.  To see later when that ended, have "exp"
 * among the attributes.
 *
 * Lists have blanks between.  A claim may be a path: "/realm_access/roles".
 *
 * init: -EINVAL for no or several kinds of keys, keys that are none, a list
 * with an unknown algorithm or none, or of those for which there is no key, a
 * name that is too long for an attribute or no UTF-8, numbers out of range, and
 * around a route other than "$connect", where nobody would be asked; what the
 * file could not be read for; -ENOMEM.
 */
typedef struct {
    /* --- keys: one of the three --- */
    const char *secret;     /* of HS256; 32 to 1024 bytes */
    size_t secret_len;      /* 0: strlen(secret) */
    const char *public_key; /* PEM, or a JWKS: the text itself */
    const char *key_file;   /* with either of these; one with a secret in it
                               nobody else may read.  Read again when it has
                               changed; one that is broken changes nothing:
                               WORKER-KEYS-READ, WORKER-KEYS-KEPT */
    unsigned refresh_s; /* between two looks at the file; 0: 10.  When no key
                           is right it is read at once, once a second at
                           most */
    /* --- what is taken --- */
    const char *algorithms; /* NULL: those that there are keys for */
    const char *issuer;     /* iss; NULL: any */
    const char *audience;   /* one of these is to be in aud; "*": any, or none;
                               NULL: a token that has aud is refused (RFC 7519
                               section 4.1.3) */
    const char *required;   /* claims that must be there, too */
    bool may_last;          /* also without exp */
    int leeway_s;           /* of clocks; 0: 60; negative: none */
    unsigned max_age_s;     /* since iat, which is then required, and not in
                               the future; 0: any */
    unsigned token_bytes;   /* at most 16384; 0: 8192 */
    bool optional;          /* who has no token comes in without a user; a token
                               that is not right is refused all the same */
    /* --- where it is --- */
    unsigned from;     /* HOIST_JWT_… together; 0: header and subprotocol */
    const char *query; /* NULL: "token" */
    const char *subprotocol; /* what is in front of it; NULL: "bearer." */
    /* --- what it says --- */
    const char *user;       /* claim, required; NULL: "sub" */
    const char *tenant;     /* claim; NULL: none.  Who has no such claim comes
                               in without a tenant: have it in `required` where
                               nobody may */
    const char *roles;      /* claim, for HOIST_ROLES; NULL: "roles" */
    const char *scopes;     /* claim, for HOIST_SCOPES; NULL: "scope" */
    const char *attributes; /* claims that become attributes of their names;
                               NULL: none.  A name has at most 255 bytes.  What
                               is no text is JSON there, and an array of texts
                               has blanks between */
} hoist_jwt_config;

extern const hoist_middleware *const hoist_jwt;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
