/* SPDX-License-Identifier: MIT */
#include "gateway/forwarded.h"

#include <string.h>

/* Take the last element off a comma separated list; false at its beginning.
 * An empty one says nothing (RFC 9110, section 5.6.1). */
static bool take_last(wire_bytes_t *list, wire_bytes_t *element)
{
    while (list->len > 0) {
        const uint8_t *comma = memrchr(list->data, ',', list->len);
        size_t start = comma == NULL ? 0 : (size_t)(comma + 1 - list->data);
        *element =
            http_trim((wire_bytes_t){list->data + start, list->len - start});
        list->len = comma == NULL ? 0 : start - 1;
        if (element->len > 0) {
            return true;
        }
    }
    return false;
}

/* Some proxies append the port, too: 192.0.2.7:80, [2001:db8::1]:80. */
static wire_bytes_t without_port(wire_bytes_t text)
{
    const uint8_t *colon = memchr(text.data, ':', text.len);
    const uint8_t *bracket = memchr(text.data, ']', text.len);

    if (text.data[0] == '[' && bracket != NULL) {
        return (wire_bytes_t){text.data + 1, (size_t)(bracket - text.data) - 1};
    }
    if (colon != NULL && memrchr(text.data, ':', text.len) == colon) {
        text.len = (size_t)(colon - text.data);
    }
    return text;
}

static int parse_element(wire_bytes_t element, ip_t *ip)
{
    wire_bytes_t address = without_port(element);

    return ip_parse((const char *)address.data, address.len, ip);
}

/* Go on through one header's list, from its end.  Returns whether *client is
 * found: it is no proxy, or nothing before it can be read. */
static bool walk(wire_bytes_t list, const ip_nets_t *proxies, ip_t *client)
{
    wire_bytes_t element;

    while (take_last(&list, &element)) {
        if (parse_element(element, client) < 0 ||
            !ip_nets_have(proxies, client)) {
            return true;
        }
    }
    return false;
}

ip_t forwarded_for(const http_request_t *request, const ip_nets_t *proxies,
                   const ip_t *peer)
{
    ip_t client = *peer;

    for (size_t i = request->header_count; i > 0; i--) {
        const http_header_t *header = &request->headers[i - 1];
        if (http_equal_fold(header->name, wire_bytes("x-forwarded-for")) &&
            walk(header->value, proxies, &client)) {
            return client;
        }
    }
    return client;
}
