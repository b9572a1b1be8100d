/* SPDX-License-Identifier: MIT
 *
 * Where to connect to, as people write it: tcp://HOST:PORT, ipc://PATH.  Pure.
 */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include <stdint.h>

#define ENDPOINT_HOST_MAX 253 /* bytes; RFC 1035 has no longer name */
#define ADDRESS_TEXT      64  /* bytes of a numeric address with its zone, 0 */
#define ENDPOINT_TEXT     80  /* bytes of tcp://[address]:port, 0 */

typedef enum {
    ENDPOINT_NAME,    /* tcp, of a host that is to be looked up */
    ENDPOINT_ADDRESS, /* tcp, of an address: host is its one way to be written,
                         without brackets */
    ENDPOINT_OTHER,   /* ZeroMQ's own affair: ipc, or tcp with a source address
                         before a semicolon; host and port are not set */
    ENDPOINT_INNER,   /* the same, inproc */
} endpoint_kind_t;

typedef struct {
    endpoint_kind_t kind;
    char host[ENDPOINT_HOST_MAX + 1];
    uint16_t port; /* never 0 */
} endpoint_t;

/* Returns 0; -ERANGE for a port that is none; -EINVAL for whatever else cannot
 * be connected to. */
int endpoint_parse(const char *text, endpoint_t *endpoint);

/*
 * The one way to write a numeric address: IPv6 as RFC 5952 has it, an IPv4 one
 * within it as IPv4.  A zone (fe80::1%eth0) is kept.
 * Returns 0, or -EINVAL for what is no address.
 */
int endpoint_normalize(const char *address, char text[ADDRESS_TEXT]);

/* The endpoint of a numeric address, IPv6 in brackets. */
void endpoint_format(const char *address, uint16_t port,
                     char text[ENDPOINT_TEXT]);

#endif
