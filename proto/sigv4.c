/* SPDX-License-Identifier: MIT
 *
 * Signing and verifying build the same text, the canonical request, and hash it
 * (docs.aws.amazon.com/IAM/latest/UserGuide, "Create a signed AWS API
 * request"); a verifier differs in where the names of signed headers are from.
 */
#include "proto/sigv4.h"

#include "proto/sigv4_terms.h"
#include "proto/sigv4_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

int sigv4_date_parse(wire_bytes_t text, int64_t *unix_s)
{
    char again[SIGV4_DATE];

    if (text.len != SIGV4_DATE - 1) {
        return -EINVAL;
    }
    struct tm tm = {.tm_year = sigv4_text_number(text.data, 4) - 1900,
                    .tm_mon = sigv4_text_number(text.data + 4, 2) - 1,
                    .tm_mday = sigv4_text_number(text.data + 6, 2),
                    .tm_hour = sigv4_text_number(text.data + 9, 2),
                    .tm_min = sigv4_text_number(text.data + 11, 2),
                    .tm_sec = sigv4_text_number(text.data + 13, 2)};
    *unix_s = timegm(&tm);
    /* Whatever is no date would be written otherwise. */
    sigv4_date(*unix_s, again);
    return memcmp(again, text.data, text.len) == 0 ? 0 : -EINVAL;
}

/* --- signing ------------------------------------------------------------- */

static int by_name(const void *left, const void *right)
{
    const wire_bytes_t *a = left, *b = right;

    return sigv4_text_compare(*a, *b);
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
        rc = rc < 0 ? rc : sigv4_text_put(out, names[i]);
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

static int write_authorization(const sigv4_terms_t *terms,
                               const char signature[SIGV4_SIGNATURE],
                               char text[SIGV4_TEXT_MAX])
{
    buf_t out;

    buf_init(&out, SIGV4_TEXT_MAX);
    int rc = sigv4_text_put(&out, wire_bytes(SIGV4_ALGORITHM " Credential="));
    rc = rc < 0 ? rc : sigv4_text_put(&out, terms->access_key);
    rc = rc < 0 ? rc : buf_put(&out, "/", 1);
    rc = rc < 0 ? rc : sigv4_terms_put_scope(&out, terms);
    rc = rc < 0 ? rc : sigv4_text_put(&out, wire_bytes(", SignedHeaders="));
    rc = rc < 0 ? rc : sigv4_text_put(&out, terms->signed_headers);
    rc = rc < 0 ? rc : sigv4_text_put(&out, wire_bytes(", Signature="));
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
    sigv4_terms_t terms = {.date = sigv4_terms_value(request, "x-amz-date"),
                           .access_key = key->access_key,
                           .secret = key->secret,
                           .region = scope->region,
                           .service = scope->service};
    buf_t names;

    if (!sigv4_terms_are_valid(&terms) ||
        sigv4_terms_value(request, "host").len == 0) {
        return -EINVAL;
    }
    buf_init(&names, SIGV4_SIGNED_MAX);
    int rc = put_names(&names, request);
    if (rc == 0) {
        terms.signed_headers = (wire_bytes_t){names.data, names.len};
        rc = sigv4_terms_sign(request, &terms, signature);
    }
    rc = rc < 0 ? rc : write_authorization(&terms, signature, text);
    buf_fini(&names);
    return rc;
}
