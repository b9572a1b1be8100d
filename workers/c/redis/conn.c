/* SPDX-License-Identifier: MIT */
#include "workers/c/redis/conn.h"

#include "base/clock.h"
#include "store/redis_addresses.h"
#include "store/redis_auth.h"
#include "store/redis_keys.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netdb.h>

#define READ_SIZE 16384
#define OUT_MAX   ((size_t)33 << 20) /* a reply of a handler, and more */

static int tell(char why[CONN_WHY_MAX], int rc, const char *what)
{
    (void)snprintf(why, CONN_WHY_MAX, "%.64s: %s", what, strerror(-rc));
    return rc;
}

/* Wait for a descriptor.  Returns 0; -ETIMEDOUT. */
static int await(int fd, short events, int64_t until_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int rc;

    do {
        int64_t left_ms = until_ms - clock_mono_ms();
        if (left_ms <= 0) {
            return -ETIMEDOUT;
        }
        rc = poll(&poll_fd, 1, (int)left_ms);
    } while (rc == 0 || (rc < 0 && errno == EINTR));
    return rc < 0 ? -errno : 0;
}

/* --- SIGPIPE ------------------------------------------------------------- */

/* OpenSSL has no MSG_NOSIGNAL, it writes while it reads, too (an alert), and
 * what signals do is the program's.  So this thread is deaf to that one. */
typedef struct {
    bool is_deaf;
    bool was_pending;
    sigset_t before;
} deaf_t;

static deaf_t go_deaf(bool has_tls)
{
    deaf_t deaf = {.is_deaf = has_tls};
    sigset_t pipe, pending;

    if (has_tls) {
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe, &deaf.before);
        sigpending(&pending);
        deaf.was_pending = sigismember(&pending, SIGPIPE) == 1;
    }
    return deaf;
}

