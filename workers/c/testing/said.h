/* SPDX-License-Identifier: MIT
 *
 * What a worker under test has said to its broker, kept until the test ends.
 */
#ifndef WORKERS_C_TESTING_SAID_H
#define WORKERS_C_TESTING_SAID_H

#include "base/list.h"
#include "proto/message.h"
#include "workers/c/hoist_test.h"

typedef struct {
    list_t link;
    hoist_test_said said; /* lends from what follows */
    uint8_t *bytes;       /* owned: the message */
    hoist_text *names;    /* owned: ids of connections, and those left out */
    uint64_t id;          /* of a QUERY, or of the PUSHED to come; 0: none */
} said_t;

/* A copy of an encoded PUSH, JOIN, LEAVE, CLOSE or QUERY.  Never NULL. */
said_t *said_new(wire_bytes_t raw);
void said_destroy(said_t **self_p);

#endif
