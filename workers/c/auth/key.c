/* SPDX-License-Identifier: MIT
 *
 * Keys, and signatures, by OpenSSL.  What a library function says is wrong is
 * wrong; its words are not kept.
 */
#include "workers/c/auth/key.h"

#include "base/base64.h"
#include "workers/c/auth/json_text.h"

#include <errno.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#define P256_BYTES    32 /* of a coordinate, and of half a signature */
#define ED25519_BYTES 32
#define UNCOMPRESSED  0x04 /* in front of a point's coordinates */

void key_fini(signing_key_t *self)
{
    EVP_PKEY_free(self->key);
    OPENSSL_cleanse(self, sizeof *self);
}

int key_of_secret(hoist_text secret, signing_key_t *self)
{
    if (secret.len < KEY_SECRET_MIN || secret.len > KEY_SECRET_MAX) {
        return -ENOTSUP;
    }
    *self = (signing_key_t){.alg = ALG_HS256, .secret_len = secret.len};
    memcpy(self->secret, secret.data, secret.len);
    return 0;
}

/* --- public keys ---------------------------------------------------------- */

static jws_alg_t alg_of_rsa(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);

    return bits >= KEY_RSA_MIN && bits <= KEY_RSA_MAX ? ALG_RS256 : ALG_NONE;
}

static jws_alg_t alg_of_curve(const EVP_PKEY *key)
{
    char name[32] = "";

    return EVP_PKEY_get_group_name(key, name, sizeof name, NULL) == 1 &&
                   strcmp(name, "prime256v1") == 0
               ? ALG_ES256
               : ALG_NONE;
}

static jws_alg_t alg_of(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return alg_of_rsa(key);
    case EVP_PKEY_EC:
        return alg_of_curve(key);
    case EVP_PKEY_ED25519:
        return ALG_EDDSA;
    default:
        return ALG_NONE;
    }
}

int key_of_public(EVP_PKEY *key, signing_key_t *self)
{
    if (key == NULL) {
        ERR_clear_error();
        return -EINVAL;
    }
    *self = (signing_key_t){.alg = alg_of(key), .key = key};
    if (self->alg == ALG_NONE) {
        key_fini(self);
        return -ENOTSUP;
    }
    return 0;
}

/* --- JSON ----------------------------------------------------------------- */

static hoist_text text_member(const json_t *jwk, const char *name)
{
    return json_text(json_object_get(jwk, name));
}

/* The bytes of a member, at most size of them.  Returns how many, or -EINVAL
 * when there is none or it is no base64url. */
static int bytes_member(const json_t *jwk, const char *name, uint8_t *out,
                        size_t size)
{
    hoist_text text = text_member(jwk, name);
    size_t len;

    if (text.len == 0 || text.len > (size * 4 + 2) / 3 ||
        base64url_decode(text.data, text.len, out, &len) < 0) {
        return -EINVAL;
    }
    return (int)len;
}

