/* SPDX-License-Identifier: MIT
 *
 * jansson takes no JSON that has a name twice (JSON_REJECT_DUPLICATES), bytes
 * behind it, a NUL in a text or what is no UTF-8: of such a thing two readers
 * could think differently.
 */
#include "workers/c/auth/jws.h"

#include "base/base64.h"
#include "workers/c/auth/json_text.h"

#include <errno.h>

#include <strings.h>

static const struct {
    const char *name;
    jws_alg_t alg;
} algs[] = {
    {"HS256", ALG_HS256},
    {"RS256", ALG_RS256},
    {"ES256", ALG_ES256},
    {"EdDSA", ALG_EDDSA},
};

/* Kinds of token that may open a connection (RFC 7519, RFC 9068), each with and
 * without what may be left away in front (RFC 7515 section 4.1.9).  Others, a
 * logout token say, are signed with the same keys and mean something else. */
static const char *const types[] = {"JWT", "application/jwt", "at+jwt",
                                    "application/at+jwt"};

jws_alg_t jws_alg_of(hoist_text name)
{
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        if (hoist_is(name, algs[i].name)) {
            return algs[i].alg;
        }
    }
    return ALG_NONE;
}

/* The text up to the next dot, which goes, or up to the end. */
static hoist_text take_part(hoist_text *rest)
{
    const char *dot = memchr(rest->data, '.', rest->len);
    size_t len = dot != NULL ? (size_t)(dot - rest->data) : rest->len;
    hoist_text part = hoist_bytes(rest->data, len);
    size_t gone = dot != NULL ? len + 1 : len;

    *rest = hoist_bytes(rest->data + gone, rest->len - gone);
    return part;
}

static json_t *decode_object(hoist_text text)
{
    uint8_t bytes[BASE64URL_BYTES(JWS_TOKEN_MAX)];
    size_t len;

    if (text.len > JWS_TOKEN_MAX ||
        base64url_decode(text.data, text.len, bytes, &len) < 0) {
        return NULL;
    }
    json_t *json =
        json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) { /* an array */
        json_decref(json);
        return NULL;
    }
    return json;
}

static bool is_type_of_ours(const json_t *type)
{
    if (type == NULL) {
        return true;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (json_is_string(type) &&
            strcasecmp(json_string_value(type), types[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int read_kid(const json_t *kid, jws_t *self)
{
    self->has_kid = kid != NULL;
    self->kid_len = 0;
    if (kid == NULL) {
        return 0;
    }
    if (!json_is_string(kid) || json_string_length(kid) > JWS_KID_MAX) {
        return -EINVAL;
    }
    self->kid_len = json_string_length(kid);
    memcpy(self->kid, json_string_value(kid), self->kid_len);
    return 0;
}

/* Keys that the token itself brings or points to (jwk, jku, x5c, x5u) are not
 * looked at: they are whoever's who wrote it. */
static int read_header(const json_t *header, jws_t *self)
{
    const json_t *alg = json_object_get(header, "alg");

    if (!json_is_string(alg)) {
        return -EINVAL;
    }
    self->alg = jws_alg_of(json_text(alg));
    if (self->alg == ALG_NONE || json_object_get(header, "crit") != NULL ||
        !is_type_of_ours(json_object_get(header, "typ"))) {
        return -ENOTSUP;
    }
    return read_kid(json_object_get(header, "kid"), self);
}

static int read_signature(hoist_text text, jws_t *self)
{
    size_t most = (JWS_SIGNATURE_MAX * 4 + 2) / 3;

    if (text.len == 0 || text.len > most) {
        return -EINVAL;
    }
    return base64url_decode(text.data, text.len, self->signature,
                            &self->signature_len);
}

int jws_parse(hoist_text token, jws_t *self)
{
    hoist_text rest = token;

    if (token.len == 0 || token.len > JWS_TOKEN_MAX) {
        return -EINVAL;
    }
    hoist_text header = take_part(&rest);
    self->payload = take_part(&rest);
    self->signing_input =
        hoist_bytes(token.data, (size_t)(self->payload.data - token.data) +
                                    self->payload.len);
    /* The last part is all that is left: one more dot is no base64url. */
    if (read_signature(rest, self) < 0) {
        return -EINVAL;
    }
    json_t *json = decode_object(header);
    int rc = json != NULL ? read_header(json, self) : -EINVAL;
    json_decref(json);
    return rc;
}

json_t *jws_claims(const jws_t *self)
{
    return decode_object(self->payload);
}
