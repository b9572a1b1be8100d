/* SPDX-License-Identifier: MIT
 *
 * CURVE on a ZeroMQ socket, before it is bound or connected, and what a
 * socket's monitor says of handshakes.  The thread that owns the socket.
 */
#ifndef BASE_ZCURVE_H
#define BASE_ZCURVE_H

#include "base/curve.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <zmq.h>

/* Events of a monitor that say that a handshake came to nothing. */
#define ZCURVE_FAILURES                                                        \
    (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |   \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)

static inline int zcurve_set(void *socket, int option, const char *value)
{
    return zmq_setsockopt(socket, option, value, strlen(value));
}

/* The broker's end: whoever comes needs the public key of `secret`, and the
 * word of the ZAP handler for `domain`.  Returns 0, or -1 with zmq_errno. */
static inline int zcurve_serve(void *socket, const char *secret,
                               const char *domain)
{
    const int yes = 1;
    int rc = zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes);

    if (rc == 0 &&
        (rc = zcurve_set(socket, ZMQ_CURVE_SECRETKEY, secret)) == 0) {
        rc = zcurve_set(socket, ZMQ_ZAP_DOMAIN, domain);
    }
    return rc;
}

/* A gateway's or worker's end.  Returns 0, or -1 with zmq_errno. */
static inline int zcurve_join(void *socket, const curve_peer_t *curve)
{
    curve_key_t own;
    int rc = 0;

    if (curve->secret[0] == '\0') {
        return 0;
    }
    if ((rc = zmq_curve_public(own, curve->secret)) == 0 &&
        (rc = zcurve_set(socket, ZMQ_CURVE_PUBLICKEY, own)) == 0 &&
        (rc = zcurve_set(socket, ZMQ_CURVE_SECRETKEY, curve->secret)) == 0) {
        rc = zcurve_set(socket, ZMQ_CURVE_SERVERKEY, curve->broker);
    }
    return rc;
}

typedef struct {
    uint16_t event; /* ZMQ_EVENT_… */
    uint32_t value;
} zcurve_event_t;

/* The next event of a monitor; false: there is none. */
static inline bool zcurve_next(void *monitor, zcurve_event_t *event)
{
    zmq_msg_t part;
    uint8_t bytes[6] = {0};

    zmq_msg_init(&part);
    bool got = zmq_msg_recv(&part, monitor, ZMQ_DONTWAIT) >= 0;
    if (got && zmq_msg_size(&part) == sizeof bytes) {
        memcpy(bytes, zmq_msg_data(&part), sizeof bytes);
    }
    memcpy(&event->event, bytes, sizeof event->event);
    memcpy(&event->value, bytes + sizeof event->event, sizeof event->value);
    while (got && zmq_msg_more(&part) != 0 &&
           zmq_msg_recv(&part, monitor, ZMQ_DONTWAIT) >= 0) {
    }
    zmq_msg_close(&part);
    return got;
}

/* What a peer may have to mend when its handshake failed so, for people; NULL:
 * without a key of ours it may be with anything, and tells nothing of keys.
 * Who uses CURVE and hears that we do not may close before we have read that it
 * does. */
static inline const char *zcurve_reason(const zcurve_event_t *event,
                                        bool has_key)
{
    if (event->event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
        return "it does not allow our key";
    }
    if (event->event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
        event->value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
        return "one of us uses CURVE and the other does not";
    }
    if (has_key) {
        return "the handshake failed: another key than the brokers'?";
    }
    return event->event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
               ? "it broke off the handshake: no ZeroMQ, or CURVE?"
               : NULL;
}

#endif
