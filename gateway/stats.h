/* SPDX-License-Identifier: MIT
 *
 * Every counter and gauge of a gateway loop, with unit and meaning; the docs
 * and the log line GATEWAY-STATS are held against this table by tests.
 * Counters only grow; gauges say how many there are now.
 */
#ifndef GATEWAY_STATS_H
#define GATEWAY_STATS_H

#include <stdint.h>

/* X(name, kind, unit, meaning) */
#define GATEWAY_STATS(X)                                                       \
    X(sockets, gauge, sockets, "client sockets that stand")                    \
    X(connections, gauge, connections, "WebSockets that are open")             \
    X(sockets_accepted, counter, sockets, "sockets accepted")                  \
    X(unproxied, counter, sockets,                                             \
      "refused: no PROXY header of a trusted proxy")                           \
    X(tls_failed, counter, sockets,                                            \
      "ended by an alert of TLS, ours or theirs")                              \
    X(tls_until, gauge, s, "our certificate is good until then (Unix time)")   \
    X(connections_refused, counter, connections,                               \
      "refused: max-connections reached")                                      \
    X(handshakes_refused, counter, handshakes, "refused: max-handshakes")      \
    X(handshakes_throttled, counter, handshakes, "429: handshake-rate")        \
    X(addresses, gauge, addresses, "whose limits are looked after")            \
    X(address_refused, counter, handshakes, "429: address-connections")        \
    X(address_throttled, counter, handshakes, "429: address-rate")             \
    X(address_sockets_refused, counter, sockets,                               \
      "refused: too many, or too fast, of one address")                        \
    X(origins_refused, counter, handshakes, "403: none of origins")            \
    X(handshakes_failed, counter, handshakes, "answered with an HTTP error")   \
    X(handshakes_late, counter, sockets, "ended: no WebSocket in their time")  \
    X(lingers_cut, counter, sockets, "closed at once behind their last bytes") \
    X(connects, counter, connections, "handshakes that became WebSockets")     \
    X(disconnects, counter, events, "DISCONNECT events acknowledged")          \
    X(messages_in, counter, messages, "whole messages from clients")           \
    X(messages_out, counter, messages, "messages put to clients")              \
    X(bytes_in, counter, bytes, "bytes read from clients")                     \
    X(bytes_out, counter, bytes, "bytes written to clients")                   \
    X(error_frames, counter, messages, "error frames put to clients")          \
    X(pushes, counter, messages, "PUSH messages taken from brokers")           \
    X(push_jobs, gauge, messages, "pushes to many that are not done yet")      \
    X(push_late, counter, connections, "that a push came too late for")        \
    X(joins, counter, messages, "JOIN and LEAVE messages taken")               \
    X(groups_refused, counter, messages, "JOIN, or CONNECT: max-groups")       \
    X(presences, counter, events, "PRESENCEs put to brokers")                  \
    X(queries, counter, messages, "QUERY messages taken from brokers")         \
    X(gone, counter, connections,                                              \
      "push or close to a connection that is gone")                            \
    X(managed, counter, requests, "to the management API that were taken")     \
    X(managed_refused, counter, requests, "429: too many of them under way")   \
    X(protocol_errors, counter, connections, "closed: client broke RFC 6455")  \
    X(too_big, counter, connections, "closed 1009: frame or message too big")  \
    X(slow_closed, counter, connections,                                       \
      "closed 1013: client reads too slowly")                                  \
    X(dead_closed, counter, connections, "closed: no answer to a ping")        \
    X(idle_closed, counter, connections, "closed 1001: idle too long")         \
    X(paused, counter, times, "reading paused: window spent")                  \
    X(throttled, counter, times, "reading paused: message-rate or byte-rate")  \
    X(broker_lost, counter, times, "broker counted lost")                      \
    X(broker_left, counter, times, "broker left, with nothing on its way")     \
    X(broker_reset, counter, times, "broker back behind a broken transport")   \
    X(moved, counter, connections, "moved from broker to broker")              \
    X(given_up, counter, times,                                                \
      "connections closed 1012: the broker had counted this gateway lost")     \
    X(broker_malformed, counter, frames, "malformed frames from a broker")     \
    X(replies_unknown, counter, messages, "REPLY to no request under way")     \
    X(spans, counter, spans, "of events that were sampled")                    \
    X(spans_exported, counter, spans, "that the receiver has taken")           \
    X(spans_dropped, counter, spans, "for which there was no room or receiver")

typedef struct {
#define X(name, kind, unit, meaning) uint64_t name;
    GATEWAY_STATS(X)
#undef X
} gateway_stats_t;

#endif
