/* SPDX-License-Identifier: MIT
 *
 * `hoist dead`: look at the requests that killed their workers, give them to a
 * worker once more, or drop them.  Works on the folder of --dead-letters
 * (broker/dead_letters.h), whether a broker runs or not.
 */
#ifndef CLI_DEAD_H
#define CLI_DEAD_H

/*
 * The command with the arguments behind the word `dead`.
 * Returns the exit status: 0; 1 when something could not be done; 2 for wrong
 * arguments.
 */
int dead_main(int argc, char **argv);

#endif
