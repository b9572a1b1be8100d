/* SPDX-License-Identifier: MIT
 *
 * A request on its way, from its session's word to its outcome: how long that
 * takes, by kind of event, and its span when it is sampled.  What route it is
 * for is the client's text, so it is no label here: a broker tells those apart
 * (broker/traffic.h).  Loop thread only.
 */
#ifndef GATEWAY_TRIPS_H
#define GATEWAY_TRIPS_H

#include "base/histogram.h"
#include "gateway/link.h"
#include "gateway/tracing.h"

typedef struct hub hub_t;
typedef struct session session_t;

/* X(name, kind, unit, meaning); docs/metrics.md; in seconds */
#define GATEWAY_TIMES(X)                                                       \
    X(request, histogram, seconds, "from a request to its outcome")

/* By event_t. */
#define TRIPS_EVENTS (EVENT_PRESENCE + 1)

typedef struct {
    histogram_t request[TRIPS_EVENTS];
} trips_t;

/* What the label `event` says; NULL: there is no such event. */
const char *trips_event(size_t event);

/* Put a REQUEST of the session to its broker.  Returns as link_put. */
int trips_put(session_t *session, link_t *link, message_request_t *request);

/* It has an outcome.  request: as the link gave it back; its span is moved. */
void trips_end(hub_t *hub, link_request_t *request, uint64_t status);

/* Add what another loop has measured. */
void trips_merge(trips_t *self, const trips_t *other);

#endif
