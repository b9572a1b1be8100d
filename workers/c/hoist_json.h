/* SPDX-License-Identifier: MIT
 *
 * JSON in bodies, by jansson.  These are inline functions: whoever includes
 * this links -ljansson, and libhoist does not need it.
 *
 *     static int greet(hoist_ctx *ctx)
 *     {
 *         json_t *body;
 *         int rc = hoist_body_as_json(ctx, &body);
 *         if (rc < 0) {
 *             return rc;
 *         }
 *         rc = hoist_reply_with_json(ctx, 200, json_pack("{sO}", "got", body));
 *         json_decref(body);
 *         return rc;
 *     }
 *
 * A json_t * that is handed to one of these moves: it is released in any case,
 * and may be NULL, which is what jansson gives where there is no memory.
 */
#ifndef HOIST_JSON_H
#define HOIST_JSON_H

#include <errno.h>
#include <stdlib.h>

#include <hoist.h>
#include <jansson.h>

/*
 * Parse the body of a MESSAGE, an array or object, into *json, which the caller
 * releases by json_decref.  An object that has a key twice is no JSON here.
 * Returns 0; -EINVAL for a body that is none, or binary; *json is NULL then.
 * `return rc;` refuses with 400.
 */
static inline int hoist_body_as_json(const hoist_ctx *ctx, json_t **json)
{
    hoist_text body = hoist_body(ctx);

    *json = hoist_body_type(ctx) == HOIST_TEXT && body.len > 0
                ? json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES, NULL)
                : NULL;
    return *json != NULL ? 0 : -EINVAL;
}

/* Reply with a JSON text.  Returns as hoist_reply; -ENOMEM. */
static inline int hoist_reply_with_json(hoist_ctx *ctx, int status,
                                        json_t *json)
{
    char *text =
        json != NULL ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    int rc = text != NULL
                 ? hoist_reply(ctx, status, HOIST_TEXT, hoist_str(text))
                 : -ENOMEM;

    free(text);
    json_decref(json);
    return rc;
}

/* Push a JSON text.  Returns as hoist_push_to; -ENOMEM. */
static inline int hoist_push_json(hoist_ctx *ctx, hoist_target target,
                                  json_t *json,
                                  const hoist_push_options *options)
{
    char *text =
        json != NULL ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    int rc = text != NULL ? hoist_push_to(ctx, target, HOIST_TEXT,
                                          hoist_str(text), options)
                          : -ENOMEM;

    free(text);
    json_decref(json);
    return rc;
}

#endif
