/* SPDX-License-Identifier: MIT
 *
 * Random bytes from the kernel.  Any thread.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Fill bytes; a kernel that cannot is fatal, since ids rest on it. */
void rand_bytes(void *bytes, size_t len);

uint32_t rand_u32(void);

#endif
