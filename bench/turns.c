/* SPDX-License-Identifier: MIT
 *
 * How long a turn of a loop takes, in CPU time of its thread: from when
 * epoll_wait() returns to when it is called again.  That is what the others on
 * the loop wait for, and other programs of the machine do not count in it.
 *
 *   usage: LD_PRELOAD=…/libturns.so HOIST_TURNS=FILE PROGRAM …
 *
 * FILE, which exists and is TURNS_SIZE bytes long, is mapped: a record for each
 * thread that has a loop.  Whoever reads it may set `longest_ns` to 0.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <dlfcn.h>

#define THREADS_MAX 64
#define NAME_LEN    16

typedef struct {
    char name[NAME_LEN]; /* of the thread */
    uint64_t turns;
    uint64_t longest_ns;
} record_t;

#define TURNS_SIZE (THREADS_MAX * sizeof(record_t))

typedef int wait_fn_t(int, struct epoll_event *, int, int);

static wait_fn_t *real_wait;
static record_t *records;
static atomic_uint record_count;
static _Thread_local record_t *mine;
static _Thread_local uint64_t begin_ns; /* of the turn; 0: none yet */

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

__attribute__((constructor)) static void start(void)
{
    union { /* ISO C has no cast from one to the other */
        void *symbol;
        wait_fn_t *function;
    } found = {.symbol = dlsym(RTLD_NEXT, "epoll_wait")};
    const char *path = getenv("HOIST_TURNS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;

    real_wait = found.function;
    if (fd >= 0) {
        void *map =
            mmap(NULL, TURNS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        records = map != MAP_FAILED ? map : NULL;
        close(fd);
    }
}

static void note_turn(void)
{
    uint64_t took_ns = cpu_ns() - begin_ns;

    if (mine == NULL) {
        unsigned at = atomic_fetch_add(&record_count, 1);
        mine = &records[at < THREADS_MAX ? at : THREADS_MAX - 1];
        prctl(PR_GET_NAME, mine->name);
    }
    mine->turns++;
    if (took_ns > mine->longest_ns) {
        mine->longest_ns = took_ns;
    }
}

/* Named so for the linker only: the C library's header has names of its own. */
__attribute__((visibility("default"))) int
turns_wait(int epoll, struct epoll_event *events, int max,
           int timeout) __asm__("epoll_wait");

int turns_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    if (records != NULL && begin_ns > 0) {
        note_turn();
    }
    int count = real_wait(epoll, events, max, timeout);
    begin_ns = cpu_ns();
    return count;
}
