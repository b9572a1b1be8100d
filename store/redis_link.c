/* SPDX-License-Identifier: MIT */
#include "store/redis_link.h"

#include "store/redis_auth.h"
#include "store/redis_error.h"
#include "store/redis_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sys/socket.h>
#include <unistd.h>

#include <netdb.h>

/* A connection may take longer than an operation has. */
#define PATIENCE_MIN_MS 1000

#define READ_SIZE       65536
#define READS           4     /* of a turn, so that others have theirs */
#define OUT_KEPT        65536 /* bytes of buffer that an idle link keeps */

typedef enum { SAY_AUTH, SAY_SELECT, SAY_KILL, SAY_ROLE, SAY_PING } greeting_t;

static void watch(redis_link_t *self, int events)
{
    struct ev_loop *loop = self->manner->loop;

    if (ev_is_active(&self->io) && (self->io.events & 3) == events) {
        return;
    }
    ev_io_stop(loop, &self->io);
    ev_io_set(&self->io, self->fd, events);
    ev_io_start(loop, &self->io);
}

static void close_socket(redis_link_t *self)
{
    ev_io_stop(self->manner->loop, &self->io);
    SSL_free(self->ssl);
    self->ssl = NULL;
    if (self->fd >= 0) {
        close(self->fd);
        self->fd = -1;
    }
}

void redis_link_close(redis_link_t *self)
{
    redis_lookup_stop(&self->lookup);
    ev_timer_stop(self->manner->loop, &self->patience);
    close_socket(self);
    redis_reader_fini(&self->reader);
    self->sent = 0;
    if (self->state != LINK_READY) {
        buf_wipe(&self->out);
    }
    buf_reset(&self->out, OUT_KEPT);
    self->owed = 0;
    self->greeting_at = self->greeting_len = 0;
    self->state = LINK_CLOSED;
    self->openings++;
}

/* What the server calls our end, unless something between us rewrites it. */
static void name_our_end(const redis_link_t *self,
                         char text[REDIS_ADDRESS_TEXT])
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    redis_host_t end;

    text[0] = '\0';
    if (getsockname(self->fd, (struct sockaddr *)&address, &len) < 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0 ||
        strlen(host) >= sizeof end.host) {
        return;
    }
    memcpy(end.host, host, strlen(host) + 1);
    unsigned number;
    if (sscanf(port, "%u", &number) == 1) {
        end.port = (uint16_t)number;
        redis_host_format(&end, text);
    }
}

void redis_link_lose(redis_link_t *self, int rc, const char *why)
{
    if (self->state == LINK_READY && self->owed > 0) {
        name_our_end(self, self->former);
    }
    redis_link_close(self);
    self->ops->lost(self->user, rc, why);
}

static void lose_by_errno(redis_link_t *self, const char *what, int error)
{
    char why[REDIS_WHY_TEXT];

    snprintf(why, sizeof why, "%s: %s", what, strerror(error));
    redis_link_lose(self, -ENOTCONN, why);
}

/* --- out ----------------------------------------------------------------- */

static ssize_t write_some(redis_link_t *self, const void *bytes, size_t len)
{
    if (self->ssl != NULL) {
        return redis_tls_write(self->ssl, bytes, len);
    }
    ssize_t rc = send(self->fd, bytes, len, MSG_NOSIGNAL);
    return rc < 0 ? -errno : rc;
}

/* The bytes that went are dropped now and then, lest the buffer only grow. */
static void keep_unsent(redis_link_t *self)
{
    if (self->sent >= OUT_KEPT) {
        buf_drop(&self->out, self->sent);
        self->sent = 0;
    }
    watch(self, EV_READ | EV_WRITE);
}

void redis_link_flush(redis_link_t *self)
{
    if (self->state < LINK_GREETING) {
        return;
    }
    while (self->sent < self->out.len) {
        ssize_t rc = write_some(self, self->out.data + self->sent,
                                self->out.len - self->sent);
        if (rc == -EAGAIN) {
            keep_unsent(self);
            return;
        }
        if (rc < 0) {
            lose_by_errno(self, "cannot write", (int)-rc);
            return;
        }
        self->sent += (size_t)rc;
    }
    self->sent = 0;
    if (self->state == LINK_GREETING) { /* it said the password */
        buf_wipe(&self->out);
    }
    buf_reset(&self->out, OUT_KEPT);
    watch(self, EV_READ);
}

void redis_link_owes(redis_link_t *self, size_t replies)
{
    if (self->owed == 0 && replies > 0) {
        ev_timer_again(self->manner->loop, &self->patience);
    }
    self->owed += replies;
}

/* --- the greeting -------------------------------------------------------- */

static void say(redis_link_t *self, greeting_t what, redis_command_t *command,
                const char *const *words, size_t count)
{
    redis_put_words(command, count);
    for (size_t i = 0; i < count; i++) {
        redis_put_text(command, words[i]);
    }
    self->greeting[self->greeting_len++] = (uint8_t)what;
}

