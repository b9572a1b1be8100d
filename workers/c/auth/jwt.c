/* SPDX-License-Identifier: MIT
 *
 * hoist_jwt: from a CONNECT to its token, to a verdict, and to what the
 * connection is accepted with.
 */
#include "workers/c/auth/jwt.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/c/words.h"

#include <errno.h>
#include <stdlib.h>

#include <strings.h>

/* What is said of a token that is refused: to the client enough to get a better
 * one, and no more; to whoever runs the worker, why. */
static const struct {
    const char *label, *code, *message;
} words[TOKEN_VERDICTS] = {
    [TOKEN_MISSING] = {"reason=\"missing\"", "token-missing",
                       "A token is needed"},
    [TOKEN_EXPIRED] = {"reason=\"expired\"", "token-expired",
                       "The token has expired"},
    [TOKEN_EARLY] = {"reason=\"early\"", "token-not-yet-valid",
                     "The token is not valid yet"},
    [TOKEN_MALFORMED] = {"reason=\"malformed\"", NULL, NULL},
    [TOKEN_ALGORITHM] = {"reason=\"algorithm\"", NULL, NULL},
    [TOKEN_KEY] = {"reason=\"key\"", NULL, NULL},
    [TOKEN_SIGNATURE] = {"reason=\"signature\"", NULL, NULL},
    [TOKEN_ISSUER] = {"reason=\"issuer\"", NULL, NULL},
    [TOKEN_AUDIENCE] = {"reason=\"audience\"", NULL, NULL},
    [TOKEN_CLAIMS] = {"reason=\"claims\"", NULL, NULL},
};

const char *jwt_reason(token_verdict_t verdict)
{
    return words[verdict].label;
}

/* --- where the token is --------------------------------------------------- */

/* What stands behind the prefix, without its case; absent when it is not there,
 * or nothing is behind it. */
static hoist_text behind(hoist_text text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len > len && strncasecmp(text.data, prefix, len) == 0
               ? hoist_bytes(text.data + len, text.len - len)
               : hoist_str(NULL);
}

static hoist_text header_token(const hoist_ctx *ctx)
{
    hoist_text token = behind(hoist_header(ctx, "authorization"), "Bearer ");

    while (token.len > 0 && *token.data == ' ') {
        token = hoist_bytes(token.data + 1, token.len - 1);
    }
    return token;
}

/* *answer: the subprotocol to be answered where it is there, or absent. */
static hoist_text subprotocol_token(const jwt_t *self, const hoist_ctx *ctx,
                                    hoist_text *answer)
{
    hoist_text each, token = {NULL, 0};

    *answer = token;
    for (size_t i = 0; (each = hoist_subprotocol(ctx, i)).data != NULL; i++) {
        hoist_text found = behind(each, self->config.subprotocol);
        if (found.len > 0) {
            token = token.len > 0 ? token : found;
        } else if (answer->data == NULL) {
            *answer = each;
        }
    }
    return token;
}

/* Absent when there is none; *answer as there. */
static hoist_text find_token(const jwt_t *self, const hoist_ctx *ctx,
                             hoist_text *answer)
{
    unsigned from = self->config.from;
    hoist_text token = {NULL, 0};

    *answer = token;
    if ((from & HOIST_JWT_HEADER) != 0) {
        token = header_token(ctx);
    }
    if (token.len == 0 && (from & HOIST_JWT_SUBPROTOCOL) != 0) {
        token = subprotocol_token(self, ctx, answer);
        if (token.len == 0) { /* what is answered then is not for us to say */
            *answer = token;
        }
    }
    if (token.len == 0 && (from & HOIST_JWT_QUERY) != 0) {
        token = hoist_query(ctx, self->config.query);
    }
    return token;
}

/* --- the verdict ---------------------------------------------------------- */

/* As keyset_verify.  Keys that came a moment ago count, too. */
static int verify(jwt_t *self, const jws_t *jws)
{
    int64_t now_ms = clock_mono_ms();
    keyset_t *keys = source_keys(&self->keys, now_ms);
    int rc = keyset_verify(keys, jws);

    if (rc < 0 && source_again(&self->keys, now_ms)) {
        keyset_drop(keys);
        keys = source_keys(&self->keys, now_ms);
        rc = keyset_verify(keys, jws);
    }
    keyset_drop(keys);
    return rc;
}

/* What it claims is not looked at before it is known whose it is.  *claims:
 * owned by the caller (json_decref) when it is right. */
static token_verdict_t judge(jwt_t *self, hoist_text token, json_t **claims)
{
    jws_t jws;
    int rc = token.len <= self->config.token_bytes ? jws_parse(token, &jws)
                                                   : -EINVAL;

    if (rc < 0) {
        return rc == -ENOTSUP ? TOKEN_ALGORITHM : TOKEN_MALFORMED;
    }
    if (!self->takes[jws.alg]) {
        return TOKEN_ALGORITHM;
    }
    rc = verify(self, &jws);
    if (rc < 0) {
        return rc == -ENOENT ? TOKEN_KEY : TOKEN_SIGNATURE;
    }
    *claims = jws_claims(&jws);
    return *claims != NULL
               ? claims_check(*claims, &self->rules, clock_wall_ms() / 1000)
               : TOKEN_MALFORMED;
}

