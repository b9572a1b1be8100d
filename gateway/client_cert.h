/* SPDX-License-Identifier: MIT
 *
 * A client's certificate as workers are told of it.  Pure.
 */
#ifndef GATEWAY_CLIENT_CERT_H
#define GATEWAY_CLIENT_CERT_H

#include "base/buf.h"

#include <openssl/x509.h>

/*
 * Append the map `client_cert` of a CONNECT's details (PROTOCOL.md, section 6).
 * Returns 0, -ENOBUFS, -ENOMEM.
 */
int client_cert_put(buf_t *out, const X509 *cert);

#endif
