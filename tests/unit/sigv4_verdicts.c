/* SPDX-License-Identifier: MIT
 *
 * For compare_sigv4.py: each line of the input is a request as JSON, with the
 * Authorization that another implementation gave it among its headers; the
 * answer to each is a line: what sigv4_verify returns, and how we would have
 * signed all that is signed.
 */
#include "base/xalloc.h"
#include "proto/sigv4.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static wire_bytes_t bytes_of(const json_t *of)
{
    must(json_is_string(of));
    return (wire_bytes_t){(const uint8_t *)json_string_value(of),
                          json_string_length(of)};
}

static wire_bytes_t field(const json_t *of, const char *key)
{
    return bytes_of(json_object_get(of, key));
}

static bool find_secret(void *user, wire_bytes_t access_key,
                        sigv4_secret_t *secret)
{
    const json_t *of = user;

    *secret = (sigv4_secret_t){field(of, "secret"), field(of, "token")};
    return wire_equal(access_key, field(of, "key"));
}

static void answer(json_t *of)
{
    sigv4_header_t headers[SIGV4_HEADERS_MAX + 1];
    json_t *list = json_object_get(of, "headers");
    size_t count = json_array_size(list);
    const sigv4_scope_t scope = {field(of, "region"), field(of, "service")};
    const sigv4_key_t key = {field(of, "key"), field(of, "secret")};
    char text[SIGV4_TEXT_MAX] = "";

    must(count > 0 && count <= SIGV4_HEADERS_MAX + 1);
    for (size_t i = 0; i < count; i++) {
        json_t *pair = json_array_get(list, i);
        headers[i] = (sigv4_header_t){bytes_of(json_array_get(pair, 0)),
                                      bytes_of(json_array_get(pair, 1))};
    }
    sigv4_request_t request = {.method = field(of, "method"),
                               .path = field(of, "path"),
                               .query = field(of, "query"),
                               .headers = headers,
                               .header_count = count,
                               .body = field(of, "body")};
    int64_t now_s = json_integer_value(json_object_get(of, "now"));
    int rc = sigv4_verify(&request, &scope, now_s, find_secret, of);
    request.header_count--; /* the last one is Authorization */
    if (sigv4_sign(&request, &key, &scope, text) < 0) {
        text[0] = '\0';
    }
    printf("%d %s\n", rc, text);
}

int main(void)
{
    static char line[1 << 16];

    while (fgets(line, sizeof line, stdin) != NULL) {
        json_t *of = json_loads(line, 0, NULL);
        must(of != NULL);
        answer(of);
        json_decref(of);
    }
    return 0;
}