/* A public key from its numbers; NULL when they make none. */
static EVP_PKEY *make_key(const char *kind, OSSL_PARAM_BLD *numbers)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(numbers);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);

    if (params != NULL && ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1) {
        (void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(const json_t *jwk)
{
    uint8_t n[KEY_RSA_MAX / 8], e[8];
    int n_len = bytes_member(jwk, "n", n, sizeof n);
    int e_len = bytes_member(jwk, "e", e, sizeof e);
    OSSL_PARAM_BLD *numbers = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = n_len > 0 ? BN_bin2bn(n, n_len, NULL) : NULL;
    BIGNUM *exponent = e_len > 0 ? BN_bin2bn(e, e_len, NULL) : NULL;
    EVP_PKEY *key = NULL;

    if (numbers != NULL && modulus != NULL && exponent != NULL &&
        BN_is_odd(exponent) && !BN_is_one(exponent) &&
        OSSL_PARAM_BLD_push_BN(numbers, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(numbers, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        key = make_key("RSA", numbers);
    }
    BN_free(exponent);
    BN_free(modulus);
    OSSL_PARAM_BLD_free(numbers);
    return key;
}

/* OpenSSL sees that the point is one of the curve. */
static EVP_PKEY *curve_key(const json_t *jwk)
{
    static char group[] = "prime256v1";
    uint8_t point[1 + 2 * P256_BYTES] = {UNCOMPRESSED};
    uint8_t *x = point + 1, *y = x + P256_BYTES;

    if (!hoist_is(text_member(jwk, "crv"), "P-256") ||
        bytes_member(jwk, "x", x, P256_BYTES) != P256_BYTES ||
        bytes_member(jwk, "y", y, P256_BYTES) != P256_BYTES) {
        return NULL;
    }
    OSSL_PARAM_BLD *numbers = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (numbers != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(numbers, OSSL_PKEY_PARAM_GROUP_NAME,
                                        group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(numbers, OSSL_PKEY_PARAM_PUB_KEY,
                                         point, sizeof point) == 1) {
        key = make_key("EC", numbers);
    }
    OSSL_PARAM_BLD_free(numbers);
    return key;
}

static EVP_PKEY *edwards_key(const json_t *jwk)
{
    uint8_t x[ED25519_BYTES];

    if (!hoist_is(text_member(jwk, "crv"), "Ed25519") ||
        bytes_member(jwk, "x", x, sizeof x) != ED25519_BYTES) {
        return NULL;
    }
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof x);
}

static int secret_key(const json_t *jwk, signing_key_t *self)
{
    uint8_t secret[KEY_SECRET_MAX];
    int len = bytes_member(jwk, "k", secret, sizeof secret);
    int rc =
        len < 0 ? len : key_of_secret(hoist_bytes(secret, (size_t)len), self);

    OPENSSL_cleanse(secret, sizeof secret);
    return rc;
}

/* Is it, by its own words, for this algorithm and for signatures? */
static bool is_for(const json_t *jwk, jws_alg_t alg)
{
    const json_t *name = json_object_get(jwk, "alg");
    const json_t *use = json_object_get(jwk, "use");
    const json_t *operation, *operations = json_object_get(jwk, "key_ops");
    size_t i;

    if ((name != NULL && jws_alg_of(text_member(jwk, "alg")) != alg) ||
        (use != NULL && !hoist_is(text_member(jwk, "use"), "sig"))) {
        return false;
    }
    json_array_foreach(operations, i, operation)
    {
        if (json_is_string(operation) &&
            strcmp(json_string_value(operation), "verify") == 0) {
            return true;
        }
    }
    return operations == NULL;
}

static int key_of_kind(const json_t *jwk, signing_key_t *self)
{
    hoist_text kind = text_member(jwk, "kty");

    if (hoist_is(kind, "oct")) {
        return secret_key(jwk, self);
    }
    if (hoist_is(kind, "RSA")) {
        return key_of_public(rsa_key(jwk), self);
    }
    if (hoist_is(kind, "EC")) {
        return key_of_public(curve_key(jwk), self);
    }
    if (hoist_is(kind, "OKP")) {
        return key_of_public(edwards_key(jwk), self);
    }
    return -ENOTSUP;
}

int key_of_json(const json_t *jwk, signing_key_t *self)
{
    const json_t *kid = json_object_get(jwk, "kid");
    size_t len = json_string_length(kid); /* 0 for what is no text */

    if ((kid != NULL && !json_is_string(kid)) || len > JWS_KID_MAX) {
        return -EINVAL;
    }
    int rc = key_of_kind(jwk, self);
    if (rc < 0) {
        return rc;
    }
    if (!is_for(jwk, self->alg)) {
        key_fini(self);
        return -ENOTSUP;
    }
    self->has_kid = kid != NULL;
    self->kid_len = len;
    if (len > 0) {
        memcpy(self->kid, json_string_value(kid), len);
    }
    return 0;
}

/* --- signatures ----------------------------------------------------------- */

bool key_fits(const signing_key_t *self, const jws_t *jws)
{
    return self->alg == jws->alg &&
           (!self->has_kid || !jws->has_kid ||
            hoist_equal(hoist_bytes(self->kid, self->kid_len),
                        hoist_bytes(jws->kid, jws->kid_len)));
}

static bool hmac_verifies(const signing_key_t *self, const jws_t *jws)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    return HMAC(EVP_sha256(), self->secret, (int)self->secret_len,
                (const uint8_t *)jws->signing_input.data,
                jws->signing_input.len, mac, &len) != NULL &&
           len == jws->signature_len &&
           CRYPTO_memcmp(mac, jws->signature, len) == 0;
}

static bool digest_verifies(const signing_key_t *self, const EVP_MD *digest,
                            const jws_t *jws, const uint8_t *signature,
                            size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_right =
        ctx != NULL &&
        EVP_DigestVerifyInit(ctx, NULL, digest, NULL, self->key) == 1 &&
        EVP_DigestVerify(ctx, signature, len,
                         (const uint8_t *)jws->signing_input.data,
                         jws->signing_input.len) == 1;

    EVP_MD_CTX_free(ctx);
    return is_right;
}

/* Two numbers behind each other, which OpenSSL wants in DER. */
static bool ecdsa_verifies(const signing_key_t *self, const jws_t *jws)
{
    const uint8_t *bytes = jws->signature;
    uint8_t *der = NULL;
    bool is_right = false;

    if (jws->signature_len != (size_t)2 * P256_BYTES) {
        return false;
    }
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(bytes + P256_BYTES, P256_BYTES, NULL);
    if (pair != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        int len = i2d_ECDSA_SIG(pair, &der);
        is_right = len > 0 &&
                   digest_verifies(self, EVP_sha256(), jws, der, (size_t)len);
    } else {
        BN_free(r);
        BN_free(s);
    }
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    return is_right;
}

static bool verifies(const signing_key_t *self, const jws_t *jws)
{
    switch (self->alg) {
    case ALG_HS256:
        return hmac_verifies(self, jws);
    case ALG_RS256:
        return digest_verifies(self, EVP_sha256(), jws, jws->signature,
                               jws->signature_len);
    case ALG_ES256:
        return ecdsa_verifies(self, jws);
    case ALG_EDDSA:
        return digest_verifies(self, NULL, jws, jws->signature,
                               jws->signature_len);
    default:
        return false;
    }
}

bool key_verifies(const signing_key_t *self, const jws_t *jws)
{
    bool is_right = verifies(self, jws);

    ERR_clear_error(); /* what was wrong is no later call's business */
    return is_right;
}
