/* SPDX-License-Identifier: MIT */
#include "broker/allow_list.h"

#include "base/log.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLED_S 2  /* a younger file may change within its time stamp */
#define AGAIN_MS  50 /* between two reads of a file that seems unchanged */

struct allow_list {
    const char *path;  /* borrowed */
    allowed_t *keys;   /* owned; sorted by key */
    uint64_t *numbers; /* owned; theirs, sorted */
    size_t count;
    uint64_t last_number;
    struct stat seen; /* of the file when it was read last */
    int64_t read_ms;  /* when that was */
    int failed;       /* to look at it, which was said: errno; 0: not */
    bool is_in_doubt; /* it may be another without a sign */
};

/* --- text ----------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* No key begins with '#': that would be a number above 2^32. */
static int parse_line(const char *at, const char *end, allowed_t *entry)
{
    while (at < end && is_space(*at)) {
        at++;
    }
    while (at < end && is_space(end[-1])) {
        end--;
    }
    if (at == end || *at == '#') {
        return 0;
    }
    const char *word = at;
    while (at < end && !is_space(*at)) {
        at++;
    }
    if (!curve_is_key(word, (size_t)(at - word))) {
        return -EINVAL;
    }
    memcpy(entry->key, word, CURVE_KEY_TEXT);
    while (at < end && is_space(*at)) {
        at++;
    }
    size_t len = (size_t)(end - at);
    memcpy(entry->name, at, len < ALLOW_NAME_MAX ? len : ALLOW_NAME_MAX);
    return 1;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const allowed_t *)a)->key, ((const allowed_t *)b)->key);
}

static size_t drop_doubles(allowed_t *keys, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare(&keys[kept - 1], &keys[i]) != 0) {
            keys[kept++] = keys[i];
        }
    }
    return kept;
}

/* As many as the text has room for; never none, for calloc's sake. */
static allowed_t *room_for(size_t len)
{
    return calloc(len / CURVE_KEY_TEXT + 1, sizeof(allowed_t));
}

int allow_list_parse(const char *text, size_t len, allowed_t **keys,
                     size_t *line)
{
    const char *end = text + len;
    size_t count = 0;

    if ((*keys = room_for(len)) == NULL) {
        return -ENOMEM;
    }
    for (*line = 1; text < end; (*line)++) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        line_end = line_end == NULL ? end : line_end;
        int got = parse_line(text, line_end, &(*keys)[count]);
        if (got < 0) {
            free(*keys);
            *keys = NULL;
            return got;
        }
        count += (size_t)got;
        text = line_end == end ? end : line_end + 1;
    }
    qsort(*keys, count, sizeof **keys, compare);
    return (int)drop_doubles(*keys, count);
}

/* --- the file ------------------------------------------------------------- */

static int read_whole(int fd, char *text, size_t *len)
{
    ssize_t got;

    *len = 0;
    while ((got = read(fd, text + *len, ALLOW_LIST_BYTES + 1 - *len)) > 0) {
        *len += (size_t)got;
    }
    return got < 0 ? -errno : *len > ALLOW_LIST_BYTES ? -EFBIG : 0;
}

/* Read and parse what is there now.  Returns the count, or a negative errno
 * with what is wrong in error. */
