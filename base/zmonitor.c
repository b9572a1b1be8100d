/* SPDX-License-Identifier: MIT */
#include "base/zmonitor.h"

#include "base/rand.h"

#include <stdio.h>

#include <czmq.h>
#include <zmq.h>

int zmonitor_open(void *socket, int events, void **monitor)
{
    char endpoint[RAND_HEX_LEN + 32], hex[RAND_HEX_LEN + 1];

    rand_hex(hex); /* the name of one that was closed is not free at once */
    snprintf(endpoint, sizeof endpoint, "inproc://hoist-monitor-%s", hex);
    *monitor = NULL;
    if (zmq_socket_monitor(socket, endpoint, events) < 0 ||
        (*monitor = zmq_socket(zsys_init(), ZMQ_PAIR)) == NULL ||
        zmq_connect(*monitor, endpoint) < 0) {
        int error = zmq_errno();
        zmonitor_close(socket, monitor);
        return -error;
    }
    return 0;
}

void zmonitor_close(void *socket, void **monitor)
{
    if (*monitor != NULL) {
        zmq_close(*monitor);
        *monitor = NULL;
    }
    if (socket != NULL) {
        zmq_socket_monitor(socket, NULL, 0);
    }
}
