/* SPDX-License-Identifier: MIT
 *
 * A worker that serves the route "echo": the client gets back what it sent,
 * text as text and binary as binary.
 */
#include <hoist.h>

static int echo(hoist_ctx *ctx)
{
    return hoist_reply(ctx, 200, hoist_body_type(ctx), hoist_body(ctx));
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();

    hoist_on(app, "echo", echo);
    return hoist_main(app, argc, argv);
}