static int read_keys(const char *path, allowed_t **keys, char *error,
                     size_t error_size)
{
    char *text = malloc(ALLOW_LIST_BYTES + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rc = text == NULL ? -ENOMEM : fd < 0 ? -errno : 0;
    size_t len, line = 0;

    if (rc == 0 && (rc = read_whole(fd, text, &len)) == 0) {
        rc = allow_list_parse(text, len, keys, &line);
    }
    if (rc == -EINVAL && line > 0) {
        snprintf(error, error_size,
                 "line %zu does not begin with a key: a list has lines "
                 "KEY NAME, as hoist keygen prints them",
                 line);
    } else if (rc < 0) {
        snprintf(error, error_size, "%s", strerror(-rc));
    }
    if (fd >= 0) {
        close(fd);
    }
    free(text);
    return rc;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool is_fresh(const struct stat *file)
{
    return time(NULL) - file->st_ctim.tv_sec < SETTLED_S;
}

/* --- the list ------------------------------------------------------------- */

static bool has_same_keys(const allow_list_t *self, const allowed_t *keys,
                          size_t count)
{
    bool is_same = self->count == count;

    must(count == 0 || keys != NULL);
    must(self->count == 0 || self->keys != NULL);
    for (size_t i = 0; is_same && i < count; i++) {
        is_same = compare(&self->keys[i], &keys[i]) == 0;
    }
    return is_same;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void sort_numbers(allow_list_t *self)
{
    free(self->numbers);
    self->numbers = xcalloc(self->count + 1, sizeof *self->numbers);
    for (size_t i = 0; i < self->count; i++) {
        self->numbers[i] = self->keys[i].number;
    }
    qsort(self->numbers, self->count, sizeof *self->numbers, compare_numbers);
}

static void take_keys(allow_list_t *self, allowed_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const allowed_t *former = allow_list_find(self, keys[i].key);
        keys[i].number = former != NULL ? former->number : ++self->last_number;
    }
    free(self->keys);
    self->keys = keys;
    self->count = count;
    sort_numbers(self);
}

static void say_kept(allow_list_t *self, int failed, const char *why)
{
    if (self->failed != failed) {
        log_warn("CURVE-LIST-KEPT", "file=%s error=\"%s\"", self->path, why);
    }
    self->failed = failed;
}

/* Has the file changed since it was read, as far as can be seen?  Where that is
 * in doubt, which is for long when the clock was set back, it is read now and
 * then, and not at each of many handshakes. */
static bool is_to_be_read(allow_list_t *self, int64_t now_ms)
{
    struct stat now;

    if (stat(self->path, &now) < 0) {
        say_kept(self, errno, strerror(errno));
        return false;
    }
    bool is_other = !is_same_file(&now, &self->seen);
    if (is_other) {
        self->failed = 0; /* what is wrong with this one is news */
    } else if (!self->is_in_doubt || now_ms - self->read_ms < AGAIN_MS) {
        return false;
    }
    self->is_in_doubt = is_fresh(&now);
    self->read_ms = now_ms;
    self->seen = now;
    return true;
}

/* What is wrong is in the file, and not that we cannot read it now. */
static bool is_its_fault(int rc)
{
    return rc == -EINVAL || rc == -EFBIG;
}

bool allow_list_refresh(allow_list_t *self, int64_t now_ms)
{
    char error[128] = "";
    allowed_t *keys = NULL;

    if (!is_to_be_read(self, now_ms)) {
        return false;
    }
    int count = read_keys(self->path, &keys, error, sizeof error);
    if (count < 0) {
        self->is_in_doubt |= !is_its_fault(count);
        say_kept(self, -count, error);
        return false;
    }
    self->failed = 0;
    bool has_changed = !has_same_keys(self, keys, (size_t)count);
    take_keys(self, keys, (size_t)count);
    if (has_changed) {
        log_info("CURVE-LIST-READ", "file=%s keys=%d", self->path, count);
    }
    return has_changed;
}

allow_list_t *allow_list_open(const char *path, char *error, size_t error_size)
{
    char why[128] = "";
    allow_list_t *self = xcalloc(1, sizeof *self);

    self->path = path;
    self->is_in_doubt = true; /* it may have changed since it was read */
    self->read_ms = INT64_MIN / 2;
    int count = read_keys(path, &self->keys, why, sizeof why);
    if (count < 0) {
        snprintf(error, error_size, "cannot read the keys in %s: %s", path,
                 why);
        allow_list_destroy(&self);
        return NULL;
    }
    allowed_t *keys = self->keys;
    self->keys = NULL;
    take_keys(self, keys, (size_t)count);
    (void)stat(path, &self->seen); /* else the next look tells */
    return self;
}

void allow_list_destroy(allow_list_t **self_p)
{
    allow_list_t *self = *self_p;

    if (self != NULL) {
        free(self->keys);
        free(self->numbers);
        free(self);
        *self_p = NULL;
    }
}

const allowed_t *allow_list_find(const allow_list_t *self, const char *key)
{
    allowed_t wanted = {.number = 0};

    if (self->count == 0 || self->keys == NULL) {
        return NULL;
    }
    memcpy(wanted.key, key, strnlen(key, CURVE_KEY_TEXT));
    return bsearch(&wanted, self->keys, self->count, sizeof wanted, compare);
}

bool allow_list_has(const allow_list_t *self, uint64_t number)
{
    return self->count > 0 && bsearch(&number, self->numbers, self->count,
                                      sizeof number, compare_numbers) != NULL;
}
