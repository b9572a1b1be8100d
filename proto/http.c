/* SPDX-License-Identifier: MIT */
#include "proto/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- characters -------------------------------------------------------- */

/* RFC 9110, section 5.6.2 */
static bool is_token_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(wire_bytes_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_char(text.data[i])) {
            return false;
        }
    }
    return text.len > 0;
}

/* RFC 9110, section 5.5: no control bytes but the tab. */
static bool is_field_value(wire_bytes_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if ((c < ' ' && c != '\t') || c == 127) {
            return false;
        }
    }
    return true;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool http_equal_fold(wire_bytes_t a, wire_bytes_t b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

wire_bytes_t http_trim(wire_bytes_t text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' ||
                            text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* --- the request head -------------------------------------------------- */

/* The line at *at without its CRLF; moves behind it.  A bare CR or LF is no
 * line end: readers that disagree about it are how requests are smuggled. */
static int take_line(const uint8_t **at, const uint8_t *end, wire_bytes_t *line)
{
    const uint8_t *lf = memchr(*at, '\n', (size_t)(end - *at));

    if (lf == NULL || lf == *at || lf[-1] != '\r') {
        return -EPROTO;
    }
    *line = (wire_bytes_t){*at, (size_t)(lf - 1 - *at)};
    *at = lf + 1;
    return memchr(line->data, '\r', line->len) != NULL ? -EPROTO : 0;
}

/* What stands before the first `c`; *rest begins behind it. */
static bool split(wire_bytes_t text, uint8_t c, wire_bytes_t *before,
                  wire_bytes_t *rest)
{
    const uint8_t *at = text.len > 0 ? memchr(text.data, c, text.len) : NULL;

    if (at == NULL) {
        *before = text;
        *rest = (wire_bytes_t){text.data + text.len, 0};
        return false;
    }
    *before = (wire_bytes_t){text.data, (size_t)(at - text.data)};
    *rest = (wire_bytes_t){at + 1, text.len - before->len - 1};
    return true;
}

/* Origin form only; absolute form is for proxies and says the host twice. */
static int parse_target(wire_bytes_t target, http_request_t *request)
{
    for (size_t i = 0; i < target.len; i++) {
        if (target.data[i] <= ' ' || target.data[i] >= 127) {
            return -EPROTO;
        }
    }
    if (target.len == 0 || target.data[0] != '/') {
        return -EPROTO;
    }
    split(target, '?', &request->path, &request->query);
    return 0;
}

static int parse_request_line(wire_bytes_t line, http_request_t *request)
{
    wire_bytes_t rest, target, version;

    if (!split(line, ' ', &request->method, &rest) ||
        !split(rest, ' ', &target, &version) || !is_token(request->method)) {
        return -EPROTO;
    }
    if (wire_is(version, "HTTP/1.1")) {
        request->minor = 1;
    } else if (wire_is(version, "HTTP/1.0")) {
        request->minor = 0;
    } else {
        return -EPROTO;
    }
    return parse_target(target, request);
}

static int parse_header(wire_bytes_t line, http_request_t *request)
{
    wire_bytes_t name, value;

    if (request->header_count == HTTP_HEADERS_MAX) {
        return -EMSGSIZE;
    }
    if (!split(line, ':', &name, &value) || !is_token(name) ||
        !is_field_value(value)) {
        return -EPROTO;
    }
    request->headers[request->header_count++] =
        (http_header_t){name, http_trim(value)};
    return 0;
}

static size_t count_headers(const http_request_t *request, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < request->header_count; i++) {
        count += http_equal_fold(request->headers[i].name, wire_bytes(name));
    }
    return count;
}

static int parse_number(wire_bytes_t text, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return -EPROTO;
        }
        *number = *number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return text.len == 0 || text.len > 15 ? -EPROTO : 0;
}

/* RFC 9112, section 6: a length that can be read in two ways is an attack. */
static int check_framing(http_request_t *request)
{
    const http_header_t *length = http_header(request, "content-length");
    size_t lengths = count_headers(request, "content-length");
    size_t encodings = count_headers(request, "transfer-encoding");

    if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0) ||
        (encodings > 0 && request->minor == 0)) {
        return -EPROTO;
    }
    request->is_chunked = encodings > 0;
    return length != NULL
               ? parse_number(length->value, &request->content_length)
               : 0;
}

/* host [":" port], of the characters that names and addresses have. */
static bool is_host(wire_bytes_t host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.data[i];
        if (!isalnum(c) && (c == '\0' || strchr("-._:[]%", c) == NULL)) {
            return false;
        }
    }
    return host.len > 0 && host.len <= 261;
}

static int check_host(const http_request_t *request)
{
    const http_header_t *host = http_header(request, "host");
    size_t hosts = count_headers(request, "host");

    if (hosts > 1 || (hosts == 0 && request->minor == 1)) {
        return -EPROTO;
    }
    return host == NULL || is_host(host->value) ? 0 : -EPROTO;
}

/* Bytes of the head with its empty line, or 0. */
static size_t find_end(const uint8_t *bytes, size_t len)
{
    const uint8_t *end = memmem(bytes, len, "\r\n\r\n", 4);
    return end != NULL ? (size_t)(end - bytes) + 4 : 0;
}

