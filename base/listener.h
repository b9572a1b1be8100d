/* SPDX-License-Identifier: MIT
 *
 * A listening TCP socket.  Any thread.
 */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#define LISTENER_ADDRESS_MAX 64 /* bytes of ADDRESS:PORT, with its NUL */

/* [ADDRESS:]PORT, as settings have it, as an address: a port alone is one of
 * 127.0.0.1.  Returns false when it did not fit. */
bool listener_address(const char *listen, char *address, size_t size);

/* Whose the port is. */
typedef enum {
    LISTENER_ALONE,
    LISTENER_FIRST, /* as above, but others of this process may join it */
    LISTENER_JOINS  /* the kernel spreads clients over all that listen */
} listener_share_t;

/*
 * Bind and listen on ADDRESS:PORT or [ADDRESS]:PORT; port 0 picks one.  A name
 * stands for the first address that it has.
 *
 * Returns the descriptor, which does not block and is the caller's, with what
 * was bound in address; or a negative errno with a one-line reason in error.
 */
int listener_open(const char *where, listener_share_t share, int backlog,
                  char address[LISTENER_ADDRESS_MAX], char *error, size_t size);

#endif
