/* SPDX-License-Identifier: MIT
 *
 * Texts of JSON as those of an event are.  Pure.
 */
#ifndef WORKERS_C_AUTH_JSON_TEXT_H
#define WORKERS_C_AUTH_JSON_TEXT_H

#include "workers/c/hoist.h"

#include <jansson.h>

/* Lent by json; absent for what is no text, or not there. */
static inline hoist_text json_text(const json_t *json)
{
    return json_is_string(json)
               ? hoist_bytes(json_string_value(json), json_string_length(json))
               : hoist_str(NULL);
}

#endif
