/* SPDX-License-Identifier: MIT */
#include "manage/options.h"

void manage_options_init(manage_options_t *options)
{
    *options = (manage_options_t){
        .name = "",
        .broker = "",
        .curve_key = "",
        .curve_broker = "",
        .resolve_ms = 5000,
        .stage = "",
        .keys = "",
        .tokens = "",
        .body_max = 131072,
    };
}

bool manage_is_public(const manage_options_t *options)
{
    return options->keys[0] != '\0' || options->tokens[0] != '\0';
}
