/* SPDX-License-Identifier: MIT
 *
 * The PROXY protocol, versions 1 (text) and 2 (binary), as HAProxy specifies
 * it: what a proxy says of its client before anything that the client says.
 * Pure.
 */
#ifndef GATEWAY_PROXY_HEADER_H
#define GATEWAY_PROXY_HEADER_H

#include "base/ip.h"

#define PROXY_HEADER_MAX 4096 /* bytes, with what is added to it */

typedef struct {
    size_t len;      /* bytes of the header */
    bool has_client; /* false: the proxy speaks for itself, or does not know */
    ip_t client;
} proxy_header_t;

/*
 * Returns 0; -EAGAIN when it is not whole yet; -EPROTO when it is none;
 * -EMSGSIZE when it is longer than PROXY_HEADER_MAX.
 */
int proxy_header_parse(const uint8_t *bytes, size_t len,
                       proxy_header_t *header);

#endif