#define SAY(what, ...)                                                         \
    say(self, what, &command, (const char *const[]){__VA_ARGS__},              \
        sizeof(const char *const[]){__VA_ARGS__} / sizeof(char *))

static int put_greeting(redis_link_t *self)
{
    const redis_url_t *url = self->manner->url;
    redis_command_t command = {.out = &self->out};
    char db[16];

    if (!self->is_sentinel) {
        int rc = redis_put_auth(&self->out, url);
        if (rc < 0) {
            return rc;
        }
        if (rc > 0) {
            self->greeting[self->greeting_len++] = SAY_AUTH;
        }
        if (self->former[0] != '\0') {
            SAY(SAY_KILL, "CLIENT", "KILL", "ADDR", self->former);
        }
        if (url->db != 0) {
            snprintf(db, sizeof db, "%u", url->db);
            SAY(SAY_SELECT, "SELECT", db);
        }
        if (self->wants_master) {
            SAY(SAY_ROLE, "ROLE");
        }
    }
    SAY(SAY_PING, "PING");
    return command.rc;
}

static void become_ready(redis_link_t *self)
{
    self->state = LINK_READY;
    self->former[0] = '\0';
    self->ops->ready(self->user);
}

static void greet(redis_link_t *self)
{
    int rc = put_greeting(self);

    if (rc < 0) {
        char why[REDIS_WHY_TEXT];
        snprintf(why, sizeof why, "password_file: %s", strerror(-rc));
        redis_link_lose(self, -EACCES, why);
        return;
    }
    self->state = LINK_GREETING;
    redis_link_owes(self, self->greeting_len);
    redis_link_flush(self);
}

static bool is_replica(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
           wire_is(redis_text(reply->element[0]), "slave");
}

/* An error that still lets us work: nobody to kill, or a user who may do
 * nothing but what the store needs. */
static bool is_harmless(greeting_t what, const redisReply *reply)
{
    static const char denied[] = "NOPERM";

    return what == SAY_KILL ||
           (what != SAY_AUTH && what != SAY_SELECT &&
            (size_t)reply->len >= sizeof denied - 1 &&
            memcmp(reply->str, denied, sizeof denied - 1) == 0);
}

static void take_greeting(redis_link_t *self, const redisReply *reply)
{
    greeting_t what = self->greeting[self->greeting_at++];

    if (reply->type == REDIS_REPLY_ERROR && !is_harmless(what, reply)) {
        char why[REDIS_WHY_TEXT];
        int rc = redis_verdict_of(redis_text(reply)).rc;
        snprintf(why, sizeof why, "%s", reply->str);
        redis_link_lose(self, what == SAY_AUTH ? -EACCES : rc, why);
    } else if (what == SAY_ROLE && is_replica(reply)) {
        redis_link_lose(self, -ENOTCONN, "it is a replica");
    } else if (self->greeting_at == self->greeting_len) {
        become_ready(self);
    }
}

/* --- in ------------------------------------------------------------------ */

static void take_reply(redis_link_t *self, const redisReply *reply)
{
    if (self->owed == 0) {
        redis_link_lose(self, -EPROTO, "a reply to nothing");
        return;
    }
    if (--self->owed == 0) {
        ev_timer_stop(self->manner->loop, &self->patience);
    } else {
        ev_timer_again(self->manner->loop, &self->patience);
    }
    if (self->state == LINK_GREETING) {
        take_greeting(self, reply);
    } else {
        self->ops->reply(self->user, reply);
    }
}

/* Returns false when it is no longer the connection that it was. */
static bool take_bytes(redis_link_t *self, const void *bytes, size_t len)
{
    uint32_t openings = self->openings;
    redisReply *reply;

    int rc = redis_reader_feed(&self->reader, bytes, len);
    while (rc >= 0 && (rc = redis_reader_next(&self->reader, &reply)) > 0) {
        take_reply(self, reply);
        freeReplyObject(reply);
        if (self->openings != openings) {
            return false;
        }
    }
    if (rc < 0) {
        redis_link_lose(self, rc, "what it says is no reply, or too large");
        return false;
    }
    return true;
}

static ssize_t read_some(redis_link_t *self, void *bytes, size_t size)
{
    if (self->ssl != NULL) {
        return redis_tls_read(self->ssl, bytes, size);
    }
    ssize_t rc = recv(self->fd, bytes, size, 0);
    return rc < 0 ? -errno : rc;
}

static void read_all(redis_link_t *self)
{
    uint8_t bytes[READ_SIZE];

    /* What OpenSSL has read already wakes no loop, so it is read to the end. */
    for (int i = 0; i < READS || (self->ssl && SSL_pending(self->ssl)); i++) {
        ssize_t rc = read_some(self, bytes, sizeof bytes);
        if (rc == -EAGAIN || rc == -EINTR) {
            return;
        }
        if (rc == 0) {
            redis_link_lose(self, -ENOTCONN, "closed by the server");
            return;
        }
        if (rc < 0) {
            lose_by_errno(self, "cannot read", (int)-rc);
            return;
        }
        if (!take_bytes(self, bytes, (size_t)rc)) {
            return;
        }
        if ((size_t)rc < sizeof bytes && self->ssl == NULL) {
            return;
        }
    }
}

