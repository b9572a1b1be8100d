/* SPDX-License-Identifier: MIT
 *
 * Of hoist_jwt: from its settings to its state.
 */
#include "base/clock.h"
#include "base/utf8.h"
#include "workers/c/auth/jwt.h"
#include "workers/c/words.h"

#include <errno.h>
#include <stdlib.h>

#define LEEWAY_S    60
#define REFRESH_S   10
#define TOKEN_BYTES 8192
#define FROM_USUAL  (HOIST_JWT_HEADER | HOIST_JWT_SUBPROTOCOL)
#define FROM_ALL    (FROM_USUAL | HOIST_JWT_QUERY)

/* Texts of the settings that are kept, and what they are by default. */
static const struct {
    size_t offset;
    const char *usual;
} texts[] = {
    {offsetof(hoist_jwt_config, issuer), NULL},
    {offsetof(hoist_jwt_config, audience), NULL},
    {offsetof(hoist_jwt_config, required), ""},
    {offsetof(hoist_jwt_config, query), "token"},
    {offsetof(hoist_jwt_config, subprotocol), "bearer."},
    {offsetof(hoist_jwt_config, user), "sub"},
    {offsetof(hoist_jwt_config, tenant), NULL},
    {offsetof(hoist_jwt_config, roles), "roles"},
    {offsetof(hoist_jwt_config, scopes), "scope"},
    {offsetof(hoist_jwt_config, attributes), ""},
};

#define TEXTS (sizeof texts / sizeof *texts)

static char **text_at(hoist_jwt_config *config, size_t offset)
{
    return (char **)(void *)((char *)config + offset);
}

static void free_texts(hoist_jwt_config *config)
{
    for (size_t i = 0; i < TEXTS; i++) {
        free(*text_at(config, texts[i].offset));
    }
}

/* Each is a copy, or NULL where it is NULL by default. */
static int copy_texts(hoist_jwt_config *config)
{
    bool is_whole = true;

    for (size_t i = 0; i < TEXTS; i++) {
        char **text = text_at(config, texts[i].offset);
        const char *from = *text != NULL ? *text : texts[i].usual;
        *text = from != NULL ? strdup(from) : NULL;
        is_whole = is_whole && (from == NULL || *text != NULL);
    }
    return is_whole ? 0 : -ENOMEM;
}

static int refuse_algorithms(hoist_app *app, const char *why)
{
    return hoist_init_failed(app, -EINVAL, "hoist_jwt: algorithms: %s", why);
}

static int set_algorithms(jwt_t *self, hoist_app *app, const char *list)
{
    hoist_text names = hoist_str(list), name;

    if (words_are_none(list)) {
        return refuse_algorithms(app, "it is empty; leave it away for those of "
                                      "the keys");
    }
    for (size_t i = ALG_HS256; list == NULL && i <= ALG_EDDSA; i++) {
        self->takes[i] = true;
    }
    while ((name = words_take(&names)).data != NULL) {
        jws_alg_t alg = jws_alg_of(name);
        if (alg == ALG_NONE) {
            return refuse_algorithms(app, "it has another than HS256, RS256, "
                                          "ES256 and EdDSA");
        }
        self->takes[alg] = true;
    }
    return 0;
}

/* One that is none would be every token's fault later. */
static int check_attributes(hoist_app *app, const char *list)
{
    hoist_text names = hoist_str(list), name;

    while ((name = words_take(&names)).data != NULL) {
        if (name.len > JWT_ATTRIBUTE_MAX ||
            !utf8_is_valid((const uint8_t *)name.data, name.len)) {
            return hoist_init_failed(app, -EINVAL,
                                     "hoist_jwt: attributes: a name has at "
                                     "most 255 bytes of UTF-8");
        }
    }
    return 0;
}

static void set_rules(jwt_t *self)
{
    const hoist_jwt_config *config = &self->config;

    self->rules = (claim_rules_t){
        .issuer = hoist_str(config->issuer),
        .audience = hoist_str(config->audience),
        .required = hoist_str(config->required),
        .may_last = config->may_last,
        .leeway_s = config->leeway_s > 0   ? config->leeway_s
                    : config->leeway_s < 0 ? 0
                                           : LEEWAY_S,
        .max_age_s = config->max_age_s,
    };
}

