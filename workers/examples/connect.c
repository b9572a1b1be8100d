/* SPDX-License-Identifier: MIT
 *
 * Lets in whoever connects with ?name=…, and echoes: the same as
 * connect_bare.c, with libhoist (docs/code-size.md).
 */
#include <hoist.h>

static int on_connect(hoist_ctx *ctx)
{
    hoist_text name = hoist_query(ctx, "name");

    if (name.len == 0) {
        return hoist_reply_status(ctx, 400);
    }
    return hoist_accept_user(ctx, name);
}

static int on_echo(hoist_ctx *ctx)
{
    return hoist_reply(ctx, 200, hoist_body_type(ctx), hoist_body(ctx));
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();

    hoist_on(app, "$connect", on_connect);
    hoist_on(app, "echo", on_echo);
    return hoist_main(app, argc, argv);
}
