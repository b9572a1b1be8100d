/* SPDX-License-Identifier: MIT */
#include "broker/dead_letters.h"

#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "proto/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dirent.h>

#define WAITING_MAX   ((size_t)128 << 20) /* bytes that are not written yet */
#define KEEP          ((size_t)64 << 10) /* memory that their buffer may keep */
#define FILES_A_TURN  32                 /* written, or taken */
#define LOOK_EVERY_MS 1000
#define BLOCK         UINT64_C(4096) /* bytes */
#define IN_HAND_MAX   64             /* letters that workers have at a time */
#define RECENT_MS     2000
#define LETTER_MAX    ((size_t)FRAME_MAX + 65536) /* bytes of a file */
#define NAME_SIZE     (LETTER_ID_TEXT + sizeof ".letter")

struct dead_letters {
    int folder;     /* descriptor */
    int64_t max;    /* bytes of all files */
    int64_t bytes;  /* that they had when we looked, and what we wrote since */
    buf_t waiting;  /* letters as in their files, back to back */
    size_t written; /* bytes of it */
    int64_t looked_ms;
    int64_t changed_ms; /* Unix; the folder, when we looked */
    dead_letters_ops_t ops;
    void *user;
    int in_hand;             /* letters that workers have */
    log_brake_t kept, brake; /* of those that are; of what goes wrong */
};

/* --- names --------------------------------------------------------------- */

uint64_t letter_id(const char *name)
{
    static const char digits[] = "0123456789abcdef"; /* as name_of puts them */

    if (strspn(name, digits) != LETTER_ID_TEXT || name[LETTER_ID_TEXT] != '.') {
        return 0;
    }
    return strtoull(name, NULL, 16);
}

static bool has_ending(const char *name, const char *ending)
{
    return letter_id(name) != 0 &&
           strcmp(name + LETTER_ID_TEXT + 1, ending) == 0;
}

static void name_of(uint64_t id, const char *ending, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%016" PRIx64 ".%s", id, ending);
}

static int rename_letter(const dead_letters_t *self, uint64_t id,
                         const char *from, const char *to)
{
    char old[NAME_SIZE], new[NAME_SIZE];

    name_of(id, from, old);
    name_of(id, to, new);
    return renameat(self->folder, old, self->folder, new) < 0 ? -errno : 0;
}

/* --- files --------------------------------------------------------------- */

static int read_file(int folder, const char *name, buf_t *bytes)
{
    int fd =
        openat(folder, name,
               O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* of a FIFO */
    struct stat status;
    ssize_t got = -1;

    buf_init(bytes, LETTER_MAX);
    if (fd < 0) {
        return -errno;
    }
    int rc = fstat(fd, &status) < 0 ? -errno : 0;
    if (rc == 0 && !S_ISREG(status.st_mode)) {
        rc = -EBADMSG;
    }
    while (rc == 0 && got != 0) {
        rc = buf_reserve(bytes, 65536);
        got = rc < 0 ? 0 : read(fd, bytes->data + bytes->len, 65536);
        rc = got < 0 ? -errno : rc;
        bytes->len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    return rc;
}

int letter_read(int folder, const char *name, buf_t *bytes, letter_t *letter,
                int64_t *died_ms)
{
    int rc = read_file(folder, name, bytes);

    *letter = (letter_t){.id = letter_id(name)};
    return rc < 0 ? rc
                  : letter_get((wire_bytes_t){bytes->data, bytes->len}, letter,
                               died_ms);
}

static int write_all(int fd, wire_bytes_t bytes)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.data, bytes.len);
        if (put < 0 && errno != EINTR) {
            return -errno;
        }
        if (put > 0) {
            bytes.data += put;
            bytes.len -= (size_t)put;
        }
    }
    return 0;
}

static uint64_t new_id(void)
{
    uint64_t id = 0;

    while (id == 0) {
        rand_bytes(&id, sizeof id);
    }
    return id;
}

