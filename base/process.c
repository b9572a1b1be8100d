/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include "base/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sys/resource.h>
#include <unistd.h>

#include <dirent.h>

#define SAMPLE_MAX 64

/* Returns the bytes read, with a NUL behind them; 0 when there is nothing. */
static size_t read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t len = file == NULL ? 0 : fread(text, 1, size - 1, file);

    if (file != NULL) {
        fclose(file);
    }
    text[len] = '\0';
    return len;
}

static void put_seconds(char sample[SAMPLE_MAX], double seconds)
{
    snprintf(sample, SAMPLE_MAX, " %.2f", seconds);
}

static void put_count(char sample[SAMPLE_MAX], uint64_t count)
{
    snprintf(sample, SAMPLE_MAX, " %" PRIu64, count);
}

/* --- each returns whether the system told ------------------------------- */

static bool cpu_seconds(char sample[SAMPLE_MAX])
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) < 0) {
        return false;
    }
    const struct timeval *user = &usage.ru_utime, *system = &usage.ru_stime;
    put_seconds(sample, (double)(user->tv_sec + system->tv_sec) +
                            (double)(user->tv_usec + system->tv_usec) / 1e6);
    return true;
}

/* /proc/self/statm: pages in all, and those that are resident. */
static bool pages(char sample[SAMPLE_MAX], bool is_resident)
{
    char text[128];
    unsigned long long all, resident;

    if (read_text("/proc/self/statm", text, sizeof text) == 0 ||
        sscanf(text, "%llu %llu", &all, &resident) != 2) {
        return false;
    }
    put_count(sample,
              (is_resident ? resident : all) * (uint64_t)sysconf(_SC_PAGESIZE));
    return true;
}

static bool resident_bytes(char sample[SAMPLE_MAX])
{
    return pages(sample, true);
}

static bool virtual_bytes(char sample[SAMPLE_MAX])
{
    return pages(sample, false);
}

static bool open_fds(char sample[SAMPLE_MAX])
{
    DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (directory == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    put_count(sample, count - 1); /* without the directory's own */
    return true;
}

static bool max_fds(char sample[SAMPLE_MAX])
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return false;
    }
    put_count(sample, limit.rlim_cur);
    return true;
}

/* Field 22 of /proc/self/stat: clock ticks from the system's start to ours.
 * The second field, a name in parentheses, may hold anything. */
static bool start_ticks(unsigned long long *ticks)
{
    char text[1024];
    const char *at = read_text("/proc/self/stat", text, sizeof text) > 0
                         ? strrchr(text, ')')
                         : NULL;

    for (int field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at != NULL && sscanf(at, " %llu", ticks) == 1;
}

static bool system_start(double *seconds)
{
    FILE *file = fopen("/proc/stat", "re");
    char line[256];
    unsigned long long since = 0;

    while (since == 0 && file != NULL && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "btime %llu", &since);
    }
    if (file != NULL) {
        fclose(file);
    }
    *seconds = (double)since;
    return since != 0;
}

static bool start_seconds(char sample[SAMPLE_MAX])
{
    unsigned long long ticks;
    double system;

    if (!start_ticks(&ticks) || !system_start(&system)) {
        return false;
    }
    put_seconds(sample, system + (double)ticks / (double)sysconf(_SC_CLK_TCK));
    return true;
}

static bool threads(char sample[SAMPLE_MAX])
{
    char text[4096];
    const char *at = read_text("/proc/self/status", text, sizeof text) > 0
                         ? strstr(text, "\nThreads:")
                         : NULL;
    unsigned long long count;

    if (at == NULL || sscanf(at, "\nThreads: %llu", &count) != 1) {
        return false;
    }
    put_count(sample, count);
    return true;
}

static bool build(char sample[SAMPLE_MAX])
{
    snprintf(sample, SAMPLE_MAX, "{version=\"%s\"} 1", HOIST_VERSION);
    return true;
}

/* docs/metrics.md has the same table. */
static const struct {
    const char *name, *kind, *help;
    bool (*tell)(char sample[SAMPLE_MAX]);
} table[] = {
    {"process_cpu_seconds_total", "counter",
     "seconds: processor time, of the user and the system", cpu_seconds},
    {"process_resident_memory_bytes", "gauge", "bytes: memory that is resident",
     resident_bytes},
    {"process_virtual_memory_bytes", "gauge", "bytes: address space",
     virtual_bytes},
    {"process_open_fds", "gauge", "descriptors: open", open_fds},
    {"process_max_fds", "gauge", "descriptors: that may be open", max_fds},
    {"process_threads", "gauge", "threads: of the process", threads},
    {"process_start_time_seconds", "gauge",
     "seconds: of the start, since 1970-01-01 UTC", start_seconds},
    {"hoist_build_info", "gauge", "1: with the version as its label", build},
};

#define METRICS (sizeof table / sizeof *table)

bool process_tells(const char *name)
{
    for (size_t i = 0; i < METRICS; i++) {
        if (strcmp(name, table[i].name) == 0) {
            return true;
        }
    }
    return false;
}

int process_metrics(buf_t *out)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < METRICS; i++) {
        char sample[SAMPLE_MAX];
        if (table[i].tell(sample)) {
            rc = metrics_put_family(out, table[i].name, table[i].kind,
                                    table[i].help, sample);
        }
    }
    return rc;
}
