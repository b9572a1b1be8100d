/* SPDX-License-Identifier: MIT
 *
 * A program that was built with the former header of grown.h.
 */
#define FORMER
#include "tests/unit/grown.h"

int former_program(hoist_app *app)
{
    struct {
        grown_config config;
        unsigned behind[2];
    } memory;

    memset(&memory, 0xff, sizeof memory);
    memory.config.first = 1;
    memory.config.second = true;
    return hoist_use(app, grown, &memory.config);
}

int former_usual_program(hoist_app *app)
{
    return hoist_use(app, grown, NULL);
}
