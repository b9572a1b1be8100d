/* SPDX-License-Identifier: MIT */
#include "tests/unit/made_token.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#define TOKEN_ROOM 40000

const char *made_base64url(const void *bytes, size_t len)
{
    static char text[TOKEN_ROOM];

    must(len * 4 / 3 + 4 < sizeof text);
    int count = EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
    while (count > 0 && text[count - 1] == '=') {
        text[--count] = '\0';
    }
    for (char *at = text; (at = strpbrk(at, "+/")) != NULL; at++) {
        if (*at == '+') {
            *at = '-';
        } else {
            *at = '_';
        }
    }
    return text;
}

const char *made_token(const char *header, const char *payload,
                       const char *signature)
{
    static char token[TOKEN_ROOM];
    size_t len;

    len = (size_t)snprintf(token, sizeof token, "%s.",
                           made_base64url(header, strlen(header)));
    len += (size_t)snprintf(token + len, sizeof token - len, "%s.",
                            made_base64url(payload, strlen(payload)));
    must(len < sizeof token);
    len += (size_t)snprintf(token + len, sizeof token - len, "%s", signature);
    must(len < sizeof token);
    return token;
}

/* What is signed: all but the last dot. */
static size_t input_len(const char *token)
{
    return (size_t)(strrchr(token, '.') - token);
}

const char *made_hs256(const char *header, const char *payload,
                       const char *secret)
{
    const char *token = made_token(header, payload, "");
    uint8_t mac[32];

    must(HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)token,
              input_len(token), mac, NULL) != NULL);
    char signature[64];
    must((size_t)snprintf(signature, sizeof signature, "%s",
                          made_base64url(mac, sizeof mac)) < sizeof signature);
    return made_token(header, payload, signature);
}

/* In place, from DER to two numbers of 32 bytes. */
static size_t flatten(uint8_t *signature, size_t len)
{
    const uint8_t *der = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);

    must(pair != NULL);
    must(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32);
    must(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32);
    ECDSA_SIG_free(pair);
    return 64;
}

const char *made_signed(const char *header, const char *payload, EVP_PKEY *key)
{
    const char *token = made_token(header, payload, "");
    bool is_edwards = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t bytes[1024];
    size_t len = sizeof bytes;

    must(EVP_DigestSignInit(ctx, NULL, is_edwards ? NULL : EVP_sha256(), NULL,
                            key) == 1);
    must(EVP_DigestSign(ctx, bytes, &len, (const uint8_t *)token,
                        input_len(token)) == 1);
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
        len = flatten(bytes, len);
    }
    char signature[2048];
    must((size_t)snprintf(signature, sizeof signature, "%s",
                          made_base64url(bytes, len)) < sizeof signature);
    return made_token(header, payload, signature);
}

const char *made_pem(EVP_PKEY *key)
{
    static char pem[4096];
    BIO *out = BIO_new(BIO_s_mem());
    char *text;

    must(PEM_write_bio_PUBKEY(out, key) == 1);
    long len = BIO_get_mem_data(out, &text);
    must(len > 0 && (size_t)len < sizeof pem);
    memcpy(pem, text, (size_t)len);
    pem[len] = '\0';
    BIO_free(out);
    return pem;
}
