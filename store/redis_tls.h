/* SPDX-License-Identifier: MIT
 *
 * A TLS client on a socket that never waits.  hiredis has one on Debian 13
 * only, and none that holds the certificate against the host's name, so this is
 * OpenSSL, which libwebsockets brings along anyway.  One thread.
 */
#ifndef STORE_REDIS_TLS_H
#define STORE_REDIS_TLS_H

#include "store/redis_url.h"

#include <stddef.h>

#include <sys/types.h>

#include <openssl/ssl.h>

/*
 * Returns a context that trusts, and shows, what the URL says; NULL with one
 * line in `error` when a file cannot be used.  SSL_CTX_free frees it.
 */
SSL_CTX *redis_tls_context(const redis_url_t *url, char *error,
                           size_t error_size);

/* A session on a connected socket, for a host of this name or address; NULL
 * without memory.  SSL_free frees it. */
SSL *redis_tls_new(SSL_CTX *context, int fd, const char *host);

/*
 * Returns bytes read or written, 0 at the peer's end (reading), -EAGAIN, or
 * -EIO; redis_tls_reason says why.  The first calls shake hands.
 */
ssize_t redis_tls_read(SSL *ssl, void *bytes, size_t size);
ssize_t redis_tls_write(SSL *ssl, const void *bytes, size_t len);

/* Returns 0 when hands are shaken, -EAGAIN or -EIO. */
int redis_tls_shake_hands(SSL *ssl);

void redis_tls_reason(SSL *ssl, char *text, size_t size);

#endif
