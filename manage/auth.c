/* SPDX-License-Identifier: MIT */
#include "manage/auth.h"

#include "base/xalloc.h"
#include "manage/seen.h"
#include "proto/sigv4.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define SERVICE "execute-api"
#define SCHEME  "Bearer"

typedef struct {
    size_t len;
    uint8_t bytes[AUTH_WORD_MAX];
} word_t;

typedef struct {
    word_t id, secret, region; /* region: empty for any */
} pair_t;

struct auth {
    pair_t pairs[AUTH_KEYS_MAX];
    word_t tokens[AUTH_KEYS_MAX];
    size_t pair_count, token_count;
    const pair_t *found; /* that the request at hand names */
    seen_t *seen;        /* owned; NULL: replays are taken */
};

auth_t *auth_new(bool takes_replays)
{
    auth_t *self = xcalloc(1, sizeof *self);

    self->seen = takes_replays ? NULL : seen_new();
    return self;
}

void auth_destroy(auth_t **self_p)
{
    auth_t *self = *self_p;

    if (self != NULL) {
        seen_destroy(&self->seen); /* harmless for NULL */
        OPENSSL_cleanse(self, sizeof *self);
        free(self);
        *self_p = NULL;
    }
}

size_t auth_key_count(const auth_t *self)
{
    return self->pair_count;
}

size_t auth_token_count(const auth_t *self)
{
    return self->token_count;
}

void auth_renew(auth_t *self, auth_t **other_p)
{
    const auth_t *other = *other_p;

    memcpy(self->pairs, other->pairs, sizeof self->pairs);
    memcpy(self->tokens, other->tokens, sizeof self->tokens);
    self->pair_count = other->pair_count;
    self->token_count = other->token_count;
    auth_destroy(other_p);
}

static wire_bytes_t bytes_of(const word_t *word)
{
    return (wire_bytes_t){word->bytes, word->len};
}

/* --- the files ----------------------------------------------------------- */

/* Visible ASCII. */
static bool is_word_byte(uint8_t c)
{
    return c > ' ' && c < 0x7f;
}

/* Take the next word of a line.  Returns 1; 0 at its end; -EINVAL. */
static int take_word(wire_bytes_t *line, word_t *word)
{
    while (line->len > 0 && (line->data[0] == ' ' || line->data[0] == '\t' ||
                             line->data[0] == '\r')) {
        line->data++;
        line->len--;
    }
    word->len = 0;
    while (line->len > 0 && is_word_byte(line->data[0])) {
        if (word->len == AUTH_WORD_MAX) {
            return -EINVAL;
        }
        word->bytes[word->len++] = line->data[0];
        line->data++;
        line->len--;
    }
    return word->len > 0 ? 1 : line->len == 0 ? 0 : -EINVAL;
}

static bool is_at_end(wire_bytes_t *line)
{
    word_t none;

    return take_word(line, &none) == 0;
}

static int add_key(auth_t *self, wire_bytes_t line)
{
    pair_t pair = {.region.len = 0};

    if (self->pair_count == AUTH_KEYS_MAX || take_word(&line, &pair.id) != 1 ||
        take_word(&line, &pair.secret) != 1 ||
        take_word(&line, &pair.region) < 0 || !is_at_end(&line)) {
        return -EINVAL;
    }
    self->pairs[self->pair_count++] = pair;
    return 0;
}

static int add_token(auth_t *self, wire_bytes_t line)
{
    word_t token;

    if (self->token_count == AUTH_KEYS_MAX || take_word(&line, &token) != 1 ||
        token.len < AUTH_TOKEN_MIN || !is_at_end(&line)) {
        return -EINVAL;
    }
    self->tokens[self->token_count++] = token;
    return 0;
}

static bool says_nothing(wire_bytes_t line)
{
    return line.len == 0 || line.data[0] == '#' || is_at_end(&line);
}

static int add_lines(auth_t *self, wire_bytes_t text,
                     int add(auth_t *, wire_bytes_t))
{
    for (int number = 1; text.len > 0; number++) {
        const uint8_t *lf = memchr(text.data, '\n', text.len);
        size_t len = lf == NULL ? text.len : (size_t)(lf - text.data);
        wire_bytes_t line = {text.data, len};
        if (!says_nothing(line) && add(self, line) < 0) {
            return number;
        }
        len += lf != NULL;
        text.data += len;
        text.len -= len;
    }
    return 0;
}

int auth_add_keys(auth_t *self, wire_bytes_t text)
{
    return add_lines(self, text, add_key);
}

int auth_add_tokens(auth_t *self, wire_bytes_t text)
{
    return add_lines(self, text, add_token);
}

/* --- bearers ------------------------------------------------------------- */

/* All are looked at, whichever it is. */
static bool is_token(const auth_t *self, wire_bytes_t text)
{
    int found = 0;

    for (size_t i = 0; i < self->token_count; i++) {
        const word_t *token = &self->tokens[i];
        found |= token->len == text.len &&
                 CRYPTO_memcmp(token->bytes, text.data, text.len) == 0;
    }
    return found != 0;
}

