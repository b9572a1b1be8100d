/* SPDX-License-Identifier: MIT */
#include "store/options.h"

void store_options_init(store_options_t *options)
{
    *options = (store_options_t){
        .url = "memory",
        .writer = "",
        .ttl_s = 86400,
        .timeout_ms = 5000,
        .queue = 100000,
    };
}
