/* SPDX-License-Identifier: MIT */
#include "proto/sigv4.h"
#include "proto/sigv4_terms.h"
#include "proto/sigv4_text.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>

/* --- an Authorization header --------------------------------------------- */

/* Visible ASCII without what separates. */
static bool is_word(wire_bytes_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c <= ' ' || c > '~' || c == ',' || c == '/' || c == ';' ||
            c == '=') {
            return false;
        }
    }
    return text.len > 0;
}

static bool is_signature(wire_bytes_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (sigv4_text_hex_digit(text.data[i]) < 0 ||
            (text.data[i] >= 'A' && text.data[i] <= 'F')) {
            return false;
        }
    }
    return text.len == SIGV4_SIGNATURE;
}

static bool is_lower(wire_bytes_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] >= 'A' && name.data[i] <= 'Z') {
            return false;
        }
    }
    return true;
}

static bool are_names(wire_bytes_t text)
{
    wire_bytes_t before = {NULL, 0};
    size_t count = 0;

    if (text.len == 0 || text.len > SIGV4_SIGNED_MAX ||
        text.data[text.len - 1] == ';') {
        return false;
    }
    while (text.len > 0) {
        wire_bytes_t name = sigv4_text_take(&text, ';');
        if (!is_word(name) || !is_lower(name) || ++count > SIGV4_HEADERS_MAX ||
            (count > 1 && sigv4_text_compare(before, name) >= 0)) {
            return false;
        }
        before = name;
    }
    return true;
}

/* KEY/20150830/us-east-1/iam/aws4_request */
static int parse_credential(wire_bytes_t text, sigv4_authorization_t *out)
{
    out->access_key = sigv4_text_take(&text, '/');
    out->date = sigv4_text_take(&text, '/');
    out->region = sigv4_text_take(&text, '/');
    out->service = sigv4_text_take(&text, '/');
    return is_word(out->access_key) && out->date.len == SIGV4_DAY &&
                   sigv4_text_number(out->date.data, SIGV4_DAY) >= 0 &&
                   is_word(out->region) && is_word(out->service) &&
                   wire_is(text, SIGV4_END)
               ? 0
               : -EINVAL;
}

/* One NAME=VALUE; each of the three may come once. */
static int parse_part(wire_bytes_t part, sigv4_authorization_t *out)
{
    wire_bytes_t value = sigv4_text_trimmed(part);
    wire_bytes_t name = sigv4_text_take(&value, '=');

    if (wire_is(name, "Credential") && out->access_key.len == 0) {
        return parse_credential(value, out);
    }
    if (wire_is(name, "SignedHeaders") && out->signed_headers.len == 0) {
        out->signed_headers = value;
        return are_names(value) ? 0 : -EINVAL;
    }
    if (wire_is(name, "Signature") && out->signature.len == 0) {
        out->signature = value;
        return is_signature(value) ? 0 : -EINVAL;
    }
    return -EINVAL;
}

int sigv4_parse(wire_bytes_t text, sigv4_authorization_t *out)
{
    wire_bytes_t rest = sigv4_text_trimmed(text);
    wire_bytes_t algorithm = sigv4_text_take(&rest, ' ');
    int rc = wire_is(algorithm, SIGV4_ALGORITHM) ? 0 : -EINVAL;

    memset(out, 0, sizeof *out);
    while (rc == 0 && rest.len > 0) {
        rc = parse_part(sigv4_text_take(&rest, ','), out);
    }
    if (rc == 0 && (out->access_key.len == 0 || out->signed_headers.len == 0 ||
                    out->signature.len == 0)) {
        rc = -EINVAL;
    }
    return rc;
}

/* --- verifying ----------------------------------------------------------- */

static bool has_name(wire_bytes_t names, const char *name)
{
    while (names.len > 0) {
        if (wire_is(sigv4_text_take(&names, ';'), name)) {
            return true;
        }
    }
    return false;
}

static bool is_same_secret(wire_bytes_t a, wire_bytes_t b)
{
    return a.len == b.len &&
           (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

/* Is all signed that must not be changed on the way? */
static bool signs_enough(const sigv4_request_t *request, wire_bytes_t names)
{
    size_t tokens;

    (void)sigv4_terms_header(request, "x-amz-security-token", &tokens);
    return has_name(names, "host") && has_name(names, "x-amz-date") &&
           sigv4_terms_value(request, "host").len > 0 &&
           (tokens == 0 ||
            (tokens == 1 && has_name(names, "x-amz-security-token")));
}

/* When it was signed, which is within the day that it was signed for. */
static int check_date(wire_bytes_t date, wire_bytes_t day, int64_t now_s)
{
    int64_t at;

    if (sigv4_date_parse(date, &at) < 0 ||
        memcmp(date.data, day.data, SIGV4_DAY) != 0) {
        return -EINVAL;
    }
    return at < now_s - SIGV4_SKEW_S || at > now_s + SIGV4_SKEW_S ? -ESTALE : 0;
}

static bool is_in_scope(const sigv4_authorization_t *authorization,
                        const sigv4_scope_t *scope)
{
    return (scope->region.len == 0 ||
            wire_equal(scope->region, authorization->region)) &&
           wire_equal(scope->service, authorization->service);
}

/*
 * A stranger's request costs what a wrong one does, so that the time does not
 * tell which keys there are.
 */
static int check_signature(const sigv4_request_t *request,
                           const sigv4_authorization_t *authorization,
                           const sigv4_secret_t *secret)
{
    char signature[SIGV4_SIGNATURE];
    sigv4_terms_t terms = {.date = sigv4_terms_value(request, "x-amz-date"),
                           .access_key = authorization->access_key,
                           .secret = secret->secret,
                           .region = authorization->region,
                           .service = authorization->service,
                           .signed_headers = authorization->signed_headers};

    if (!sigv4_terms_are_valid(&terms)) {
        return -EINVAL;
    }
    int rc = sigv4_terms_sign(request, &terms, signature);
    if (rc < 0) {
        return rc;
    }
    bool is_right = is_same_secret(
        (wire_bytes_t){(const uint8_t *)signature, sizeof signature},
        authorization->signature);
    bool is_session = is_same_secret(
        sigv4_terms_value(request, "x-amz-security-token"), secret->token);
    return is_right && is_session ? 0 : -EACCES;
}

int sigv4_verify(const sigv4_request_t *request, const sigv4_scope_t *scope,
                 int64_t now_s, sigv4_find_fn *find, void *user)
{
    sigv4_secret_t secret = {.secret = wire_bytes("nobody's")};
    sigv4_authorization_t authorization;
    size_t times;
    const sigv4_header_t *header =
        sigv4_terms_header(request, "authorization", &times);

    if (times != 1) {
        return times == 0 ? -ENOENT : -EINVAL;
    }
    int rc = sigv4_parse(header->value, &authorization);
    if (rc < 0 || !signs_enough(request, authorization.signed_headers)) {
        return -EINVAL;
    }
    rc = check_date(sigv4_terms_value(request, "x-amz-date"),
                    authorization.date, now_s);
    if (rc < 0) {
        return rc;
    }
    bool is_known = find(user, authorization.access_key, &secret);
    rc = check_signature(request, &authorization, &secret);
    if (rc < 0) {
        return rc;
    }
    return is_known && is_in_scope(&authorization, scope) ? 0 : -EACCES;
}