/* Write one whole file, or none. */
static int write_file(const dead_letters_t *self, uint64_t id,
                      wire_bytes_t bytes)
{
    char name[NAME_SIZE];

    name_of(id, "new", name);
    int fd = openat(self->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    0600);
    if (fd < 0) {
        return -errno;
    }
    int rc = write_all(fd, bytes);
    if (close(fd) < 0 && rc == 0) {
        rc = -errno;
    }
    if (rc == 0) {
        rc = rename_letter(self, id, "new", "letter");
    }
    if (rc < 0) {
        (void)unlinkat(self->folder, name, 0);
    }
    return rc;
}

/* What a file takes of a disk, near enough. */
static int64_t room_of(uint64_t bytes)
{
    return (int64_t)((bytes + BLOCK - 1) / BLOCK * BLOCK);
}

/* --- keeping ------------------------------------------------------------- */

static void lose(dead_letters_t *self, const char *why)
{
    self->ops.lost(self->user);
    log_braked(&self->brake, LEVEL_ERROR, "DEAD-LETTER-LOST", "why=\"%s\"",
               why);
}

void dead_letters_keep(dead_letters_t *self, const letter_t *letter,
                       int64_t now_wall_ms)
{
    if (letter->id != 0) {
        self->in_hand--;
        (void)rename_letter(self, letter->id, "taken", "letter");
        return;
    }
    size_t before = self->waiting.len;
    int rc = letter_put(&self->waiting, letter, now_wall_ms);
    if (rc < 0) {
        self->waiting.len = before;
        lose(self, "too many at once");
    }
}

void dead_letters_settle(dead_letters_t *self, uint64_t id)
{
    char name[NAME_SIZE];

    self->in_hand--;
    name_of(id, "taken", name);
    (void)unlinkat(self->folder, name, 0);
}

static wire_bytes_t next_waiting(const dead_letters_t *self)
{
    wire_cursor_t in = wire_cursor((wire_bytes_t){
        self->waiting.data + self->written, self->waiting.len - self->written});
    wire_bytes_t letter;

    must(wire_get_raw(&in, &letter) == 0); /* we put it there */
    return letter;
}

static void write_some(dead_letters_t *self, int count)
{
    for (; count > 0 && self->written < self->waiting.len; count--) {
        wire_bytes_t letter = next_waiting(self);
        self->written += letter.len;
        if (self->bytes + room_of(letter.len) > self->max) {
            lose(self, "the folder is full");
            continue;
        }
        uint64_t id = new_id();
        int rc = write_file(self, id, letter);
        if (rc < 0) {
            lose(self, strerror(-rc));
            continue;
        }
        self->bytes += room_of(letter.len);
        log_braked(&self->kept, LEVEL_WARN, "DEAD-LETTER-KEPT",
                   "id=%016" PRIx64, id);
    }
    if (self->written == self->waiting.len) {
        buf_reset(&self->waiting, KEEP);
        self->written = 0;
    }
}

/* --- taking -------------------------------------------------------------- */

static void put_back(dead_letters_t *self, const char *name)
{
    (void)rename_letter(self, letter_id(name), name + LETTER_ID_TEXT + 1,
                        "letter");
}

static void take(dead_letters_t *self, const char *name)
{
    uint64_t id = letter_id(name);
    letter_t letter;
    int64_t died_ms;
    buf_t bytes;

    if (rename_letter(self, id, "retry", "taken") < 0) {
        return; /* somebody thought better of it */
    }
    char taken[NAME_SIZE];
    name_of(id, "taken", taken);
    int rc = letter_read(self->folder, taken, &bytes, &letter, &died_ms);
    if (rc == 0) {
        self->in_hand++; /* before it may be over at once */
        rc = self->ops.revive(self->user, &letter);
        self->in_hand -= rc < 0;
    }
    if (rc < 0) {
        log_braked(&self->brake, LEVEL_ERROR, "DEAD-LETTER-UNREADABLE",
                   "id=%016" PRIx64 " why=\"%s\"", id, strerror(-rc));
        put_back(self, taken);
    }
    buf_fini(&bytes);
}

