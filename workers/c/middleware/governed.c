/* SPDX-License-Identifier: MIT */
#include "workers/c/middleware/governed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int check_most(hoist_app *app, const char *setting, unsigned wanted,
               unsigned most)
{
    return wanted <= most
               ? 0
               : hoist_init_failed(app, -EINVAL, "%s=%u is more than %u",
                                   setting, wanted, most);
}

/* In whole seconds, as HTTP has it (RFC 9110, section 10.2.3). */
static void put_retry_after(hoist_ctx *ctx, int64_t wait_ms)
{
    char seconds[24];

    (void)snprintf(seconds, sizeof seconds, "%" PRId64, (wait_ms + 999) / 1000);
    (void)hoist_refuse_header(ctx, "Retry-After", hoist_str(seconds));
}

int refuse_for_now(hoist_ctx *ctx, int status, const char *code,
                   const char *message, int64_t wait_ms)
{
    char details[48];

    if (hoist_event_of(ctx) == HOIST_CONNECT) {
        put_retry_after(ctx, wait_ms);
    }
    (void)snprintf(details, sizeof details, "{\"retryAfterMs\":%" PRId64 "}",
                   wait_ms);
    return hoist_fail_with(ctx, &(hoist_error){.status = status,
                                               .code = hoist_str(code),
                                               .message = hoist_str(message),
                                               .details = hoist_str(details)});
}
