/* SPDX-License-Identifier: MIT */
#include "admin/options.h"

#include <stdio.h>
#include <string.h>

bool admin_address(const char *listen, char *address, size_t size)
{
    bool is_port = listen[strspn(listen, "0123456789")] == '\0';
    int len =
        snprintf(address, size, "%s%s", is_port ? "127.0.0.1:" : "", listen);

    return len > 0 && (size_t)len < size;
}
