/* SPDX-License-Identifier: MIT
 *
 * Random bytes from the kernel, and numbers that are only to differ.  Any
 * thread.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Fill bytes; a kernel that cannot is fatal, since ids rest on it. */
void rand_bytes(void *bytes, size_t len);

uint32_t rand_u32(void);

/* The next number of a state of the caller's: spread evenly, and no secret to
 * who has seen one (splitmix64: Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", 2014). */
static inline uint64_t rand_step(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);

    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* Characters of a text of rand_hex: 64 bits, two characters a byte. */
#define RAND_HEX_LEN 16

/* A random text for ids, with a zero behind it. */
static inline void rand_hex(char text[RAND_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[RAND_HEX_LEN / 2];

    rand_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[RAND_HEX_LEN] = '\0';
}

#endif
