/* SPDX-License-Identifier: MIT */
#include "cli/values.h"

#include "base/curve.h"
#include "base/endpoint.h"
#include "base/ip.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "gateway/options.h"
#include "proto/route_expr.h"
#include "store/open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

static const char *port_of(const char *address)
{
    const char *colon = strrchr(address, ':');

    return colon == NULL ? "" : colon + 1;
}

static bool is_address(const char *value)
{
    const char *port = port_of(value);
    size_t digits = strspn(port, "0123456789");

    return digits > 0 && digits <= 5 && port[digits] == '\0' &&
           strtol(port, NULL, 10) <= 65535;
}

/*
 * ":8080" means every address to some programs, and loopback to others: too
 * much depends on it to guess.
 */
static bool has_host(const char *address)
{
    return strrchr(address, ':') != address;
}

static bool is_listen(const char *value, char *right, size_t size)
{
    if (is_address(value) && !has_host(value)) {
        snprintf(right, size,
                 "127.0.0.1%s for this machine alone, 0.0.0.0%s for every "
                 "address",
                 value, value);
        return false;
    }
    snprintf(right, size, "ADDRESS:PORT, a port from 0 to 65535");
    return is_address(value);
}

static bool is_admin(const char *value, char *right, size_t size)
{
    char address[256];

    if (strchr(value, ',') != NULL) {
        snprintf(right, size,
                 "one ADDRESS:PORT, where this process listens; several are "
                 "for verbs like hoist status");
        return false;
    }
    if (!listener_address(value, address, sizeof address)) {
        snprintf(right, size, "ADDRESS:PORT, a port from 0 to 65535");
        return false;
    }
    return value[0] == '\0' || is_listen(address, right, size);
}

/* For ZeroMQ, where the port may be "*": any that is free. */
static bool is_endpoint(const char *value)
{
    static const char tcp[] = "tcp://", ipc[] = "ipc://";

    if (strncmp(value, ipc, strlen(ipc)) == 0) {
        return value[strlen(ipc)] != '\0';
    }
    if (strncmp(value, tcp, strlen(tcp)) != 0) {
        return false;
    }
    const char *address = value + strlen(tcp);
    return has_host(address) &&
           (is_address(address) || strcmp(port_of(address), "*") == 0);
}

static bool is_among(const char *part, char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(part, parts[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool can_be_dialled(const char *part)
{
    endpoint_t endpoint;

    return endpoint_parse(part, &endpoint) == 0 &&
           endpoint.kind != ENDPOINT_INNER;
}

/* Each once: it would be a slip of the pen. */
static bool are_endpoints(const char *value)
{
    char *list = xstrdup(value), *rest = list, *part;
    char *parts[GATEWAY_BROKERS_MAX];
    size_t count = 0;
    bool are_right = true;

    while (are_right && (part = strsep(&rest, ",")) != NULL) {
        are_right = can_be_dialled(part) && count < GATEWAY_BROKERS_MAX &&
                    !is_among(part, parts, count);
        if (are_right) {
            parts[count++] = part;
        }
    }
    free(list);
    return are_right;
}

static bool are_networks(const char *value)
{
    ip_nets_t nets;

    return ip_nets_parse(value, &nets) == 0;
}

static bool is_share(const char *value)
{
    char *end;
    double share = strtod(value, &end);

    return value[0] >= '0' && value[0] <= '9' &&
           strspn(value, "0123456789.") == strlen(value) && *end == '\0' &&
           share <= 1;
}

/* What is behind the host is the receiver's. */
static bool is_receiver(const char *value)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i]);
        if (strncmp(value, schemes[i], len) == 0) {
            return value[len] != '\0' && strpbrk(value, " \t\r\n") == NULL;
        }
    }
    return value[0] == '\0';
}

static bool is_expression(const char *value, char *right, size_t size)
{
    route_expr_t *expr;
    char reason[128];
    int rc = route_expr_compile(value, &expr, reason, sizeof reason);

    route_expr_destroy(&expr);
    snprintf(right, size, "an expression like $request.body.action (%s)",
             rc < 0 ? reason : "");
    return rc == 0;
}

/* Can it be opened, as what it is to be?  If not, *right says why. */
static bool is_openable(const char *path, int flags, const char *what,
                        char *right, size_t size)
{
    char none;
    int fd = path[0] == '\0'
                 ? -1
                 : open(path, flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_open = fd >= 0 && ((flags & O_DIRECTORY) != 0 ||
                               read(fd, &none, 0) == 0); /* else EISDIR */

    snprintf(right, size, "%s that can be read (%s)", what, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return is_open || path[0] == '\0';
}

static bool is_writable(const char *path, char *right, size_t size)
{
    bool is = path[0] == '\0' || access(path, W_OK | X_OK) == 0;

    snprintf(right, size, "a directory that can be written to (%s)",
             strerror(errno));
    return is;
}

static bool is_key(value_type_t type, const char *value, char *right,
                   size_t size)
{
    curve_key_t key;
    bool is_secret = type == SECRET;
    int rc = value[0] == '\0' ? 0
             : is_secret      ? curve_read_secret(value, key)
                              : curve_read_public(value, key);

    explicit_bzero(key, sizeof key);
    snprintf(right, size, "%s of hoist keygen (%s)",
             is_secret ? "a _secret file" : "a public key or a file",
             rc < 0 ? curve_failure(rc) : "");
    return rc == 0;
}

static bool is_store(const char *value, char *right, size_t size)
{
    char reason[192];
    int rc = store_url_check(value, reason, sizeof reason);

    snprintf(right, size, "memory, redis://… or dynamodb://… (%s)",
             rc < 0 ? reason : "");
    return rc == 0;
}

bool value_is_right(value_type_t type, const char *value, char *right,
                    size_t size)
{
    log_level_t level;
    log_format_t format;

    switch (type) {
    case ADDRESS:
        return is_listen(value, right, size);
    case ADMIN:
        return is_admin(value, right, size);
    case ENDPOINT:
        snprintf(right, size, "tcp://ADDRESS:PORT or ipc://PATH");
        return is_endpoint(value);
    case ENDPOINTS:
        snprintf(right, size,
                 "1 to %d of tcp://HOST:PORT or ipc://PATH, each once",
                 GATEWAY_BROKERS_MAX);
        return are_endpoints(value);
    case NETWORKS:
        snprintf(right, size,
                 "up to %d of ADDRESS or ADDRESS/BITS, comma separated",
                 IP_NETS_MAX);
        return are_networks(value);
    case STORE:
        return is_store(value, right, size);
    case EXPRESSION:
        return is_expression(value, right, size);
    case LEVEL:
        snprintf(right, size, "error, warn, info or debug");
        return log_level_parse(value, &level) == 0;
    case FORMAT:
        snprintf(right, size, "text or json");
        return log_format_parse(value, &format) == 0;
    case SHARE:
        snprintf(right, size, "a number from 0 to 1, like 0.01");
        return is_share(value);
    case RECEIVER:
        snprintf(right, size, "http://HOST:PORT/v1/traces, or https");
        return is_receiver(value);
    case SEGMENT:
        snprintf(right, size, "one segment of a path, without '/' or '?'");
        return strpbrk(value, "/?#") == NULL;
    case READABLE:
        return is_openable(value, 0, "a file", right, size);
    case DIRECTORY:
        return is_openable(value, O_DIRECTORY, "a directory", right, size);
    case WRITABLE:
        return is_openable(value, O_DIRECTORY, "a directory", right, size) &&
               is_writable(value, right, size);
    case SECRET:
    case PUBLIC:
        return is_key(type, value, right, size);
    default:
        return true;
    }
}
