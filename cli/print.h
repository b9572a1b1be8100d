/* SPDX-License-Identifier: MIT
 *
 * JSON documents to standard output: safe on a terminal (proto/json_out.h).
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <jansson.h>

/* One line.  Takes the value over.  Returns 0, or 1 when it was not written. */
int print_json(json_t *value);

#endif
