/* SPDX-License-Identifier: MIT */
#include "cli/dead.h"

#include "base/xalloc.h"
#include "broker/dead_letters.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <fcntl.h>
#include <unistd.h>

#include <dirent.h>

static const char usage_text[] =
    "usage: hoist dead list DIR             what is there, oldest first\n"
    "       hoist dead show DIR ID          the body of one, as it came\n"
    "       hoist dead retry DIR ID… | --all  give to a worker once more\n"
    "       hoist dead drop DIR ID… | --all   remove\n\n"
    "DIR is the directory that the broker was told with --dead-letters.  What "
    "is to be\nretried waits until a broker runs; `list` shows it as retry, and "
    "as taken while a\nworker has it.  What kills its worker again is back as a "
    "letter.\n";

typedef struct {
    uint64_t id;
    char name[32];
    int64_t died_ms;
} found_t;

/* The letters of a folder. */
typedef struct {
    int folder; /* descriptor */
    found_t *found;
    size_t count, cap;
} pile_t;

/* --- the pile ------------------------------------------------------------ */

static const char *state_of(const found_t *found)
{
    return found->name + LETTER_ID_TEXT + 1;
}

static bool is_shown(const char *name)
{
    const char *state = name + LETTER_ID_TEXT + 1;

    return letter_id(name) != 0 &&
           (strcmp(state, "letter") == 0 || strcmp(state, "retry") == 0 ||
            strcmp(state, "taken") == 0);
}

static void add(pile_t *self, const char *name)
{
    if (self->count == self->cap) {
        self->cap = self->cap == 0 ? 64 : self->cap * 2;
        self->found = realloc(self->found, self->cap * sizeof *self->found);
        must(self->found != NULL);
    }
    found_t *found = &self->found[self->count++];
    found->id = letter_id(name);
    found->died_ms = 0;
    snprintf(found->name, sizeof found->name, "%.24s", name); /* all of it */
}

static int open_pile(pile_t *self, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(dup(fd));
    struct dirent *entry;

    *self = (pile_t){.folder = fd};
    if (folder == NULL) {
        fprintf(stderr, "hoist dead: %s: %s\n", path, strerror(errno));
        return -errno;
    }
    while ((entry = readdir(folder)) != NULL) {
        if (is_shown(entry->d_name)) {
            add(self, entry->d_name);
        }
    }
    closedir(folder);
    return 0;
}

static void close_pile(pile_t *self)
{
    free(self->found);
    if (self->folder >= 0) {
        close(self->folder);
    }
}

static found_t *find(pile_t *self, const char *id)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strlen(id) == LETTER_ID_TEXT &&
            memcmp(self->found[i].name, id, LETTER_ID_TEXT) == 0) {
            return &self->found[i];
        }
    }
    return NULL;
}

/* --- list and show ------------------------------------------------------- */

static int by_death(const void *a, const void *b)
{
    const found_t *left = a, *right = b;

    return (left->died_ms > right->died_ms) - (left->died_ms < right->died_ms);
}

static void print_time(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[32] = "?";

    if (gmtime_r(&seconds, &tm) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    printf("%-20s", text);
}

/* C0 and C1 (U+0080 to U+009F) tell terminals what to do. */
static bool is_control(const uint8_t *at, size_t left)
{
    return at[0] < 0x20 || at[0] == 0x7f ||
           (at[0] == 0xc2 && left > 1 && at[1] < 0xa0);
}

/* Text of a client: what a terminal would obey is not printed. */
static void print_text(wire_bytes_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_control(text.data + i, text.len - i)) {
            putchar('?');
            i += text.data[i] == 0xc2;
        } else {
            putchar(text.data[i]);
        }
    }
}

static int print_letter(const pile_t *self, const found_t *found)
{
    char conn[CONN_ID_TEXT];
    letter_t letter;
    int64_t died_ms;
    buf_t bytes;

    int rc = letter_read(self->folder, found->name, &bytes, &letter, &died_ms);
    if (rc == -ENOENT) {
        return 0; /* it has gone on meanwhile */
    }
    if (rc < 0) {
        fprintf(stderr, "hoist dead: %s: %s\n", found->name, strerror(-rc));
    } else {
        conn_id_format(&letter.conn, conn);
        printf("%.16s  ", found->name);
        print_time(died_ms);
        printf("  %-6s  %8" PRIu64 "  %8zu  %.16s  ", state_of(found),
               letter.attempts, letter.body.bytes.len, conn);
        print_text(letter.route);
        putchar('\n');
    }
    buf_fini(&bytes);
    return rc;
}

