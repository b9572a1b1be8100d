/* SPDX-License-Identifier: MIT
 *
 * One WebSocket of a load generator: as little work a message as possible,
 * so that the server is measured and not this.  Messages are
 *
 *   {"action":"echo","n":"0000002a","pad":"xxx…"}
 *
 * with the sender's own running number; what comes must be the very messages of
 * one sender, in order: of the connection itself, or of another one that it
 * listens to.  Single thread.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "bench/dialect.h"
#include "bench/hdr.h"

#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>

#define CLIENT_BODY_MIN   41 /* bytes: the message without padding */
#define CLIENT_BODY_MAX   FORM_BODY_MAX
#define CLIENT_FLIGHT_MAX 1024 /* messages without a reply; a power of two */

typedef struct client {
    int fd;
    uint32_t sent, answered; /* messages; never more than FLIGHT_MAX apart */
    size_t in_len;
    uint8_t *in; /* the beginning of a message; owned */
    dialect_frames_t frames;
    uint64_t name;     /* no other connection to the server has it */
    uint64_t *sent_ns; /* owned ring: when number n was (or should have been)
                          sent; NULL of one that only listens */
    const struct client *source; /* borrowed: whose messages come */
} client_t;

/* Set how all messages are said, their action, of four letters, and the size of
 * their bodies, in bytes from BODY_MIN to BODY_MAX; before any is opened. */
void client_set_message(const dialect_t *dialect, const char *action,
                        size_t body);

/* Open the WebSocket, waiting for the 101.  source: whom it listens to, which
 * outlives it; NULL for itself.  Exits with a line if refused. */
void client_open(client_t *self, const struct sockaddr_in *address,
                 const char *path, const client_t *source);

/* Send `count` messages in one write, each as of `due_ns`.  Exits when the
 * socket does not take them. */
void client_send(client_t *self, uint32_t count, uint64_t due_ns);

/* The same, as bodies alone, each a datagram of the connected `socket`: for
 * whoever says them in another way.  Exits when it does not take them. */
void client_post(client_t *self, int socket, uint32_t count, uint64_t due_ns);

/*
 * Read what is there, answer pings, and add each message's latency to `hdr`.
 * Returns the number of messages, 0 when there was nothing.  Exits with a line
 * on a wrong one or a closed connection.
 */
uint32_t client_receive(client_t *self, uint64_t now_ns, hdr_t *hdr);

void client_close(client_t *self);

#endif
