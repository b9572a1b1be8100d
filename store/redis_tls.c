/* SPDX-License-Identifier: MIT */
#include "store/redis_tls.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* The newest of OpenSSL's reasons; its queue is empty afterwards. */
static void take_reason(char *text, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

    snprintf(text, size, "%s", reason == NULL ? "unknown" : reason);
    ERR_clear_error();
}

static int use_files(SSL_CTX *context, const redis_url_t *url)
{
    int rc = url->ca[0] == '\0'
                 ? SSL_CTX_set_default_verify_paths(context)
                 : SSL_CTX_load_verify_locations(context, url->ca, NULL);

    if (rc == 1 && url->certificate[0] != '\0') {
        rc = SSL_CTX_use_certificate_chain_file(context, url->certificate) ==
                 1 &&
             SSL_CTX_use_PrivateKey_file(context, url->key, SSL_FILETYPE_PEM) ==
                 1 &&
             SSL_CTX_check_private_key(context) == 1;
    }
    return rc == 1 ? 0 : -EINVAL;
}

SSL_CTX *redis_tls_context(const redis_url_t *url, char *error,
                           size_t error_size)
{
    char reason[128];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context != NULL && use_files(context, url) == 0 &&
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        return context;
    }
    take_reason(reason, sizeof reason);
    snprintf(error, error_size, "ca, cert or key cannot be used: %s", reason);
    SSL_CTX_free(context);
    return NULL;
}

static bool is_address(const char *host)
{
    struct in6_addr bytes;

    return inet_pton(AF_INET, host, &bytes) == 1 ||
           inet_pton(AF_INET6, host, &bytes) == 1;
}

SSL *redis_tls_new(SSL_CTX *context, int fd, const char *host)
{
    SSL *ssl = SSL_new(context);
    char name[REDIS_HOST_TEXT]; /* OpenSSL's macro casts const away */

    snprintf(name, sizeof name, "%s", host);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        goto fail;
    }
    if (is_address(host)) {
        if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1) {
            goto fail;
        }
    } else if (SSL_set1_host(ssl, host) != 1 ||
               SSL_set_tlsext_host_name(ssl, name) != 1) {
        goto fail;
    }
    SSL_set_connect_state(ssl);
    return ssl;
fail:
    ERR_clear_error();
    SSL_free(ssl);
    return NULL;
}

static int result_of(SSL *ssl, int rc)
{
    switch (SSL_get_error(ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return -EIO;
    }
}

static int clip(size_t len)
{
    return len < INT_MAX ? (int)len : INT_MAX;
}

ssize_t redis_tls_read(SSL *ssl, void *bytes, size_t size)
{
    ERR_clear_error();
    int rc = SSL_read(ssl, bytes, clip(size));

    return rc > 0 ? rc : result_of(ssl, rc);
}

ssize_t redis_tls_write(SSL *ssl, const void *bytes, size_t len)
{
    ERR_clear_error();
    int rc = SSL_write(ssl, bytes, clip(len));

    return rc > 0 ? rc : result_of(ssl, rc) == -EAGAIN ? -EAGAIN : -EIO;
}

int redis_tls_shake_hands(SSL *ssl)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(ssl);

    return rc == 1 ? 0 : result_of(ssl, rc) == -EAGAIN ? -EAGAIN : -EIO;
}

void redis_tls_reason(SSL *ssl, char *text, size_t size)
{
    long verdict = SSL_get_verify_result(ssl);

    if (verdict != X509_V_OK) {
        snprintf(text, size, "%s", X509_verify_cert_error_string(verdict));
        ERR_clear_error();
        return;
    }
    take_reason(text, size);
}
