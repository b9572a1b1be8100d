/* SPDX-License-Identifier: MIT
 *
 * ZAP (rfc.zeromq.org/spec/27): what libzmq asks about a peer that shakes
 * hands, and what it is told.  Pure: parts in, parts out.
 */
#ifndef BROKER_ZAP_H
#define BROKER_ZAP_H

#include "base/curve.h"
#include "broker/core.h"
#include "proto/wire.h"

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_PARTS    7 /* of a question about CURVE */
#define ZAP_ANSWER   6 /* parts */

typedef struct {
    wire_bytes_t version, id; /* lent: of the question's parts */
    wire_bytes_t address;     /* of the peer */
    side_t side;              /* whose socket it came to */
    curve_key_t key;          /* that it has proved to have */
} zap_question_t;

/* The domain of a side's socket. */
const char *zap_domain(side_t side);

/* Returns 0 with the question, which lends from parts, or -EPROTO for what is
 * none about CURVE on a socket of ours. */
int zap_read(const wire_bytes_t *parts, size_t count, zap_question_t *question);

/* The parts of the answer; they lend from the question. */
void zap_answer(const zap_question_t *question, bool is_allowed,
                wire_bytes_t answer[ZAP_ANSWER]);

#endif
