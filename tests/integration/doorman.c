/* SPDX-License-Identifier: MIT
 *
 * A worker that has no handler of $connect, and says who may connect all the
 * same: by address, and by tokens where the environment has a secret.
 *
 *     JWT_SECRET   of the tokens; not set: nobody is asked for one
 *     DENY         networks that clients may not come from
 *
 * "who" replies with the user.
 */
#include <stdlib.h>

#include <hoist_auth.h>

static int who(hoist_ctx *ctx)
{
    return hoist_reply(ctx, 200, HOIST_TEXT, hoist_user(ctx));
}

int main(int argc, char **argv)
{
    const char *secret = getenv("JWT_SECRET");
    hoist_app *app = hoist_app_new();

    hoist_on(app, "who", who);
    hoist_use(app, hoist_recover, NULL);
    hoist_use(app, hoist_ip_filter,
              &(hoist_ip_filter_config){.deny = getenv("DENY")});
    if (secret != NULL) {
        hoist_use(app, hoist_jwt, &(hoist_jwt_config){.secret = secret});
    }
    return hoist_main(app, argc, argv);
}
