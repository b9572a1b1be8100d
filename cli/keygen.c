/* SPDX-License-Identifier: MIT */
#include "cli/keygen.h"

#include "base/curve.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

#define PATH_MAX_ 4096

static const char usage_text[] =
    "usage: hoist keygen FILE [--force]\n\n"
    "Make a pair of keys for CURVE: FILE with the public one, and FILE_secret "
    "with\nboth, which nobody else may read (--curve-key).  Files that are "
    "there are kept,\nunless --force is given.  What is printed is a line for "
    "--curve-workers or\n--curve-gateways; docs/curve.md says which key goes "
    "where.\n";

typedef struct {
    curve_key_t public, secret;
} pair_t;

static int make_pair(pair_t *pair)
{
    if (zmq_curve_keypair(pair->public, pair->secret) < 0) {
        fprintf(stderr, "hoist keygen: %s\n", zmq_strerror(zmq_errno()));
        return -EINVAL;
    }
    return 0;
}

static int complain(const char *path)
{
    int rc = -errno;

    fprintf(stderr, "hoist keygen: %s: %s%s\n", path, strerror(errno),
            errno == EEXIST ? "; --force replaces it" : "");
    return rc;
}

/* As czmq writes a certificate.  Nobody else can read the file at any time: it
 * is another one than was there before. */
static int write_file(const char *path, mode_t mode, const pair_t *pair,
                      bool is_secret)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (file == NULL) {
        return complain(path);
    }
    fprintf(file,
            "#   ZeroMQ CURVE %s certificate\n%s\n"
            "metadata\ncurve\n    public-key = \"%s\"\n",
            is_secret ? "**secret**" : "public",
            is_secret ? "#   Do not give it away, and let nobody else read it."
                      : "#   Exchange it with whom you trust.",
            pair->public);
    if (is_secret) {
        fprintf(file, "    secret-key = \"%s\"\n", pair->secret);
    }
    bool is_written = fflush(file) == 0 && fsync(fd) == 0;
    return fclose(file) != 0 || !is_written ? complain(path) : 0;
}

static int remove_file(const char *path)
{
    return unlink(path) < 0 && errno != ENOENT ? complain(path) : 0;
}

static bool is_free(const char *path)
{
    struct stat status;

    if (lstat(path, &status) < 0) {
        return true; /* or writing it says why not */
    }
    errno = EEXIST;
    (void)complain(path);
    return false;
}

static int write_pair(const char *path, const char *secret_path,
                      const pair_t *pair)
{
    int rc = write_file(secret_path, S_IRUSR | S_IWUSR, pair, true);

    return rc < 0 ? rc : write_file(path, 0644, pair, false);
}

static int keygen(const char *path, bool is_forced)
{
    char secret_path[PATH_MAX_];
    const char *slash = strrchr(path, '/');
    pair_t pair;

    int len = snprintf(secret_path, sizeof secret_path, "%s_secret", path);
    if (len < 0 || (size_t)len >= sizeof secret_path) {
        errno = ENAMETOOLONG;
        return complain(path);
    }
    if (!is_forced && (!is_free(path) || !is_free(secret_path))) {
        return -EEXIST;
    }
    if (is_forced && (remove_file(path) < 0 || remove_file(secret_path) < 0)) {
        return -EACCES;
    }
    int rc = make_pair(&pair);
    if (rc == 0 && (rc = write_pair(path, secret_path, &pair)) == 0) {
        printf("%s %s\n", pair.public, slash == NULL ? path : slash + 1);
    }
    explicit_bzero(&pair, sizeof pair);
    return rc;
}

static int usage(const char *why)
{
    fprintf(stderr, "hoist keygen: %s; try hoist keygen --help\n", why);
    return 2;
}

int keygen_main(int argc, char **argv)
{
    const char *path = NULL;
    bool is_forced = false;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage_text, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--force") == 0) {
            is_forced = true;
        } else if (argv[i][0] == '-' || path != NULL) {
            return usage("give one FILE, and --force or nothing");
        } else {
            path = argv[i];
        }
    }
    if (path == NULL || path[0] == '\0') {
        return usage("give a FILE");
    }
    return keygen(path, is_forced) < 0 ? 1 : 0;
}