/* What came meanwhile was for nobody. */
static void hear_again(const deaf_t *deaf)
{
    const struct timespec at_once = {0, 0};
    sigset_t pipe;

    if (!deaf->is_deaf) {
        return;
    }
    if (!deaf->was_pending) {
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        (void)sigtimedwait(&pipe, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &deaf->before, NULL);
}

/* --- bytes --------------------------------------------------------------- */

static ssize_t write_some(conn_t *self, const void *bytes, size_t len)
{
    if (self->ssl != NULL) {
        return redis_tls_write(self->ssl, bytes, len);
    }
    ssize_t rc = send(self->fd, bytes, len, MSG_NOSIGNAL);
    return rc < 0 ? -errno : rc;
}

static ssize_t read_some(conn_t *self, void *bytes, size_t size)
{
    if (self->ssl != NULL) {
        return redis_tls_read(self->ssl, bytes, size);
    }
    ssize_t rc = recv(self->fd, bytes, size, 0);
    return rc < 0 ? -errno : rc;
}

static int send_all(conn_t *self, int64_t until_ms)
{
    size_t sent = 0;

    while (sent < self->out.len) {
        ssize_t rc =
            write_some(self, self->out.data + sent, self->out.len - sent);
        if (rc == -EAGAIN) {
            rc = await(self->fd, POLLOUT, until_ms);
        } else if (rc > 0) {
            sent += (size_t)rc;
        }
        if (rc < 0) {
            return (int)rc;
        }
    }
    self->out.len = 0;
    return 0;
}

/* More of what the server says.  What OpenSSL has read already wakes no poll,
 * so it is asked first. */
static int read_more(conn_t *self, int64_t until_ms)
{
    uint8_t bytes[READ_SIZE];
    ssize_t rc = read_some(self, bytes, sizeof bytes);

    if (rc == -EAGAIN) {
        return await(self->fd, POLLIN, until_ms);
    }
    if (rc <= 0) {
        return rc == 0 ? -ECONNRESET : (int)rc;
    }
    return redis_reader_feed(&self->reader, bytes, (size_t)rc);
}

static int take_reply(conn_t *self, int64_t until_ms, redisReply **reply)
{
    for (;;) {
        int rc = redis_reader_next(&self->reader, reply);
        if (rc != 0) {
            return rc > 0 ? 0 : rc;
        }
        rc = read_more(self, until_ms);
        if (rc < 0) {
            return rc;
        }
    }
}

int conn_ask(conn_t *self, int64_t until_ms, redisReply **reply,
             char why[CONN_WHY_MAX])
{
    deaf_t deaf = go_deaf(self->ssl != NULL);
    int rc = send_all(self, until_ms);

    if (rc == 0) {
        rc = take_reply(self, until_ms, reply);
    }
    hear_again(&deaf);
    return rc < 0 ? tell(why, rc, "no answer") : 0;
}

/* --- greeting ------------------------------------------------------------ */

/* The reply to the command that stands in `out`, which must be no error. */
static int ask_for_yes(conn_t *self, const char *command, int64_t until_ms,
                       redisReply **reply, char why[CONN_WHY_MAX])
{
    int rc = conn_ask(self, until_ms, reply, why);

    if (rc == 0 && (*reply)->type == REDIS_REPLY_ERROR) {
        (void)snprintf(why, CONN_WHY_MAX, "%s: %s", command, (*reply)->str);
        freeReplyObject(*reply);
        return -EACCES;
    }
    return rc;
}

/* The same of one that is put there. */
static int say(conn_t *self, const char *const *words, size_t count,
               int64_t until_ms, redisReply **reply, char why[CONN_WHY_MAX])
{
    redis_command_t command = {.out = &self->out};

    redis_put_words(&command, count);
    for (size_t i = 0; i < count; i++) {
        redis_put_text(&command, words[i]);
    }
    return command.rc == 0 ? ask_for_yes(self, words[0], until_ms, reply, why)
                           : tell(why, -ENOMEM, words[0]);
}

static int authenticate(conn_t *self, const redis_url_t *url, int64_t until_ms,
                        char why[CONN_WHY_MAX])
{
    redisReply *reply;
    int rc = redis_put_auth(&self->out, url);

    if (rc <= 0) {
        return rc < 0 ? tell(why, rc, "password_file") : 0;
    }
    rc = ask_for_yes(self, "AUTH", until_ms, &reply, why);
    buf_wipe(&self->out);
    if (rc == 0) {
        freeReplyObject(reply);
    }
    return rc;
}

static int select_db(conn_t *self, const redis_url_t *url, int64_t until_ms,
                     char why[CONN_WHY_MAX])
{
    char db[16];
    const char *const words[] = {"SELECT", db};
    redisReply *reply;

    if (url->db == 0) {
        return 0;
    }
    (void)snprintf(db, sizeof db, "%u", url->db);
    int rc = say(self, words, 2, until_ms, &reply, why);
    if (rc == 0) {
        freeReplyObject(reply);
    }
    return rc;
}

/* Of several hosts one is a master, the others are its replicas. */
static int look_for_master(conn_t *self, const redis_url_t *url,
                           int64_t until_ms, char why[CONN_WHY_MAX])
{
    static const char *const words[] = {"ROLE"};
    redisReply *reply;

    if (url->host_count == 1) {
        return 0;
    }
    int rc = say(self, words, 1, until_ms, &reply, why);
    if (rc < 0) {
        return rc;
    }
    bool is_replica = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                      wire_is(redis_text(reply->element[0]), "slave");
    freeReplyObject(reply);
    if (is_replica) {
        (void)snprintf(why, CONN_WHY_MAX, "it is a replica");
    }
    return is_replica ? -EROFS : 0;
}

/* --- connecting ---------------------------------------------------------- */

static int shake_hands(conn_t *self, int64_t until_ms, char why[CONN_WHY_MAX])
{
    char reason[CONN_WHY_MAX - 8];
    int rc;

    deaf_t deaf = go_deaf(true);
    while ((rc = redis_tls_shake_hands(self->ssl)) == -EAGAIN) {
        rc = await(self->fd, SSL_want_write(self->ssl) ? POLLOUT : POLLIN,
                   until_ms);
        if (rc < 0) {
            break;
        }
    }
    hear_again(&deaf);
    if (rc == -ETIMEDOUT) {
        return tell(why, rc, "TLS");
    }
    if (rc < 0) {
        redis_tls_reason(self->ssl, reason, sizeof reason);
        (void)snprintf(why, CONN_WHY_MAX, "TLS: %s", reason);
    }
    return rc;
}

/* Returns 0 when the socket stands. */
static int await_connection(int fd, int64_t until_ms)
{
    int error = 0;
    socklen_t len = sizeof error;
    int rc = await(fd, POLLOUT, until_ms);

    if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) {
        error = errno;
    }
    return rc < 0 ? rc : -error;
}

