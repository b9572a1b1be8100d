/* SPDX-License-Identifier: MIT
 *
 * What brokers ask about connections (PROTOCOL.md, QUERY).  Loop thread only.
 */
#ifndef GATEWAY_ANSWERING_H
#define GATEWAY_ANSWERING_H

#include "gateway/hub.h"

/* Answer with RESULT.  Without room for it there is none: the broker asks
 * again, or has a time for it. */
void answering_query(hub_t *hub, link_t *link, const message_query_t *query);

#endif
