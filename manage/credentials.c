/* SPDX-License-Identifier: MIT */
#include "manage/credentials.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

typedef int add_fn(auth_t *auth, wire_bytes_t text);

static int read_all(int fd, buf_t *out)
{
    ssize_t got = 1;

    while (got > 0) {
        if (buf_reserve(out, 4096) < 0) {
            return -EFBIG;
        }
        got = read(fd, out->data + out->len, 4096);
        out->len += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? -errno : 0;
}

/* Who can read them can do what they let do. */
static int open_secret(const char *path, char *error, size_t size)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &info) < 0) {
        int rc = -errno;
        snprintf(error, size, "%s: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    if ((info.st_mode & S_IRWXO) != 0) {
        snprintf(error, size, "%s: others may read it; chmod o= it", path);
        close(fd);
        return -EPERM;
    }
    return fd;
}

static int read_file(auth_t *auth, const char *path, add_fn *add, char *error,
                     size_t size)
{
    buf_t text;

    if (path[0] == '\0') {
        return 0;
    }
    int fd = open_secret(path, error, size);
    if (fd < 0) {
        return fd;
    }
    buf_init(&text, AUTH_FILE_MAX);
    int rc = read_all(fd, &text);
    close(fd);
    if (rc < 0) {
        snprintf(error, size, "%s: %s", path, strerror(-rc));
    } else {
        int line = add(auth, (wire_bytes_t){text.data, text.len});
        if (line > 0) {
            snprintf(error, size, "%s: line %d is wrong, or one too many", path,
                     line);
            rc = -EINVAL;
        }
    }
    if (text.data != NULL) {
        OPENSSL_cleanse(text.data, text.len);
    }
    buf_fini(&text);
    return rc;
}

int credentials_read(const manage_options_t *options, auth_t **out, char *error,
                     size_t size)
{
    *out = NULL;
    if (!manage_is_public(options)) {
        return 0;
    }
    auth_t *auth = auth_new(options->allow_replays);
    int rc = read_file(auth, options->keys, auth_add_keys, error, size);
    rc = rc < 0
             ? rc
             : read_file(auth, options->tokens, auth_add_tokens, error, size);
    if (rc < 0) {
        auth_destroy(&auth);
    }
    *out = auth;
    return rc;
}