static void read_times(pile_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        found_t *found = &self->found[i];
        letter_t letter;
        buf_t bytes;
        (void)letter_read(self->folder, found->name, &bytes, &letter,
                          &found->died_ms);
        buf_fini(&bytes);
    }
    if (self->count > 0) {
        qsort(self->found, self->count, sizeof *self->found, by_death);
    }
}

static int list(pile_t *self)
{
    int status = 0;

    read_times(self);
    printf("%-16s  %-20s  %-6s  %8s  %8s  %-16s  %s\n", "ID", "DIED", "STATE",
           "ATTEMPTS", "BYTES", "CONNECTION", "ROUTE");
    for (size_t i = 0; i < self->count; i++) {
        status |= print_letter(self, &self->found[i]) < 0;
    }
    return status;
}

static int show(const pile_t *self, const found_t *found)
{
    letter_t letter;
    int64_t died_ms;
    buf_t bytes;

    int rc = letter_read(self->folder, found->name, &bytes, &letter, &died_ms);
    if (rc < 0) {
        fprintf(stderr, "hoist dead: %s: %s\n", found->name, strerror(-rc));
    } else {
        fwrite(letter.body.bytes.data, 1, letter.body.bytes.len, stdout);
    }
    buf_fini(&bytes);
    return rc < 0;
}

/* --- retry and drop ------------------------------------------------------ */

static int complain(const found_t *found)
{
    fprintf(stderr, "hoist dead: %.16s: %s\n", found->name, strerror(errno));
    return 1;
}

static int retry(const pile_t *self, const found_t *found)
{
    char to[sizeof found->name];

    if (strcmp(state_of(found), "letter") != 0) {
        return 0; /* it is wanted already */
    }
    snprintf(to, sizeof to, "%.16s.retry", found->name);
    return renameat(self->folder, found->name, self->folder, to) < 0
               ? complain(found)
               : 0;
}

static int drop(const pile_t *self, const found_t *found)
{
    if (strcmp(state_of(found), "taken") == 0) {
        fprintf(stderr, "hoist dead: %.16s: a worker has it\n", found->name);
        return 1;
    }
    return unlinkat(self->folder, found->name, 0) < 0 ? complain(found) : 0;
}

typedef int verb_t(const pile_t *self, const found_t *found);

static int each_named(pile_t *self, verb_t *verb, int argc, char **argv)
{
    int status = 0;

    for (int i = 0; i < argc; i++) {
        const found_t *found = find(self, argv[i]);
        if (found == NULL) {
            fprintf(stderr, "hoist dead: %s: there is no such letter\n",
                    argv[i]);
            status = 1;
        } else {
            status |= verb(self, found);
        }
    }
    return status;
}

static int each(pile_t *self, verb_t *verb)
{
    int status = 0;

    for (size_t i = 0; i < self->count; i++) {
        status |= verb(self, &self->found[i]);
    }
    return status;
}

/* --- the command --------------------------------------------------------- */

static int usage(const char *why)
{
    fprintf(stderr, "hoist dead: %s; try hoist dead --help\n", why);
    return 2;
}

static verb_t *verb_named(const char *word)
{
    return strcmp(word, "show") == 0    ? show
           : strcmp(word, "retry") == 0 ? retry
           : strcmp(word, "drop") == 0  ? drop
                                        : NULL;
}

static int run(const char *word, const char *path, int argc, char **argv)
{
    bool is_list = strcmp(word, "list") == 0;
    verb_t *verb = verb_named(word);
    bool is_all = argc == 1 && strcmp(argv[0], "--all") == 0 && verb != show;
    pile_t pile;

    if (!is_list && verb == NULL) {
        return usage("give list, show, retry or drop");
    }
    if (is_list ? argc != 0 : argc == 0 || (verb == show && argc != 1)) {
        return usage(is_list        ? "list takes nothing but the directory"
                     : verb == show ? "show takes one ID"
                                    : "give IDs or --all");
    }
    if (open_pile(&pile, path) < 0) {
        close_pile(&pile);
        return 1;
    }
    int status = is_list  ? list(&pile)
                 : is_all ? each(&pile, verb)
                          : each_named(&pile, verb, argc, argv);
    close_pile(&pile);
    return status;
}

int dead_main(int argc, char **argv)
{
    const char *word = argc == 0 ? "" : argv[0];

    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
        strcmp(word, "help") == 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (argc < 2) {
        return usage("give list, show, retry or drop, and the directory");
    }
    return run(word, argv[1], argc - 2, argv + 2);
}
