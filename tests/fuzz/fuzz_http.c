/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a request head: what is parsed lies in the bytes, does not
 * depend on what follows the head, and is not there before its last byte.
 */
#include "base/xalloc.h"
#include "gateway/handshake.h"
#include "proto/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_LIMIT 2048
#define OUT_MAX    (1u << 20)

static http_request_t request;

static void check_inside(wire_bytes_t part, const uint8_t *bytes, size_t len)
{
    must(part.len == 0 ||
         (part.data >= bytes && part.data + part.len <= bytes + len));
}

static void check_parts(const uint8_t *bytes)
{
    check_inside(request.method, bytes, request.head_len);
    check_inside(request.path, bytes, request.head_len);
    check_inside(request.query, bytes, request.head_len);
    must(request.method.len > 0 && request.path.len > 0);
    must(request.path.data[0] == '/');
    must(request.minor == 0 || request.minor == 1);
    must(request.header_count <= HTTP_HEADERS_MAX);
    for (size_t i = 0; i < request.header_count; i++) {
        const http_header_t *header = &request.headers[i];
        check_inside(header->name, bytes, request.head_len);
        check_inside(header->value, bytes, request.head_len);
        must(http_is_header(header->name, header->value));
    }
}

/* Every use that the gateway makes of a head. */
static void use(void)
{
    wire_bytes_t query = request.query, name, value, list = {0};
    size_t at = 0;
    buf_t out;

    buf_init(&out, OUT_MAX);
    (void)http_decode(request.path, false, &out);
    while (http_next_pair(&query, &name, &value)) {
        (void)http_decode(name, true, &out);
        (void)http_decode(value, true, &out);
    }
    if (handshake_is_wanted(&request) && handshake_check(&request, "") == 0) {
        out.len = 0;
        must(handshake_accept(&out, &request, (wire_bytes_t){0},
                              (wire_bytes_t){0}) == 0);
        must(memcmp(out.data, "HTTP/1.1 101 ", 13) == 0);
    }
    while (handshake_next_subprotocol(&request, &at, &list, &name)) {
        must(name.len > 0);
    }
    buf_fini(&out);
}

static int parse_prefix(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len); /* its end is guarded */

    must(copy != NULL);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    int rc = http_parse(copy, len, HEAD_LIMIT, &request);
    free(copy);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int rc = http_parse(data, size, HEAD_LIMIT, &request);

    must(rc == 0 || rc == -EAGAIN || rc == -EMSGSIZE || rc == -EPROTO);
    if (rc == -EAGAIN) {
        must(size <= HEAD_LIMIT);
    }
    if (rc != 0) {
        return 0;
    }
    size_t head_len = request.head_len;
    must(head_len <= size && head_len <= HEAD_LIMIT);
    check_parts(data);
    use();
    must(parse_prefix(data, head_len) == 0 && request.head_len == head_len);
    for (size_t len = 0; len < head_len; len++) {
        must(parse_prefix(data, len) == -EAGAIN);
    }
    return 0;
}
