/* SPDX-License-Identifier: MIT
 *
 * What the value of a setting may be.  Start-up only; one thread.
 */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    FLAG,
    NUMBER,
    TEXT,
    ADDRESS, /* from here on texts of which something is checked */
    ADMIN,   /* an address, a port alone, or nothing */
    ENDPOINT,
    ENDPOINTS, /* comma separated */
    STORE,     /* its URL, which may hold a password, so it is not shown */
    EXPRESSION,
    LEVEL,
    FORMAT,    /* of the log */
    SHARE,     /* a number from 0 to 1 */
    RECEIVER,  /* http or https, or nothing; not shown */
    SEGMENT,   /* of a path, or nothing */
    READABLE,  /* a file, or nothing */
    DIRECTORY, /* or nothing */
    WRITABLE,  /* a directory, or nothing */
    SECRET,    /* a file with a secret key of CURVE, or nothing */
    NETWORKS,  /* comma separated, or none */
    PUBLIC,    /* a public key of CURVE, a file with one, or nothing */
} value_type_t;

/* Is a text what its type says?  If not, right is what would be, for people. */
bool value_is_right(value_type_t type, const char *value, char *right,
                    size_t size);

#endif
