/* SPDX-License-Identifier: MIT
 *
 * A listening TCP socket.  Any thread.
 */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include <stddef.h>

#define LISTENER_ADDRESS_MAX 64 /* bytes of ADDRESS:PORT, with its NUL */

/*
 * Bind and listen on ADDRESS:PORT or [ADDRESS]:PORT; port 0 picks one.  A name
 * stands for the first address that it has.
 *
 * Returns the descriptor, which does not block and is the caller's, with what
 * was bound in address; or a negative errno with a one-line reason in error.
 */
int listener_open(const char *where, int backlog,
                  char address[LISTENER_ADDRESS_MAX], char *error, size_t size);

#endif
