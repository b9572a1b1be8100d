/* SPDX-License-Identifier: MIT
 *
 * What is told of one of many, as JSON.  Loop thread only.
 */
#ifndef GATEWAY_ROWS_H
#define GATEWAY_ROWS_H

#include "gateway/hub.h"
#include "proto/json_out.h"

/* An object. */
void row_put_broker(json_out_t *out, const hub_t *hub, const link_t *link);

/* The fields of one. */
void row_put_session(json_out_t *out, const session_t *session);

#endif
