/* SPDX-License-Identifier: MIT
 *
 * We accept ourselves and let libwebsockets adopt the descriptor: so the
 * address that is bound is the one that was asked for (its `iface` listens on
 * every address without an option that is easy to forget), accepting pauses
 * when descriptors run out, and draining can close the listener alone.
 *
 * Held-back writes.  libwebsockets keeps what the kernel did not take and
 * sends it first when the socket is writable.  While it holds something it
 * does not read either, but leaves its read watcher armed, which spins the
 * loop as soon as the client sends (4.1.6, ops-raw-skt.c).  So reading is
 * paused while bytes are held.
 */
#include "gateway/transport.h"

#include "base/log.h"
#include "base/xalloc.h"
#include "gateway/arrivals.h"
#include "gateway/compat_lws.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netdb.h>
#include <openssl/crypto.h>

#define BACKLOG          1024
#define ACCEPTS_PER_TURN 64
#define ACCEPT_PAUSE_S   0.1 /* after EMFILE; descriptors may be free then */
#define LIBRARY_TICK_S   1.0 /* its timers run only after I/O otherwise */

struct transport {
    struct ev_loop *loop;       /* borrowed */
    const transport_ops_t *ops; /* borrowed */
    void *owner;                /* borrowed */
    struct lws_context *context;
    struct lws_vhost *vhost;
    SSL_CTX *outgoing;    /* owned: see make_context; NULL: plain TCP */
    int listener;         /* -1 after transport_stop_accepting */
    tls_t *tls;           /* owned; NULL: plain TCP */
    arrivals_t *arrivals; /* owned; NULL: sockets are their clients' own */
    void *adopting;       /* whose socket libwebsockets takes now; NULL */
    ev_io accept_watcher;
    ev_timer accept_pause;
    ev_timer library_tick;
    char address[LISTENER_ADDRESS_MAX];
    log_brake_t brake;
    struct lws *in_callback; /* being served: must not be killed in place */
    bool kill_wanted;        /* … but is to be killed when it returns */
};

/* Why a socket is not read, as bits of libwebsockets' own pause mask. */
#define PAUSED_BY_USER 4
#define PAUSED_BY_HELD 8

static transport_t *transport_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

static void set_flow(struct lws *wsi, int reason, bool may_read)
{
    lws_rx_flow_control(
        wsi, LWS_RXFLOW_REASON_APPLIES | reason |
                 (may_read ? LWS_RXFLOW_REASON_APPLIES_ENABLE_BIT : 0));
}

/* --- what libwebsockets calls ------------------------------------------ */

static void tell_closed(transport_t *self, struct lws *wsi)
{
    void *user = lws_get_opaque_user_data(wsi);

    if (user != NULL) {
        lws_set_opaque_user_data(wsi, NULL);
        self->ops->closed(user);
    }
}

static int serve(transport_t *self, struct lws *wsi,
                 enum lws_callback_reasons reason, void *in, size_t len)
{
    void *user = lws_get_opaque_user_data(wsi);

    if (user == NULL) {
        return -1;
    }
    self->in_callback = wsi;
    self->kill_wanted = false;
    if (reason == LWS_CALLBACK_RAW_RX) {
        self->ops->received(user, in, len);
    } else if (!lws_partial_buffered(wsi)) {
        set_flow(wsi, PAUSED_BY_HELD, true);
        self->ops->drained(user);
    }
    self->in_callback = NULL;
    return self->kill_wanted ? -1 : 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason,
                    void *library_user, void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        tls_serve(transport_of(wsi)->tls, library_user);
        return 0;
    case LWS_CALLBACK_RAW_RX:
    case LWS_CALLBACK_RAW_WRITEABLE:
        return serve(transport_of(wsi), wsi, reason, in, len);
    case LWS_CALLBACK_RAW_CLOSE:
    case LWS_CALLBACK_WSI_DESTROY: /* all that a failed TLS handshake gets */
        tell_closed(transport_of(wsi), wsi);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "client",
     .callback = on_event,
     .rx_buffer_size = TRANSPORT_READ_MAX,
     .tx_packet_size = TRANSPORT_WRITE_MAX},
    {.name = NULL},
};

/* --- accepting --------------------------------------------------------- */

static void adopt(transport_t *self, int fd, const ip_t *from)
{
    int on = 1;
    void *user = self->ops->opened(self->owner, from);

    if (user == NULL) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    lws_adopt_desc_t how = {
        .vh = self->vhost,
        .type = self->tls != NULL ? LWS_ADOPT_SOCKET | LWS_ADOPT_ALLOW_SSL
                                  : LWS_ADOPT_SOCKET,
        .fd.sockfd = fd,
        .vh_prot_name = protocols[0].name,
    };
    self->adopting = user;
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&how);
    self->adopting = NULL;
    if (wsi == NULL) { /* it closed the descriptor */
        self->ops->closed(user);
        return;
    }
    lws_set_opaque_user_data(wsi, user);
    if (self->tls != NULL) {
        tls_tag(lws_get_ssl(wsi), user);
    }
    self->ops->bound(user, wsi);
}

