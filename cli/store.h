/* SPDX-License-Identifier: MIT
 *
 * `hoist store`: look after where records of connections are kept.
 */
#ifndef CLI_STORE_H
#define CLI_STORE_H

/* The arguments behind `store`.  Returns the exit status. */
int store_main(int argc, char **argv);

#endif
