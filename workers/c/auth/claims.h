/* SPDX-License-Identifier: MIT
 *
 * What a token that is signed says, and whether it is for us, now: RFC 7519
 * section 4.1.  Pure.
 */
#ifndef WORKERS_C_AUTH_CLAIMS_H
#define WORKERS_C_AUTH_CLAIMS_H

#include "workers/c/hoist.h"

#include <jansson.h>

/* Why a token is refused. */
typedef enum {
    TOKEN_RIGHT = 0,
    TOKEN_MISSING,
    TOKEN_MALFORMED,
    TOKEN_ALGORITHM, /* none of those that are taken */
    TOKEN_KEY,       /* nobody's whom we know */
    TOKEN_SIGNATURE,
    TOKEN_EXPIRED,
    TOKEN_EARLY,
    TOKEN_ISSUER,
    TOKEN_AUDIENCE,
    TOKEN_CLAIMS, /* one is missing, or of another type or size */
    TOKEN_VERDICTS,
} token_verdict_t;

/* What is asked of a token. */
typedef struct {
    hoist_text issuer;   /* borrowed; absent: any */
    hoist_text audience; /* borrowed: words, of which one is to be named; "*":
                            any, or none */
    hoist_text required; /* borrowed: words: names of claims */
    bool may_last;       /* without exp */
    int64_t leeway_s;
    int64_t max_age_s; /* 0: any */
} claim_rules_t;

/* now_s: seconds since 1970. */
token_verdict_t claims_check(const json_t *claims, const claim_rules_t *rules,
                             int64_t now_s);

/*
 * The claim of that name, or NULL.  A name that begins with '/' is a path:
 * "/realm_access/roles" is what "realm_access" has under "roles".
 */
const json_t *claims_find(const json_t *claims, hoist_text name);

#define CLAIM_TEXT_MAX 4096 /* bytes of what follows, which free frees */

/*
 * A claim as words with blanks between: a text as it is, an array of texts.
 * Texts that are no words (empty, or with a blank or control byte in them) are
 * left out of an array: nobody can ask for them.
 * Returns NULL for a claim of another type, or one that is too long.
 */
char *claims_words(const json_t *claim);

/* A claim as text: words if it is that, else JSON; NULL when it is too long. */
char *claims_text(const json_t *claim);

#endif
