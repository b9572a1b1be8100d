/* SPDX-License-Identifier: MIT
 *
 * Answers of the management API as bytes: header lines and a body, which who
 * has the client's socket puts behind its status line.  Pure.
 */
#ifndef MANAGE_API_REPLY_H
#define MANAGE_API_REPLY_H

#include "manage/fault.h"
#include "proto/message.h"

typedef struct {
    unsigned status;
    buf_t headers; /* whole lines */
    buf_t body;
} api_reply_t;

void api_reply_init(api_reply_t *self);
void api_reply_fini(api_reply_t *self);

/* Each fills the answer; what is left out without memory is its body.  request:
 * for X-Amzn-RequestId. */
void api_reply_status(api_reply_t *self, unsigned status, const char *request);
void api_reply_fault(api_reply_t *self, const fault_t *fault,
                     wire_bytes_t detail, const char *request);

/* What became of a push to a name. */
void api_reply_counts(api_reply_t *self, const message_pushed_t *pushed,
                      const char *request);

/* The context of a connection's row, as GetConnection has it. */
void api_reply_connection(api_reply_t *self, wire_bytes_t context,
                          const char *request);

#endif
