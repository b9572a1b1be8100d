/* SPDX-License-Identifier: MIT
 *
 * What a request to the management API wants done: the table of what can be
 * asked, and the way from a path to it.  Pure.
 */
#ifndef MANAGE_ORDER_H
#define MANAGE_ORDER_H

#include "manage/fault.h"
#include "proto/conn_id.h"
#include "proto/http.h"
#include "proto/message.h"

typedef enum {
    ORDER_POST,  /* to one connection */
    ORDER_CAST,  /* to a user, a tenant, a group, or all */
    ORDER_GET,   /* what is known of a connection */
    ORDER_CLOSE, /* a connection */
} order_verb_t;

#define ORDER_NAME_MAX USER_MAX   /* bytes; the longest of names */
#define ORDER_ALL      UINT32_MAX /* no gateway in particular */

typedef struct {
    order_verb_t verb;
    const char *type; /* "connection", "user", … as in a PUSH's target */
    uint32_t gateway; /* the loop that the connection's id names; ORDER_ALL */
    size_t name_len;  /* 0: of "all" */
    uint8_t name[ORDER_NAME_MAX];
    uint64_t code; /* of a CLOSE */
    size_t reason_len;
    uint8_t reason[REASON_MAX];
} order_t;

/*
 * Read a request.  stage: "", or the only one that there is.
 * Returns NULL with *out filled; or what is wrong, with that which it is about
 * in *detail, to be freed by the caller: buf_fini.
 */
const fault_t *order_read(const http_request_t *request, const char *stage,
                          order_t *out, buf_t *detail);

#endif
