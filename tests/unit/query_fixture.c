/* SPDX-License-Identifier: MIT */
#include "tests/unit/query_fixture.h"

#include <errno.h>
#include <stdio.h>

asking_t asking;

void note_status(const hoist_answer *answer)
{
    char word[32];

    (void)snprintf(word, sizeof word, "told:%d", hoist_answer_status(answer));
    note(word);
}

int tell(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    assert_ptr_equal(data, &asking);
    note_status(answer);
    asking.told++;
    if (asking.pages > 0) {
        asking.pages--;
        hoist_find_options next = {.cursor = hoist_answer_cursor(answer)};
        return hoist_find_user(ctx, hoist_str("ada"), &next, tell, &asking);
    }
    return hoist_reply_text(ctx, "told");
}

static int ask(hoist_ctx *ctx)
{
    note("ask");
    int rc =
        hoist_find_user(ctx, hoist_str("ada"), &asking.options, tell, &asking);
    return rc < 0 ? rc : asking.result;
}

static int plain(hoist_ctx *ctx)
{
    note("plain");
    return hoist_reply_text(ctx, "plain");
}

static int around(hoist_ctx *ctx, void *config)
{
    (void)config;
    int rc = hoist_next(ctx);

    if (rc < 0 && asking.retries) {
        asking.result = 0;
        rc = hoist_next(ctx);
    }
    return rc == 0 && asking.refuses ? -EACCES : rc;
}

int asking_set_up(void **state)
{
    (void)state;
    asking = (asking_t){0};
    worker_gets_app();
    hoist_on(worker.app, "$connect", ask);
    hoist_on(worker.app, "ask", ask);
    hoist_on(worker.app, "plain", plain);
    hoist_on(worker.app, "loose", plain);
    hoist_unordered(worker.app, "loose");
    hoist_on(worker.app, "loose-ask", ask);
    hoist_unordered(worker.app, "loose-ask");
    hoist_on(worker.app, "$disconnect", plain);
    hoist_wrap(worker.app, around, NULL);
    worker_opens();
    return 0;
}
