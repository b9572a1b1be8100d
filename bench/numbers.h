/* SPDX-License-Identifier: MIT
 *
 * The numbers that a benchmark is given, and those that it finds.
 */
#ifndef BENCH_NUMBERS_H
#define BENCH_NUMBERS_H

#include <stddef.h>

/* The number of an option --name.  Exits with a line when it is none from min
 * to max. */
double numbers_read(const char *name, const char *text, double min, double max);

/* The smallest first. */
void numbers_sort(double *numbers, size_t count);

#endif
