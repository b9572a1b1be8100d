/* SPDX-License-Identifier: MIT */
#include "workers/c/hoist.h"

const char *hoist_version(void)
{
    return HOIST_VERSION;
}
