/* SPDX-License-Identifier: MIT
 *
 * What a test makes up, as a broker would say it.  Texts are the test's own, so
 * what breaks the protocol is a bug of the test: one line says which, and the
 * process ends.
 */
#ifndef WORKERS_C_TESTING_MADE_H
#define WORKERS_C_TESTING_MADE_H

#include "proto/message.h"
#include "workers/c/hoist_test.h"

/* Each appends a message to out: a REQUEST, and a RESULT. */
void made_request(buf_t *out, const hoist_test_event *event, const char *route,
                  uint64_t id);
void made_result(buf_t *out, const hoist_test_answer *answer, uint64_t id);

#endif
