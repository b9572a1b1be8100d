/* SPDX-License-Identifier: MIT
 *
 * Signing and verifying build the same text, the canonical request, and hash it
 * (docs.aws.amazon.com/IAM/latest/UserGuide, "Create a signed AWS API
 * request"); a verifier differs in where the names of signed headers are from.
 */
#include "proto/sigv4.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <strings.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define END       "aws4_request"
#define DAY       8 /* digits */
#define HASH_TEXT (2 * SHA256_DIGEST_LENGTH)
#define SCOPE_MAX 256 /* bytes of region and of service */

typedef struct {
    uint8_t bytes[SHA256_DIGEST_LENGTH];
} hash_t;

/* What both sides agree on before the signature. */
typedef struct {
    wire_bytes_t date; /* as X-Amz-Date */
    wire_bytes_t access_key, secret;
    wire_bytes_t region, service;
    wire_bytes_t signed_headers;
} terms_t;

/* --- texts --------------------------------------------------------------- */

static int put_text(buf_t *out, const char *text)
{
    return buf_put(out, text, strlen(text));
}

static int put_bytes(buf_t *out, wire_bytes_t bytes)
{
    return buf_put(out, bytes.data, bytes.len);
}

static void to_hex(const uint8_t *bytes, size_t len, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static bool is_plain(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

/* Percent-encode all but RFC 3986's unreserved characters. */
static int put_encoded(buf_t *out, const uint8_t *bytes, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    int rc = buf_reserve(out, len);

    for (size_t i = 0; i < len && rc == 0; i++) {
        const char code[] = {'%', hex[bytes[i] >> 4], hex[bytes[i] & 15]};
        rc = is_plain(bytes[i]) ? buf_put(out, &bytes[i], 1)
                                : buf_put(out, code, sizeof code);
    }
    return rc;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decode what is encoded and encode what has to be: one form for all. */
static int put_recoded(buf_t *out, wire_bytes_t text)
{
    int rc = 0;

    for (size_t i = 0; i < text.len && rc == 0; i++) {
        uint8_t c = text.data[i];
        if (c == '%' && i + 2 < text.len) {
            int high = hex_digit(text.data[i + 1]);
            int low = hex_digit(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (uint8_t)(high * 16 + low);
                i += 2;
            }
        }
        rc = put_encoded(out, &c, 1);
    }
    return rc;
}

/* The part of *rest in front of the first `stop`; *rest is behind it. */
static wire_bytes_t take_until(wire_bytes_t *rest, char stop)
{
    const uint8_t *at =
        rest->len == 0 ? NULL : memchr(rest->data, stop, rest->len);
    wire_bytes_t part = *rest;

    if (at == NULL) {
        *rest = (wire_bytes_t){NULL, 0};
        return part;
    }
    part.len = (size_t)(at - rest->data);
    *rest = (wire_bytes_t){at + 1, rest->len - part.len - 1};
    return part;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static wire_bytes_t trimmed(wire_bytes_t text)
{
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

static bool is_name(wire_bytes_t a, wire_bytes_t b)
{
    return a.len == b.len &&
           (a.len == 0 || strncasecmp((const char *)a.data,
                                      (const char *)b.data, a.len) == 0);
}

/* --- dates --------------------------------------------------------------- */

void sigv4_date(int64_t unix_s, char text[SIGV4_DATE])
{
    time_t seconds = (time_t)unix_s;
    struct tm tm = {0};

    gmtime_r(&seconds, &tm);
    if (strftime(text, SIGV4_DATE, "%Y%m%dT%H%M%SZ", &tm) == 0) {
        text[0] = '\0'; /* beyond the year 9999 */
    }
}

static int digits(const uint8_t *at, unsigned count)
{
    int value = 0;

    for (unsigned i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

int sigv4_date_parse(wire_bytes_t text, int64_t *unix_s)
{
    char again[SIGV4_DATE];

    if (text.len != SIGV4_DATE - 1) {
        return -EINVAL;
    }
    struct tm tm = {.tm_year = digits(text.data, 4) - 1900,
                    .tm_mon = digits(text.data + 4, 2) - 1,
                    .tm_mday = digits(text.data + 6, 2),
                    .tm_hour = digits(text.data + 9, 2),
                    .tm_min = digits(text.data + 11, 2),
                    .tm_sec = digits(text.data + 13, 2)};
    *unix_s = timegm(&tm);
    /* Whatever is no date would be written otherwise. */
    sigv4_date(*unix_s, again);
    return memcmp(again, text.data, text.len) == 0 ? 0 : -EINVAL;
}

/* --- the canonical request ----------------------------------------------- */

/* Back to the '/' in front of the last segment of what was put. */
static void drop_segment(buf_t *out, size_t start)
{
    while (out->len > start && out->data[out->len - 1] != '/') {
        out->len--;
    }
    if (out->len > start) {
        out->len--;
    }
}

/* Without empty segments, "." and "..", and encoded once more. */
static int put_path(buf_t *out, wire_bytes_t path)
{
    size_t start = out->len;
    bool is_open = path.len > 0 && path.data[path.len - 1] == '/';
    int rc = 0;

    while (path.len > 0 && rc == 0) {
        wire_bytes_t segment = take_until(&path, '/');
        if (wire_is(segment, "..")) {
            drop_segment(out, start);
        } else if (segment.len > 0 && !wire_is(segment, ".")) {
            rc = buf_put(out, "/", 1);
            rc = rc < 0 ? rc : put_encoded(out, segment.data, segment.len);
        }
    }
    if (rc == 0 && (is_open || out->len == start)) {
        rc = buf_put(out, "/", 1);
    }
    return rc;
}

/* A parameter of the query, encoded; where it is in the scratch buffer. */
typedef struct {
    size_t name, name_len, value, value_len;
    const uint8_t *base; /* borrowed: the scratch buffer's bytes */
} parameter_t;

static int compare_bytes(const uint8_t *a, size_t a_len, const uint8_t *b,
                         size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_name_and_value(const void *left, const void *right)
{
    const parameter_t *a = left, *b = right;
    int order = compare_bytes(a->base + a->name, a->name_len, b->base + b->name,
                              b->name_len);

    return order != 0 ? order
                      : compare_bytes(a->base + a->value, a->value_len,
                                      b->base + b->value, b->value_len);
}

static int encode_parameter(buf_t *scratch, wire_bytes_t text,
                            parameter_t *parameter)
{
    wire_bytes_t name = take_until(&text, '=');

    parameter->name = scratch->len;
    int rc = put_recoded(scratch, name);
    parameter->name_len = scratch->len - parameter->name;
    parameter->value = scratch->len;
    rc = rc < 0 ? rc : put_recoded(scratch, text);
    parameter->value_len = scratch->len - parameter->value;
    return rc;
}

static int put_parameters(buf_t *out, const parameter_t *parameters,
                          size_t count)
{
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        const parameter_t *at = &parameters[i];
        rc = i == 0 ? 0 : buf_put(out, "&", 1);
        rc = rc < 0 ? rc : buf_put(out, at->base + at->name, at->name_len);
        rc = rc < 0 ? rc : buf_put(out, "=", 1);
        rc = rc < 0 ? rc : buf_put(out, at->base + at->value, at->value_len);
    }
    return rc;
}

static int put_query(buf_t *out, wire_bytes_t query)
{
    static const uint8_t nothing = 0;
    parameter_t parameters[SIGV4_QUERY_MAX];
    size_t count = 0;
    buf_t scratch;
    int rc = 0;

    buf_init(&scratch, SIGV4_CANONICAL_MAX);
    while (query.len > 0 && rc == 0) {
        wire_bytes_t text = take_until(&query, '&');
        if (text.len == 0) {
            continue;
        }
        rc = count == SIGV4_QUERY_MAX
                 ? -EINVAL
                 : encode_parameter(&scratch, text, &parameters[count]);
        count++;
    }
    if (rc == 0 && count > 0) {
        for (size_t i = 0; i < count; i++) {
            parameters[i].base = scratch.len > 0 ? scratch.data : &nothing;
        }
        qsort(parameters, count, sizeof *parameters, by_name_and_value);
        rc = put_parameters(out, parameters, count);
    }
    buf_fini(&scratch);
    return rc;
}

/* Trimmed, and each run of spaces one. */
static int put_value(buf_t *out, wire_bytes_t value)
{
    int rc = 0;

    value = trimmed(value);
    for (size_t i = 0; i < value.len && rc == 0; i++) {
        if (!is_space(value.data[i])) {
            rc = buf_put(out, &value.data[i], 1);
        } else if (!is_space(value.data[i - 1])) {
            rc = buf_put(out, " ", 1);
        }
    }
    return rc;
}

/* All headers of this name are one, their values joined. */
static int put_header(buf_t *out, const sigv4_request_t *request,
                      wire_bytes_t name)
{
    size_t found = 0;
    int rc = put_bytes(out, name);

    rc = rc < 0 ? rc : buf_put(out, ":", 1);
    for (size_t i = 0; i < request->header_count && rc == 0; i++) {
        if (is_name(request->headers[i].name, name)) {
            rc = found++ == 0 ? 0 : buf_put(out, ",", 1);
            rc = rc < 0 ? rc : put_value(out, request->headers[i].value);
        }
    }
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    return rc == 0 && found == 0 ? -EINVAL : rc;
}

static int put_headers(buf_t *out, const sigv4_request_t *request,
                       wire_bytes_t names)
{
    int rc = 0;

    for (wire_bytes_t rest = names; rest.len > 0 && rc == 0;) {
        rc = put_header(out, request, take_until(&rest, ';'));
    }
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    return rc < 0 ? rc : put_bytes(out, names);
}

static int put_hash(buf_t *out, wire_bytes_t bytes)
{
    static const uint8_t nothing = 0;
    hash_t hash;
    char text[HASH_TEXT];

    SHA256(bytes.len == 0 ? &nothing : bytes.data, bytes.len, hash.bytes);
    to_hex(hash.bytes, sizeof hash.bytes, text);
    return buf_put(out, text, sizeof text);
}

static int put_canonical(buf_t *out, const sigv4_request_t *request,
                         wire_bytes_t signed_headers)
{
    int rc = put_bytes(out, request->method);

    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    rc = rc < 0 ? rc : put_path(out, request->path);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    rc = rc < 0 ? rc : put_query(out, request->query);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    rc = rc < 0 ? rc : put_headers(out, request, signed_headers);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    return rc < 0 ? rc : put_hash(out, request->body);
}

/* --- the signature ------------------------------------------------------- */

static hash_t keyed(const void *key, size_t key_len, wire_bytes_t text)
{
    static const uint8_t nothing = 0;
    hash_t hash;

    HMAC(EVP_sha256(), key, (int)key_len, text.len == 0 ? &nothing : text.data,
         text.len, hash.bytes, NULL);
    return hash;
}

/* The day's key of the scope. */
static hash_t derive(const terms_t *terms)
{
    uint8_t first[4 + SIGV4_SECRET_MAX] = "AWS4";

    memcpy(first + 4, terms->secret.data, terms->secret.len);
    hash_t key = keyed(first, 4 + terms->secret.len,
                       (wire_bytes_t){terms->date.data, DAY});
    OPENSSL_cleanse(first, sizeof first);
    key = keyed(key.bytes, sizeof key.bytes, terms->region);
    key = keyed(key.bytes, sizeof key.bytes, terms->service);
    return keyed(key.bytes, sizeof key.bytes, wire_bytes(END));
}

static int put_scope(buf_t *out, const terms_t *terms)
{
    int rc = buf_put(out, terms->date.data, DAY);

    rc = rc < 0 ? rc : buf_put(out, "/", 1);
    rc = rc < 0 ? rc : put_bytes(out, terms->region);
    rc = rc < 0 ? rc : buf_put(out, "/", 1);
    rc = rc < 0 ? rc : put_bytes(out, terms->service);
    return rc < 0 ? rc : put_text(out, "/" END);
}

static int put_string_to_sign(buf_t *out, const terms_t *terms,
                              wire_bytes_t canonical)
{
    int rc = put_text(out, ALGORITHM "\n");

    rc = rc < 0 ? rc : put_bytes(out, terms->date);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    rc = rc < 0 ? rc : put_scope(out, terms);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    return rc < 0 ? rc : put_hash(out, canonical);
}

static int make_signature(const sigv4_request_t *request, const terms_t *terms,
                          char signature[SIGV4_SIGNATURE])
{
    buf_t canonical, text;

    buf_init(&canonical, SIGV4_CANONICAL_MAX);
    buf_init(&text, SIGV4_CANONICAL_MAX);
    int rc = put_canonical(&canonical, request, terms->signed_headers);
    rc = rc < 0
             ? rc
             : put_string_to_sign(
                   &text, terms, (wire_bytes_t){canonical.data, canonical.len});
    if (rc == 0) {
        hash_t key = derive(terms);
        hash_t hash = keyed(key.bytes, sizeof key.bytes,
                            (wire_bytes_t){text.data, text.len});
        to_hex(hash.bytes, sizeof hash.bytes, signature);
        OPENSSL_cleanse(&key, sizeof key);
    }
    buf_fini(&canonical);
    buf_fini(&text);
    return rc;
}

/* --- signing ------------------------------------------------------------- */

/* NULL when there is none; *times is how many there are. */
static const sigv4_header_t *find_header(const sigv4_request_t *request,
                                         const char *name, size_t *times)
{
    const sigv4_header_t *found = NULL;

    *times = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (is_name(request->headers[i].name, wire_bytes(name))) {
            found = found == NULL ? &request->headers[i] : found;
            ++*times;
        }
    }
    return found;
}

/* The value of the one header of this name; empty: there is none, or more. */
static wire_bytes_t only_value(const sigv4_request_t *request, const char *name)
{
    size_t times;
    const sigv4_header_t *header = find_header(request, name, &times);

    return times == 1 ? trimmed(header->value) : (wire_bytes_t){NULL, 0};
}

static int by_name(const void *left, const void *right)
{
    const wire_bytes_t *a = left, *b = right;

    return compare_bytes(a->data, a->len, b->data, b->len);
}

static int add_name(buf_t *out, wire_bytes_t name)
{
    int rc = buf_put(out, name.data, name.len);

    for (size_t i = out->len - name.len; rc == 0 && i < out->len; i++) {
        uint8_t c = out->data[i];
        out->data[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
    }
    return rc;
}

/* Sorted, each once. */
static int join_names(buf_t *out, wire_bytes_t *names, size_t count)
{
    int rc = 0;

    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (i > 0 && wire_equal(names[i], names[i - 1])) {
            continue;
        }
        rc = i == 0 ? 0 : buf_put(out, ";", 1);
        rc = rc < 0 ? rc : put_bytes(out, names[i]);
    }
    return rc;
}

/* The names of all headers, as SignedHeaders has them. */
static int put_names(buf_t *out, const sigv4_request_t *request)
{
    wire_bytes_t names[SIGV4_HEADERS_MAX];
    size_t count = request->header_count;
    buf_t lower;
    int rc = count == 0 || count > SIGV4_HEADERS_MAX ? -EINVAL : 0;

    buf_init(&lower, SIGV4_SIGNED_MAX);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        names[i] = request->headers[i].name;
        rc = names[i].len == 0 ? -EINVAL : add_name(&lower, names[i]);
    }
    if (rc == 0) {
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            names[i].data = lower.data + at;
            at += names[i].len;
        }
        rc = join_names(out, names, count);
    }
    buf_fini(&lower);
    return rc;
}

static bool may_sign(const terms_t *terms)
{
    int64_t at;

    return sigv4_date_parse(terms->date, &at) == 0 &&
           terms->access_key.len > 0 && terms->secret.len > 0 &&
           terms->secret.len <= SIGV4_SECRET_MAX && terms->region.len > 0 &&
           terms->region.len <= SCOPE_MAX && terms->service.len > 0 &&
           terms->service.len <= SCOPE_MAX;
}

static int write_authorization(const terms_t *terms,
                               const char signature[SIGV4_SIGNATURE],
                               char text[SIGV4_TEXT_MAX])
{
    buf_t out;

    buf_init(&out, SIGV4_TEXT_MAX);
    int rc = put_text(&out, ALGORITHM " Credential=");
    rc = rc < 0 ? rc : put_bytes(&out, terms->access_key);
    rc = rc < 0 ? rc : buf_put(&out, "/", 1);
    rc = rc < 0 ? rc : put_scope(&out, terms);
    rc = rc < 0 ? rc : put_text(&out, ", SignedHeaders=");
    rc = rc < 0 ? rc : put_bytes(&out, terms->signed_headers);
    rc = rc < 0 ? rc : put_text(&out, ", Signature=");
    rc = rc < 0 ? rc : buf_put(&out, signature, SIGV4_SIGNATURE);
    rc = rc < 0 ? rc : buf_put(&out, "", 1);
    if (rc == 0) {
        memcpy(text, out.data, out.len);
    }
    buf_fini(&out);
    return rc;
}

int sigv4_sign(const sigv4_request_t *request, const sigv4_key_t *key,
               const sigv4_scope_t *scope, char text[SIGV4_TEXT_MAX])
{
    char signature[SIGV4_SIGNATURE];
    terms_t terms = {.date = only_value(request, "x-amz-date"),
                     .access_key = key->access_key,
                     .secret = key->secret,
                     .region = scope->region,
                     .service = scope->service};
    buf_t names;

    if (!may_sign(&terms) || only_value(request, "host").len == 0) {
        return -EINVAL;
    }
    buf_init(&names, SIGV4_SIGNED_MAX);
    int rc = put_names(&names, request);
    if (rc == 0) {
        terms.signed_headers = (wire_bytes_t){names.data, names.len};
        rc = make_signature(request, &terms, signature);
    }
    rc = rc < 0 ? rc : write_authorization(&terms, signature, text);
    buf_fini(&names);
    return rc;
}

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
        if (hex_digit(text.data[i]) < 0 ||
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
        wire_bytes_t name = take_until(&text, ';');
        if (!is_word(name) || !is_lower(name) || ++count > SIGV4_HEADERS_MAX ||
            (count > 1 && by_name(&before, &name) >= 0)) {
            return false;
        }
        before = name;
    }
    return true;
}

/* KEY/20150830/us-east-1/iam/aws4_request */
static int parse_credential(wire_bytes_t text, sigv4_authorization_t *out)
{
    out->access_key = take_until(&text, '/');
    out->date = take_until(&text, '/');
    out->region = take_until(&text, '/');
    out->service = take_until(&text, '/');
    return is_word(out->access_key) && out->date.len == DAY &&
                   digits(out->date.data, DAY) >= 0 && is_word(out->region) &&
                   is_word(out->service) && wire_is(text, END)
               ? 0
               : -EINVAL;
}

/* One NAME=VALUE; each of the three may come once. */
static int parse_part(wire_bytes_t part, sigv4_authorization_t *out)
{
    wire_bytes_t value = trimmed(part);
    wire_bytes_t name = take_until(&value, '=');

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
    wire_bytes_t rest = trimmed(text);
    wire_bytes_t algorithm = take_until(&rest, ' ');
    int rc = wire_is(algorithm, ALGORITHM) ? 0 : -EINVAL;

    memset(out, 0, sizeof *out);
    while (rc == 0 && rest.len > 0) {
        rc = parse_part(take_until(&rest, ','), out);
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
        if (wire_is(take_until(&names, ';'), name)) {
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

    (void)find_header(request, "x-amz-security-token", &tokens);
    return has_name(names, "host") && has_name(names, "x-amz-date") &&
           only_value(request, "host").len > 0 &&
           (tokens == 0 ||
            (tokens == 1 && has_name(names, "x-amz-security-token")));
}

/* When it was signed, which is within the day that it was signed for. */
static int check_date(wire_bytes_t date, wire_bytes_t day, int64_t now_s)
{
    int64_t at;

    if (sigv4_date_parse(date, &at) < 0 ||
        memcmp(date.data, day.data, DAY) != 0) {
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
    terms_t terms = {.date = only_value(request, "x-amz-date"),
                     .access_key = authorization->access_key,
                     .secret = secret->secret,
                     .region = authorization->region,
                     .service = authorization->service,
                     .signed_headers = authorization->signed_headers};

    if (!may_sign(&terms)) {
        return -EINVAL;
    }
    int rc = make_signature(request, &terms, signature);
    if (rc < 0) {
        return rc;
    }
    bool is_right = is_same_secret(
        (wire_bytes_t){(const uint8_t *)signature, sizeof signature},
        authorization->signature);
    bool is_session = is_same_secret(
        only_value(request, "x-amz-security-token"), secret->token);
    return is_right && is_session ? 0 : -EACCES;
}

int sigv4_verify(const sigv4_request_t *request, const sigv4_scope_t *scope,
                 int64_t now_s, sigv4_find_fn *find, void *user)
{
    sigv4_secret_t secret = {.secret = wire_bytes("nobody's")};
    sigv4_authorization_t authorization;
    size_t times;
    const sigv4_header_t *header =
        find_header(request, "authorization", &times);

    if (times != 1) {
        return times == 0 ? -ENOENT : -EINVAL;
    }
    int rc = sigv4_parse(header->value, &authorization);
    if (rc < 0 || !signs_enough(request, authorization.signed_headers)) {
        return -EINVAL;
    }
    rc = check_date(only_value(request, "x-amz-date"), authorization.date,
                    now_s);
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
