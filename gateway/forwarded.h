/* SPDX-License-Identifier: MIT
 *
 * Whose client a request is that proxies have handed on.  Pure.
 */
#ifndef GATEWAY_FORWARDED_H
#define GATEWAY_FORWARDED_H

#include "base/ip.h"
#include "proto/http.h"

/*
 * Each proxy appends the address that it saw to X-Forwarded-For, so the list is
 * true from its end up to the first address that is no trusted proxy's: that is
 * the client's, and what stands before it is the client's own word.  Where all
 * of it are proxies', it is the first; where an element is no address, the last
 * that could be read.
 *
 * peer  who sent the request: a trusted proxy
 */
ip_t forwarded_for(const http_request_t *request, const ip_nets_t *proxies,
                   const ip_t *peer);

#endif
