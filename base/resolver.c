/* SPDX-License-Identifier: MIT */
#include "base/resolver.h"

#include "base/thread.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netdb.h>

#define HOST_TEXT 1025 /* NI_MAXHOST: what getnameinfo may write */

struct resolver {
    int fd; /* our end */
};

/* What the thread has; it frees it. */
typedef struct {
    int fd; /* its end: answers go in, the owner's end is seen */
    resolver_lookup_fn *lookup;
    int64_t interval_ms;
    size_t count;
    char *hosts[ROSTER_MAX]; /* owned */
    bool was_found[ROSTER_MAX];
    answer_t answer; /* the one under way */
} lookups_t;

/* --- one look-up --------------------------------------------------------- */

static bool has_family(const struct addrinfo *list, int family)
{
    for (; list != NULL; list = list->ai_next) {
        if (list->ai_family == family) {
            return true;
        }
    }
    return false;
}

/* In the order of the texts, so that of too many it is always the same ones
 * that are left out, whatever order a name server likes today. */
static void insert(answer_t *answer, const char address[ADDRESS_TEXT])
{
    size_t at = 0;

    while (at < answer->count && strcmp(answer->addresses[at], address) < 0) {
        at++;
    }
    if (at < answer->count && strcmp(answer->addresses[at], address) == 0) {
        return;
    }
    if (answer->count == ROSTER_MAX) {
        answer->omitted++;
    } else {
        answer->count++;
    }
    if (at < ROSTER_MAX) {
        memmove(&answer->addresses[at] + 1, &answer->addresses[at],
                (answer->count - 1 - at) * ADDRESS_TEXT);
        memcpy(answer->addresses[at], address, ADDRESS_TEXT);
    }
}

static void take_address(answer_t *answer, const struct addrinfo *info)
{
    char host[HOST_TEXT], address[ADDRESS_TEXT] = "";

    if (getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof host, NULL, 0,
                    NI_NUMERICHOST) == 0 &&
        endpoint_normalize(host, address) == 0) {
        insert(answer, address);
    }
}

void resolver_lookup(const char *host, answer_t *answer)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;

    answer->error = getaddrinfo(host, NULL, &hints, &list);
    if (answer->error != 0) {
        return;
    }
    int family = has_family(list, AF_INET) ? AF_INET : AF_INET6;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        if (at->ai_family == family) {
            take_address(answer, at);
        }
    }
    freeaddrinfo(list);
    if (answer->count == 0) {
        answer->error = EAI_NONAME;
    }
}

/* --- the thread ---------------------------------------------------------- */

static bool is_due(const lookups_t *self, size_t i)
{
    return self->interval_ms > 0 || !self->was_found[i];
}

/* Returns false when the owner has gone. */
static bool look_up(lookups_t *self, size_t i)
{
    answer_t *answer = &self->answer;

    memset(answer, 0, sizeof *answer);
    answer->name = (uint32_t)i;
    self->lookup(self->hosts[i], answer);
    self->was_found[i] = answer->error == 0;
    /* Without memory for it: the next round has another. */
    return send(self->fd, answer, sizeof *answer, MSG_NOSIGNAL) >= 0 ||
           (errno != EPIPE && errno != ECONNRESET);
}

static bool look_up_all(lookups_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (is_due(self, i) && !look_up(self, i)) {
            return false;
        }
    }
    return true;
}

/* Until the next round; -1: there is none. */
static int pause_ms(const lookups_t *self)
{
    int64_t interval_ms = self->interval_ms;

    for (size_t i = 0; i < self->count; i++) {
        if (!self->was_found[i] &&
            (interval_ms == 0 || interval_ms > RESOLVER_RETRY_MS)) {
            return RESOLVER_RETRY_MS;
        }
    }
    return interval_ms == 0 ? -1 : (int)interval_ms;
}

/* The owner says nothing, so its end can only become readable by closing. */
static bool is_over(const lookups_t *self)
{
    struct pollfd end = {.fd = self->fd, .events = POLLIN};

    return poll(&end, 1, pause_ms(self)) > 0;
}

static void free_lookups(lookups_t *self)
{
    close(self->fd);
    for (size_t i = 0; i < self->count; i++) {
        free(self->hosts[i]);
    }
    free(self);
}

static void *run(void *user)
{
    lookups_t *self = user;

    while (look_up_all(self) && !is_over(self)) {
    }
    free_lookups(self);
    return NULL;
}

/* --- the owner's side ---------------------------------------------------- */

static lookups_t *new_lookups(const roster_t *roster, int fd,
                              int64_t interval_ms, resolver_lookup_fn *lookup)
{
    lookups_t *self = xcalloc(1, sizeof *self);

    self->fd = fd;
    self->lookup = lookup;
    self->interval_ms = interval_ms;
    self->count = roster->name_count;
    for (size_t i = 0; i < self->count; i++) {
        self->hosts[i] = xstrdup(roster->names[i].host);
    }
    return self;
}

int resolver_new(resolver_t **self_p, const roster_t *roster,
                 int64_t interval_ms, resolver_lookup_fn *lookup)
{
    int ends[2];

    *self_p = NULL;
    if (roster->name_count == 0) {
        return 0;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return -errno;
    }
    lookups_t *lookups = new_lookups(roster, ends[1], interval_ms, lookup);
    int rc = thread_detach(run, lookups, "hoist-resolver");
    if (rc < 0) {
        free_lookups(lookups);
        close(ends[0]);
        return rc;
    }
    *self_p = xcalloc(1, sizeof **self_p);
    (*self_p)->fd = ends[0];
    return 0;
}

int resolver_fd(const resolver_t *self)
{
    return self->fd;
}

bool resolver_next(resolver_t *self, answer_t *answer)
{
    return recv(self->fd, answer, sizeof *answer, MSG_DONTWAIT) ==
           (ssize_t)sizeof *answer;
}

void resolver_destroy(resolver_t **self_p)
{
    if (*self_p == NULL) {
        return;
    }
    close((*self_p)->fd);
    free(*self_p);
    *self_p = NULL;
}
