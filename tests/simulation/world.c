/* SPDX-License-Identifier: MIT */
#include "tests/simulation/world.h"

#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGAN_MS  INT64_C(1767225600000) /* Unix time when the world begins */
#define TRACE_MAX ((size_t)64 << 20) /* bytes; a run that needs more is cut */
#define LINE_MAX_ 1024

typedef struct {
    int64_t due_ms;
    uint64_t order; /* among those of the same moment */
    world_fn *fn;
    void *subject;
    uint32_t life;
} happening_t;

static struct {
    int64_t now_ms;
    uint64_t random;
    happening_t *heap; /* owned; the earliest first */
    size_t count, capacity;
    char *trace; /* owned */
    size_t trace_len, trace_capacity;
    bool is_broken;
} world;

void world_begin(uint64_t seed)
{
    world.now_ms = 0;
    world.random = seed;
    world.count = 0;
    world.trace_len = 0;
    world.is_broken = false;
}

void world_end(void)
{
    free(world.heap);
    free(world.trace);
    memset(&world, 0, sizeof world);
}

int64_t world_now_ms(void)
{
    return world.now_ms;
}

int64_t world_wall_ms(void)
{
    return BEGAN_MS + world.now_ms;
}

/* --- chance -------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014). */
static uint64_t next_random(void)
{
    uint64_t z = (world.random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t world_below(uint64_t limit)
{
    return next_random() % limit;
}

int64_t world_between(int64_t min, int64_t max)
{
    return min + (int64_t)world_below((uint64_t)(max - min) + 1);
}

bool world_chance(unsigned times)
{
    return times > 0 && world_below(times) == 0;
}

void rand_bytes(void *bytes, size_t len)
{
    uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)next_random();
    }
}

uint32_t rand_u32(void)
{
    return (uint32_t)next_random();
}

/* --- what is going to happen --------------------------------------------- */

static bool is_before(const happening_t *a, const happening_t *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void swap(size_t a, size_t b)
{
    happening_t held = world.heap[a];

    world.heap[a] = world.heap[b];
    world.heap[b] = held;
}

void world_after(int64_t delay_ms, world_fn *fn, void *subject, uint32_t life)
{
    if (world.count == world.capacity) {
        world.capacity = world.capacity == 0 ? 1024 : world.capacity * 2;
        world.heap = realloc(world.heap, world.capacity * sizeof(happening_t));
        must(world.heap != NULL);
    }
    size_t at = world.count++;
    world.heap[at] = (happening_t){.due_ms = world.now_ms + delay_ms,
                                   .order = next_random(),
                                   .fn = fn,
                                   .subject = subject,
                                   .life = life};
    while (at > 0 && is_before(&world.heap[at], &world.heap[(at - 1) / 2])) {
        swap(at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void take_first(happening_t *first)
{
    size_t at = 0;

    *first = world.heap[0];
    world.heap[0] = world.heap[--world.count];
    for (;;) {
        size_t least = at, left = 2 * at + 1;
        for (size_t child = left; child < left + 2; child++) {
            if (child < world.count &&
                is_before(&world.heap[child], &world.heap[least])) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        swap(at, least);
        at = least;
    }
}

void world_run_until(int64_t time_ms)
{
    while (!world.is_broken && world.count > 0 &&
           world.heap[0].due_ms <= time_ms) {
        happening_t next;
        take_first(&next);
        world.now_ms = next.due_ms;
        next.fn(next.subject, next.life);
    }
    world.now_ms = time_ms;
}

/* --- the trace ----------------------------------------------------------- */

static void append(const char *text, size_t len)
{
    if (world.trace_len + len + 1 > world.trace_capacity) {
        size_t capacity = (world.trace_len + len + 1) * 2;
        if (capacity > TRACE_MAX) {
            return;
        }
        world.trace = realloc(world.trace, capacity);
        must(world.trace != NULL);
        world.trace_capacity = capacity;
    }
    memcpy(world.trace + world.trace_len, text, len);
    world.trace_len += len;
    world.trace[world.trace_len] = '\0';
}

static void __attribute__((format(printf, 2, 0)))
trace_line(const char *mark, const char *format, va_list args)
{
    char line[LINE_MAX_];
    int len = snprintf(line, sizeof line, "%9.3f %s",
                       (double)world.now_ms / 1000, mark);

    len += vsnprintf(line + len, sizeof line - (size_t)len - 1, format, args);
    if ((size_t)len > sizeof line - 2) {
        len = (int)sizeof line - 2;
    }
    line[len++] = '\n';
    append(line, (size_t)len);
}

void world_trace(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    trace_line("", format, args);
    va_end(args);
}

void world_broken(const char *format, ...)
{
    va_list args;

    world.is_broken = true;
    va_start(args, format);
    trace_line("BROKEN: ", format, args);
    va_end(args);
}

bool world_is_broken(void)
{
    return world.is_broken;
}

const char *world_trace_text(void)
{
    return world.trace_len > 0 ? world.trace : "";
}

/* --- the log ------------------------------------------------------------- */

void log_set_level(log_level_t level)
{
    (void)level;
}

void log_line(log_level_t level, const char *event, const char *format, ...)
{
    char what[LINE_MAX_ / 2];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    world_trace("%s %s", event, what);
    if (level == LEVEL_ERROR) {
        world_broken("an error was logged: %s %s", event, what);
    }
}

bool log_brake_pass(log_brake_t *self, log_level_t level, uint32_t *suppressed)
{
    (void)self;
    (void)level;
    *suppressed = 0;
    return true;
}

bool log_brake_pass_from(log_brake_t *self, const char *from, log_level_t level,
                         uint32_t *suppressed)
{
    (void)from;
    return log_brake_pass(self, level, suppressed);
}
