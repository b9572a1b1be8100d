/* SPDX-License-Identifier: MIT */
#include "base/endpoint.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#define PORT_DIGITS 5

static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789-._";

/* What is behind the prefix, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static int parse_port(const char *text, uint16_t *port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned number = 0;

    if (digits == 0 || text[digits] != '\0') {
        return -EINVAL;
    }
    if (digits > PORT_DIGITS) {
        return -ERANGE;
    }
    for (; *text != '\0'; text++) {
        number = number * 10 + (unsigned)(*text - '0');
    }
    if (number == 0 || number > UINT16_MAX) {
        return -ERANGE;
    }
    *port = (uint16_t)number;
    return 0;
}

/* "" or %, and the name or number of an interface. */
static bool is_zone(const char *text)
{
    return text[0] == '\0' ||
           (text[1] != '\0' && text[1 + strspn(text + 1, letters)] == '\0');
}

static void format_v4(const void *address, char text[ADDRESS_TEXT])
{
    (void)inet_ntop(AF_INET, address, text, ADDRESS_TEXT);
}

static int normalize_v6(const char *address, char text[ADDRESS_TEXT])
{
    size_t len = strcspn(address, "%");
    const char *zone = address + len;
    char bare[INET6_ADDRSTRLEN];
    struct in6_addr v6;

    if (len >= sizeof bare || !is_zone(zone)) {
        return -EINVAL;
    }
    memcpy(bare, address, len);
    bare[len] = '\0';
    if (inet_pton(AF_INET6, bare, &v6) != 1) {
        return -EINVAL;
    }
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        format_v4(&v6.s6_addr[12], text);
        return 0;
    }
    (void)inet_ntop(AF_INET6, &v6, bare, sizeof bare);
    int size = snprintf(text, ADDRESS_TEXT, "%s%s", bare, zone);
    return size < ADDRESS_TEXT ? 0 : -EINVAL;
}

int endpoint_normalize(const char *address, char text[ADDRESS_TEXT])
{
    struct in_addr v4;

    if (inet_pton(AF_INET, address, &v4) != 1) {
        return normalize_v6(address, text);
    }
    format_v4(&v4, text);
    return 0;
}

static bool is_name(const char *host)
{
    return host[0] != '\0' && host[strspn(host, letters)] == '\0';
}

/* A host without its brackets; IPv6 may stand without them, as in ZeroMQ. */
static int take_host(const char *from, size_t len, char *host)
{
    bool is_bracketed = len >= 2 && from[0] == '[' && from[len - 1] == ']';

    if (is_bracketed) {
        from++;
        len -= 2;
    }
    if (len > ENDPOINT_HOST_MAX) {
        return -EINVAL;
    }
    memcpy(host, from, len);
    host[len] = '\0';
    return is_bracketed && strchr(host, ':') == NULL ? -EINVAL : 0;
}

static int parse_tcp(const char *text, endpoint_t *endpoint)
{
    const char *colon = strrchr(text, ':');
    char address[ADDRESS_TEXT];

    int rc = colon == NULL ? -EINVAL : parse_port(colon + 1, &endpoint->port);
    if (rc < 0) {
        return rc;
    }
    if (memchr(text, ';', (size_t)(colon - text)) != NULL) {
        endpoint->kind = ENDPOINT_OTHER;
        return 0;
    }
    if (take_host(text, (size_t)(colon - text), endpoint->host) < 0) {
        return -EINVAL;
    }
    if (endpoint_normalize(endpoint->host, address) == 0) {
        endpoint->kind = ENDPOINT_ADDRESS;
        memcpy(endpoint->host, address, sizeof address);
        return 0;
    }
    endpoint->kind = ENDPOINT_NAME;
    return is_name(endpoint->host) ? 0 : -EINVAL;
}

int endpoint_parse(const char *text, endpoint_t *endpoint)
{
    const char *rest;

    memset(endpoint, 0, sizeof *endpoint);
    if ((rest = behind(text, "tcp://")) != NULL) {
        return parse_tcp(rest, endpoint);
    }
    endpoint->kind = ENDPOINT_OTHER;
    if ((rest = behind(text, "ipc://")) == NULL) {
        endpoint->kind = ENDPOINT_INNER;
        rest = behind(text, "inproc://");
    }
    return rest != NULL && rest[0] != '\0' ? 0 : -EINVAL;
}

void endpoint_format(const char *address, uint16_t port,
                     char text[ENDPOINT_TEXT])
{
    bool is_v6 = strchr(address, ':') != NULL;

    (void)snprintf(text, ENDPOINT_TEXT, is_v6 ? "tcp://[%s]:%u" : "tcp://%s:%u",
                   address, port);
}
