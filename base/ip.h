/* SPDX-License-Identifier: MIT
 *
 * Internet addresses, and networks of them as people write them.  Pure.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#define IP_TEXT     46  /* bytes of an address as text, 0 */
#define IP_NETS_MAX 256 /* in a list */

/* Network order; one of IPv4 as ::ffff:a.b.c.d.  Comparable as bytes. */
typedef struct {
    uint8_t bytes[16];
} ip_t;

/* Those whose first `bits` are those of address, and of its family. */
typedef struct {
    ip_t address;
    unsigned bits; /* of 128 */
} ip_net_t;

typedef struct {
    ip_net_t nets[IP_NETS_MAX];
    size_t count;
} ip_nets_t;

/* As inet_pton has it, without brackets, port or zone.
 * Returns 0, or -EINVAL with *ip as it was. */
int ip_parse(const char *text, size_t len, ip_t *ip);

/* The one way to write it (RFC 5952); IPv4 as such. */
void ip_format(const ip_t *ip, char text[IP_TEXT]);

/* Of four or sixteen bytes in network order. */
ip_t ip_of_v4(const uint8_t *bytes);
ip_t ip_of_v6(const uint8_t *bytes);

/* Of a socket's peer; :: for one that has none. */
ip_t ip_of_socket(const struct sockaddr_storage *peer);

bool ip_is_v4(const ip_t *ip);
bool ip_equal(const ip_t *a, const ip_t *b);

/*
 * A comma separated list of ADDRESS or ADDRESS/BITS; an empty one is right, an
 * empty element is not.
 * Returns 0; -EINVAL; -E2BIG for more than IP_NETS_MAX.
 */
int ip_nets_parse(const char *text, ip_nets_t *nets);

/* Is the address in one of them?  Of ::/0 no address of IPv4 is. */
bool ip_nets_have(const ip_nets_t *nets, const ip_t *ip);

#endif