/* The keys that are in the settings. */
static int open_text(jwt_t *self, hoist_app *app)
{
    const hoist_jwt_config *config = &self->config;
    const char *why = NULL;
    size_t len = config->secret_len;
    keyset_t *keys;

    if (config->secret != NULL) {
        len = len > 0 ? len : strlen(config->secret);
        keys = keyset_of_secret(hoist_bytes(config->secret, len), &why);
    } else {
        keys = keyset_of_text(hoist_str(config->public_key), &why);
    }
    if (keys == NULL) {
        return hoist_init_failed(
            app, -EINVAL, "hoist_jwt: %s: %s",
            config->secret != NULL ? "secret" : "public_key", why);
    }
    source_init(&self->keys, keys);
    return 0;
}

static int open_file(jwt_t *self, hoist_app *app)
{
    const hoist_jwt_config *config = &self->config;
    unsigned refresh_s = config->refresh_s > 0 ? config->refresh_s : REFRESH_S;
    const char *why;
    int rc = source_init_file(&self->keys, config->key_file,
                              (int64_t)refresh_s * 1000, clock_mono_ms(), &why);

    return rc < 0 ? hoist_init_failed(app, rc, "hoist_jwt: key_file: %s (%s)",
                                      why, config->key_file)
                  : 0;
}

/* Nobody could get in: no key is for what is taken. */
static int check_keys(jwt_t *self, hoist_app *app)
{
    keyset_t *keys = source_keys(&self->keys, clock_mono_ms());
    bool are_some = false;

    for (jws_alg_t alg = ALG_HS256; alg <= ALG_EDDSA; alg++) {
        are_some = are_some || (self->takes[alg] && keyset_has(keys, alg));
    }
    keyset_drop(keys);
    if (are_some) {
        return 0;
    }
    source_fini(&self->keys);
    return refuse_algorithms(app, "there is no key for any of them");
}

/* Of secret, public_key and key_file there is one. */
static int open_keys(jwt_t *self, hoist_app *app)
{
    hoist_jwt_config *config = &self->config;
    int kinds = (config->secret != NULL) + (config->public_key != NULL) +
                (config->key_file != NULL);
    int rc;

    if (kinds != 1) {
        rc = hoist_init_failed(app, -EINVAL,
                               "hoist_jwt: %s of secret, public_key, key_file",
                               kinds == 0 ? "none" : "more than one");
    } else {
        rc = config->key_file != NULL ? open_file(self, app)
                                      : open_text(self, app);
    }
    config->secret = config->public_key = config->key_file = NULL; /* lent */
    return rc;
}

/* What is left is freed by the caller. */
static int set_up(jwt_t *self, hoist_app *app)
{
    hoist_jwt_config *config = &self->config;
    int rc = copy_texts(config);

    if (rc == 0) {
        rc = check_attributes(app, config->attributes);
    }
    if (rc < 0) {
        return rc;
    }
    if (config->from == 0) {
        config->from = FROM_USUAL; /* addresses end up in logs */
    }
    if (config->token_bytes == 0) {
        config->token_bytes = TOKEN_BYTES;
    }
    if (config->token_bytes > JWS_TOKEN_MAX ||
        (config->from & ~FROM_ALL) != 0) {
        rc = hoist_init_failed(app, -EINVAL,
                               "hoist_jwt: from or token_bytes is out of "
                               "range");
    }
    if (rc == 0) {
        rc = set_algorithms(self, app, config->algorithms);
        config->algorithms = NULL; /* lent */
    }
    set_rules(self);
    if (rc == 0) {
        rc = open_keys(self, app);
    }
    return rc == 0 ? check_keys(self, app) : rc;
}

static void make_counters(jwt_t *self, hoist_app *app)
{
    self->accepted =
        hoist_counter_of(app, "hoist_worker_tokens_accepted_total",
                         "Tokens that `hoist_jwt` found right.", NULL);
    for (size_t i = TOKEN_MISSING; i < TOKEN_VERDICTS; i++) {
        self->refused[i] = hoist_counter_of(
            app, "hoist_worker_tokens_refused_total",
            "Connections that `hoist_jwt` refused, for want of "
            "a token or for what is wrong with it.",
            jwt_reason((token_verdict_t)i));
    }
}

int jwt_init(hoist_app *app, const void *config, void **state)
{
    if (config == NULL) {
        return hoist_init_failed(app, -EINVAL, "hoist_jwt: no config");
    }
    int rc = hoist_serve_connect(app);
    if (rc < 0) {
        return rc;
    }
    jwt_t *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return -ENOMEM;
    }
    self->config = *(const hoist_jwt_config *)config;
    rc = set_up(self, app);
    if (rc < 0) {
        free_texts(&self->config);
        free(self);
        return rc;
    }
    make_counters(self, app);
    *state = self;
    return 0;
}

void jwt_fini(void *state)
{
    jwt_t *self = state;

    source_fini(&self->keys);
    free_texts(&self->config);
    free(self);
}
