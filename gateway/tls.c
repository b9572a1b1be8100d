/* SPDX-License-Identifier: MIT */
#include "gateway/tls.h"

#include "base/key_file.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

/* Of TLS 1.2; those of 1.3 are all of this kind. */
#define CIPHERS    "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
#define DIGEST_LEN 32 /* of SHA-256; a session's context may have no more */

enum { CERT, KEY, CLIENT_CA, FILES };

typedef struct {
    const char *paths[FILES];
    buf_t texts[FILES]; /* empty where there is no file */
    uint8_t digest[DIGEST_LEN];
} files_t;

struct tls {
    tls_options_t options;
    tls_failed_fn *failed;
    void *owner;                /* borrowed */
    SSL_CTX *current;           /* owned; what a hello gets */
    uint8_t digest[DIGEST_LEN]; /* of the files that it was made of */
};

/* --- files --------------------------------------------------------------- */

static int digest(const buf_t *texts, size_t count, uint8_t out[DIGEST_LEN])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool is_well = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; is_well && i < count; i++) {
        uint64_t len = texts[i].len; /* or bytes could change files */
        is_well = EVP_DigestUpdate(md, &len, sizeof len) == 1 &&
                  EVP_DigestUpdate(md, texts[i].data, texts[i].len) == 1;
    }
    is_well = is_well && EVP_DigestFinal_ex(md, out, NULL) == 1;
    EVP_MD_CTX_free(md);
    return is_well ? 0 : -ENOMEM;
}

static int read_files(const tls_options_t *options, files_t *files, char *error,
                      size_t size)
{
    *files =
        (files_t){.paths = {options->cert, options->key, options->client_ca}};
    for (size_t i = 0; i < FILES; i++) {
        buf_init(&files->texts[i], TLS_FILE_MAX);
    }
    for (size_t i = 0; i < FILES; i++) {
        const char *path = files->paths[i];
        int rc =
            path[0] == '\0' ? 0 : key_file_read(path, false, &files->texts[i]);
        if (rc < 0) {
            snprintf(error, size, "%s: %s", path, key_file_failure(rc));
            return rc;
        }
    }
    if (digest(files->texts, FILES, files->digest) < 0) {
        snprintf(error, size, "no memory");
        return -ENOMEM;
    }
    return 0;
}

static void forget_files(files_t *files)
{
    for (size_t i = 0; i < FILES; i++) {
        key_file_forget(&files->texts[i]);
    }
}

/* A reader of one of them; NULL: no memory. */
static BIO *open_text(const files_t *files, size_t which)
{
    const buf_t *text = &files->texts[which];

    return BIO_new_mem_buf(text->data, (int)text->len);
}

/* --- what is in them ----------------------------------------------------- */

/* OpenSSL's last word on it; ours, where that is none or "unsupported". */
static int fault(const char *path, const char *otherwise, char *error,
                 size_t size)
{
    unsigned long last = ERR_peek_last_error();
    const char *reason = ERR_GET_LIB(last) == ERR_LIB_OSSL_DECODER
                             ? NULL
                             : ERR_reason_error_string(last);

    snprintf(error, size, "%s: %s", path, reason != NULL ? reason : otherwise);
    ERR_clear_error();
    return -EINVAL;
}

/* The PEM ended where another certificate would begin. */
static bool is_at_end(void)
{
    unsigned long last = ERR_peek_last_error();
    bool is = ERR_GET_LIB(last) == ERR_LIB_PEM &&
              ERR_GET_REASON(last) == PEM_R_NO_START_LINE;

    if (is) {
        ERR_clear_error();
    }
    return is;
}

/* OpenSSL would ask for one at the terminal. */
static char no_password[] = "";

static bool use_chain(SSL_CTX *ctx, BIO *pem)
{
    X509 *cert = PEM_read_bio_X509_AUX(pem, NULL, NULL, no_password);
    bool is_well = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

    X509_free(cert);
    while (is_well &&
           (cert = PEM_read_bio_X509(pem, NULL, NULL, no_password)) != NULL) {
        if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
            X509_free(cert);
            return false;
        }
    }
    return is_well && is_at_end();
}