static int refuse(const jwt_t *self, hoist_ctx *ctx, token_verdict_t verdict)
{
    const char *code = words[verdict].code, *message = words[verdict].message;
    const char *challenge =
        verdict == TOKEN_MISSING ? "Bearer" : "Bearer error=\"invalid_token\"";

    hoist_count(self->refused[verdict], 1);
    (void)hoist_refuse_header(ctx, "WWW-Authenticate", hoist_str(challenge));
    return code != NULL ? hoist_fail(ctx, 401, code, message)
                        : hoist_fail(ctx, 401, "token-invalid",
                                     "The token is not valid");
}

/* --- what the connection gets of it --------------------------------------- */

static int accept_name(hoist_ctx *ctx, const json_t *claim,
                       int (*accept)(hoist_ctx *ctx, hoist_text name))
{
    size_t len = json_string_length(claim); /* 0 for what is no text */

    return len > 0 ? accept(ctx, hoist_bytes(json_string_value(claim), len))
                   : -EINVAL;
}

/* The claim as this makes it a text; nothing where there is no such claim. */
static int accept_attribute(hoist_ctx *ctx, const json_t *claim,
                            const char *name, char *(*as)(const json_t *claim))
{
    if (claim == NULL || json_is_null(claim)) {
        return 0;
    }
    char *text = as(claim);
    int rc = text != NULL ? hoist_accept_attribute(ctx, name, hoist_str(text))
                          : -EMSGSIZE;
    free(text);
    return rc;
}

static int accept_listed(hoist_ctx *ctx, const json_t *claims, hoist_text list)
{
    char name[JWT_ATTRIBUTE_MAX + 1];
    hoist_text word;
    int rc = 0;

    while (rc == 0 && (word = words_take(&list)).data != NULL) {
        must(word.len < sizeof name); /* jwt_init has seen to it */
        memcpy(name, word.data, word.len);
        name[word.len] = '\0';
        rc =
            accept_attribute(ctx, claims_find(claims, word), name, claims_text);
    }
    return rc;
}

/* Other types than words could seem to have some: {"x":" admin "}. */
static int accept_words(hoist_ctx *ctx, const json_t *claims, const char *claim,
                        const char *name)
{
    return accept_attribute(ctx, claims_find(claims, hoist_str(claim)), name,
                            claims_words);
}

static int accept_claims(const jwt_t *self, hoist_ctx *ctx,
                         const json_t *claims)
{
    const hoist_jwt_config *config = &self->config;
    hoist_text tenant = hoist_str(config->tenant);
    const json_t *its_tenant =
        tenant.len > 0 ? claims_find(claims, tenant) : NULL;
    int rc = accept_name(ctx, claims_find(claims, hoist_str(config->user)),
                         hoist_accept_user);

    if (rc == 0 && its_tenant != NULL) {
        rc = accept_name(ctx, its_tenant, hoist_accept_tenant);
    }
    if (rc == 0) {
        rc = accept_listed(ctx, claims, hoist_str(config->attributes));
    }
    if (rc == 0) {
        rc = accept_words(ctx, claims, config->roles, HOIST_ROLES);
    }
    if (rc == 0) {
        rc = accept_words(ctx, claims, config->scopes, HOIST_SCOPES);
    }
    return rc;
}

/* Is it the token's fault that it cannot be accepted? */
static bool is_of_token(int rc)
{
    return rc == -EINVAL || rc == -EMSGSIZE || rc == -EILSEQ;
}

static int let_in(const jwt_t *self, hoist_ctx *ctx, const json_t *claims,
                  hoist_text answer)
{
    int rc = accept_claims(self, ctx, claims);

    if (rc < 0) {
        return is_of_token(rc) ? refuse(self, ctx, TOKEN_CLAIMS) : rc;
    }
    if (answer.data != NULL) {
        rc = hoist_accept_subprotocol(ctx, answer);
    }
    if (rc < 0) {
        return rc;
    }
    hoist_count(self->accepted, 1);
    return hoist_next(ctx);
}

static int jwt_run(hoist_ctx *ctx, void *state)
{
    jwt_t *self = state;
    json_t *claims = NULL;
    hoist_text answer;

    if (hoist_event_of(ctx) != HOIST_CONNECT) {
        return hoist_next(ctx);
    }
    hoist_text token = find_token(self, ctx, &answer);
    if (token.len == 0) {
        return self->config.optional ? hoist_next(ctx)
                                     : refuse(self, ctx, TOKEN_MISSING);
    }
    token_verdict_t verdict = judge(self, token, &claims);
    int rc = verdict == TOKEN_RIGHT ? let_in(self, ctx, claims, answer)
                                    : refuse(self, ctx, verdict);
    json_decref(claims);
    return rc;
}

static const hoist_middleware table = {.init = jwt_init,
                                       .run = jwt_run,
                                       .fini = jwt_fini};
const hoist_middleware *const hoist_jwt = &table;