/* What is behind the scheme; false: it is another. */
static bool is_bearer(wire_bytes_t value, wire_bytes_t *token)
{
    size_t len = strlen(SCHEME);

    if (value.len <= len || value.data[len] != ' ' ||
        !http_equal_fold((wire_bytes_t){value.data, len}, wire_bytes(SCHEME))) {
        return false;
    }
    *token = (wire_bytes_t){value.data + len + 1, value.len - len - 1};
    while (token->len > 0 && token->data[0] == ' ') {
        token->data++;
        token->len--;
    }
    return true;
}

/* --- signatures ---------------------------------------------------------- */

static bool find_secret(void *user, wire_bytes_t access_key,
                        sigv4_secret_t *secret)
{
    auth_t *self = user;

    self->found = NULL;
    for (size_t i = 0; i < self->pair_count; i++) {
        if (wire_equal(access_key, bytes_of(&self->pairs[i].id))) {
            self->found = &self->pairs[i];
            secret->secret = bytes_of(&self->found->secret);
        }
    }
    return self->found != NULL;
}

static const fault_t *fault_of(int rc)
{
    switch (rc) {
    case -ENOENT:
        return &fault_no_credentials;
    case -EINVAL:
        return &fault_bad_credentials;
    case -ESTALE:
        return &fault_skewed;
    case -EACCES:
        return &fault_signature;
    default:
        return &fault_memory;
    }
}

static uint8_t digit_of(uint8_t c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The same signature may come once: what was signed is the same as well. */
static const fault_t *take_signature(auth_t *self, wire_bytes_t hex,
                                     int64_t signed_s, int64_t now_s)
{
    uint8_t signature[SEEN_BYTES];

    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] = (uint8_t)(digit_of(hex.data[2 * i]) << 4 |
                                 digit_of(hex.data[2 * i + 1]));
    }
    int rc = seen_take(self->seen, signature, signed_s + AUTH_SKEW_S, now_s);
    if (rc == -EEXIST) {
        return &fault_replayed;
    }
    return rc < 0 ? &fault_too_many_signed : NULL;
}

static bool is_near(int64_t signed_s, int64_t now_s)
{
    return signed_s >= now_s - AUTH_SKEW_S && signed_s <= now_s + AUTH_SKEW_S;
}

/* It is verified: what is left is when and where it was signed, and whether it
 * comes for the first time. */
static const fault_t *check_terms(auth_t *self, const http_request_t *request,
                                  int64_t now_s)
{
    const http_header_t *date = http_header(request, "x-amz-date");
    const http_header_t *header = http_header(request, "authorization");
    sigv4_authorization_t terms;
    int64_t signed_s;

    must(date != NULL && sigv4_date_parse(date->value, &signed_s) == 0 &&
         sigv4_parse(header->value, &terms) == 0);
    if (!is_near(signed_s, now_s)) {
        return &fault_skewed;
    }
    if (self->found->region.len > 0 &&
        !wire_equal(terms.region, bytes_of(&self->found->region))) {
        return &fault_signature;
    }
    return self->seen == NULL
               ? NULL
               : take_signature(self, terms.signature, signed_s, now_s);
}

static const fault_t *check_signature(auth_t *self,
                                      const http_request_t *request,
                                      wire_bytes_t body, int64_t now_s)
{
    sigv4_scope_t scope = {.service = wire_bytes(SERVICE)};
    sigv4_header_t headers[HTTP_HEADERS_MAX];

    for (size_t i = 0; i < request->header_count; i++) {
        headers[i] = (sigv4_header_t){request->headers[i].name,
                                      request->headers[i].value};
    }
    sigv4_request_t signed_request = {
        .method = request->method,
        .path = request->path,
        .query = request->query,
        .headers = headers,
        .header_count = request->header_count,
        .body = body,
    };
    int rc = sigv4_verify(&signed_request, &scope, now_s, find_secret, self);
    return rc < 0 ? fault_of(rc) : check_terms(self, request, now_s);
}

/* Who signs, and when.  That an access key is known is no secret: it is a name.
 */
static const fault_t *look_at_signature(auth_t *self,
                                        const http_request_t *request,
                                        wire_bytes_t authorization,
                                        int64_t now_s)
{
    const http_header_t *date = http_header(request, "x-amz-date");
    sigv4_authorization_t terms;
    sigv4_secret_t secret;
    int64_t signed_s;

    if (sigv4_parse(authorization, &terms) < 0 || date == NULL ||
        sigv4_date_parse(date->value, &signed_s) < 0) {
        return &fault_bad_credentials;
    }
    if (!is_near(signed_s, now_s)) {
        return &fault_skewed;
    }
    return find_secret(self, terms.access_key, &secret) ? NULL
                                                        : &fault_signature;
}

const fault_t *auth_look(auth_t *self, const http_request_t *request,
                         int64_t now_s)
{
    const http_header_t *header = http_header(request, "authorization");
    wire_bytes_t token;

    if (header == NULL) {
        return &fault_no_credentials;
    }
    if (is_bearer(header->value, &token)) {
        return is_token(self, token) ? NULL : &fault_token;
    }
    return look_at_signature(self, request, header->value, now_s);
}

const fault_t *auth_check(auth_t *self, const http_request_t *request,
                          wire_bytes_t body, int64_t now_s)
{
    const http_header_t *header = http_header(request, "authorization");
    wire_bytes_t token;

    if (header == NULL) {
        return &fault_no_credentials;
    }
    if (is_bearer(header->value, &token)) {
        return is_token(self, token) ? NULL : &fault_token;
    }
    return check_signature(self, request, body, now_s);
}
