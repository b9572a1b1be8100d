/* SPDX-License-Identifier: MIT */
#include "tests/simulation/asks.h"

#include "base/xalloc.h"
#include "manage/calls.h"
#include "tests/simulation/cast.h"
#include "tests/simulation/truth.h"
#include "tests/simulation/world.h"

#include <stdlib.h>
#include <string.h>

#define HEARERS   32    /* of one cast */
#define MARGIN_MS 200   /* of turns and ticks */
#define ENDED_MS  2000  /* in peace everybody knows of an end by then */
#define LINGER_MS 15000 /* that a gateway may not notice who left, at most */
#define SPEAKERS                                                               \
    UINT32_C(0x80000000) /* managers, among those who are heard                \
                          */

typedef struct {
    ask_verb_t verb;
    uint32_t manager;
    uint32_t attempt; /* 0: a cast */
    char name[8];     /* of a cast */
    size_t broker;
    int64_t asked_ms, due_ms, told_ms;
    asks_answer_t answer; /* status 0: none yet */
    bool is_orphan;       /* nor will there be one */
    bool is_peace, was_open, was_ended;
    uint32_t hearers[HEARERS]; /* attempts */
    uint32_t owed[HEARERS];    /* in peace */
    size_t heard, owed_count;
} ask_t;

static struct {
    ask_t *table; /* owned */
    uint32_t count, capacity;
    uint32_t open; /* before it all have answers */
    bool is_peace;
    asks_counts_t counts;
} asks;

void asks_begin(void)
{
    asks.count = asks.open = 0;
    asks.is_peace = false;
    asks.counts = (asks_counts_t){0};
}

void asks_end(void)
{
    free(asks.table);
    memset(&asks, 0, sizeof asks);
}

asks_counts_t asks_counts(void)
{
    return asks.counts;
}

void asks_peace(bool is_peace)
{
    asks.is_peace = is_peace;
}

/* --- asked --------------------------------------------------------------- */

static ask_t *ask_of(uint32_t number)
{
    must(number > 0 && number <= asks.count);
    return &asks.table[number - 1];
}

static ask_t *ask_new(ask_verb_t verb, uint32_t manager)
{
    if (asks.count == asks.capacity) {
        asks.capacity = asks.capacity * 2 + 256;
        asks.table = realloc(asks.table, asks.capacity * sizeof *asks.table);
        must(asks.table != NULL);
    }
    ask_t *ask = &asks.table[asks.count++];
    *ask = (ask_t){.verb = verb,
                   .manager = manager,
                   .asked_ms = world_now_ms(),
                   .due_ms = world_now_ms() + CALLS_ANSWER_MS + MARGIN_MS,
                   .is_peace = asks.is_peace};
    asks.counts.asked++;
    return ask;
}

uint32_t asks_about(ask_verb_t verb, uint32_t manager, uint32_t attempt)
{
    static const char *const words[] = {"post to", "", "get", "close"};
    ask_t *ask = ask_new(verb, manager);
    int64_t closed_ms = truth_closed_ms(attempt);

    ask->attempt = attempt;
    ask->was_open = truth_is_open(attempt);
    ask->was_ended = closed_ms > 0 && world_now_ms() - closed_ms >= ENDED_MS;
    if (verb == ASK_CLOSE) {
        truth_kicked(attempt);
    }
    world_trace("ask %u of manager %u: %s attempt %u", asks.count, manager,
                words[verb], attempt);
    return asks.count;
}

/* Whoever is open now, and stays so, is to hear what is for all. */
uint32_t asks_cast(uint32_t manager, const char *name)
{
    ask_t *ask = ask_new(ASK_CAST, manager);

    memcpy(ask->name, name, strnlen(name, sizeof ask->name - 1));
    world_trace("ask %u of manager %u: cast to %s", asks.count, manager, name);
    for (uint32_t i = 1; i <= truth_counts().attempts && ask->is_peace; i++) {
        if (strcmp(name, "all") == 0 && truth_is_open(i) &&
            ask->owed_count < HEARERS) {
            ask->owed[ask->owed_count++] = i;
        }
    }
    return asks.count;
}

