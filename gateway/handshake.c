/* SPDX-License-Identifier: MIT */
#include "gateway/handshake.h"

#include "gateway/compat_lws.h"

#include <errno.h>
#include <string.h>

#define KEY_TEXT    24 /* base64 of 16 bytes */
#define ACCEPT_TEXT 29
#define SHA1_BYTES  20

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/* What the handshake itself or the framing of messages says (and a worker
 * therefore may not). */
static const char *const reserved_headers[] = {
    "connection",        "upgrade", "content-length",
    "transfer-encoding", "trailer", "keep-alive",
};

bool handshake_is_wanted(const http_request_t *request)
{
    return http_has_token(request, "upgrade", "websocket");
}

/* Exactly one key, which decodes to 16 bytes. */
static bool has_key(const http_request_t *request)
{
    const http_header_t *key = http_header(request, "sec-websocket-key");

    if (key == NULL || key->value.len != KEY_TEXT) {
        return false;
    }
    for (size_t i = 0; i < KEY_TEXT - 2; i++) {
        uint8_t c = key->value.data[i];
        bool is_base64 = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                         (c >= '0' && c <= '9') || c == '+' || c == '/';
        if (!is_base64) {
            return false;
        }
    }
    return memcmp(key->value.data + KEY_TEXT - 2, "==", 2) == 0;
}

static bool is_origin_allowed(const http_request_t *request,
                              const char *origins)
{
    const http_header_t *origin = http_header(request, "origin");
    wire_bytes_t list = wire_bytes(origins), allowed;

    if (list.len == 0) {
        return true;
    }
    while (origin != NULL && http_next_token(&list, &allowed)) {
        if (http_equal_fold(allowed, origin->value)) {
            return true;
        }
    }
    return false;
}

unsigned handshake_check(const http_request_t *request, const char *origins)
{
    const http_header_t *version =
        http_header(request, "sec-websocket-version");

    if (!wire_is(request->method, "GET")) {
        return 405;
    }
    if (version == NULL || !wire_is(version->value, "13")) {
        return 426;
    }
    if (request->minor == 0 || request->content_length > 0 ||
        request->is_chunked || !has_key(request) ||
        !http_has_token(request, "connection", "upgrade")) {
        return 400;
    }
    return is_origin_allowed(request, origins) ? 0 : 403;
}

bool handshake_next_subprotocol(const http_request_t *request, size_t *at,
                                wire_bytes_t *list, wire_bytes_t *name)
{
    while (!http_next_token(list, name)) {
        while (*at < request->header_count &&
               !http_equal_fold(request->headers[*at].name,
                                wire_bytes("sec-websocket-protocol"))) {
            (*at)++;
        }
        if (*at == request->header_count) {
            return false;
        }
        *list = request->headers[(*at)++].value;
    }
    return true;
}

static bool is_offered(const http_request_t *request, wire_bytes_t wanted)
{
    wire_bytes_t list = {NULL, 0}, name;
    size_t at = 0;

    while (handshake_next_subprotocol(request, &at, &list, &name)) {
        if (wire_equal(name, wanted)) {
            return true;
        }
    }
    return false;
}

static int put_accept(buf_t *out, wire_bytes_t key)
{
    unsigned char sha1[SHA1_BYTES];
    char joined[KEY_TEXT + sizeof guid], accept[ACCEPT_TEXT + 3];

    memcpy(joined, key.data, KEY_TEXT);
    memcpy(joined + KEY_TEXT, guid, sizeof guid - 1);
    lws_SHA1((const unsigned char *)joined, KEY_TEXT + sizeof guid - 1, sha1);
    lws_b64_encode_string((const char *)sha1, SHA1_BYTES, accept,
                          (int)sizeof accept);
    return http_put_text_header(out, "Sec-WebSocket-Accept", accept);
}

static bool is_reserved(wire_bytes_t name)
{
    static const char prefix[] = "sec-websocket-";
    size_t len = sizeof prefix - 1;

    if (name.len >= len &&
        http_equal_fold((wire_bytes_t){name.data, len}, wire_bytes(prefix))) {
        return true;
    }
    for (size_t i = 0; i < sizeof reserved_headers / sizeof(char *); i++) {
        if (http_equal_fold(name, wire_bytes(reserved_headers[i]))) {
            return true;
        }
    }
    return false;
}

typedef struct {
    wire_cursor_t in;
    uint32_t left;
} worker_headers_t;

static worker_headers_t worker_headers(wire_bytes_t headers)
{
    worker_headers_t self = {.in = wire_cursor(headers)};

    if (headers.len == 0 || wire_get_array(&self.in, &self.left) < 0) {
        self.left = 0;
    }
    return self;
}

/* Returns false when there is no other, or none that could be read. */
static bool next_header(worker_headers_t *self, wire_bytes_t *name,
                        wire_bytes_t *value)
{
    uint32_t parts;

    return self->left-- > 0 && wire_get_array(&self->in, &parts) == 0 &&
           parts == 2 && wire_get_str(&self->in, name) == 0 &&
           wire_get_str(&self->in, value) == 0;
}

/* A header that may not be sent is left out: the connection is worth more. */
int handshake_put_headers(buf_t *out, wire_bytes_t headers)
{
    worker_headers_t all = worker_headers(headers);
    wire_bytes_t name, value;

    while (next_header(&all, &name, &value)) {
        int rc = is_reserved(name) ? 0 : http_put_header(out, name, value);
        if (rc < 0 && rc != -EINVAL) {
            return rc;
        }
    }
    return 0;
}

bool handshake_has_header(wire_bytes_t headers, const char *wanted)
{
    worker_headers_t all = worker_headers(headers);
    wire_bytes_t name, value;

    while (next_header(&all, &name, &value)) {
        if (http_equal_fold(name, wire_bytes(wanted))) {
            return true;
        }
    }
    return false;
}

int handshake_accept(buf_t *out, const http_request_t *request,
                     wire_bytes_t subprotocol, wire_bytes_t headers)
{
    const http_header_t *key = http_header(request, "sec-websocket-key");
    size_t start = out->len;

    int rc = http_put_status(out, 101);
    if (rc == 0 &&
        (rc = http_put_text_header(out, "Upgrade", "websocket")) == 0 &&
        (rc = http_put_text_header(out, "Connection", "Upgrade")) == 0) {
        rc = put_accept(out, key->value);
    }
    if (rc == 0 && subprotocol.len > 0 && is_offered(request, subprotocol)) {
        rc = http_put_header(out, wire_bytes("Sec-WebSocket-Protocol"),
                             subprotocol);
    }
    if (rc == 0 && (rc = handshake_put_headers(out, headers)) == 0) {
        rc = buf_put(out, "\r\n", 2);
    }
    if (rc < 0) {
        out->len = start;
    }
    return rc;
}
