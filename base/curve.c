/* SPDX-License-Identifier: MIT */
#include "base/curve.h"

#include "base/key_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX_ 65536 /* bytes of a certificate */
#define GROUP     5     /* characters that stand for four bytes */

static const char z85[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/* Not every group of five is a number of 32 bits. */
static bool is_group(const char *text)
{
    uint64_t number = 0;

    for (int i = 0; i < GROUP; i++) {
        const char *digit =
            text[i] == '\0' ? NULL : memchr(z85, text[i], sizeof z85 - 1);
        if (digit == NULL) {
            return false;
        }
        number = number * (sizeof z85 - 1) + (uint64_t)(digit - z85);
    }
    return number <= UINT32_MAX;
}

bool curve_is_key(const char *text, size_t len)
{
    bool is_key = len == CURVE_KEY_TEXT;

    for (size_t i = 0; is_key && i < len; i += GROUP) {
        is_key = is_group(text + i);
    }
    return is_key;
}

static void copy_key(curve_key_t key, const char *text)
{
    memcpy(key, text, CURVE_KEY_TEXT);
    key[CURVE_KEY_TEXT] = '\0';
}

/* --- a certificate -------------------------------------------------------- */

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

/* Is the line `name = "KEY"`?  Then its key is at *key. */
static bool is_line_of(const char *at, const char *end, const char *name,
                       const char **key)
{
    size_t name_len = strlen(name);

    at = skip_spaces(at, end);
    if ((size_t)(end - at) < name_len || memcmp(at, name, name_len) != 0) {
        return false;
    }
    at = skip_spaces(at + name_len, end);
    if (at == end || *at != '=') {
        return false;
    }
    at = skip_spaces(at + 1, end);
    if (end - at < CURVE_KEY_TEXT + 2 || at[0] != '"' ||
        at[CURVE_KEY_TEXT + 1] != '"') {
        return false;
    }
    *key = at + 1;
    return curve_is_key(*key, CURVE_KEY_TEXT);
}

int curve_find(const char *text, size_t len, const char *name, curve_key_t key)
{
    const char *end = text + len;
    const char *found;

    while (len > 0) {
        const char *line_end = memchr(text, '\n', len);
        line_end = line_end == NULL ? end : line_end;
        if (is_line_of(text, line_end, name, &found)) {
            copy_key(key, found);
            return 0;
        }
        text = line_end == end ? end : line_end + 1;
        len = (size_t)(end - text);
    }
    return -EINVAL;
}

/* --- files ---------------------------------------------------------------- */

static int read_key(const char *path, const char *name, bool is_secret,
                    curve_key_t key)
{
    buf_t text;

    buf_init(&text, FILE_MAX_);
    int rc = key_file_read(path, is_secret, &text);
    if (rc == 0) {
        rc = curve_find((const char *)text.data, text.len, name, key);
    }
    key_file_forget(&text);
    return rc;
}

int curve_read_public(const char *key_or_file, curve_key_t key)
{
    if (curve_is_key(key_or_file, strlen(key_or_file))) {
        copy_key(key, key_or_file);
        return 0;
    }
    return read_key(key_or_file, "public-key", false, key);
}

int curve_read_secret(const char *file, curve_key_t key)
{
    return read_key(file, "secret-key", true, key);
}

const char *curve_failure(int rc)
{
    return rc == -EINVAL ? "there is no such key in it" : key_file_failure(rc);
}

int curve_read_peer(curve_peer_t *self, const char *secret_file,
                    const char *broker_key_or_file, char *error,
                    size_t error_size)
{
    const char *from = secret_file;

    if (from[0] == '\0') {
        return 0;
    }
    int rc = curve_read_secret(from, self->secret);
    if (rc == 0) {
        from = broker_key_or_file;
        rc = curve_read_public(from, self->broker);
    }
    if (rc < 0) {
        (void)snprintf(error, error_size, "cannot read the key in %s: %s", from,
                       curve_failure(rc));
    }
    return rc;
}
