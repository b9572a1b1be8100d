/* SPDX-License-Identifier: MIT */
#include "admin/browser.h"

#include <string.h>

#include <arpa/inet.h>

#define HOST_MAX 256 /* bytes; a name is not longer */

/* The host of HOST, HOST:PORT, [V6] or [V6]:PORT. */
static wire_bytes_t host_of(wire_bytes_t text)
{
    if (text.len > 0 && text.data[0] == '[') {
        const uint8_t *end = memchr(text.data, ']', text.len);
        size_t len = end == NULL ? 0 : (size_t)(end - text.data);
        bool is_whole = len > 0 && (len + 1 == text.len || end[1] == ':');
        return (wire_bytes_t){text.data + 1, is_whole ? len - 1 : 0};
    }
    const uint8_t *colon =
        text.len == 0 ? NULL : memchr(text.data, ':', text.len);
    return (wire_bytes_t){
        text.data, colon == NULL ? text.len : (size_t)(colon - text.data)};
}

/* No name that somebody else could have given to our address. */
static bool is_address(wire_bytes_t host)
{
    char text[HOST_MAX];
    unsigned char address[sizeof(struct in6_addr)];

    if (host.len >= sizeof text) {
        return false;
    }
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, address) == 1 ||
           inet_pton(AF_INET6, text, address) == 1;
}

static bool is_our_host(const http_request_t *request, const char *listen)
{
    const http_header_t *header = http_header(request, "host");

    if (header == NULL) {
        return true; /* HTTP/1.0: no browser speaks that */
    }
    wire_bytes_t host = host_of(header->value);
    return host.len > 0 && (is_address(host) ||
                            http_equal_fold(host, wire_bytes("localhost")) ||
                            http_equal_fold(host, host_of(wire_bytes(listen))));
}

bool browser_may_have_sent(const http_request_t *request, const char *listen)
{
    const http_header_t *site = http_header(request, "sec-fetch-site");

    return http_header(request, "origin") != NULL ||
           (site != NULL && !wire_is(site->value, "none")) ||
           !is_our_host(request, listen);
}
