/* SPDX-License-Identifier: MIT */
#include "base/ip.h"

#include <errno.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#define V4_PREFIX_BITS 96 /* of ::ffff:0:0 */

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

ip_t ip_of_v4(const uint8_t *bytes)
{
    ip_t ip;

    memcpy(ip.bytes, v4_prefix, sizeof v4_prefix);
    memcpy(ip.bytes + sizeof v4_prefix, bytes, 4);
    return ip;
}

ip_t ip_of_v6(const uint8_t *bytes)
{
    ip_t ip;

    memcpy(ip.bytes, bytes, sizeof ip.bytes);
    return ip;
}

ip_t ip_of_socket(const struct sockaddr_storage *peer)
{
    const struct sockaddr_in *v4 = (const void *)peer;
    const struct sockaddr_in6 *v6 = (const void *)peer;

    switch (peer->ss_family) {
    case AF_INET:
        return ip_of_v4((const uint8_t *)&v4->sin_addr);
    case AF_INET6:
        return ip_of_v6(v6->sin6_addr.s6_addr);
    default:
        return (ip_t){{0}};
    }
}

bool ip_is_v4(const ip_t *ip)
{
    return memcmp(ip->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

bool ip_equal(const ip_t *a, const ip_t *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

int ip_parse(const char *text, size_t len, ip_t *ip)
{
    char copy[IP_TEXT];
    uint8_t v4[4], v6[16];

    if (len >= sizeof copy || memchr(text, '\0', len) != NULL) {
        return -EINVAL;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, v4) == 1) {
        *ip = ip_of_v4(v4);
        return 0;
    }
    if (inet_pton(AF_INET6, copy, v6) == 1) {
        *ip = ip_of_v6(v6);
        return 0;
    }
    return -EINVAL;
}

void ip_format(const ip_t *ip, char text[IP_TEXT])
{
    bool is_v4 = ip_is_v4(ip);

    (void)inet_ntop(is_v4 ? AF_INET : AF_INET6,
                    is_v4 ? ip->bytes + sizeof v4_prefix : ip->bytes, text,
                    IP_TEXT);
}

/* --- networks ------------------------------------------------------------ */

/* Up to three digits, and no sign. */
static int parse_bits(const char *text, size_t len, unsigned *bits)
{
    *bits = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -EINVAL;
        }
        *bits = *bits * 10 + (unsigned)(text[i] - '0');
    }
    return len > 0 && len <= 3 ? 0 : -EINVAL;
}

static int parse_net(const char *text, size_t len, ip_net_t *net)
{
    const char *slash = memchr(text, '/', len);
    size_t address_len = slash != NULL ? (size_t)(slash - text) : len;

    net->bits = 128;
    int rc = ip_parse(text, address_len, &net->address);
    if (rc < 0 || slash == NULL) {
        return rc;
    }
    rc = parse_bits(slash + 1, len - address_len - 1, &net->bits);
    if (rc == 0 && memchr(text, ':', address_len) == NULL) {
        net->bits += V4_PREFIX_BITS;
    }
    if (rc < 0 || net->bits > 128) {
        return -EINVAL;
    }
    /* One of ::ffff:0:0 with fewer bits would be more than all of IPv4. */
    return ip_is_v4(&net->address) && net->bits < V4_PREFIX_BITS ? -EINVAL : 0;
}

int ip_nets_parse(const char *text, ip_nets_t *nets)
{
    nets->count = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        if (nets->count == IP_NETS_MAX) {
            return -E2BIG;
        }
        if (parse_net(text, len, &nets->nets[nets->count++]) < 0) {
            return -EINVAL;
        }
        text += len;
        if (*text == ',' && *++text == '\0') {
            return -EINVAL;
        }
    }
    return 0;
}

static bool has(const ip_net_t *net, const ip_t *ip)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;

    if (ip_is_v4(&net->address) != ip_is_v4(ip) ||
        memcmp(net->address.bytes, ip->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 ||
           ((net->address.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest)) == 0;
}

bool ip_nets_have(const ip_nets_t *nets, const ip_t *ip)
{
    for (size_t i = 0; i < nets->count; i++) {
        if (has(&nets->nets[i], ip)) {
            return true;
        }
    }
    return false;
}
