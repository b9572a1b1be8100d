/* SPDX-License-Identifier: MIT
 *
 * A terminal that shows one page at a time, which is written anew each time and
 * leaves nothing behind: the alternate screen of ANSI terminals.  Whatever ends
 * the program but SIGKILL, the terminal is as it was.  One thread.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <termios.h>

typedef struct {
    struct termios before;
    sigset_t mask_before;
    bool has_keys; /* standard input is a terminal */
} screen_t;

/* Is standard output a terminal? */
bool screen_is_there(void);

void screen_open(screen_t *self);
void screen_close(screen_t *self);

/* Show a text of lines, as much of it as there is room for. */
void screen_show(const char *text);

typedef enum {
    SCREEN_TIME,   /* ms went by */
    SCREEN_KEY,    /* *key was pressed */
    SCREEN_RESIZE, /* show it again */
    SCREEN_END,    /* a signal asked for the end, or the terminal is gone */
} screen_event_t;

/* Wait for one of them. */
screen_event_t screen_wait(const screen_t *self, int64_t ms, char *key);

#endif
