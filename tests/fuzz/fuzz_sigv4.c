/* SPDX-License-Identifier: MIT
 *
 * Any bytes as an Authorization header: its parts lie within them and make the
 * same header again.  Then as the header of a request whose path, query and
 * values are of the same bytes: what is verified is in order, and one byte of
 * the body more is not.
 */
#include "base/xalloc.h"
#include "proto/sigv4.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool find_secret(void *user, wire_bytes_t access_key,
                        sigv4_secret_t *secret)
{
    (void)user;
    *secret = (sigv4_secret_t){.secret = wire_bytes("secret")};
    return access_key.len > 0;
}

static bool is_within(wire_bytes_t part, const uint8_t *data, size_t size)
{
    return part.len > 0 && part.data >= data &&
           part.data + part.len <= data + size;
}

static void must_be_same(wire_bytes_t a, wire_bytes_t b)
{
    must(wire_equal(a, b));
}

static void parse_again(const sigv4_authorization_t *a)
{
    static char text[16384];
    sigv4_authorization_t b;
    int len = snprintf(
        text, sizeof text,
        "AWS4-HMAC-SHA256 Credential=%.*s/%.*s/%.*s/%.*s/aws4_request, "
        "SignedHeaders=%.*s, Signature=%.*s",
        (int)a->access_key.len, (const char *)a->access_key.data,
        (int)a->date.len, (const char *)a->date.data, (int)a->region.len,
        (const char *)a->region.data, (int)a->service.len,
        (const char *)a->service.data, (int)a->signed_headers.len,
        (const char *)a->signed_headers.data, (int)a->signature.len,
        (const char *)a->signature.data);

    if (len < 0 || (size_t)len >= sizeof text) {
        return;
    }
    must(sigv4_parse((wire_bytes_t){(const uint8_t *)text, (size_t)len}, &b) ==
         0);
    must_be_same(a->access_key, b.access_key);
    must_be_same(a->date, b.date);
    must_be_same(a->region, b.region);
    must_be_same(a->service, b.service);
    must_be_same(a->signed_headers, b.signed_headers);
    must_be_same(a->signature, b.signature);
}

static void parse(const uint8_t *data, size_t size)
{
    sigv4_authorization_t parts;
    int rc = sigv4_parse((wire_bytes_t){data, size}, &parts);

    must(rc == 0 || rc == -EINVAL);
    if (rc == 0) {
        must(is_within(parts.access_key, data, size) &&
             is_within(parts.date, data, size) &&
             is_within(parts.region, data, size) &&
             is_within(parts.service, data, size) &&
             is_within(parts.signed_headers, data, size) &&
             parts.signature.len == SIGV4_SIGNATURE);
        parse_again(&parts);
    }
}

static int verify(const sigv4_request_t *request, const sigv4_scope_t *scope)
{
    return sigv4_verify(request, scope, 1440938160, find_secret, NULL);
}

static void sign_and_verify(wire_bytes_t any)
{
    static const sigv4_key_t key = {{(const uint8_t *)"key", 3},
                                    {(const uint8_t *)"secret", 6}};
    const sigv4_scope_t scope = {wire_bytes("r"), wire_bytes("s")};
    sigv4_header_t headers[] = {
        {wire_bytes("Host"), wire_bytes("h")},
        {wire_bytes("X-Amz-Date"), wire_bytes("20150830T123600Z")},
        {wire_bytes("Other"), any},
        {wire_bytes("Authorization"), any}};
    sigv4_request_t request = {.method = wire_bytes("GET"),
                               .path = any,
                               .query = any,
                               .headers = headers,
                               .header_count = 4};
    char text[SIGV4_TEXT_MAX];

    must(verify(&request, &scope) < 0);
    request.header_count = 3;
    int rc = sigv4_sign(&request, &key, &scope, text);
    must(rc == 0 || rc == -EINVAL || rc == -ENOBUFS); /* parameters, size */
    if (rc == 0) {
        headers[3].value = wire_bytes(text);
        request.header_count = 4;
        must(verify(&request, &scope) == 0);
        request.body = wire_bytes("x");
        must(verify(&request, &scope) == -EACCES);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size);
    sign_and_verify((wire_bytes_t){data, size});
    return 0;
}