void asks_sent(uint32_t number, size_t broker)
{
    ask_of(number)->broker = broker;
}

/* --- answered ------------------------------------------------------------ */

/* In peace there is one right answer, but for a spent push window, and for who
 * is about to be closed. */
static bool is_right(const ask_t *ask)
{
    unsigned status = ask->answer.status;
    bool is_busy = status == 429;

    if (ask->verb == ASK_CAST) {
        return status == 200 || is_busy;
    }
    if (ask->was_ended) {
        return status == 410 || (ask->verb == ASK_POST && is_busy);
    }
    if (ask->verb == ASK_CLOSE) {
        return status == 204 || status == 410; /* a handler closed it, too */
    }
    if (!ask->was_open || !truth_is_open(ask->attempt) ||
        truth_was_kicked(ask->attempt)) {
        return status == 200 || status == 410 || is_busy;
    }
    return status == 200 || (ask->verb == ASK_POST && is_busy);
}

/* Those that a gateway may have had for open at some time meanwhile. */
static uint64_t count_standing(const ask_t *ask)
{
    uint64_t count = 0;

    for (uint32_t i = 1; i <= truth_counts().attempts; i++) {
        int64_t closed_ms = truth_closed_ms(i);
        count += closed_ms == 0 || closed_ms >= ask->asked_ms - LINGER_MS;
    }
    return count;
}

static void count_answer(unsigned status)
{
    asks.counts.done += status == 200 || status == 204;
    asks.counts.gone += status == 410;
    asks.counts.failed += status != 200 && status != 204 && status != 410;
}

void asks_told(uint32_t number, const asks_answer_t *answer)
{
    ask_t *ask = ask_of(number);

    world_trace("ask %u is answered %u", number, answer->status);
    if (ask->answer.status != 0 || ask->is_orphan) {
        world_broken("ask %u is answered a second time", number);
    }
    ask->answer = *answer;
    ask->told_ms = world_now_ms();
    count_answer(answer->status);
    if (ask->is_peace && asks.is_peace && !is_right(ask)) {
        world_broken("ask %u is answered %u in peace", number, answer->status);
    }
    if (answer->delivered > 0 && answer->delivered > count_standing(ask)) {
        world_broken("ask %u is delivered to %llu, and %llu stand", number,
                     (unsigned long long)answer->delivered,
                     (unsigned long long)count_standing(ask));
    }
}

static bool is_waiting(const ask_t *ask)
{
    return ask->answer.status == 0 && !ask->is_orphan;
}

void asks_stopped(uint32_t manager, int64_t until_ms)
{
    for (uint32_t i = asks.open; i < asks.count; i++) {
        ask_t *ask = &asks.table[i];
        if (ask->manager == manager && is_waiting(ask) &&
            ask->due_ms < until_ms + MARGIN_MS) {
            ask->due_ms = until_ms + MARGIN_MS;
        }
    }
}

void asks_orphaned(uint32_t manager)
{
    for (uint32_t i = asks.open; i < asks.count; i++) {
        ask_t *ask = &asks.table[i];
        ask->is_orphan |= ask->manager == manager && is_waiting(ask);
    }
}

void asks_check_due(void)
{
    while (asks.open < asks.count && !is_waiting(&asks.table[asks.open])) {
        asks.open++;
    }
    for (uint32_t i = asks.open; i < asks.count; i++) {
        const ask_t *ask = &asks.table[i];
        if (is_waiting(ask) && world_now_ms() > ask->due_ms) {
            world_broken("ask %u waits for its answer in vain", i + 1);
        }
    }
}

/* --- heard --------------------------------------------------------------- */

static bool has_heard(const ask_t *ask, uint32_t attempt)
{
    for (size_t i = 0; i < ask->heard; i++) {
        if (ask->hearers[i] == attempt) {
            return true;
        }
    }
    return false;
}

/* What was put to the client before this was asked came before this, and if it
 * was closed before, this does not come. */
