/* SPDX-License-Identifier: MIT */
#include "cli/screen.h"

#include "cli/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l" /* the other screen, without a cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME  "\033[H"
#define CLEAR "\033[K\n" /* the rest of a line */
#define BELOW "\033[J"   /* the rest of the screen */

/* Signals wait while something is asked and shown, and come in screen_wait. */
static volatile sig_atomic_t is_resized, is_over;

static void on_signal(int number)
{
    if (number == SIGWINCH) {
        is_resized = 1;
    } else {
        is_over = 1;
    }
}

bool screen_is_there(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

static void catch_signals(screen_t *self)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set;

    is_resized = is_over = 0;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaddset(&set, signals[i]);
        sigaction(signals[i], &action, NULL);
    }
    signal(SIGTSTP, SIG_IGN); /* it would leave a shell on our screen */
    sigprocmask(SIG_BLOCK, &set, &self->mask_before);
}

void screen_open(screen_t *self)
{
    catch_signals(self);
    self->has_keys = tcgetattr(STDIN_FILENO, &self->before) == 0;
    if (self->has_keys) {
        struct termios raw = self->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_lflag |= NOFLSH; /* or Ctrl-C would throw LEAVE away */
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    }
    fputs(ENTER, stdout);
    fflush(stdout);
}

void screen_close(screen_t *self)
{
    if (self->has_keys) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &self->before);
    }
    fputs(LEAVE, stdout);
    fflush(stdout);
}

static void size_of(size_t *rows, size_t *columns)
{
    struct winsize size;
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
                    size.ws_row > 0 && size.ws_col > 0;

    *rows = is_known ? size.ws_row : 24;
    *columns = is_known ? size.ws_col : 80;
}

/* Nothing is written to the last column of the last row: that would scroll. */
void screen_show(const char *text)
{
    size_t rows, columns;

    size_of(&rows, &columns);
    fputs(HOME, stdout);
    for (size_t row = 0; row + 1 < rows && *text != '\0'; row++) {
        char line[4096];
        size_t len = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        printf("%.*s" CLEAR, (int)text_fit(line, columns), line);
        text += len + (text[len] == '\n');
    }
    fputs(BELOW, stdout);
    fflush(stdout);
}

screen_event_t screen_wait(const screen_t *self, int64_t ms, char *key)
{
    struct pollfd input = {.fd = self->has_keys ? STDIN_FILENO : -1,
                           .events = POLLIN};
    struct timespec left = {.tv_sec = (time_t)(ms / 1000),
                            .tv_nsec = (long)(ms % 1000) * 1000000};
    int ready = ppoll(&input, 1, &left, &self->mask_before);

    if (is_over || ferror(stdout)) {
        return SCREEN_END;
    }
    if (is_resized) {
        is_resized = 0;
        return SCREEN_RESIZE;
    }
    if (ready > 0) {
        return read(STDIN_FILENO, key, 1) == 1 ? SCREEN_KEY : SCREEN_END;
    }
    return SCREEN_TIME;
}
