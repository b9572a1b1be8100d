/* SPDX-License-Identifier: MIT
 *
 * Processes are watched by descriptors (pidfd_open), so there is no SIGCHLD to
 * share with the program, and none is waited for that is not ours.  But where
 * the program ignores that signal, or whoever started it did, the kernel keeps
 * nothing of how a process ended: meanwhile it is not ignored.
 */
#include "workers/c/supervisor.h"

#include "base/clock.h"
#include "workers/c/backoff.h"
#include "workers/c/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENDING_MAX 32 /* bytes of why one has ended */

/* What is polled before the processes. */
enum { ITEM_STOP, ITEM_RELOAD, ITEM_PROCESSES };

typedef struct {
    pid_t pid;       /* 0: it does not run */
    int pid_fd;      /* readable when it has ended; -1: it does not run */
    int word_fd;     /* what it says of its start; -1: it does not run */
    unsigned starts; /* that there were */
    int64_t born_ms; /* the last of these */
    int64_t due_ms;  /* of the next */
    backoff_t backoff;
} process_t;

typedef struct {
    hoist_app *app;          /* borrowed */
    const inlet_t *inlet;    /* borrowed: of the app's first thread */
    unsigned count;          /* processes that are to be */
    unsigned alive;          /* of these */
    bool is_stopping;        /* none is started any more */
    int64_t stop_ms;         /* since when */
    int64_t kill_ms;         /* who is there then is killed */
    int result;              /* what went wrong, or 0 */
    struct sigaction before; /* of SIGCHLD */
    process_t processes[PROCESSES_MAX];
} supervisor_t;

static unsigned number_of(const supervisor_t *self, const process_t *process)
{
    return (unsigned)(process - self->processes) + 1;
}

/* --- asking them --------------------------------------------------------- */

static void signal_all(const supervisor_t *self, int number)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (self->processes[i].pid > 0) {
            (void)kill(self->processes[i].pid, number);
        }
    }
}

static void stop_all(supervisor_t *self, int64_t now_ms)
{
    self->is_stopping = true;
    self->stop_ms = now_ms;
    self->kill_ms = now_ms + self->app->settings.drain_ms + SUPERVISOR_KILL_MS;
    signal_all(self, SIGTERM);
}

/* Of two stops at once the second says nothing new (a terminal signals all of
 * us); one that comes later is for the impatient. */
static void take_stop(supervisor_t *self, int64_t now_ms)
{
    if (!inlet_take_stop(self->inlet)) {
        return;
    }
    if (!self->is_stopping) {
        log_info("WORKER-DRAINING", "drain_ms=%" PRId64,
                 self->app->settings.drain_ms);
        stop_all(self, now_ms);
    } else if (now_ms >= self->stop_ms + PATIENCE_MS) {
        self->kill_ms = now_ms + SUPERVISOR_KILL_MS;
        signal_all(self, SIGTERM);
    }
}

static void take_reload(const supervisor_t *self)
{
    if (inlet_take_reload(self->inlet)) {
        log_info("WORKER-RELOADED", "processes=%u", self->alive);
        signal_all(self, SIGHUP);
    }
}

static void kill_late(supervisor_t *self, int64_t now_ms)
{
    if (!self->is_stopping || now_ms < self->kill_ms) {
        return;
    }
    self->kill_ms = INT64_MAX; /* nobody survives it */
    for (unsigned i = 0; i < self->count; i++) {
        const process_t *process = &self->processes[i];
        if (process->pid > 0) {
            log_warn("WORKER-PROCESS-KILLED",
                     "process=%u pid=%d after_ms=%" PRId64, i + 1,
                     (int)process->pid, now_ms - self->stop_ms);
            (void)kill(process->pid, SIGKILL);
        }
    }
}

/* --- a new one ----------------------------------------------------------- */

static void close_process(process_t *self)
{
    if (self->pid_fd >= 0) {
        close(self->pid_fd);
    }
    if (self->word_fd >= 0) {
        close(self->word_fd);
    }
    self->pid = 0;
    self->pid_fd = -1;
    self->word_fd = -1;
}

/*
 * In the new process: nothing of the parent's is left, and it does not outlive
 * that, not even where a handler hangs.  (It may be gone already.)
 */
