/* SPDX-License-Identifier: MIT
 *
 * Names of one FNV-1a hash, whatever secret it begins with that ends in the
 * byte 31 (or, no byte of theirs being above 127, in 159).  Found by reduction
 * of the lattice of differences that the powers of its factor cancel out.
 */
#ifndef TESTS_COLLIDING_NAMES_H
#define TESTS_COLLIDING_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define COLLIDING_NAMES     256
#define COLLIDING_NAME_LEN  40
#define COLLIDING_NAMES_END 31 /* of the secret */

/* A bucket as long as no table with a place for each of them comes to have by
 * chance: once in 10^13 times. */
#define COLLIDING_BUCKET 16

/* The number-th: those of the same number are the same. */
void colliding_name(unsigned number, uint8_t name[COLLIDING_NAME_LEN]);

#endif
