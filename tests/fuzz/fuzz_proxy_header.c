/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a PROXY header: one that is whole does not depend on what
 * follows it, is not there before its last byte, and names an address that can
 * be written and read; what is refused is refused whatever follows.
 */
#include "base/xalloc.h"
#include "gateway/proxy_header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In memory of its own, so that a sanitizer sees each byte too many. */
static int parse(const uint8_t *data, size_t len, proxy_header_t *header)
{
    uint8_t *copy = malloc(len + 1);

    must(copy != NULL);
    uint8_t *bytes = copy + 1;
    if (len > 0) {
        memcpy(bytes, data, len);
    }
    int rc = proxy_header_parse(bytes, len, header);
    must(rc == 0 || rc == -EAGAIN || rc == -EPROTO || rc == -EMSGSIZE);
    free(copy);
    return rc;
}

static void check_whole(const uint8_t *data, const proxy_header_t *header)
{
    char text[IP_TEXT];
    proxy_header_t again;
    ip_t ip;

    must(header->len <= PROXY_HEADER_MAX);
    must(parse(data, header->len, &again) == 0);
    must(again.len == header->len && again.has_client == header->has_client);
    if (header->has_client) {
        must(ip_equal(&again.client, &header->client));
        ip_format(&header->client, text);
        must(ip_parse(text, strlen(text), &ip) == 0);
        must(ip_equal(&ip, &header->client));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    proxy_header_t header, part;
    int rc = parse(data, size, &header);
    /* Up to where it is decided, nothing is. */
    size_t decided = rc == 0 ? header.len : size;

    if (rc == 0) {
        must(header.len <= size);
        check_whole(data, &header);
    }
    for (size_t i = 0; i < decided; i++) {
        int early = parse(data, i, &part);
        must(early == -EAGAIN || (rc < 0 && early == rc));
        if (early != -EAGAIN) {
            return 0; /* refused, and so was what is longer */
        }
    }
    return 0;
}
