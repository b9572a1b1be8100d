/* SPDX-License-Identifier: MIT */
#include "workers/c/auth/source.h"

#include "base/key_file.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

#include <sys/stat.h>

/* All zeros for a file that is not there. */
static file_state_t look_at(const char *path)
{
    struct stat info;

    if (stat(path, &info) < 0) {
        return (file_state_t){.inode = 0};
    }
    return (file_state_t){.device = info.st_dev,
                          .inode = info.st_ino,
                          .size = info.st_size,
                          .written = info.st_mtim,
                          .changed = info.st_ctim};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_state(const file_state_t *a, const file_state_t *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && same_time(&a->written, &b->written) &&
           same_time(&a->changed, &b->changed);
}

/* NULL with *rc set, a negative errno, and *why. */
static keyset_t *read_as(const char *path, bool is_secret, int *rc,
                         const char **why)
{
    keyset_t *keys = NULL;
    buf_t text;

    buf_init(&text, KEYSET_TEXT_MAX);
    *rc = key_file_read(path, is_secret, &text);
    if (*rc < 0) {
        *why = key_file_failure(*rc);
    } else {
        keys = keyset_of_text(hoist_bytes(text.data, text.len), why);
        *rc = keys != NULL ? 0 : -EINVAL;
    }
    key_file_forget(&text);
    return keys;
}

/* Whether a file is a secret shows what is in it. */
static keyset_t *read_keys(const char *path, int *rc, const char **why)
{
    keyset_t *keys = read_as(path, false, rc, why);

    if (keys == NULL || !keyset_has(keys, ALG_HS256)) {
        return keys;
    }
    keyset_drop(keys);
    return read_as(path, true, rc, why);
}

void source_init(source_t *self, keyset_t *keys)
{
    *self = (source_t){.keys = keys};
    must(pthread_mutex_init(&self->lock, NULL) == 0);
}

int source_init_file(source_t *self, const char *path, int64_t refresh_ms,
                     int64_t now_ms, const char **why)
{
    int rc;
    file_state_t state = look_at(path);
    keyset_t *keys = read_keys(path, &rc, why);

    if (keys == NULL) {
        return rc;
    }
    source_init(self, keys);
    self->path = strdup(path);
    self->refresh_ms = refresh_ms;
    self->looked_ms = self->read_ms = now_ms;
    self->state = state;
    if (self->path == NULL) {
        source_fini(self);
        *why = "no memory";
        return -ENOMEM;
    }
    return 0;
}

void source_fini(source_t *self)
{
    (void)pthread_mutex_destroy(&self->lock);
    keyset_drop(self->keys);
    free(self->path);
}

/* What was read takes the place of what was there; or it is told, once for each
 * state of the file, that it does not.  keys: moved; NULL: there are none. */
static void settle(source_t *self, keyset_t *keys, const file_state_t *state,
                   const char *why)
{
    size_t count = keys != NULL ? keyset_count(keys) : 0;
    keyset_t *old = NULL;

    bool is_new =
        !same_state(state, &self->state) || self->is_broken != (keys == NULL);
    self->state = *state;
    self->is_broken = keys == NULL;
    if (keys != NULL) {
        pthread_mutex_lock(&self->lock);
        old = self->keys;
        self->keys = keys;
        pthread_mutex_unlock(&self->lock);
    }
    keyset_drop(old);
    if (is_new && count > 0) {
        hoist_log(HOIST_LOG_INFO, "WORKER-KEYS-READ", "file=%s keys=%zu",
                  self->path, count);
    } else if (is_new) {
        hoist_log(HOIST_LOG_WARN, "WORKER-KEYS-KEPT", "file=%s error=\"%s\"",
                  self->path, why);
    }
}

static bool read_again(source_t *self, const file_state_t *state)
{
    const char *why = NULL;
    int rc;
    keyset_t *keys = read_keys(self->path, &rc, &why);

    settle(self, keys, state, why);
    return rc == 0;
}

/* May this thread have the file, since for so long nobody had, and nobody has
 * it now?  Of two that read at once the older reading could settle last.  Who
 * may lets it go. */
static bool claim(source_t *self, int64_t *last_ms, int64_t pause_ms,
                  int64_t now_ms)
{
    pthread_mutex_lock(&self->lock);
    bool may = !self->is_claimed && now_ms - *last_ms >= pause_ms;
    if (may) {
        *last_ms = now_ms;
        self->is_claimed = true;
    }
    pthread_mutex_unlock(&self->lock);
    return may;
}

static void let_go(source_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->is_claimed = false;
    pthread_mutex_unlock(&self->lock);
}

static void refresh(source_t *self, int64_t now_ms)
{
    if (!claim(self, &self->looked_ms, self->refresh_ms, now_ms)) {
        return;
    }
    file_state_t state = look_at(self->path);
    if (!same_state(&state, &self->state)) {
        (void)read_again(self, &state);
    }
    let_go(self);
}

keyset_t *source_keys(source_t *self, int64_t now_ms)
{
    if (self->path != NULL) {
        refresh(self, now_ms);
    }
    pthread_mutex_lock(&self->lock);
    keyset_t *keys = keyset_hold(self->keys);
    pthread_mutex_unlock(&self->lock);
    return keys;
}

bool source_again(source_t *self, int64_t now_ms)
{
    if (self->path == NULL ||
        !claim(self, &self->read_ms, SOURCE_AGAIN_MS, now_ms)) {
        return false;
    }
    file_state_t state = look_at(self->path);
    bool was_read = read_again(self, &state);
    let_go(self);
    return was_read;
}
