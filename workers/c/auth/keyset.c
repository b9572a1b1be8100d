/* SPDX-License-Identifier: MIT */
#include "workers/c/auth/keyset.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#define BROKEN_BLOCK "a block of it is broken"

struct keyset {
    atomic_uint holders;
    size_t count;
    signing_key_t keys[KEYSET_MAX];
};

static keyset_t *keyset_new(const char **why)
{
    keyset_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        *why = "no memory";
        return NULL;
    }
    atomic_init(&self->holders, 1);
    return self;
}

keyset_t *keyset_hold(keyset_t *self)
{
    atomic_fetch_add_explicit(&self->holders, 1, memory_order_relaxed);
    return self;
}

void keyset_drop(keyset_t *self)
{
    if (self == NULL || atomic_fetch_sub_explicit(&self->holders, 1,
                                                  memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        key_fini(&self->keys[i]);
    }
    free(self);
}

size_t keyset_count(const keyset_t *self)
{
    return self->count;
}

bool keyset_has(const keyset_t *self, jws_alg_t alg)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->keys[i].alg == alg) {
            return true;
        }
    }
    return false;
}

/* --- what it is made from ------------------------------------------------- */

keyset_t *keyset_of_secret(hoist_text secret, const char **why)
{
    keyset_t *self = keyset_new(why);

    if (self == NULL) {
        return NULL;
    }
    if (key_of_secret(secret, &self->keys[0]) < 0) {
        *why = "a secret has 32 to 1024 bytes";
        keyset_drop(self);
        return NULL;
    }
    self->count = 1;
    return self;
}

/* NULL, or what is wrong. */
static const char *fill_from_json(keyset_t *self, hoist_text text)
{
    json_t *set = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *key, *keys = json_object_get(set, "keys");
    const char *why = json_is_array(keys) ? NULL : "it is no JWKS";
    size_t i;

    json_array_foreach(keys, i, key)
    {
        if (self->count == KEYSET_MAX) {
            why = "it has more than 64 keys";
            break;
        }
        self->count += key_of_json(key, &self->keys[self->count]) == 0;
    }
    json_decref(set);
    return why;
}

/* A block of PEM.  NULL, or what is wrong. */
static const char *take_block(keyset_t *self, const char *name,
                              const unsigned char *der, long len)
{
    if (strcmp(name, PEM_STRING_PUBLIC) != 0) {
        return strstr(name, "PRIVATE") != NULL
                   ? "it has a private key, which only who signs may have"
                   : "it has something that is no public key";
    }
    if (self->count == KEYSET_MAX) {
        return "it has more than 64 keys";
    }
    if (key_of_public(d2i_PUBKEY(NULL, &der, len), &self->keys[self->count]) <
        0) {
        return "it has a key of another kind than RSA from 2048 bits, P-256 "
               "or Ed25519";
    }
    self->count++;
    return NULL;
}

/* All blocks up to the end of the text, which libcrypto tells as a line that is
 * missing; what ends them before is broken, and keys behind it would be lost.
 * NULL, or what is wrong. */
static const char *take_blocks(keyset_t *self, BIO *in)
{
    char *name, *header;
    unsigned char *der;
    const char *why = NULL;
    long len;

    ERR_clear_error();
    while (why == NULL && PEM_read_bio(in, &name, &header, &der, &len) == 1) {
        why = take_block(self, name, der, len);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)len);
    }
    bool is_whole =
        ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return why != NULL || is_whole ? why : BROKEN_BLOCK;
}

/* Lines that begin so. */
static size_t count_lines(hoist_text text, const char *start)
{
    const char *at = text.data, *end = at + text.len;
    size_t count = 0, len = strlen(start);

    while (at != NULL && at < end) {
        count += (size_t)(end - at) >= len && memcmp(at, start, len) == 0;
        at = memchr(at, '\n', (size_t)(end - at));
        at = at != NULL ? at + 1 : NULL;
    }
    return count;
}

/* A block whose first line is broken is text between blocks to libcrypto. */
static bool has_lost_block(const keyset_t *self, hoist_text text)
{
    return count_lines(text, "-----BEGIN") != self->count ||
           count_lines(text, "-----END") != self->count;
}

static const char *fill_from_pem(keyset_t *self, hoist_text text)
{
    BIO *in = BIO_new_mem_buf(text.data, (int)text.len);
    const char *why = in != NULL ? take_blocks(self, in) : "no memory";

    BIO_free(in);
    return why == NULL && has_lost_block(self, text) ? BROKEN_BLOCK : why;
}

/* Of keys of one algorithm without an id a token is checked with the first few:
 * the others never count. */
static bool has_idle_key(const keyset_t *self)
{
    size_t nameless[ALG_EDDSA + 1] = {0};

    for (size_t i = 0; i < self->count; i++) {
        const signing_key_t *key = &self->keys[i];
        if (!key->has_kid && ++nameless[key->alg] > KEYSET_TRIES) {
            return true;
        }
    }
    return false;
}

static bool is_json(hoist_text text)
{
    size_t at = 0;

    while (at < text.len && strchr(" \t\r\n", text.data[at]) != NULL &&
           text.data[at] != '\0') {
        at++;
    }
    return at < text.len && text.data[at] == '{';
}

keyset_t *keyset_of_text(hoist_text text, const char **why)
{
    keyset_t *self = keyset_new(why);

    if (self == NULL) {
        return NULL;
    }
    *why = text.len > KEYSET_TEXT_MAX ? "it is too long"
           : is_json(text)            ? fill_from_json(self, text)
                                      : fill_from_pem(self, text);
    if (*why == NULL && self->count == 0) {
        *why = "there is no key in it";
    }
    if (*why == NULL && has_idle_key(self)) {
        *why = "it has more than 4 keys of one algorithm without an id";
    }
    if (*why != NULL) {
        keyset_drop(self);
        return NULL;
    }
    return self;
}

/* --- what it is for ------------------------------------------------------- */

int keyset_verify(const keyset_t *self, const jws_t *jws)
{
    int tries = 0;

    for (size_t i = 0; i < self->count && tries < KEYSET_TRIES; i++) {
        if (!key_fits(&self->keys[i], jws)) {
            continue;
        }
        if (key_verifies(&self->keys[i], jws)) {
            return 0;
        }
        tries++;
    }
    return tries > 0 ? -EACCES : -ENOENT;
}
