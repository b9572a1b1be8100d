/* SPDX-License-Identifier: MIT
 *
 * Where keys come from.  Those of a file are read again when it changes, so
 * that keys can be rotated under a worker that runs.  A file that is broken
 * changes nothing: the keys of before go on to count.
 *
 * Any thread.  Nobody waits for a file but who reads it, and that is one thread
 * at a time: the lock is held to look at a pointer and two times.
 */
#ifndef WORKERS_C_AUTH_SOURCE_H
#define WORKERS_C_AUTH_SOURCE_H

#include "workers/c/auth/keyset.h"

#include <time.h>

#include <pthread.h>

#define SOURCE_AGAIN_MS 1000 /* between two readings for want of a key */

/* Which state of a file it is. */
typedef struct {
    uint64_t device, inode;
    int64_t size;
    struct timespec written, changed;
} file_state_t;

typedef struct {
    char *path;         /* owned; NULL: what it was made from stays */
    int64_t refresh_ms; /* between two looks at the file */
    pthread_mutex_t lock;
    /* Under the lock: */
    keyset_t *keys; /* held */
    int64_t looked_ms, read_ms;
    bool is_claimed; /* a thread looks at the file, or reads it */
    /* Of the thread that has claimed it: */
    file_state_t state; /* of what was read last */
    bool is_broken;     /* that was no good */
} source_t;

/*
 * keys     moved; those of source_init_file are read, now.
 * now_ms   monotonic, here and below.
 * source_init_file returns 0; -EINVAL when the file has no keys, or why it
 * cannot be read, and *why in words.
 */
void source_init(source_t *self, keyset_t *keys);
int source_init_file(source_t *self, const char *path, int64_t refresh_ms,
                     int64_t now_ms, const char **why);
void source_fini(source_t *self);

/* The keys that count now, to be dropped (keyset_drop).  Looks at the file when
 * that is due, and reads it when it has changed. */
keyset_t *source_keys(source_t *self, int64_t now_ms);

/* A key is missing: read the file, whatever it looks like, unless that was done
 * a moment ago, or is being done.  Returns whether it was read, with success.
 */
bool source_again(source_t *self, int64_t now_ms);

#endif
