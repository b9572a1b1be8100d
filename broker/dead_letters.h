/* SPDX-License-Identifier: MIT
 *
 * Where dead letters are kept: a folder with a file for each, after the manner
 * of maildir (D. J. Bernstein, https://cr.yp.to/proto/maildir.html): a file is
 * written under one name and gets its other by rename, so that whoever looks
 * sees whole letters only, and no lock is needed between brokers, people and
 * programs.  The name says what the letter is waiting for:
 *
 *     ID.new      is being written
 *     ID.letter   for somebody to look at it
 *     ID.retry    for the broker to take it (hoist dead retry)
 *     ID.taken    for a worker, by way of the broker
 *
 * ID is 16 hexadecimal digits; what is in a file, broker/letter.h says.  It
 * survives the end of the broker, not the failure of the machine: nothing is
 * synced to the disk.
 *
 * A folder is one broker's.  Its thread only, but for letter_read.
 */
#ifndef BROKER_DEAD_LETTERS_H
#define BROKER_DEAD_LETTERS_H

#include "base/buf.h"
#include "broker/letter.h"

typedef struct dead_letters dead_letters_t;

typedef struct {
    /* Give a letter (lent) to a worker.  0, or < 0: it cannot be done now. */
    int (*revive)(void *user, const letter_t *letter);

    /* One could not be kept. */
    void (*lost)(void *user);
} dead_letters_ops_t;

/*
 * Keep letters in this folder, which exists, up to max_bytes together; ops are
 * copied.  What a broker had taken that is no more is put back.
 * Returns the letters, or NULL with a reason in error.
 */
dead_letters_t *dead_letters_new(const char *folder, int64_t max_bytes,
                                 const dead_letters_ops_t *ops, void *user,
                                 char *error, size_t error_size);

/* Write what waits, and free.  No letter is in hand any more.  NULL is
 * harmless. */
void dead_letters_destroy(dead_letters_t **self_p);

/*
 * Keep a letter.  One with an id goes back to those that wait for somebody to
 * look.  A new one is copied and written with one of the next turns; where the
 * folder is full, or memory is, it is lost.
 */
void dead_letters_keep(dead_letters_t *self, const letter_t *letter,
                       int64_t now_wall_ms);

/* A worker has done with it: remove it. */
void dead_letters_settle(dead_letters_t *self, uint64_t id);

/* A turn: write some of what waits, and now and then take what is to be tried
 * once more. */
void dead_letters_turn(dead_letters_t *self, int64_t now_ms,
                       int64_t now_wall_ms);

/* --- for hoist dead ---------------------------------------------------- */

#define LETTER_ID_TEXT 16 /* characters */

/* The id at the beginning of a file's name, or 0: it is no letter's. */
uint64_t letter_id(const char *name);

/*
 * Read the file of that name in an open folder: *letter points into *bytes,
 * which is empty.
 * Returns 0 with *died_ms set; -errno; -EBADMSG when it is no letter.
 */
int letter_read(int folder, const char *name, buf_t *bytes, letter_t *letter,
                int64_t *died_ms);

#endif
