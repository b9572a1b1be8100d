/* SPDX-License-Identifier: MIT */
#include "gateway/static_files.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_BYTES 1024
#define INDEX          "index.html"

struct static_files {
    int directory; /* owned descriptor */
};

static const struct {
    const char *extension, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
};

static_files_t *static_files_new(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    static_files_t *self = xcalloc(1, sizeof *self);
    self->directory = fd;
    return self;
}

void static_files_destroy(static_files_t **self_p)
{
    if (*self_p != NULL) {
        close((*self_p)->directory);
        free(*self_p);
        *self_p = NULL;
    }
}

static const char *type_of(const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t extension = strlen(types[i].extension);
        if (len > extension &&
            strcmp(path + len - extension, types[i].extension) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

/* Open one component after the other beneath the directory.  No component
 * may be empty, begin with a dot (so neither ".." nor hidden files) or be a
 * link. */
static int open_beneath(int directory, char *path)
{
    int at = directory, fd = -1;
    char *rest = path;

    for (char *name; (name = strsep(&rest, "/")) != NULL;) {
        int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
        if (rest != NULL) {
            flags |= O_DIRECTORY;
        }
        bool is_allowed = name[0] != '\0' && name[0] != '.';
        fd = is_allowed ? openat(at, name, flags) : -1;
        if (at != directory) {
            close(at);
        }
        if (fd < 0) {
            return -ENOENT;
        }
        at = fd;
    }
    return fd;
}

/* The file for a request's path; *name for its type. */
static int open_path(const static_files_t *self, wire_bytes_t encoded,
                     char name[PATH_MAX_BYTES], struct stat *info)
{
    char walked[PATH_MAX_BYTES];
    buf_t path;

    buf_init(&path, PATH_MAX_BYTES - sizeof INDEX);
    int fd = -ENOENT;
    if (encoded.len > 1 &&
        http_decode((wire_bytes_t){encoded.data + 1, encoded.len - 1}, false,
                    &path) < 0) {
        goto out;
    }
    bool is_directory = path.len == 0 || path.data[path.len - 1] == '/';
    snprintf(name, PATH_MAX_BYTES, "%.*s%s", (int)path.len,
             path.len > 0 ? (const char *)path.data : "",
             is_directory ? INDEX : "");
    memcpy(walked, name, strlen(name) + 1);
    fd = open_beneath(self->directory, walked);
    if (fd >= 0 && (fstat(fd, info) < 0 || !S_ISREG(info->st_mode) ||
                    info->st_size > STATIC_FILE_MAX)) {
        close(fd);
        fd = -ENOENT;
    }
out:
    buf_fini(&path);
    return fd;
}

static int put_common(buf_t *out, unsigned status, bool stays)
{
    int rc = http_put_status(out, status);

    if (rc == 0 && !stays) {
        rc = http_put_text_header(out, "Connection", "close");
    }
    if (rc == 0 && (rc = http_put_text_header(out, "X-Content-Type-Options",
                                              "nosniff")) == 0) {
        rc = http_put_text_header(out, "Content-Security-Policy",
                                  "default-src 'self'; "
                                  "connect-src 'self' ws: wss:");
    }
    return rc;
}

static int put_error(buf_t *out, unsigned status, bool stays, bool with_body)
{
    const char *text = http_reason(status);

    int rc = put_common(out, status, stays);
    if (rc == 0 && status == 405) {
        rc = http_put_text_header(out, "Allow", "GET, HEAD");
    }
    if (rc == 0 &&
        (rc = http_put_text_header(out, "Content-Type",
                                   "text/plain; charset=utf-8")) == 0) {
        rc = http_put_body(out, (const uint8_t *)text, strlen(text), with_body);
    }
    return rc;
}

static int read_whole(int fd, uint8_t *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        ssize_t got = read(fd, bytes + at, len - at);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return -EIO; /* it shrank, or the disk is gone */
        }
        at += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int put_file(buf_t *out, int fd, size_t size, bool with_body)
{
    int rc = http_put_body(out, NULL, size, false);

    if (rc < 0 || !with_body) {
        return rc;
    }
    if ((rc = buf_reserve(out, size)) < 0 ||
        (rc = read_whole(fd, out->data + out->len, size)) < 0) {
        return rc;
    }
    out->len += size;
    return 0;
}

static int answer_file(const http_request_t *request, int fd,
                       const struct stat *info, const char *name, bool stays,
                       buf_t *out)
{
    const http_header_t *known = http_header(request, "if-none-match");
    char tag[64];

    snprintf(tag, sizeof tag, "\"%llx-%llx-%lx\"",
             (unsigned long long)info->st_size,
             (unsigned long long)info->st_mtim.tv_sec,
             (unsigned long)info->st_mtim.tv_nsec);
    bool is_known = known != NULL && wire_is(known->value, tag);
    int rc = put_common(out, is_known ? 304 : 200, stays);
    if (rc == 0 && (rc = http_put_text_header(out, "ETag", tag)) == 0) {
        rc = http_put_text_header(out, "Cache-Control", "no-cache");
    }
    if (rc == 0 && is_known) {
        return buf_put(out, "\r\n", 2);
    }
    if (rc == 0 &&
        (rc = http_put_text_header(out, "Content-Type", type_of(name))) == 0) {
        rc = put_file(out, fd, (size_t)info->st_size,
                      !wire_is(request->method, "HEAD"));
    }
    return rc;
}

int static_files_answer(static_files_t *self, const http_request_t *request,
                        bool stays, buf_t *out)
{
    bool is_head = wire_is(request->method, "HEAD");
    size_t start = out->len;
    char name[PATH_MAX_BYTES];
    struct stat info;
    int rc;

    if (!is_head && !wire_is(request->method, "GET")) {
        return put_error(out, 405, stays, true);
    }
    int fd = open_path(self, request->path, name, &info);
    if (fd < 0) {
        rc = put_error(out, 404, stays, !is_head);
    } else {
        rc = answer_file(request, fd, &info, name, stays, out);
        close(fd);
    }
    if (rc < 0) {
        out->len = start;
    }
    return rc;
}
