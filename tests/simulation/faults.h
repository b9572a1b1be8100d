/* SPDX-License-Identifier: MIT
 *
 * What goes wrong in a run: processes die, stop and drain, links break, the
 * store fails; and who starts what has ended again.
 */
#ifndef TESTS_SIMULATION_FAULTS_H
#define TESTS_SIMULATION_FAULTS_H

#include <stdio.h>

/* From now on something happens now and then, while it is chaos. */
void faults_begin(void);

/* The end of all that passes: the store is mended, and … */
void faults_mend_store(void);

/* … everything is up again. */
void faults_restart_all(void);

/* Hung handlers are beyond help: their workers are killed. */
void faults_end_hung(void);

/* A line of those that may happen in this run. */
void faults_print(FILE *out);

/* In an otherwise peaceful act the link of each gateway breaks, and again when
 * it has come back. */
void faults_reset_links(void);

#endif
