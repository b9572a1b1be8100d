/* SPDX-License-Identifier: MIT
 *
 * The HOIST_… variables that any program of hoist reads, all in one list: one
 * environment may serve gateway, broker and workers, so that what one does not
 * read may well be meant for another.
 */
#ifndef BASE_VARIABLES_H
#define BASE_VARIABLES_H

/*
 * Log a warning for each HOIST_… variable that no program of hoist reads, but
 * that is nearly one which is read: others may begin theirs like that.
 * Start-up only.
 */
void variables_check(void);

#endif
