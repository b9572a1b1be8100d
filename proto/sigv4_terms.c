/* SPDX-License-Identifier: MIT */
#include "proto/sigv4_terms.h"

#include "proto/sigv4_canonical.h"
#include "proto/sigv4_text.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#define SCOPE_MAX 256 /* bytes of region and of service */

typedef struct {
    uint8_t bytes[SHA256_DIGEST_LENGTH];
} hash_t;

const sigv4_header_t *sigv4_terms_header(const sigv4_request_t *request,
                                         const char *name, size_t *times)
{
    const sigv4_header_t *found = NULL;

    *times = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (sigv4_text_is_name(request->headers[i].name, wire_bytes(name))) {
            found = found == NULL ? &request->headers[i] : found;
            ++*times;
        }
    }
    return found;
}

wire_bytes_t sigv4_terms_value(const sigv4_request_t *request, const char *name)
{
    size_t times;
    const sigv4_header_t *header = sigv4_terms_header(request, name, &times);

    return times == 1 ? sigv4_text_trimmed(header->value)
                      : (wire_bytes_t){NULL, 0};
}

bool sigv4_terms_are_valid(const sigv4_terms_t *terms)
{
    int64_t at;

    return sigv4_date_parse(terms->date, &at) == 0 &&
           terms->access_key.len > 0 && terms->secret.len > 0 &&
           terms->secret.len <= SIGV4_SECRET_MAX && terms->region.len > 0 &&
           terms->region.len <= SCOPE_MAX && terms->service.len > 0 &&
           terms->service.len <= SCOPE_MAX;
}

static hash_t keyed(const void *key, size_t key_len, wire_bytes_t text)
{
    static const uint8_t nothing = 0;
    hash_t hash;

    HMAC(EVP_sha256(), key, (int)key_len, text.len == 0 ? &nothing : text.data,
         text.len, hash.bytes, NULL);
    return hash;
}

/* The day's key of the scope. */
static hash_t derive(const sigv4_terms_t *terms)
{
    uint8_t first[4 + SIGV4_SECRET_MAX] = "AWS4";

    memcpy(first + 4, terms->secret.data, terms->secret.len);
    hash_t key = keyed(first, 4 + terms->secret.len,
                       (wire_bytes_t){terms->date.data, SIGV4_DAY});
    OPENSSL_cleanse(first, sizeof first);
    key = keyed(key.bytes, sizeof key.bytes, terms->region);
    key = keyed(key.bytes, sizeof key.bytes, terms->service);
    return keyed(key.bytes, sizeof key.bytes, wire_bytes(SIGV4_END));
}

int sigv4_terms_put_scope(buf_t *out, const sigv4_terms_t *terms)
{
    int rc = buf_put(out, terms->date.data, SIGV4_DAY);

    rc = rc < 0 ? rc : buf_put(out, "/", 1);
    rc = rc < 0 ? rc : sigv4_text_put(out, terms->region);
    rc = rc < 0 ? rc : buf_put(out, "/", 1);
    rc = rc < 0 ? rc : sigv4_text_put(out, terms->service);
    return rc < 0 ? rc : sigv4_text_put(out, wire_bytes("/" SIGV4_END));
}

static int put_string_to_sign(buf_t *out, const sigv4_terms_t *terms,
                              wire_bytes_t canonical)
{
    int rc = sigv4_text_put(out, wire_bytes(SIGV4_ALGORITHM "\n"));

    rc = rc < 0 ? rc : sigv4_text_put(out, terms->date);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    rc = rc < 0 ? rc : sigv4_terms_put_scope(out, terms);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    return rc < 0 ? rc : sigv4_canonical_put_hash(out, canonical);
}

int sigv4_terms_sign(const sigv4_request_t *request, const sigv4_terms_t *terms,
                     char signature[SIGV4_SIGNATURE])
{
    buf_t canonical, text;

    buf_init(&canonical, SIGV4_CANONICAL_MAX);
    buf_init(&text, SIGV4_CANONICAL_MAX);
    int rc = sigv4_canonical_put(&canonical, request, terms->signed_headers);
    rc = rc < 0
             ? rc
             : put_string_to_sign(
                   &text, terms, (wire_bytes_t){canonical.data, canonical.len});
    if (rc == 0) {
        hash_t key = derive(terms);
        hash_t hash = keyed(key.bytes, sizeof key.bytes,
                            (wire_bytes_t){text.data, text.len});
        sigv4_text_hex(hash.bytes, sizeof hash.bytes, signature);
        OPENSSL_cleanse(&key, sizeof key);
    }
    buf_fini(&canonical);
    buf_fini(&text);
    return rc;
}
