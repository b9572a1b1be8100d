/* SPDX-License-Identifier: MIT
 *
 * Paths of the management API: /@connections/ID, or /STAGE/@connections/ID.
 * Pure.
 */
#ifndef PROTO_API_PATH_H
#define PROTO_API_PATH_H

#include "proto/wire.h"

/* Its parts, lent and still %-encoded. */
typedef struct {
    wire_bytes_t stage; /* empty: none */
    wire_bytes_t word;  /* behind the '@' */
    wire_bytes_t rest;  /* behind the '/' that follows; may hold more of them */
    bool has_rest;      /* there is such a '/' */
} api_path_t;

/* Is it one?  Its first segment or its second begins with '@', or %40. */
bool api_path_parse(wire_bytes_t path, api_path_t *out);

#endif