static int become_worker(supervisor_t *self, const process_t *process,
                         pid_t parent)
{
    hoist_app *app = self->app;
    int rc =
        settings_shift_metrics(&app->settings, number_of(self, process) - 1);

    app->process = number_of(self, process);
    signals_forked();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        return -errno;
    }
    if (getppid() != parent) {
        _exit(1);
    }
    for (unsigned i = 0; i < self->count; i++) {
        close_process(&self->processes[i]);
    }
    for (unsigned i = 0; rc == 0 && i < app->inlet_count; i++) {
        rc = inlet_renew(&app->inlets[i]);
    }
    return rc;
}

static int be_parent(supervisor_t *self, process_t *process, pid_t pid)
{
    process->pid_fd = pidfd_open(pid, 0);
    if (process->pid_fd < 0) {
        int rc = -errno;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return rc;
    }
    process->pid = pid;
    process->starts++;
    process->born_ms = clock_mono_ms();
    self->alive++;
    log_info("WORKER-PROCESS-STARTED", "process=%u pid=%d",
             number_of(self, process), (int)pid);
    return 0;
}

/*
 * Signals wait meanwhile: one that came to the child before its inlets are its
 * own would be the parent's.
 * Returns 1 in the child, with *word_fd set; else 0 or a negative errno.
 */
