/* SPDX-License-Identifier: MIT
 *
 * What clients' TLS is made of: versions, ciphers, our certificate, and whose
 * certificates we take.  All of it comes from files that can be read again
 * while connections stand.
 *
 * libwebsockets makes each client's SSL of one SSL_CTX for as long as it runs.
 * So that is only a shell: when a client has said hello, its SSL is given the
 * SSL_CTX that counts now, which is made whole or not at all and never changed.
 * (Another certificate in the old one would leave a third behind where the kind
 * of key changes: OpenSSL keeps one of each kind.)
 *
 * Loop thread only.
 */
#ifndef GATEWAY_TLS_H
#define GATEWAY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#define TLS_FILE_MAX      1048576 /* bytes of a PEM file */
#define TLS_CERT_LIST_MAX 32768   /* bytes of what a client sends */

typedef struct {
    const char *cert;      /* PEM file: ours, then what leads to a root */
    const char *key;       /* PEM file */
    const char *client_ca; /* PEM file: who may vouch for clients; "": nobody is
                              asked for a certificate */
    bool is_optional;      /* who has none gets in, too */
} tls_options_t;

/* The client or the gateway has ended it; tag: as tls_tag said, NULL before. */
typedef void tls_failed_fn(void *owner, void *tag, const char *by,
                           const char *reason);

typedef struct tls tls_t;

/*
 * Read the files; texts of the options are borrowed.
 * NULL, with one line in error, for files that are wrong.
 */
tls_t *tls_new(const tls_options_t *options, tls_failed_fn *failed, void *owner,
               char *error, size_t size);
void tls_destroy(tls_t **self_p);

/* Serve the SSLs that are made of this SSL_CTX, which has nothing yet. */
void tls_serve(tls_t *self, SSL_CTX *shell);

/* Whose SSL it is. */
void tls_tag(SSL *ssl, void *tag);

/*
 * Read the files again; who says hello from now on gets what is in them.
 * Returns 1; 0 when they have not changed; a negative errno, with one line in
 * error, when they are wrong: then all stays as it is.
 */
int tls_reload(tls_t *self, char *error, size_t size);

/* Until when our own certificate is good: Unix time in seconds. */
int64_t tls_until_s(const tls_t *self);

/* The client's, once it is verified; NULL: it has none.  Lent. */
const X509 *tls_client_cert(const SSL *ssl);

#endif
