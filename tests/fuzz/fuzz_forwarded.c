/* SPDX-License-Identifier: MIT
 *
 * Any bytes as X-Forwarded-For and, in the first line, as a list of networks:
 * the client that is found is the peer or an address that can be written and
 * read; a longer list of a stranger's changes nothing about what proxies said.
 */
#include "base/xalloc.h"
#include "gateway/forwarded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LISTS_MAX 4

static http_request_t request;
static ip_nets_t proxies;

static void check_address(const ip_t *ip)
{
    char text[IP_TEXT];
    ip_t again;

    ip_format(ip, text);
    must(ip_parse(text, strlen(text), &again) == 0);
    must(ip_equal(ip, &again));
}

/* The lines of the input as headers; the last is what the nearest proxy says.
 */
static void take_headers(wire_bytes_t text)
{
    memset(&request, 0, sizeof request);
    while (text.len > 0 && request.header_count < LISTS_MAX) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.data);
        request.headers[request.header_count++] =
            (http_header_t){wire_bytes("X-Forwarded-For"), {text.data, len}};
        len += end != NULL;
        text = (wire_bytes_t){text.data + len, text.len - len};
    }
}

/* Who is no proxy ends the walk: what stands before it is not looked at. */
static void check_strangers_word(const ip_t *peer, const ip_t *client)
{
    if (request.header_count == HTTP_HEADERS_MAX ||
        ip_nets_have(&proxies, client) || ip_equal(peer, client)) {
        return;
    }
    memmove(request.headers + 1, request.headers,
            request.header_count * sizeof *request.headers);
    request.headers[0].value = wire_bytes("203.0.113.9");
    request.header_count++;
    ip_t again = forwarded_for(&request, &proxies, peer);
    must(ip_equal(&again, client));
}

static void take_nets(const uint8_t *data, size_t len)
{
    char *text = calloc(1, len + 1);

    must(text != NULL);
    memcpy(text, data, len);
    int rc = ip_nets_parse(text, &proxies);
    must(rc == 0 || rc == -EINVAL || rc == -E2BIG);
    if (rc < 0) {
        must(ip_nets_parse("10.0.0.0/8,::1", &proxies) == 0);
    }
    for (size_t i = 0; i < proxies.count; i++) {
        must(proxies.nets[i].bits <= 128);
        must(ip_nets_have(&proxies, &proxies.nets[i].address));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ip_t peer = ip_of_v4((const uint8_t[]){10, 0, 0, 1});
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);

    if (end == NULL) {
        return 0;
    }
    size_t len = (size_t)(end - data);
    take_nets(data, len);
    take_headers((wire_bytes_t){end + 1, size - len - 1});
    ip_t client = forwarded_for(&request, &proxies, &peer);
    check_address(&client);
    check_strangers_word(&peer, &client);
    return 0;
}
