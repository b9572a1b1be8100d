/* SPDX-License-Identifier: MIT */
#include "base/listener.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netdb.h>

bool listener_address(const char *listen, char *address, size_t size)
{
    bool is_port = listen[strspn(listen, "0123456789")] == '\0';
    int len =
        snprintf(address, size, "%s%s", is_port ? "127.0.0.1:" : "", listen);

    return len > 0 && (size_t)len < size;
}

/* Split ADDRESS:PORT or [ADDRESS]:PORT at the last colon. */
static int split_address(const char *text, char *host, size_t size,
                         const char **port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= size) {
        return -EINVAL;
    }
    size_t len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    *port = colon + 1;
    return 0;
}

/* From now on others may bind to its port that say the same before. */
static void share_port(int fd)
{
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

/*
 * Who says SO_REUSEPORT before it binds gets a port that somebody else has who
 * said it, too, such as another hoist that was started by mistake.  So the
 * first says it when the port is its own.
 */
static int open_socket(const struct addrinfo *where, listener_share_t share,
                       int backlog)
{
    int on = 1;
    int fd =
        socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (share == LISTENER_JOINS) {
        share_port(fd);
    }
    if (bind(fd, where->ai_addr, where->ai_addrlen) < 0) {
        goto fail;
    }
    if (share == LISTENER_FIRST) {
        share_port(fd);
    }
    if (listen(fd, backlog) < 0) {
        goto fail;
    }
    return fd;
fail:;
    int error = errno;
    close(fd);
    return -error;
}

static void read_address(int fd, char address[LISTENER_ADDRESS_MAX])
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

    if (getsockname(fd, (struct sockaddr *)&bound, &len) == 0) {
        getnameinfo((struct sockaddr *)&bound, len, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    }
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(address, LISTENER_ADDRESS_MAX, "%s%.45s%s:%.8s", is_v6 ? "[" : "",
             host, is_v6 ? "]" : "", port);
}

int listener_open(const char *where, listener_share_t share, int backlog,
                  char address[LISTENER_ADDRESS_MAX], char *error, size_t size)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[256];
    const char *port;

    if (split_address(where, host, sizeof host, &port) < 0) {
        snprintf(error, size, "%s is not ADDRESS:PORT", where);
        return -EINVAL;
    }
    int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
    if (rc != 0) {
        snprintf(error, size, "cannot listen on %s: %s", where,
                 gai_strerror(rc));
        return -EINVAL;
    }
    int fd = open_socket(found, share, backlog);
    freeaddrinfo(found);
    if (fd < 0) {
        snprintf(error, size, "cannot listen on %s: %s", where, strerror(-fd));
        return fd;
    }
    read_address(fd, address);
    return fd;
}