/* It must fit to the certificate, which stands already. */
static bool use_key(SSL_CTX *ctx, BIO *pem)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, no_password);
    bool is_well = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
                   SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(key);
    return is_well;
}

/* Those who vouch for clients; clients are told their names. */
static bool use_client_ca(SSL_CTX *ctx, BIO *pem)
{
    size_t count = 0;
    X509 *cert;

    while ((cert = PEM_read_bio_X509(pem, NULL, NULL, no_password)) != NULL) {
        bool is_well =
            X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) == 1 &&
            SSL_CTX_add_client_CA(ctx, cert) == 1;
        X509_free(cert);
        if (!is_well) {
            return false;
        }
        count++;
    }
    return count > 0 && is_at_end();
}

typedef bool use_fn(SSL_CTX *ctx, BIO *pem);

static int use_file(SSL_CTX *ctx, const files_t *files, size_t which,
                    char *error, size_t size)
{
    static use_fn *const uses[FILES] = {use_chain, use_key, use_client_ca};
    static const char *const wants[FILES] = {
        "no certificate in PEM", "no private key in PEM without a password",
        "no certificate in PEM"};

    if (files->paths[which][0] == '\0') {
        return 0;
    }
    ERR_clear_error();
    BIO *pem = open_text(files, which);
    bool is_well = pem != NULL && uses[which](ctx, pem);

    BIO_free(pem);
    if (is_well) {
        return 0;
    }
    (void)is_at_end(); /* our words for that are better */
    return fault(files->paths[which], wants[which], error, size);
}

/* --- what stands in no file ---------------------------------------------- */

/* The only protocol that we speak.  Who asks for none gets it, too; who asks
 * for others alone may have been led here (RFC 7301, section 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **chosen,
                           unsigned char *len, const unsigned char *offered,
                           unsigned offered_len, void *user)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found;
    (void)ssl;
    (void)user;

    if (SSL_select_next_proto(&found, len, ours, sizeof ours - 1, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static const char *reason_of(const SSL *ssl, int alert)
{
    long verified = SSL_get_verify_result(ssl);

    if (verified != X509_V_OK) {
        return X509_verify_cert_error_string(verified);
    }
    if ((alert & 0xff) == SSL_AD_CERTIFICATE_REQUIRED) {
        return "certificate required"; /* "unknown" to OpenSSL 3.0 */
    }
    return SSL_alert_desc_string_long(alert);
}

/* OpenSSL ends these without an alert.  It forgets the errors of others when it
 * begins. */
static bool is_plain_http(int where, int result)
{
    unsigned long error = ERR_peek_last_error();

    return (where & SSL_CB_ACCEPT_EXIT) == SSL_CB_ACCEPT_EXIT && result <= 0 &&
           ERR_GET_LIB(error) == ERR_LIB_SSL &&
           (ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST ||
            ERR_GET_REASON(error) == SSL_R_HTTPS_PROXY_REQUEST);
}

/* Whoever ends a handshake because it does not like something says so. */
static void on_info(const SSL *ssl, int where, int alert)
{
    const tls_t *self = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if ((where & SSL_CB_ALERT) != 0 && alert >> 8 == SSL3_AL_FATAL) {
        self->failed(self->owner, SSL_get_app_data(ssl),
                     (where & SSL_CB_READ) != 0 ? "client" : "gateway",
                     reason_of(ssl, alert));
    } else if (is_plain_http(where, alert)) {
        self->failed(self->owner, SSL_get_app_data(ssl), "gateway",
                     "HTTP without TLS");
    }
}

