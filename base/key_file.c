/* SPDX-License-Identifier: MIT */
#include "base/key_file.h"

#include <errno.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_mode(int fd, bool is_secret)
{
    struct stat info;

    if (fstat(fd, &info) < 0) {
        return -errno;
    }
    return is_secret && (info.st_mode & S_IRWXO) != 0 ? -EPERM : 0;
}

/* All room at once: a buffer that grows leaves copies behind. */
static int read_all(int fd, buf_t *text)
{
    ssize_t got = 1;
    char more;

    if (buf_reserve(text, text->limit) < 0) {
        return -ENOMEM;
    }
    while (got > 0 && text->len < text->limit) {
        got = read(fd, text->data + text->len, text->limit - text->len);
        text->len += got > 0 ? (size_t)got : 0;
    }
    if (got > 0) {
        got = read(fd, &more, 1);
    }
    return got < 0 ? -errno : got > 0 ? -EFBIG : 0;
}

int key_file_read(const char *path, bool is_secret, buf_t *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return -errno;
    }
    int rc = check_mode(fd, is_secret);
    if (rc == 0) {
        rc = read_all(fd, text);
    }
    close(fd);
    return rc;
}

void key_file_forget(buf_t *text)
{
    if (text->data != NULL) {
        explicit_bzero(text->data, text->cap);
    }
    buf_fini(text);
}

const char *key_file_failure(int rc)
{
    return rc == -EPERM ? "others may read it: chmod o= it" : strerror(-rc);
}
