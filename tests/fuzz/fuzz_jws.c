/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a token: what is read lies within them, and its signature is
 * written in one way only.  Then as header and payload, with a line feed
 * between, of a token that is signed: what is read is right, its claims have a
 * verdict, and each is a text or none.
 */
#include "base/xalloc.h"
#include "tests/unit/made_token.h"
#include "workers/c/auth/claims.h"
#include "workers/c/auth/keyset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PART_MAX 8000

static bool is_within(hoist_text part, hoist_text token)
{
    return part.data >= token.data &&
           part.data + part.len <= token.data + token.len;
}

static void read_token(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1); /* not a byte more */
    jws_t jws;

    must(exact != NULL);
    memcpy(exact, data, size);
    hoist_text token = hoist_bytes(exact, size);
    int rc = jws_parse(token, &jws);
    must(rc == 0 || rc == -EINVAL || rc == -ENOTSUP);
    if (rc == 0) {
        must(jws.alg != ALG_NONE && is_within(jws.signing_input, token) &&
             is_within(jws.payload, jws.signing_input));
        const char *again = made_base64url(jws.signature, jws.signature_len);
        size_t len = strlen(again);
        must(len == token.len - jws.signing_input.len - 1 &&
             memcmp(again, token.data + token.len - len, len) == 0);
        json_decref(jws_claims(&jws));
    }
    free(exact);
}

static void judge_claims(json_t *claims)
{
    const claim_rules_t rules = {.issuer = hoist_str("us"),
                                 .audience = hoist_str("a b"),
                                 .required = hoist_str("sub /x/y"),
                                 .leeway_s = 60};
    const char *name;
    json_t *claim;

    must(claims_check(claims, &rules, 1000000) < TOKEN_VERDICTS);
    json_object_foreach(claims, name, claim)
    {
        char *text = claims_text(claim), *words = claims_words(claim);
        must(claims_find(claims, hoist_str(name)) != NULL || name[0] == '/');
        must(words == NULL || (text != NULL && strcmp(text, words) == 0));
        must(text == NULL || strlen(text) <= CLAIM_TEXT_MAX);
        free(text);
        free(words);
    }
}

static void read_signed(const uint8_t *data, size_t size)
{
    char header[PART_MAX + 1] = "", payload[PART_MAX + 1] = "";
    const uint8_t *line = memchr(data, '\n', size);
    size_t len = line != NULL ? (size_t)(line - data) : size;
    const char *why;
    jws_t jws;

    memcpy(header, data, len);
    if (line != NULL) {
        memcpy(payload, line + 1, size - len - 1);
    }
    const char *token = made_hs256(header, payload, MADE_SECRET);
    if (jws_parse(hoist_str(token), &jws) < 0) {
        return;
    }
    keyset_t *keys = keyset_of_secret(hoist_str(MADE_SECRET), &why);
    must(keys != NULL);
    must(keyset_verify(keys, &jws) == (jws.alg == ALG_HS256 ? 0 : -ENOENT));
    keyset_drop(keys);
    json_t *claims = jws_claims(&jws);
    if (claims != NULL) {
        judge_claims(claims);
    }
    json_decref(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_token(data, size);
    if (size > 0 && size <= PART_MAX) {
        read_signed(data, size);
    }
    return 0;
}