static void check_before(uint32_t attempt, uint32_t number)
{
    const ask_t *later = ask_of(number);

    for (uint32_t i = 0; i + 1 < number; i++) {
        const ask_t *ask = &asks.table[i];
        if (ask->attempt != attempt || ask->told_ms >= later->asked_ms) {
            continue;
        }
        if (ask->verb == ASK_POST && ask->answer.status == 200 &&
            !has_heard(ask, attempt)) {
            world_broken("attempt %u hears ask %u before %u", attempt, number,
                         i + 1);
        }
        if (ask->answer.status == 410 && ask->was_open &&
            !truth_was_given_up(attempt)) {
            world_broken("attempt %u hears ask %u, and was gone in %u", attempt,
                         number, i + 1);
        }
        if (ask->verb == ASK_CLOSE && ask->answer.status == 204) {
            world_broken("attempt %u hears ask %u, and ask %u closed it",
                         attempt, number, i + 1);
        }
    }
}

void asks_heard(uint32_t attempt, uint32_t number, bool is_cast)
{
    ask_t *ask = ask_of(number);

    must(is_cast == (ask->verb == ASK_CAST));
    asks.counts.heard++;
    if (!is_cast && ask->attempt != attempt) {
        world_broken("attempt %u hears ask %u, which is for attempt %u",
                     attempt, number, ask->attempt);
    }
    if (is_cast) {
        truth_check_name(ask->name, attempt);
    }
    if (has_heard(ask, attempt)) {
        world_broken("attempt %u hears ask %u a second time", attempt, number);
    }
    must(ask->heard < HEARERS);
    ask->hearers[ask->heard++] = attempt;
    check_before(attempt, number);
    truth_heard(attempt,
                SPEAKERS + ask->manager * BROKERS_MAX + (uint32_t)ask->broker,
                number);
}

/* --- the end ------------------------------------------------------------- */

/* Those that it may have been delivered to without hearing it: they left, or
 * were not let in. */
static uint64_t count_deaf(const ask_t *ask)
{
    uint64_t count = 0;

    for (uint32_t i = 1; i <= truth_counts().attempts; i++) {
        int64_t closed_ms = truth_closed_ms(i);
        bool has_left = closed_ms > 0 && closed_ms >= ask->asked_ms - LINGER_MS;
        count += !has_heard(ask, i) && !truth_is_open(i) &&
                 (closed_ms == 0 || has_left);
    }
    return count;
}

static void check_counts(const ask_t *ask, uint32_t number)
{
    const asks_answer_t *answer = &ask->answer;

    if (answer->gone == 0 && ask->heard > answer->delivered) {
        world_broken("ask %u was delivered to %llu, and %zu heard it", number,
                     (unsigned long long)answer->delivered, ask->heard);
    }
    if (answer->delivered > ask->heard + count_deaf(ask)) {
        world_broken("ask %u was delivered to %llu, and only %zu heard it",
                     number, (unsigned long long)answer->delivered, ask->heard);
    }
    for (size_t i = 0; i < ask->owed_count; i++) {
        if (truth_is_open(ask->owed[i]) && !has_heard(ask, ask->owed[i])) {
            world_broken("attempt %u misses ask %u", ask->owed[i], number);
        }
    }
}

static void check_ask(const ask_t *ask, uint32_t number)
{
    unsigned status = ask->answer.status;
    bool is_open = ask->attempt > 0 && truth_is_open(ask->attempt);

    if (is_waiting(ask)) {
        world_broken("ask %u has no answer", number);
    }
    if (ask->verb == ASK_POST && status == 200 && is_open && ask->heard == 0) {
        world_broken("attempt %u misses ask %u", ask->attempt, number);
    }
    if (ask->verb == ASK_CLOSE && status == 204 && is_open) {
        world_broken("attempt %u stands, and ask %u closed it", ask->attempt,
                     number);
    }
    if (ask->verb == ASK_CAST && status == 200) {
        check_counts(ask, number);
    }
}

void asks_check_heard(void)
{
    for (uint32_t i = 0; i < asks.count; i++) {
        check_ask(&asks.table[i], i + 1);
    }
}