static int verify_mode(const tls_options_t *options)
{
    if (options->client_ca[0] == '\0') {
        return SSL_VERIFY_NONE;
    }
    return options->is_optional
               ? SSL_VERIFY_PEER
               : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/*
 * Clients keep their sessions themselves (tickets).  But who resumes one is not
 * asked for its certificate again, and gets a new ticket each time: one that is
 * over would be good for ever.  So where certificates count there are none.
 */
static bool choose_sessions(const tls_options_t *options, SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (options->client_ca[0] == '\0') {
        return true;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    return SSL_CTX_set_num_tickets(ctx, 0) == 1;
}

/* What an SSL takes from the shell when it is made, and from the SSL_CTX that
 * it is given for all that it looks up later. */
static bool harden(tls_t *self, SSL_CTX *ctx)
{
    /* That a client ends without a word is no failure: WebSocket has its own.
     */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_verify(ctx, verify_mode(&self->options), NULL);
    SSL_CTX_set_max_cert_list(ctx, TLS_CERT_LIST_MAX);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_info_callback(ctx, on_info);
    SSL_CTX_set_app_data(ctx, self);
    return choose_sessions(&self->options, ctx) &&
           SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1;
}

/* Who resumes a session is not asked for its certificate again: a session is
 * good for as long as the same ones vouch for clients. */
static bool bind_sessions(SSL_CTX *ctx, const files_t *files)
{
    uint8_t id[DIGEST_LEN];

    return digest(&files->texts[CLIENT_CA], 1, id) == 0 &&
           SSL_CTX_set_session_id_context(ctx, id, sizeof id) == 1;
}

/* --- making one ---------------------------------------------------------- */

static int fill(tls_t *self, SSL_CTX *ctx, const files_t *files, char *error,
                size_t size)
{
    if (ctx == NULL || !harden(self, ctx) || !bind_sessions(ctx, files)) {
        return fault("TLS", "no memory", error, size);
    }
    for (size_t i = 0; i < FILES; i++) {
        int rc = use_file(ctx, files, i, error, size);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Put one that is made of these files in the place of the former. */
static int renew(tls_t *self, const files_t *files, char *error, size_t size)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int rc = fill(self, ctx, files, error, size);

    if (rc < 0) {
        SSL_CTX_free(ctx);
        return rc;
    }
    SSL_CTX_free(self->current); /* who has it keeps it */
    self->current = ctx;
    memcpy(self->digest, files->digest, DIGEST_LEN);
    return 1;
}

int tls_reload(tls_t *self, char *error, size_t size)
{
    files_t files;
    int rc = read_files(&self->options, &files, error, size);

    if (rc == 0 && (self->current == NULL ||
                    memcmp(files.digest, self->digest, DIGEST_LEN) != 0)) {
        rc = renew(self, &files, error, size);
    }
    forget_files(&files);
    return rc;
}

tls_t *tls_new(const tls_options_t *options, tls_failed_fn *failed, void *owner,
               char *error, size_t size)
{
    tls_t *self = xcalloc(1, sizeof *self);

    self->options = *options;
    self->failed = failed;
    self->owner = owner;
    if (tls_reload(self, error, size) < 0) {
        tls_destroy(&self);
    }
    return self;
}

void tls_destroy(tls_t **self_p)
{
    tls_t *self = *self_p;

    if (self != NULL) {
        *self_p = NULL;
        SSL_CTX_free(self->current);
        free(self);
    }
}

/* --- a client's SSL ------------------------------------------------------ */

static int on_hello(SSL *ssl, int *alert, void *user)
{
    tls_t *self = user;

    if (SSL_set_SSL_CTX(ssl, self->current) == NULL) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

void tls_serve(tls_t *self, SSL_CTX *shell)
{
    must(harden(self, shell));
    SSL_CTX_set_client_hello_cb(shell, on_hello, self);
    /* libwebsockets looks for a vhost of the SSL's SSL_CTX, and aborts where
     * there is none. */
    SSL_CTX_set_tlsext_servername_callback(shell, NULL);
}

void tls_tag(SSL *ssl, void *tag)
{
    SSL_set_app_data(ssl, tag);
}

int64_t tls_until_s(const tls_t *self)
{
    const X509 *cert = SSL_CTX_get0_certificate(self->current);
    struct tm parts;

    return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &parts) == 1
               ? timegm(&parts)
               : 0;
}

const X509 *tls_client_cert(const SSL *ssl)
{
    return SSL_get_verify_result(ssl) == X509_V_OK
               ? SSL_get0_peer_certificate(ssl)
               : NULL;
}