static void on_arrived(void *user, int fd, const ip_t *client)
{
    adopt(user, fd, client);
}

static void on_unproxied(void *user, const ip_t *peer, const char *reason)
{
    transport_t *self = user;

    self->ops->unproxied(self->owner, peer, reason);
}

/* A first hello may lie in the socket when libwebsockets takes it. */
static void on_tls_failed(void *owner, void *tag, const char *by,
                          const char *reason)
{
    transport_t *self = owner;

    self->ops->tls_failed(tag != NULL ? tag : self->adopting, by, reason);
}

static void take(transport_t *self, int fd, const struct sockaddr_storage *from)
{
    ip_t peer = ip_of_socket(from);

    if (self->arrivals != NULL) {
        arrivals_put(self->arrivals, fd, &peer);
    } else {
        adopt(self, fd, &peer);
    }
}

static void pause_accepting(transport_t *self, int error)
{
    log_braked(&self->brake, LEVEL_WARN, "GATEWAY-ACCEPT-PAUSED",
               "error=\"%s\"", strerror(error));
    ev_io_stop(self->loop, &self->accept_watcher);
    ev_timer_again(self->loop, &self->accept_pause);
}

static void on_accept_pause_over(struct ev_loop *loop, ev_timer *timer,
                                 int events)
{
    transport_t *self = timer->data;
    (void)events;

    ev_timer_stop(loop, timer);
    if (self->listener >= 0) {
        ev_io_start(loop, &self->accept_watcher);
    }
}

static void on_acceptable(struct ev_loop *loop, ev_io *watcher, int events)
{
    transport_t *self = watcher->data;
    (void)loop;
    (void)events;

    for (int i = 0; i < ACCEPTS_PER_TURN && self->listener >= 0; i++) {
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        int fd = accept4(self->listener, (struct sockaddr *)&from, &from_len,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take(self, fd, &from);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                   errno == ENOMEM) {
            pause_accepting(self, errno);
            return;
        } else if (errno == EAGAIN) {
            return;
        } /* else: that client is gone already; the next may stand */
    }
}

/* libwebsockets' timers (TLS handshake, close) fire only in its idle hook,
 * which runs after I/O of its sockets: knock once in a while. */
static void on_library_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    transport_t *self = timer->data;
    (void)loop;
    (void)events;

    lws_cancel_service(self->context);
}

/* --- start and end ----------------------------------------------------- */

static void log_library_line(int level, const char *line)
{
    (void)level;
    log_debug("GATEWAY-LIBWEBSOCKETS", "line=\"%.*s\"",
              (int)strcspn(line, "\n"), line);
}

/*
 * What the library keeps of the whole process are its log, which the first of
 * its users sets, and the numbers under which OpenSSL finds what is the
 * library's.  Those are made anew with each context (4.1.6), so that contexts
 * must not need them: what it would find by them, its SSL_CTX for connections
 * that it opens itself, is one of ours, which nobody uses.
 */
static int make_context(transport_t *self, listener_share_t share)
{
    void *loops[1] = {self->loop};

    if (share != LISTENER_JOINS) {
        lws_set_log_level(COMPAT_LWS_LOG_LEVELS, log_library_line);
    }
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .user = self,
        .pt_serv_buf_size = TRANSPORT_READ_MAX + LWS_PRE,
        .alpn = "http/1.1",
    };
    if (self->tls != NULL) {
        self->outgoing = SSL_CTX_new(TLS_client_method());
        info.provided_client_ssl_ctx = self->outgoing;
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                        LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
    }
    self->context = lws_create_context(&info);
    if (self->context == NULL) {
        return -EINVAL;
    }
    self->vhost = lws_create_vhost(self->context, &info);
    return self->vhost == NULL ? -EINVAL : 0;
}

static void start_watchers(transport_t *self)
{
    ev_io_init(&self->accept_watcher, on_acceptable, self->listener, EV_READ);
    ev_timer_init(&self->accept_pause, on_accept_pause_over, ACCEPT_PAUSE_S,
                  ACCEPT_PAUSE_S);
    ev_timer_init(&self->library_tick, on_library_tick, LIBRARY_TICK_S,
                  LIBRARY_TICK_S);
    self->accept_watcher.data = self;
    self->accept_pause.data = self;
    self->library_tick.data = self;
    ev_io_start(self->loop, &self->accept_watcher);
    ev_timer_start(self->loop, &self->library_tick);
}

static int start_tls(transport_t *self, const tls_options_t *options,
                     char *error, size_t size)
{
    if (options->cert[0] == '\0') {
        return 0;
    }
    self->tls = tls_new(options, on_tls_failed, self, error, size);
    return self->tls == NULL ? -EINVAL : 0;
}

