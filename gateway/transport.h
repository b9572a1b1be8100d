/* SPDX-License-Identifier: MIT
 *
 * Client sockets: accept, TLS, read, write, close.  A thin layer over
 * libwebsockets in its raw-socket role on a libev loop that we own; what the
 * bytes mean is the hub's business.
 *
 * libwebsockets is not asked to speak WebSocket, because it can neither hold a
 * handshake open while a worker decides about it nor let the worker name the
 * subprotocol (ARCHITECTURE.md, "Rejected").
 *
 * Loop thread only.
 */
#ifndef GATEWAY_TRANSPORT_H
#define GATEWAY_TRANSPORT_H

#include "base/ip.h"
#include "base/listener.h"
#include "gateway/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ev.h>

typedef struct transport transport_t;

/* One client socket; in libwebsockets' words a wsi. */
typedef struct lws transport_sock_t;

/* Bytes that one call of `received` may bring at most. */
#define TRANSPORT_READ_MAX 16384

/* Bytes of one write that go out without being copied. */
#define TRANSPORT_WRITE_MAX 65536

/*
 * What the transport tells its user.  Every socket gets one `closed`, after
 * which neither side may use it.
 */
typedef struct {
    /*
     * A client connected, or a proxy for it.  Returns the user pointer for this
     * socket, or NULL to refuse it.
     */
    void *(*opened)(void *owner, const ip_t *from);

    /* A socket was closed before it was anybody's: its proxy may not, or does
     * not, say whose it is. */
    void (*unproxied)(void *owner, const ip_t *peer, const char *reason);

    /* The client or the gateway ended TLS by an alert; `closed` follows. */
    void (*tls_failed)(void *user, const char *by, const char *reason);

    /* The socket of `user`, right after opened and before anything else. */
    void (*bound)(void *user, transport_sock_t *sock);

    /* Bytes arrived; they are lent and may be changed in place. */
    void (*received)(void *user, uint8_t *bytes, size_t len);

    /* All that was written is with the kernel; more may be written. */
    void (*drained)(void *user);

    /* The socket is gone, whoever closed it. */
    void (*closed)(void *user);
} transport_ops_t;

typedef struct {
    const char *listen;     /* ADDRESS:PORT, [ADDRESS]:PORT */
    listener_share_t share; /* LISTENER_JOINS: there is one in this process */
    tls_options_t tls;      /* its cert is "" for plain TCP */

    /* Who may, and must, begin with a PROXY header, a list of networks; NULL:
     * nobody.  Of those that have not said it so many may be there, 0 for any
     * number, and for so long. */
    const char *proxies;
    int64_t arrivals_max;
    int64_t arrival_ms;
} transport_options_t;

/*
 * Bind, listen and start accepting on loop.  ops and owner are borrowed and
 * must outlive it.
 *
 * Returns the transport, or NULL with a one-line reason in error.
 */
transport_t *transport_new(struct ev_loop *loop,
                           const transport_options_t *options,
                           const transport_ops_t *ops, void *owner, char *error,
                           size_t error_size);

/* Kill what is open (each gets `closed`) and free all, what OpenSSL keeps for
 * the calling thread included. */
void transport_destroy(transport_t **self_p);

/* The bound address as ADDRESS:PORT; lent. */
const char *transport_address(const transport_t *self);

/*
 * Read the files of TLS again: tls_reload.  0 where there is no TLS.
 */
int transport_reload(transport_t *self, char *error, size_t error_size);

/* Of sockets whose PROXY header is not there so many at once, from now on. */
void transport_limit_arrivals(transport_t *self, int64_t max);

/* Until when our own certificate is good: Unix time in seconds; 0: no TLS. */
int64_t transport_tls_until_s(const transport_t *self);

/* Close the listening socket, and those whose PROXY header is not there; open
 * sockets stand.  Harmless twice. */
void transport_stop_accepting(transport_t *self);

/*
 * Write all bytes, now or (copied) when the socket takes them.  Write nothing
 * more before `drained` when transport_is_drained says so.  A broken socket
 * is killed.
 */
void transport_write(transport_sock_t *sock, const uint8_t *bytes, size_t len);

/* false while `drained` is owed. */
bool transport_is_drained(transport_sock_t *sock);

/* Stop and resume `received`: TCP then pushes back to the client. */
void transport_pause(transport_sock_t *sock);
void transport_resume(transport_sock_t *sock);

/* The certificate with which the client has shown who it is; lent.  NULL: it
 * has not. */
const X509 *transport_client_cert(transport_sock_t *sock);

/* Milliseconds since anything, be it a bare acknowledgement, came from the
 * client's TCP; 0 when that is not known. */
int64_t transport_silent_ms(transport_sock_t *sock);

/* Say "no more" to the client (FIN, behind TLS's close_notify); for a socket
 * that is drained.  Reading goes on. */
void transport_shutdown(transport_sock_t *sock);

/* End it at once.  `closed` comes before or after this returns. */
void transport_kill(transport_sock_t *sock);

#endif
