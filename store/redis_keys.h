/* SPDX-License-Identifier: MIT
 *
 * The keys of the store in Redis, commands with them as RESP writes them, and
 * the slot of a key in a cluster.  Pure.
 *
 *   PREFIX:{o:OWNER}    hash: id -> row (redis_row.h)
 *   PREFIX:{u:USER}     sorted set of ids, all of score 0
 *   PREFIX:{t:TENANT}   the same
 *   PREFIX:{b:NAME}     a bucket, and
 *   PREFIX:{c:NAME}     a claim, which workers share (workers/c/redis)
 *   PREFIX:owners       sorted set: owner -> end of its lease, in Unix ms
 *   PREFIX:leases       hash: name -> value
 */
#ifndef STORE_REDIS_KEYS_H
#define STORE_REDIS_KEYS_H

#include "base/buf.h"
#include "proto/wire.h"

#define REDIS_SLOTS 16384

/* A key, in pieces that live elsewhere. */
typedef struct {
    const char *prefix;
    char kind; /* 'o', 'u', 't', 'b', 'c'; of no name 'O' owners, 'L' leases */
    wire_bytes_t name;
} redis_key_t;

/* The slot of a key: CRC-16 of its bytes, or of those within the first pair of
 * braces (redis.io, "Redis cluster specification", "Hash tags"). */
uint16_t redis_slot_of(const uint8_t *bytes, size_t len);
uint16_t redis_key_slot(const redis_key_t *key);

/* --- a command: its number of words, then each of them ------------------- */

typedef struct {
    buf_t *out;
    int rc; /* of the first word that did not fit: -ENOBUFS, -ENOMEM */
} redis_command_t;

void redis_put_words(redis_command_t *command, size_t count);
void redis_put(redis_command_t *command, wire_bytes_t word);
void redis_put_text(redis_command_t *command, const char *word);
void redis_put_number(redis_command_t *command, int64_t word);
void redis_put_key(redis_command_t *command, const redis_key_t *key);

#endif
