/* SPDX-License-Identifier: MIT
 *
 * `hoist health`: ask a running hoist how it is, for who has no other client
 * of HTTP at hand, as the health check of a container.
 */
#ifndef CLI_HEALTH_H
#define CLI_HEALTH_H

/* The arguments behind `health`.  Returns the exit status. */
int health_main(int argc, char **argv);

#endif