static int look_up(const redis_host_t *host, int64_t until_ms,
                   redis_addresses_t *addresses, char why[CONN_WHY_MAX])
{
    int fd;
    int rc = redis_addresses_ask(host, addresses, &fd);

    if (rc == 0 && fd >= 0) {
        rc = await(fd, POLLIN, until_ms);
        redis_addresses_take(fd, addresses);
        close(fd);
    }
    if (rc < 0) {
        return tell(why, rc, host->host);
    }
    if (addresses->error != 0) {
        (void)snprintf(why, CONN_WHY_MAX, "%.64s: %s", host->host,
                       gai_strerror(addresses->error));
        return -EHOSTUNREACH;
    }
    return 0;
}

/* first: which address is tried first. */
static int connect_to(conn_t *self, const redis_host_t *host, uint64_t first,
                      int64_t until_ms, char why[CONN_WHY_MAX])
{
    redis_addresses_t addresses;
    int rc = look_up(host, until_ms, &addresses, why);

    if (rc < 0) {
        return rc;
    }
    rc = -EADDRNOTAVAIL;
    for (size_t i = 0; i < addresses.count; i++) {
        size_t at = (first + i) % addresses.count;
        self->fd = redis_addresses_connect(&addresses.addresses[at]);
        rc = self->fd < 0 ? self->fd : await_connection(self->fd, until_ms);
        if (rc == 0) {
            return 0;
        }
        if (self->fd >= 0) {
            close(self->fd);
        }
        self->fd = -1;
    }
    return tell(why, rc, "no connection");
}

/* All that comes before the first question. */
static int open_at(conn_t *self, const manner_t *manner,
                   const redis_host_t *host, uint64_t first, int64_t until_ms,
                   char why[CONN_WHY_MAX])
{
    int rc = connect_to(self, host, first, until_ms, why);

    if (rc == 0 && manner->tls != NULL) {
        self->ssl = redis_tls_new(manner->tls, self->fd, host->host);
        rc = self->ssl != NULL ? shake_hands(self, until_ms, why)
                               : tell(why, -ENOMEM, "TLS");
    }
    if (rc == 0) {
        rc = authenticate(self, &manner->url, until_ms, why);
    }
    if (rc == 0) {
        rc = select_db(self, &manner->url, until_ms, why);
    }
    return rc == 0 ? look_for_master(self, &manner->url, until_ms, why) : rc;
}

static conn_t *make(void)
{
    conn_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return NULL;
    }
    self->fd = -1;
    buf_init(&self->out, OUT_MAX);
    if (redis_reader_init(&self->reader) < 0) {
        free(self);
        return NULL;
    }
    return self;
}

/* Otherwise the kernel would go on with what the other end has not taken. */
static void hang_up(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

void conn_destroy(conn_t **conn_p)
{
    conn_t *self = *conn_p;

    if (self == NULL) {
        return;
    }
    SSL_free(self->ssl);
    if (self->fd >= 0) {
        hang_up(self->fd);
    }
    redis_reader_fini(&self->reader);
    buf_fini(&self->out);
    free(self);
    *conn_p = NULL;
}

int conn_new(conn_t **conn, const manner_t *manner, uint64_t turn,
             int64_t until_ms, char why[CONN_WHY_MAX])
{
    size_t hosts = manner->url.host_count;
    int rc = -EINVAL;

    for (size_t i = 0; i < hosts && rc != -ETIMEDOUT; i++) {
        const redis_host_t *host = &manner->url.hosts[(turn + i) % hosts];
        *conn = make();
        if (*conn == NULL) {
            return tell(why, -ENOMEM, "no connection");
        }
        rc = open_at(*conn, manner, host, turn / hosts, until_ms, why);
        if (rc == 0) {
            return 0;
        }
        conn_destroy(conn);
    }
    return rc;
}
