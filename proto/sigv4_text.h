/* SPDX-License-Identifier: MIT
 *
 * How a request that is signed is read, part by part.  For the files of the
 * library sigv4 only.  Pure; any thread.
 */
#ifndef PROTO_SIGV4_TEXT_H
#define PROTO_SIGV4_TEXT_H

#include "proto/wire.h"

int sigv4_text_put(buf_t *out, wire_bytes_t bytes);

/* Two digits for each byte, without a NUL. */
void sigv4_text_hex(const uint8_t *bytes, size_t len, char *text);

/* The value of a digit in either case, or -1. */
int sigv4_text_hex_digit(uint8_t c);

/* So many decimal digits, at most 9, or -1. */
int sigv4_text_number(const uint8_t *at, unsigned count);

/* The part of *rest in front of the first `stop`; *rest is behind it. */
wire_bytes_t sigv4_text_take(wire_bytes_t *rest, char stop);

/* Without spaces and tabs at its ends. */
wire_bytes_t sigv4_text_trimmed(wire_bytes_t text);

bool sigv4_text_is_space(uint8_t c);

/* Is it the same name of a header, in any case? */
bool sigv4_text_is_name(wire_bytes_t a, wire_bytes_t b);

/* Below, at or above 0, as memcmp; the longer of two that begin alike is
 * behind. */
int sigv4_text_compare(wire_bytes_t a, wire_bytes_t b);

#endif
