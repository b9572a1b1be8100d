/* SPDX-License-Identifier: MIT
 *
 * `hoist keygen FILE [--force]`: a pair of keys for CURVE.
 */
#ifndef CLI_KEYGEN_H
#define CLI_KEYGEN_H

/* Without the program and its command.  Returns the exit status. */
int keygen_main(int argc, char **argv);

#endif