static int parse_lines(const uint8_t *bytes, http_request_t *request)
{
    const uint8_t *at = bytes, *end = bytes + request->head_len;
    wire_bytes_t line;

    int rc = take_line(&at, end, &line);
    if (rc < 0 || (rc = parse_request_line(line, request)) < 0) {
        return rc;
    }
    while ((rc = take_line(&at, end, &line)) == 0 && line.len > 0) {
        rc = parse_header(line, request);
        if (rc < 0) {
            return rc;
        }
    }
    return rc;
}

/* Garbage need not be waited for to its (perhaps never coming) end. */
static bool looks_like_http(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && i < 32; i++) {
        if (bytes[i] == ' ') {
            return i > 0;
        }
        if (!is_token_char(bytes[i])) {
            return false;
        }
    }
    return len < 32;
}

int http_parse(const uint8_t *bytes, size_t len, size_t max,
               http_request_t *request)
{
    memset(request, 0, sizeof *request);
    if (!looks_like_http(bytes, len)) {
        return -EPROTO;
    }
    request->head_len = find_end(bytes, len);
    if (request->head_len > max || (request->head_len == 0 && len > max)) {
        return -EMSGSIZE;
    }
    if (request->head_len == 0) {
        return -EAGAIN;
    }
    int rc = parse_lines(bytes, request);
    if (rc < 0 || (rc = check_host(request)) < 0 ||
        (rc = check_framing(request)) < 0) {
        return rc;
    }
    request->keeps_alive = request->minor == 1
                               ? !http_has_token(request, "connection", "close")
                               : false;
    return 0;
}

/* --- looking things up ------------------------------------------------- */

const http_header_t *http_header(const http_request_t *request,
                                 const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (http_equal_fold(request->headers[i].name, wire_bytes(name))) {
            return &request->headers[i];
        }
    }
    return NULL;
}

bool http_next_token(wire_bytes_t *list, wire_bytes_t *token)
{
    while (list->len > 0) {
        wire_bytes_t element, rest;
        split(*list, ',', &element, &rest);
        *list = rest;
        *token = http_trim(element);
        if (token->len > 0) {
            return true;
        }
    }
    return false;
}

bool http_has_token(const http_request_t *request, const char *name,
                    const char *token)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const http_header_t *header = &request->headers[i];
        wire_bytes_t list = header->value, element;
        if (!http_equal_fold(header->name, wire_bytes(name))) {
            continue;
        }
        while (http_next_token(&list, &element)) {
            if (http_equal_fold(element, wire_bytes(token))) {
                return true;
            }
        }
    }
    return false;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at text[i], decoded; *i is left on its last character. */
static int decode_byte(wire_bytes_t text, bool is_query, size_t *i)
{
    uint8_t c = text.data[*i];

    if (c == '+' && is_query) {
        return ' ';
    }
    if (c != '%') {
        return c;
    }
    if (text.len - *i < 3) {
        return -EPROTO;
    }
    int high = hex_value(text.data[*i + 1]), low = hex_value(text.data[*i + 2]);
    *i += 2;
    int value = high * 16 + low;
    return high < 0 || low < 0 || value == 0 ? -EPROTO : value;
}

int http_decode(wire_bytes_t text, bool is_query, buf_t *out)
{
    int rc = buf_reserve(out, text.len);
    if (rc < 0) {
        return rc;
    }
    size_t start = out->len;
    for (size_t i = 0; i < text.len; i++) {
        int value = decode_byte(text, is_query, &i);
        if (value < 0) {
            out->len = start;
            return value;
        }
        out->data[out->len++] = (uint8_t)value;
    }
    return 0;
}

bool http_next_pair(wire_bytes_t *query, wire_bytes_t *name,
                    wire_bytes_t *value)
{
    while (query->len > 0) {
        wire_bytes_t pair, rest;
        split(*query, '&', &pair, &rest);
        *query = rest;
        split(pair, '=', name, value);
        if (pair.len > 0) {
            return true;
        }
    }
    return false;
}

/* --- responses --------------------------------------------------------- */

bool http_is_header(wire_bytes_t name, wire_bytes_t value)
{
    return is_token(name) && is_field_value(value);
}

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *http_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return status < 200   ? "Continue"
           : status < 300 ? "OK"
           : status < 400 ? "See Other"
           : status < 500 ? "Bad Request"
                          : "Internal Server Error";
}

static int put_text(buf_t *out, const char *text)
{
    return buf_put(out, text, strlen(text));
}

int http_put_status(buf_t *out, unsigned status)
{
    char line[80];

    snprintf(line, sizeof line, "HTTP/1.1 %u %s\r\n", status,
             http_reason(status));
    return put_text(out, line);
}

int http_put_header(buf_t *out, wire_bytes_t name, wire_bytes_t value)
{
    size_t start = out->len;

    if (!http_is_header(name, value)) {
        return -EINVAL;
    }
    int rc = buf_put(out, name.data, name.len);
    if (rc < 0 || (rc = put_text(out, ": ")) < 0 ||
        (rc = buf_put(out, value.data, value.len)) < 0 ||
        (rc = put_text(out, "\r\n")) < 0) {
        out->len = start;
    }
    return rc;
}

int http_put_text_header(buf_t *out, const char *name, const char *value)
{
    return http_put_header(out, wire_bytes(name), wire_bytes(value));
}

int http_put_body(buf_t *out, const uint8_t *body, size_t len, bool with_body)
{
    char line[48];

    snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", len);
    int rc = put_text(out, line);
    return rc < 0 || !with_body ? rc : buf_put(out, body, len);
}
