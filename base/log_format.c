/* SPDX-License-Identifier: MIT */
#include "base/log_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *log_spec_read(const char *at, log_spec_t *spec)
{
    char *end;

    *spec = (log_spec_t){.precision = -1};
    spec->width = (int)strtol(at + 1, &end, 10);
    at = end;
    if (at[0] == '.' && at[1] == '*') {
        spec->precision = -2;
        at += 2;
    } else if (at[0] == '.') {
        spec->precision = (int)strtol(at + 1, &end, 10);
        at = end;
    }
    for (; *at == 'l' || *at == 'z'; at++) {
        spec->is_size = *at == 'z';
        spec->longs++;
    }
    spec->conversion = *at;
    return *at == '\0' ? at : at + 1;
}

static long long take_signed(const log_spec_t *spec, log_args_t *args)
{
    return spec->longs > 1    ? va_arg(args->list, long long)
           : spec->longs == 1 ? va_arg(args->list, long)
                              : va_arg(args->list, int);
}

static unsigned long long take_unsigned(const log_spec_t *spec,
                                        log_args_t *args)
{
    return spec->is_size      ? va_arg(args->list, size_t)
           : spec->longs > 1  ? va_arg(args->list, unsigned long long)
           : spec->longs == 1 ? va_arg(args->list, unsigned long)
                              : va_arg(args->list, unsigned);
}

static void take_text(const log_spec_t *spec, log_args_t *args,
                      log_piece_t *piece)
{
    int most =
        spec->precision == -2 ? va_arg(args->list, int) : spec->precision;
    const char *text = va_arg(args->list, const char *);

    if (text == NULL) {
        text = most == 0 ? "" : "(null)";
    }
    piece->text = text;
    piece->len = most < 0 ? strlen(text) : strnlen(text, (size_t)most);
}

bool log_spec_take(const log_spec_t *spec, log_args_t *args, log_piece_t *piece)
{
    char *number = piece->number;

    number[0] = number[1] = '\0';
    switch (spec->conversion) {
    case 's':
        take_text(spec, args, piece);
        return true;
    case 'c':
        number[0] = (char)va_arg(args->list, int);
        break;
    case 'd':
        snprintf(number, LOG_NUMBER_MAX, "%lld", take_signed(spec, args));
        break;
    case 'u':
        snprintf(number, LOG_NUMBER_MAX, "%llu", take_unsigned(spec, args));
        break;
    case 'x':
        snprintf(number, LOG_NUMBER_MAX, "%0*llx", spec->width,
                 take_unsigned(spec, args));
        break;
    case '%':
        number[0] = '%';
        break;
    default:
        return false;
    }
    piece->text = number;
    piece->len = strlen(number);
    return true;
}
