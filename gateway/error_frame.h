/* SPDX-License-Identifier: MIT
 *
 * The text frame that tells a client what became of its message, byte for
 * byte as API Gateway writes it (PROTOCOL.md section 10).  Pure.
 */
#ifndef GATEWAY_ERROR_FRAME_H
#define GATEWAY_ERROR_FRAME_H

#include "proto/conn_id.h"

#define ERROR_FRAME_MAX 160 /* bytes */

/* The words for a status of 400 and above. */
const char *error_frame_message(uint64_t status);

/* Write the frame's text; returns its length.  No NUL behind it. */
size_t error_frame_format(char text[ERROR_FRAME_MAX], uint64_t status,
                          const conn_id_t *id, uint64_t number);

#endif
