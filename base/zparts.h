/* SPDX-License-Identifier: MIT
 *
 * Our protocol's messages have one part; what a ZeroMQ socket hands out may
 * have more.  The thread that owns the socket.
 */
#ifndef BASE_ZPARTS_H
#define BASE_ZPARTS_H

#include <zmq.h>

/* Read the parts behind this one and throw them away, into *part. */
static inline void zparts_skip(void *socket, zmq_msg_t *part)
{
    while (zmq_msg_more(part) != 0) {
        if (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) < 0) {
            return; /* a message arrives whole; not reached */
        }
    }
}

#endif