/* Call fn for each letter's file, and add up what they have. */
static int64_t each_file(const dead_letters_t *self,
                         void (*fn)(void *arg, const char *name), void *arg)
{
    int fd = openat(self->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    struct stat status;
    int64_t bytes = 0;

    if (folder == NULL) {
        return self->bytes; /* no descriptors: nothing is known anew */
    }
    while ((entry = readdir(folder)) != NULL) {
        if (letter_id(entry->d_name) != 0 &&
            fstatat(self->folder, entry->d_name, &status,
                    AT_SYMLINK_NOFOLLOW) == 0) {
            bytes += room_of((uint64_t)status.st_size);
            fn(arg, entry->d_name);
        }
    }
    closedir(folder);
    return bytes;
}

typedef struct {
    dead_letters_t *self;
    int left; /* that may be taken now */
} look_t;

static void take_if_wanted(void *arg, const char *name)
{
    look_t *look = arg;

    if (has_ending(name, "retry") && look->left > 0 &&
        look->self->in_hand < IN_HAND_MAX) {
        look->left--;
        take(look->self, name);
    }
}

/*
 * Has the folder changed since we looked?  A time of change that is not long
 * ago says nothing: another change may bear the same.
 */
static bool has_changed(dead_letters_t *self, int64_t now_wall_ms)
{
    struct stat status;

    if (fstat(self->folder, &status) < 0) {
        return false;
    }
    int64_t changed_ms = (int64_t)status.st_mtim.tv_sec * 1000 +
                         status.st_mtim.tv_nsec / 1000000;
    bool changed =
        changed_ms != self->changed_ms || now_wall_ms - changed_ms < RECENT_MS;
    self->changed_ms = changed_ms;
    return changed;
}

void dead_letters_turn(dead_letters_t *self, int64_t now_ms,
                       int64_t now_wall_ms)
{
    look_t look = {self, FILES_A_TURN};

    write_some(self, FILES_A_TURN);
    if (now_ms - self->looked_ms < LOOK_EVERY_MS) {
        return;
    }
    self->looked_ms = now_ms;
    if (has_changed(self, now_wall_ms)) {
        self->bytes = each_file(self, take_if_wanted, &look);
    }
    if (look.left == 0 ||
        self->in_hand >= IN_HAND_MAX) { /* there may be more */
        self->changed_ms = -1;
    }
}

/* --- start and end ------------------------------------------------------- */

/* A broker that ended had it in hand, or was about to write it. */
static void tidy(void *arg, const char *name)
{
    dead_letters_t *self = arg;

    if (has_ending(name, "taken")) {
        put_back(self, name);
    } else if (has_ending(name, "new")) {
        (void)unlinkat(self->folder, name, 0);
    }
}

dead_letters_t *dead_letters_new(const char *folder, int64_t max_bytes,
                                 const dead_letters_ops_t *ops, void *user,
                                 char *error, size_t error_size)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || faccessat(fd, ".", R_OK | W_OK | X_OK, 0) < 0) {
        snprintf(error, error_size, "cannot keep dead letters in %s: %s",
                 folder, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        snprintf(error, error_size,
                 "cannot keep dead letters in %s: another broker does", folder);
        close(fd);
        return NULL;
    }
    dead_letters_t *self = xcalloc(1, sizeof *self);
    self->folder = fd;
    self->max = max_bytes;
    self->ops = *ops;
    self->user = user;
    self->looked_ms = INT64_MIN / 2;
    self->changed_ms = -1;
    buf_init(&self->waiting, WAITING_MAX);
    self->bytes = each_file(self, tidy, self);
    return self;
}

void dead_letters_destroy(dead_letters_t **self_p)
{
    dead_letters_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    while (self->written < self->waiting.len) {
        write_some(self, FILES_A_TURN);
    }
    must(self->in_hand == 0); /* the core that had them gave them back */
    buf_fini(&self->waiting);
    close(self->folder);
    free(self);
    *self_p = NULL;
}
