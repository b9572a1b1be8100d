/* SPDX-License-Identifier: MIT
 *
 * The number of a request as people and clients see it: 8 bytes, big endian, in
 * base64url with one '=' behind (PROTOCOL.md section 10).  Pure.
 */
#ifndef PROTO_REQUEST_ID_H
#define PROTO_REQUEST_ID_H

#include <stdint.h>

#define REQUEST_ID_TEXT 12 /* bytes */

/* No NUL behind it. */
void request_id_format(uint64_t number, char text[REQUEST_ID_TEXT]);

#endif
