/* SPDX-License-Identifier: MIT */
#include "bench/numbers.h"

#include <stdlib.h>

#include <err.h>

double numbers_read(const char *name, const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= min && value <= max)) {
        errx(2, "--%s %s: a number from %g to %g", name, text, min, max);
    }
    return value;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

void numbers_sort(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, by_value);
}
