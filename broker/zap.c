/* SPDX-License-Identifier: MIT */
#include "broker/zap.h"

#include <errno.h>

#include <zmq.h>

#define VERSION   "1.0"
#define KEY_BYTES 32

/* In the order of the parts. */
enum { P_VERSION, P_ID, P_DOMAIN, P_ADDRESS, P_ROUTING_ID, P_MECHANISM, P_KEY };

const char *zap_domain(side_t side)
{
    return side == SIDE_WORKERS ? "workers" : "gateways";
}

static bool read_side(wire_bytes_t domain, side_t *side)
{
    *side = wire_is(domain, zap_domain(SIDE_WORKERS)) ? SIDE_WORKERS
                                                      : SIDE_GATEWAYS;
    return wire_is(domain, zap_domain(*side));
}

int zap_read(const wire_bytes_t *parts, size_t count, zap_question_t *question)
{
    if (count != ZAP_PARTS || !wire_is(parts[P_VERSION], VERSION) ||
        !wire_is(parts[P_MECHANISM], "CURVE") ||
        parts[P_KEY].len != KEY_BYTES ||
        !read_side(parts[P_DOMAIN], &question->side)) {
        return -EPROTO;
    }
    question->version = parts[P_VERSION];
    question->id = parts[P_ID];
    question->address = parts[P_ADDRESS];
    (void)zmq_z85_encode(question->key, parts[P_KEY].data, KEY_BYTES);
    return 0;
}

/* The key becomes the User-Id of each frame of the peer.  300 would say "try
 * again later": then the peer is told nothing. */
void zap_answer(const zap_question_t *question, bool is_allowed,
                wire_bytes_t answer[ZAP_ANSWER])
{
    size_t i = 0;

    answer[i++] = question->version;
    answer[i++] = question->id;
    answer[i++] = wire_bytes(is_allowed ? "200" : "400");
    answer[i++] = wire_bytes(is_allowed ? "OK" : "this key is not allowed");
    answer[i++] = wire_bytes(is_allowed ? question->key : "");
    answer[i++] = wire_bytes("");
}