/* --- connecting ---------------------------------------------------------- */

/* Returns 0 when it is under way, or -errno. */
static int connect_to(redis_link_t *self, const struct sockaddr_storage *to)
{
    int fd = redis_addresses_connect(to);

    if (fd < 0) {
        return fd;
    }
    self->fd = fd;
    self->state = LINK_CONNECTING;
    watch(self, EV_WRITE);
    return 0;
}

/* The first address that is not refused at once, from where we are. */
static void connect_next(redis_link_t *self, int rc)
{
    for (; self->address < self->addresses.count; self->address++) {
        close_socket(self);
        rc = connect_to(self, &self->addresses.addresses[self->address]);
        if (rc == 0) {
            return;
        }
    }
    lose_by_errno(self, "cannot connect", -rc);
}

/* Whoever swallowed what was sent to it is not the first to be asked again. */
static void take_addresses(redis_link_t *self,
                           const redis_addresses_t *addresses)
{
    size_t count = addresses->count;

    self->addresses = *addresses;
    for (size_t i = 0; i < count; i++) {
        self->addresses.addresses[i] =
            addresses->addresses[(i + self->silent) % count];
    }
}

static void on_addresses(void *user, const redis_addresses_t *addresses)
{
    redis_link_t *self = user;

    if (addresses->error != 0) {
        redis_link_lose(self, -ENOTCONN, gai_strerror(addresses->error));
        return;
    }
    take_addresses(self, addresses);
    self->address = 0;
    connect_next(self, -EADDRNOTAVAIL);
}

static void shake_hands(redis_link_t *self)
{
    int rc = redis_tls_shake_hands(self->ssl);

    if (rc == 0) {
        greet(self);
    } else if (rc == -EAGAIN) {
        watch(self, SSL_want_write(self->ssl) ? EV_WRITE : EV_READ);
    } else {
        char reason[REDIS_WHY_TEXT - 8], why[REDIS_WHY_TEXT];
        redis_tls_reason(self->ssl, reason, sizeof reason);
        snprintf(why, sizeof why, "TLS: %s", reason);
        redis_link_lose(self, -ENOTCONN, why);
    }
}

static void take_connection(redis_link_t *self)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) {
        error = errno;
    }
    if (error != 0) {
        self->address++;
        connect_next(self, -error);
        return;
    }
    if (self->manner->tls == NULL) {
        greet(self);
        return;
    }
    self->ssl = redis_tls_new(self->manner->tls, self->fd, self->host.host);
    if (self->ssl == NULL) {
        redis_link_lose(self, -ENOMEM, "no memory for TLS");
        return;
    }
    self->state = LINK_SECURING;
    shake_hands(self);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
    redis_link_t *self = io->data;
    uint32_t openings = self->openings;
    (void)loop;

    if (self->state == LINK_CONNECTING) {
        take_connection(self);
    } else if (self->state == LINK_SECURING) {
        shake_hands(self);
    } else {
        if ((events & EV_READ) != 0) {
            read_all(self);
        }
        if (self->openings == openings && (events & EV_WRITE) != 0) {
            redis_link_flush(self);
        }
    }
    self->ops->turned(self->user);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    redis_link_t *self = timer->data;
    (void)loop;
    (void)events;

    self->silent += self->state == LINK_CONNECTING;
    redis_link_lose(self, -ENOTCONN,
                    self->state == LINK_READY ? "it does not answer"
                                              : "no connection in time");
    self->ops->turned(self->user);
}

/* --- the link ------------------------------------------------------------ */

void redis_link_init(redis_link_t *self, const redis_manner_t *manner,
                     const redis_link_ops_t *ops, void *user)
{
    *self =
        (redis_link_t){.manner = manner, .ops = ops, .user = user, .fd = -1};
    redis_lookup_init(&self->lookup, manner->loop, on_addresses, self);
    buf_init(&self->out, REDIS_OUT_MAX);
    ev_init(&self->io, on_io);
    self->io.data = self;
    ev_init(&self->patience, on_patience);
    self->patience.data = self;
    self->patience.repeat =
        (double)(manner->timeout_ms > PATIENCE_MIN_MS ? manner->timeout_ms
                                                      : PATIENCE_MIN_MS) /
        1000.0;
}

void redis_link_fini(redis_link_t *self)
{
    redis_link_close(self);
    buf_fini(&self->out);
}

void redis_link_open(redis_link_t *self, const redis_host_t *host)
{
    self->host = *host;
    self->state = LINK_LOOKING_UP;
    if (redis_reader_init(&self->reader) < 0) {
        redis_link_lose(self, -ENOMEM, "no memory");
        return;
    }
    ev_timer_again(self->manner->loop, &self->patience);
    int rc = redis_lookup_start(&self->lookup, host);
    if (rc < 0) {
        lose_by_errno(self, "cannot look up", -rc);
    }
}