static int fork_one(supervisor_t *self, process_t *process, int *word_fd)
{
    sigset_t all, before;
    int word[2];

    if (pipe2(word, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -errno;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid(), pid = fork();
    int rc = pid < 0    ? -errno
             : pid == 0 ? become_worker(self, process, parent)
                        : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(word[pid == 0 ? 0 : 1]);
    if (pid == 0) {
        *word_fd = word[1];
        if (rc < 0) {
            supervisor_tell(word[1], rc);
            _exit(1);
        }
        return 1;
    }
    process->word_fd = word[0];
    rc = rc < 0 ? rc : be_parent(self, process, pid);
    if (rc < 0) {
        close_process(process);
    }
    return rc;
}

static void plan(supervisor_t *self, process_t *process, int64_t now_ms)
{
    int64_t pause_ms =
        backoff_next(&process->backoff, now_ms - process->born_ms);

    process->due_ms = now_ms + pause_ms;
    log_info("WORKER-PROCESS-AGAIN", "process=%u pause_ms=%" PRId64,
             number_of(self, process), pause_ms);
}

/* The system refuses a process: as if it had ended, but for the first time. */
static void take_refusal(supervisor_t *self, process_t *process, int error,
                         int64_t now_ms)
{
    log_err("WORKER-PROCESS-REFUSED", "process=%u error=\"%s\"",
            number_of(self, process), strerror(-error));
    if (process->starts > 0) {
        process->born_ms = now_ms;
        plan(self, process, now_ms);
    } else {
        self->result = error;
        stop_all(self, now_ms);
    }
}

/* Returns 1 in a new process, else 0. */
static int start_due(supervisor_t *self, int64_t now_ms, int *word_fd)
{
    for (unsigned i = 0; i < self->count && !self->is_stopping; i++) {
        process_t *process = &self->processes[i];
        if (process->pid > 0 || now_ms < process->due_ms) {
            continue;
        }
        int rc = fork_one(self, process, word_fd);
        if (rc > 0) {
            return rc;
        }
        if (rc < 0) {
            take_refusal(self, process, rc, now_ms);
        }
    }
    return 0;
}

/* --- one that has ended -------------------------------------------------- */

/* Did it end of itself and in order?  Else *reason says how. */
static bool ended_well(pid_t pid, char reason[ENDING_MAX])
{
    int status;

    if (waitpid(pid, &status, 0) < 0) { /* somebody else has */
        (void)snprintf(reason, ENDING_MAX, "unknown");
        return false;
    }
    if (WIFEXITED(status)) {
        (void)snprintf(reason, ENDING_MAX, "exit status %d",
                       WEXITSTATUS(status));
        return WEXITSTATUS(status) == 0;
    }
    const char *name = sigabbrev_np(WTERMSIG(status));
    (void)snprintf(reason, ENDING_MAX, "SIG%s", name != NULL ? name : "?");
    return false;
}

/* What it said of its start: a negative errno, or 0. */
static int read_word(const process_t *process)
{
    int error = 0;

    return read(process->word_fd, &error, sizeof error) == (ssize_t)sizeof error
               ? error
               : 0;
}

static void reap(supervisor_t *self, process_t *process, int64_t now_ms)
{
    char reason[ENDING_MAX] = "";
    int error = read_word(process);
    pid_t pid = process->pid;
    int64_t lived_ms = now_ms - process->born_ms;

    bool is_well = ended_well(pid, reason);
    close_process(process);
    self->alive--;
    if (is_well) {
        log_info("WORKER-PROCESS-ENDED", "process=%u pid=%d lived_ms=%" PRId64,
                 number_of(self, process), (int)pid, lived_ms);
    } else {
        log_warn("WORKER-PROCESS-DIED",
                 "process=%u pid=%d reason=\"%s\" lived_ms=%" PRId64,
                 number_of(self, process), (int)pid, reason, lived_ms);
    }
    if (self->is_stopping) {
        self->result = is_well || self->result < 0 ? self->result : -ECHILD;
    } else if (error < 0 && process->starts == 1) {
        self->result = error; /* it would be the same the next time */
        stop_all(self, now_ms);
    } else {
        plan(self, process, now_ms);
    }
}

/* --- the turn ------------------------------------------------------------ */

static int wait_ms(const supervisor_t *self, int64_t now_ms)
{
    int64_t due_ms = self->is_stopping ? self->kill_ms : INT64_MAX;

    for (unsigned i = 0; i < self->count && !self->is_stopping; i++) {
        const process_t *process = &self->processes[i];
        if (process->pid == 0 && process->due_ms < due_ms) {
            due_ms = process->due_ms;
        }
    }
    if (due_ms == INT64_MAX) {
        return -1;
    }
    return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

static void wait_for_news(supervisor_t *self)
{
    struct pollfd items[ITEM_PROCESSES + PROCESSES_MAX];

    items[ITEM_STOP] =
        (struct pollfd){.fd = self->inlet->stop_fd, .events = POLLIN};
    items[ITEM_RELOAD] =
        (struct pollfd){.fd = self->inlet->reload_fd, .events = POLLIN};
    for (unsigned i = 0; i < self->count; i++) {
        items[ITEM_PROCESSES + i] =
            (struct pollfd){.fd = self->processes[i].pid_fd, .events = POLLIN};
    }
    if (poll(items, ITEM_PROCESSES + self->count,
             wait_ms(self, clock_mono_ms())) <= 0) {
        return; /* time is over, or a signal came: the next round sees it */
    }
    int64_t now_ms = clock_mono_ms();
    for (unsigned i = 0; i < self->count; i++) {
        if (items[ITEM_PROCESSES + i].revents != 0) {
            reap(self, &self->processes[i], now_ms);
        }
    }
}

/* A handler of the program's stays. */
static void keep_endings(supervisor_t *self)
{
    static const struct sigaction usual = {.sa_handler = SIG_DFL};

    (void)sigaction(SIGCHLD, NULL, &self->before);
    if (self->before.sa_handler == SIG_IGN ||
        (self->before.sa_flags & SA_NOCLDWAIT) != 0) {
        (void)sigaction(SIGCHLD, &usual, NULL);
    }
}

static void open_supervisor(supervisor_t *self, hoist_app *app)
{
    *self = (supervisor_t){
        .app = app, .inlet = &app->inlets[0], .count = app->settings.processes};
    for (unsigned i = 0; i < self->count; i++) {
        self->processes[i] = (process_t){.pid_fd = -1, .word_fd = -1};
    }
    keep_endings(self);
    log_info("WORKER-SUPERVISES", "processes=%u threads=%u", self->count,
             settings_threads(&app->settings));
}

/* Returns 1 in a new process, else what supervise does. */
static int watch(supervisor_t *self, int *word_fd)
{
    for (;;) {
        int64_t now_ms = clock_mono_ms();
        take_stop(self, now_ms);
        take_reload(self);
        kill_late(self, now_ms);
        if (start_due(self, now_ms, word_fd) > 0) {
            return 1;
        }
        if (self->is_stopping && self->alive == 0) {
            return self->result;
        }
        wait_for_news(self);
    }
}

int supervise(hoist_app *app, int *word_fd)
{
    supervisor_t self;

    (void)fflush(NULL); /* or each process would write it again */
    open_supervisor(&self, app);
    int rc = watch(&self, word_fd);
    (void)sigaction(SIGCHLD, &self.before, NULL);
    return rc;
}

void supervisor_tell(int word_fd, int error)
{
    /* Without it we are taken for one that died, and started again. */
    ssize_t written = write(word_fd, &error, sizeof error);
    (void)written;
}