static int start_arrivals(transport_t *self, const transport_options_t *options,
                          char *error, size_t size)
{
    static const arrivals_ops_t ops = {on_arrived, on_unproxied};
    const arrivals_options_t arriving = {
        .loop = self->loop,
        .ops = &ops,
        .user = self,
        .proxies = options->proxies,
        .max = options->arrivals_max,
        .timeout_ms = options->arrival_ms,
    };

    if (options->proxies == NULL) {
        return 0;
    }
    self->arrivals = arrivals_new(&arriving);
    if (self->arrivals == NULL) {
        snprintf(error, size, "no list of networks: %s", options->proxies);
        return -EINVAL;
    }
    return 0;
}

transport_t *transport_new(struct ev_loop *loop,
                           const transport_options_t *options,
                           const transport_ops_t *ops, void *owner, char *error,
                           size_t error_size)
{
    transport_t *self = xcalloc(1, sizeof *self);

    self->loop = loop;
    self->ops = ops;
    self->owner = owner;
    self->listener = -1;
    if (start_tls(self, &options->tls, error, error_size) < 0 ||
        start_arrivals(self, options, error, error_size) < 0) {
        goto fail;
    }
    self->listener = listener_open(options->listen, options->share, BACKLOG,
                                   self->address, error, error_size);
    if (self->listener < 0) {
        goto fail;
    }
    if (make_context(self, options->share) < 0) {
        snprintf(error, error_size, "libwebsockets cannot start");
        goto fail;
    }
    start_watchers(self);
    return self;
fail:
    transport_destroy(&self);
    return NULL;
}

void transport_destroy(transport_t **self_p)
{
    transport_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    transport_stop_accepting(self);
    ev_timer_stop(self->loop, &self->library_tick);
    if (self->context != NULL) {
        lws_context_destroy(self->context);
    }
    tls_destroy(&self->tls); /* harmless for NULL */
    SSL_CTX_free(self->outgoing);
    /* What OpenSSL keeps for this thread goes now, not when the thread ends:
     * nobody joins it, and the exit of the program cleans OpenSSL up.  A
     * broker's store in the same thread makes it anew, and does the same. */
    OPENSSL_thread_stop();
    free(self);
}

const char *transport_address(const transport_t *self)
{
    return self->address;
}

int transport_reload(transport_t *self, char *error, size_t error_size)
{
    return self->tls == NULL ? 0 : tls_reload(self->tls, error, error_size);
}

void transport_limit_arrivals(transport_t *self, int64_t max)
{
    if (self->arrivals != NULL) {
        arrivals_limit(self->arrivals, max);
    }
}

int64_t transport_tls_until_s(const transport_t *self)
{
    return self->tls == NULL ? 0 : tls_until_s(self->tls);
}

void transport_stop_accepting(transport_t *self)
{
    arrivals_destroy(&self->arrivals); /* harmless for NULL */
    if (self->listener >= 0) {
        ev_io_stop(self->loop, &self->accept_watcher);
        ev_timer_stop(self->loop, &self->accept_pause);
        close(self->listener);
        self->listener = -1;
    }
}

/* --- one socket -------------------------------------------------------- */

void transport_write(transport_sock_t *sock, const uint8_t *bytes, size_t len)
{
    /* In the raw role the library neither writes in front of the bytes nor
     * changes them, whatever its signature says. */
    union {
        const uint8_t *in;
        uint8_t *out;
    } data = {.in = bytes};

    if (lws_write(sock, data.out, len, LWS_WRITE_RAW) < 0) {
        transport_kill(sock);
    } else if (lws_partial_buffered(sock)) {
        set_flow(sock, PAUSED_BY_HELD, false);
    }
}

bool transport_is_drained(transport_sock_t *sock)
{
    return !lws_partial_buffered(sock);
}

void transport_pause(transport_sock_t *sock)
{
    set_flow(sock, PAUSED_BY_USER, false);
}

void transport_resume(transport_sock_t *sock)
{
    set_flow(sock, PAUSED_BY_USER, true);
}

const X509 *transport_client_cert(transport_sock_t *sock)
{
    const SSL *ssl = lws_get_ssl(sock);

    return ssl == NULL ? NULL : tls_client_cert(ssl);
}

int64_t transport_silent_ms(transport_sock_t *sock)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    if (getsockopt(lws_get_socket_fd(sock), IPPROTO_TCP, TCP_INFO, &info,
                   &size) < 0) {
        return 0;
    }
    return info.tcpi_last_ack_recv < info.tcpi_last_data_recv
               ? info.tcpi_last_ack_recv
               : info.tcpi_last_data_recv;
}

void transport_shutdown(transport_sock_t *sock)
{
    SSL *tls = lws_get_ssl(sock);

    if (tls != NULL) {
        (void)SSL_shutdown(tls); /* our half; the client's need not come */
    }
    shutdown(lws_get_socket_fd(sock), SHUT_WR);
}

void transport_kill(transport_sock_t *sock)
{
    transport_t *self = transport_of(sock);

    if (self->in_callback == sock) {
        self->kill_wanted = true;
        return;
    }
    lws_set_timeout(sock, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}
