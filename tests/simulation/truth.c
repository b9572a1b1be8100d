/* SPDX-License-Identifier: MIT */
#include "tests/simulation/truth.h"

#include "base/xalloc.h"
#include "tests/simulation/world.h"

#include <stdlib.h>
#include <string.h>

#define SPEAKERS  16   /* starts of workers that one client can tell apart */
#define NOTED     2048 /* messages of a client whose answers are told apart */
#define CRIES     8192 /* of a probe that are looked at */
#define HEARERS   16   /* of one */
#define STEADY_MS 500  /* longer than any message travels in peace */
#define LOOSE     16   /* workers that have loose messages of one actor */
#define LOSSES    16   /* of workers that are counted at once */
#define UNSEEN_MS 4000 /* longer than a broker stands still and sees none */

typedef struct {
    bool is_open, was_open;
    int64_t closed_ms; /* 0: it was not */
    uint32_t sent, outcomes;
    uint32_t handled; /* behind the last message that a handler began */
    uint32_t said, heard_words; /* since truth_probe … */
    bool is_kicked;
    bool is_probed;
    uint32_t first;                /* … the number of its first message */
    uint32_t come;                 /* … as which of all first ones it came */
    uint32_t worker;               /* … and the worker that began it */
    uint64_t answered[NOTED / 64]; /* bits: which messages have an answer */
    uint32_t sent_ms[NOTED];       /* when */
    uint32_t next;        /* behind the last message that was answered */
    bool is_loose;        /* its answers come in any order */
    bool was_redelivered; /* its errors may come before its answers */
    struct {
        uint32_t worker, sequence;
    } heard[SPEAKERS];
    struct {
        bool was_in; /* at any time */
        bool is_known, is_in;
        int64_t since_ms;
    } groups[TRUTH_GROUPS];
} attempt_t;

/* A push to a name, in a probe. */
typedef struct {
    char name[8];
    uint32_t worker, sequence;
    uint32_t own; /* the attempt whose handler said it */
    uint32_t owed[HEARERS], denied[HEARERS]; /* attempts; 0: none */
} cry_t;

typedef struct {
    char id[CONN_ID_TEXT];
    uint32_t attempt;  /* 0: not known */
    uint32_t connects; /* handlers of CONNECT that began */
    uint64_t status;   /* that the last of them replied */
    bool is_unsure;    /* it replied in doubt: the broker may know it or not */
    int64_t last;      /* number of the last message seen; -1: none */
    bool is_running;
    place_t place; /* of the handler that runs or ran last */
    struct {
        uint32_t worker, running;
    } loose[LOOSE];       /* handlers without order, beside it */
    uint32_t disconnects; /* handlers of DISCONNECT that replied */
    bool was_told;        /* a handler of DISCONNECT replied, doubtful or not */
    bool is_torn;         /* it may be at two brokers */
    bool is_owed;         /* only its broker's memory knows of its end */
    bool was_forgotten;   /* and that broker died */
    bool is_orphan;       /* its gateway has died */
    uint32_t broker_crashes; /* when it was first seen */
    uint32_t end_crashes;    /* when its last DISCONNECT began */
    uint32_t in, maybe_in;   /* groups that handlers of $presence believe it in,
                                in bits: surely, or perhaps */
    uint32_t joined, left;   /* of the last PRESENCE */
} actor_t;

#define TORN_MAX 256 /* loops */

typedef struct {
    uint32_t table[TORN_MAX];
    size_t count;
} loops_t;

static struct {
    loops_t torn, unheard;
    attempt_t *attempts; /* owned */
    uint32_t attempt_count, attempt_capacity;
    actor_t *actors; /* owned */
    uint32_t actor_count, actor_capacity;
    uint32_t broker_crashes, gateway_crashes;
    store_trust_t store;
    uint32_t comers;
    int64_t losses[LOSSES]; /* until when each may concern a message */
    bool is_peace, has_resets;
    cry_t *cries; /* owned */
    size_t cry_count;
    truth_counts_t counts;
} truth;

void truth_begin(void)
{
    truth.torn.count = truth.unheard.count = 0;
    truth.attempt_count = 0;
    truth.actor_count = 0;
    truth.broker_crashes = 0;
    truth.gateway_crashes = 0;
    truth.comers = 0;
    truth.cry_count = 0;
    memset(truth.losses, 0, sizeof truth.losses);
    truth.is_peace = truth.has_resets = false;
    truth.counts = (truth_counts_t){0};
}

void truth_end(void)
{
    free(truth.attempts);
    free(truth.actors);
    free(truth.cries);
    memset(&truth, 0, sizeof truth);
}

truth_counts_t truth_counts(void)
{
    return truth.counts;
}

/* --- clients ------------------------------------------------------------- */

static attempt_t *attempt_of(uint32_t number)
{
    must(number > 0 && number <= truth.attempt_count);
    return &truth.attempts[number - 1];
}

uint32_t truth_attempt(void)
{
    if (truth.attempt_count == truth.attempt_capacity) {
        truth.attempt_capacity = truth.attempt_capacity * 2 + 64;
        truth.attempts = realloc(truth.attempts, truth.attempt_capacity *
                                                     sizeof *truth.attempts);
        must(truth.attempts != NULL);
    }
    truth.attempts[truth.attempt_count++] = (attempt_t){0};
    truth.counts.attempts++;
    return truth.attempt_count;
}

void truth_opened(uint32_t attempt)
{
    attempt_of(attempt)->is_open = true;
    attempt_of(attempt)->was_open = true;
    truth.counts.opened++;
}

void truth_closed(uint32_t attempt)
{
    attempt_of(attempt)->is_open = false;
    attempt_of(attempt)->closed_ms = world_now_ms();
}

bool truth_is_open(uint32_t attempt)
{
    return attempt_of(attempt)->is_open;
}

int64_t truth_closed_ms(uint32_t attempt)
{
    return attempt_of(attempt)->closed_ms;
}

bool truth_was_kicked(uint32_t attempt)
{
    return attempt_of(attempt)->is_kicked;
}

/* --- connections --------------------------------------------------------- */

static uint32_t loop_of(const char conn[CONN_ID_TEXT])
{
    conn_id_t id;

    must(conn_id_parse((const uint8_t *)conn, CONN_ID_TEXT, &id) == 0);
    return id.loop;
}

static bool is_of(const loops_t *loops, uint32_t loop)
{
    for (size_t i = 0; i < loops->count; i++) {
        if (loops->table[i] == loop) {
            return true;
        }
    }
    return false;
}

static void add_loop(loops_t *loops, uint32_t loop)
{
    if (!is_of(loops, loop)) {
        must(loops->count < TORN_MAX);
        loops->table[loops->count++] = loop;
    }
}

/* NULL: no handler has told of its connection. */
static const actor_t *find_actor(uint32_t attempt)
{
    for (uint32_t i = truth.actor_count; i > 0; i--) {
        if (truth.actors[i - 1].attempt == attempt) {
            return &truth.actors[i - 1];
        }
    }
    return NULL;
}

bool truth_was_given_up(uint32_t attempt)
{
    const actor_t *actor = find_actor(attempt);

    return actor != NULL && (actor->was_told || actor->is_torn ||
                             is_of(&truth.unheard, loop_of(actor->id)));
}

bool truth_conn(uint32_t attempt, char conn[CONN_ID_TEXT])
{
    const actor_t *actor = find_actor(attempt);

    if (actor != NULL) {
        memcpy(conn, actor->id, CONN_ID_TEXT);
    }
    return actor != NULL;
}

uint32_t truth_sent(uint32_t attempt, bool is_loose)
{
    attempt_t *self = attempt_of(attempt);

    truth.counts.sent++;
    self->is_loose |= is_loose;
    if (self->sent < NOTED) {
        self->sent_ms[self->sent] = (uint32_t)world_now_ms();
    }
    return self->sent++;
}

uint32_t truth_open_messages(uint32_t attempt)
{
    const attempt_t *self = attempt_of(attempt);
    return self->sent - self->outcomes;
}

static void count_outcome(uint32_t attempt)
{
    attempt_t *self = attempt_of(attempt);

    self->outcomes++;
    if (self->outcomes > self->sent) {
        world_broken("attempt %u has more outcomes than messages", attempt);
    }
}

void truth_answered(uint32_t attempt, uint32_t n)
{
    attempt_t *self = attempt_of(attempt);
    bool is_late =
        n < self->next || (n != self->outcomes && !self->was_redelivered);

    if (is_late && !self->is_loose) {
        world_broken("attempt %u: answer to message %u, but %u is next",
                     attempt, n, self->outcomes);
    }
    if (n < NOTED && (self->answered[n / 64] >> n % 64 & 1) != 0) {
        world_broken("attempt %u: a second answer to message %u", attempt, n);
    }
    if (n < NOTED) {
        self->answered[n / 64] |= UINT64_C(1) << n % 64;
    }
    self->next = n + 1;
    truth.counts.answered++;
    count_outcome(attempt);
}

void truth_failed(uint32_t attempt)
{
    truth.counts.failed++;
    count_outcome(attempt);
}

void truth_said(uint32_t attempt)
{
    attempt_of(attempt)->said++;
}

void truth_kicked(uint32_t attempt)
{
    attempt_of(attempt)->is_kicked = true;
}

void truth_heard_own(uint32_t attempt)
{
    attempt_of(attempt)->heard_words++;
}

void truth_heard(uint32_t attempt, uint32_t worker, uint32_t sequence)
{
    attempt_t *self = attempt_of(attempt);

    for (size_t i = 0; i < SPEAKERS; i++) {
        if (self->heard[i].worker == worker &&
            self->heard[i].sequence >= sequence) {
            world_broken("attempt %u hears word %u of worker %u after %u",
                         attempt, sequence, worker, self->heard[i].sequence);
        }
        if (self->heard[i].worker == worker || self->heard[i].worker == 0) {
            self->heard[i].worker = worker;
            self->heard[i].sequence = sequence;
            return;
        }
    }
}

/* --- groups -------------------------------------------------------------- */

/* The group of that name, or -1: it is none. */
static int group_in(const char *name)
{
    return name[0] == 'g' ? atoi(name + 1) : -1;
}

static void strike_out(uint32_t attempts[HEARERS], uint32_t attempt)
{
    for (size_t i = 0; i < HEARERS; i++) {
        if (attempts[i] == attempt) {
            attempts[i] = 0;
        }
    }
}

static void note_down(uint32_t attempts[HEARERS], uint32_t attempt)
{
    for (size_t i = 0; i < HEARERS; i++) {
        if (attempts[i] == 0) {
            attempts[i] = attempt;
            return;
        }
    }
}

static bool is_among(const uint32_t attempts[HEARERS], uint32_t attempt)
{
    for (size_t i = 0; i < HEARERS; i++) {
        if (attempts[i] == attempt) {
            return true;
        }
    }
    return false;
}

/* What others said just before may come first, or may not.  (What its own
 * handlers said came before.) */
static void let_off(uint32_t attempt, uint32_t group)
{
    for (size_t i = 0; i < truth.cry_count; i++) {
        cry_t *cry = &truth.cries[i];
        if (cry->own != attempt && group_in(cry->name) == (int)group) {
            strike_out(cry->owed, attempt);
            strike_out(cry->denied, attempt);
        }
    }
}

void truth_joined(uint32_t attempt, uint32_t group, bool is_in)
{
    attempt_t *self = attempt_of(attempt);

    world_trace("attempt %u %s g%u", attempt, is_in ? "joins" : "leaves",
                group);
    self->groups[group].was_in |= is_in;
    if (!self->groups[group].is_known || self->groups[group].is_in != is_in) {
        self->groups[group].since_ms = world_now_ms();
        let_off(attempt, group);
    }
    self->groups[group].is_known = true;
    self->groups[group].is_in = is_in;
}

static bool is_owed(const attempt_t *self, int group, bool is_own)
{
    return group < 0
               ? is_own
               : self->groups[group].is_known && self->groups[group].is_in &&
                     (is_own || world_now_ms() >=
                                    self->groups[group].since_ms + STEADY_MS);
}

static bool is_denied(const attempt_t *self, int group, bool is_own)
{
    return group >= 0 && self->groups[group].is_known &&
           !self->groups[group].is_in &&
           (is_own ||
            world_now_ms() >= self->groups[group].since_ms + STEADY_MS);
}

/* Of others nothing is known of who joined or left just before, nor of who
 * does so just behind: see let_off. */
static void judge(cry_t *cry, uint32_t attempt, bool is_open)
{
    const attempt_t *self = attempt_of(attempt);
    int group = group_in(cry->name);
    bool is_own = attempt == cry->own;

    if (is_owed(self, group, is_own) && (is_open || group >= 0)) {
        note_down(cry->owed, attempt);
        truth.counts.owed++;
    } else if (is_denied(self, group, is_own)) {
        note_down(cry->denied, attempt);
    }
}

void truth_cried(const char *name, uint32_t attempt, bool is_open,
                 uint32_t worker, uint32_t sequence)
{
    truth.counts.cries++;
    if (!truth.is_peace || truth_is_torn() || truth.cry_count == CRIES) {
        return;
    }
    if (truth.cries == NULL) {
        truth.cries = xcalloc(CRIES, sizeof *truth.cries);
    }
    cry_t *cry = &truth.cries[truth.cry_count++];
    *cry = (cry_t){.worker = worker, .sequence = sequence, .own = attempt};
    memcpy(cry->name, name, strnlen(name, sizeof cry->name - 1));
    judge(cry, attempt, is_open);
    for (uint32_t i = 1; i <= truth.attempt_count; i++) {
        if (i != attempt && attempt_of(i)->is_open) {
            judge(cry, i, true);
        }
    }
}

void truth_check_name(const char *name, uint32_t attempt)
{
    int group = group_in(name);

    if (group >= 0 && !attempt_of(attempt)->groups[group].was_in) {
        world_broken("attempt %u hears what is for %s, and never was in it",
                     attempt, name);
    }
    if (name[0] == 'u' && (uint32_t)atoi(name + 1) != attempt % TRUTH_USERS) {
        world_broken("attempt %u hears what is for user %s", attempt, name);
    }
}

void truth_heard_cry(const char *name, uint32_t attempt, uint32_t worker,
                     uint32_t sequence)
{
    truth.counts.cries_heard++;
    truth_check_name(name, attempt);
    truth_heard(attempt, worker, sequence);
    for (size_t i = 0; i < truth.cry_count; i++) {
        cry_t *cry = &truth.cries[i];
        if (cry->worker == worker && cry->sequence == sequence) {
            strike_out(cry->owed, attempt);
            if (is_among(cry->denied, attempt)) {
                world_broken("attempt %u hears what is for %s, and is not in "
                             "it",
                             attempt, name);
            }
        }
    }
}

static void check_cries(uint32_t attempt)
{
    for (size_t i = 0; i < truth.cry_count; i++) {
        if (is_among(truth.cries[i].owed, attempt)) {
            world_broken("attempt %u misses word %u of worker %u for %s",
                         attempt, truth.cries[i].sequence,
                         truth.cries[i].worker, truth.cries[i].name);
        }
    }
}

/* --- handlers ------------------------------------------------------------ */

static void trace(const char conn[CONN_ID_TEXT], event_t event,
                  const char *what, uint64_t number, place_t place)
{
    static const char *const names[] = {"", "CONNECT", "MESSAGE", "DISCONNECT",
                                        "PRESENCE"};

    world_trace("%.16s: worker %u%s %s %s %llu", conn, place.worker,
                place.is_doubtful ? " (in doubt)" : "", what, names[event],
                (unsigned long long)number);
}

static actor_t *actor_of(const char conn[CONN_ID_TEXT])
{
    for (uint32_t i = truth.actor_count; i > 0; i--) {
        if (memcmp(truth.actors[i - 1].id, conn, CONN_ID_TEXT) == 0) {
            return &truth.actors[i - 1];
        }
    }
    if (truth.actor_count == truth.actor_capacity) {
        truth.actor_capacity = truth.actor_capacity * 2 + 64;
        truth.actors =
            realloc(truth.actors, truth.actor_capacity * sizeof(actor_t));
        must(truth.actors != NULL);
    }
    actor_t *actor = &truth.actors[truth.actor_count++];
    *actor = (actor_t){.last = -1,
                       .broker_crashes = truth.broker_crashes,
                       .is_torn = is_of(&truth.torn, loop_of(conn))};
    memcpy(actor->id, conn, CONN_ID_TEXT);
    return actor;
}

static bool is_accepted(const actor_t *actor)
{
    return actor->connects == 0 ||
           (actor->status >= 200 && actor->status <= 299);
}

/* Did the broker know that the handler before was over, or will never be? */
static bool was_over(const actor_t *actor)
{
    return !actor->is_running || actor->place.is_doubtful;
}

static void begin_connect(actor_t *actor)
{
    if (actor->connects++ > 0 || actor->last >= 0 || actor->disconnects > 0) {
        world_broken("%.16s: CONNECT is not the first event", actor->id);
    }
    truth.counts.connects++;
}

static void note_begun(attempt_t *self, uint32_t n, uint32_t worker)
{
    if (n >= self->handled) {
        self->handled = n + 1;
    }
    if (self->is_probed && n == self->first) {
        self->worker = worker;
    }
}

/* How many handlers without order run at this worker. */
static uint32_t *loose_at(actor_t *actor, uint32_t worker)
{
    size_t unused = LOOSE;

    for (size_t i = 0; i < LOOSE; i++) {
        if (actor->loose[i].running == 0) {
            unused = i;
        } else if (actor->loose[i].worker == worker) {
            return &actor->loose[i].running;
        }
    }
    must(unused < LOOSE); /* there are not that many workers */
    actor->loose[unused].worker = worker;
    return &actor->loose[unused].running;
}

static uint32_t count_loose(const actor_t *actor)
{
    uint32_t running = 0;

    for (size_t i = 0; i < LOOSE; i++) {
        running += actor->loose[i].running;
    }
    return running;
}

/* What is given again was at a worker whose word of the end was lost, too: that
 * must come again, behind this. */
static void forget_end(actor_t *actor, const place_t *place)
{
    if (place->delivery > 1 && actor->place.is_doubtful && !actor->is_torn) {
        actor->disconnects = 0;
        actor->was_told = false;
    }
}

static void begin_message(actor_t *actor, uint32_t n, const place_t *place)
{
    uint64_t delivery = place->delivery;

    if ((int64_t)n <= actor->last && delivery <= 1 && !place->is_loose &&
        !actor->is_torn) {
        world_broken("%.16s: message %u after %lld", actor->id, n,
                     (long long)actor->last);
    }
    if (!place->is_loose) {
        actor->last = n;
    }
    if (actor->attempt > 0) {
        note_begun(attempt_of(actor->attempt), n, place->worker);
    }
    forget_end(actor, place);
    if (actor->disconnects > 0 && !actor->is_torn &&
        actor->end_crashes == truth.broker_crashes) {
        world_broken("%.16s: a message after DISCONNECT", actor->id);
    }
    if (!is_accepted(actor) && !actor->is_unsure) {
        world_broken("%.16s: a message before it was accepted", actor->id);
    }
    if (actor->attempt > 0 && n >= attempt_of(actor->attempt)->sent) {
        world_broken("%.16s: message %u was never sent", actor->id, n);
    }
}

/*
 * May handlers believe it in a group that it has left?  Where its broker lost
 * its memory, and its gateway did, too, or was missing for so long that its end
 * was found in the store: that knows no groups.  Or where it may have been at
 * two brokers.
 */
static bool may_miss_left(const actor_t *actor)
{
    return actor->is_torn || actor->was_forgotten ||
           (truth.store != STORE_NONE && actor->is_owed) ||
           (actor->broker_crashes != truth.broker_crashes &&
            (actor->is_orphan || truth.store != STORE_NONE));
}

/* It ends: the last PRESENCE has come. */
static void check_left(const actor_t *actor)
{
    if (actor->in != 0 && !may_miss_left(actor)) {
        world_broken("%.16s: it ends, and nobody was told that it left (%#x)",
                     actor->id, actor->in);
    }
}

static void begin_disconnect(actor_t *actor)
{
    bool was_acknowledged = actor->disconnects > 0 && !actor->is_torn &&
                            !actor->place.is_doubtful &&
                            actor->end_crashes == truth.broker_crashes;

    if (was_acknowledged) {
        world_broken("%.16s: a second DISCONNECT", actor->id);
    }
    if (actor->connects > 0 && actor->status != 0 && !is_accepted(actor)) {
        world_broken("%.16s: DISCONNECT of a refused connection", actor->id);
    }
    if (count_loose(actor) > 0 && !actor->is_torn) {
        world_broken("%.16s: DISCONNECT while %u messages are handled",
                     actor->id, count_loose(actor));
    }
    check_left(actor);
    actor->end_crashes = truth.broker_crashes;
}

static void begin_presence(actor_t *actor, const place_t *place)
{
    forget_end(actor, place);
    if (actor->disconnects > 0 && !actor->is_torn &&
        !actor->place.is_doubtful &&
        actor->end_crashes == truth.broker_crashes) {
        world_broken("%.16s: PRESENCE after DISCONNECT", actor->id);
    }
    if (!is_accepted(actor) && !actor->is_unsure) {
        world_broken("%.16s: PRESENCE before it was accepted", actor->id);
    }
}

static void begin_loose(actor_t *actor, uint32_t n, const place_t *place)
{
    truth.counts.loose++;
    begin_message(actor, n, place);
    ++*loose_at(actor, place->worker);
}

void truth_handler_begins(const char conn[CONN_ID_TEXT], event_t event,
                          uint32_t attempt, uint32_t n, place_t place)
{
    actor_t *actor = actor_of(conn);

    trace(conn, event, "begins", event == EVENT_CONNECT ? attempt : n, place);
    if (event == EVENT_MESSAGE && place.delivery > 1) {
        truth.counts.redelivered++;
        attempt_of(attempt)->was_redelivered = true;
    }
    if (place.is_doubtful) {
        return;
    }
    if (attempt > 0) {
        actor->attempt = attempt;
    }
    if (place.is_loose) {
        begin_loose(actor, n, &place);
        return;
    }
    if (!was_over(actor) && !actor->is_torn) {
        world_broken("%.16s: two handlers at once, at workers %u and %u", conn,
                     actor->place.worker, place.worker);
    }
    if (event == EVENT_CONNECT) {
        begin_connect(actor);
    } else if (event == EVENT_MESSAGE) {
        begin_message(actor, n, &place);
    } else if (event == EVENT_PRESENCE) {
        begin_presence(actor, &place);
    } else {
        begin_disconnect(actor);
    }
    actor->is_running = true;
    actor->place = place;
}

void truth_handler_ends(const char conn[CONN_ID_TEXT], event_t event,
                        uint64_t status, place_t place)
{
    actor_t *actor = actor_of(conn);

    trace(conn, event, "ends", status, place);
    actor->was_told |= event == EVENT_DISCONNECT && status != 0;
    if (place.is_doubtful) {
        actor->is_unsure |= event == EVENT_CONNECT;
        return;
    }
    if (place.is_loose) {
        uint32_t *running = loose_at(actor, place.worker);
        *running -= *running > 0;
        return;
    }
    if (actor->place.worker == place.worker) {
        actor->is_running = false;
        actor->place.is_doubtful |= status == 0;
    }
    if (event == EVENT_CONNECT) {
        actor->status = status;
    } else if (event == EVENT_DISCONNECT && status != 0) {
        actor->disconnects++;
        truth.counts.disconnects++;
    }
}

/* --- presence ------------------------------------------------------------ */

/* Joined and left take turns, but for what is told again as it was; and a
 * broker's own word names what a worker died with, whether it had read that or
 * not. */
static void check_turns(const actor_t *actor, uint32_t joined, uint32_t left,
                        bool is_made)
{
    bool is_again = joined == actor->joined && left == actor->left;
    bool is_odd = (joined & actor->in) != 0 ||
                  ((left & ~actor->maybe_in) != 0 && !is_made);

    if (is_odd && !is_again && !actor->is_torn &&
        actor->broker_crashes == truth.broker_crashes) {
        world_broken("%.16s: joined %#x and left %#x, and was in %#x",
                     actor->id, joined, left, actor->in);
    }
}

/* What a worker was told in doubt may be told again by another, or not. */
void truth_presence(const char conn[CONN_ID_TEXT], uint32_t joined,
                    uint32_t left, bool is_made, place_t place)
{
    actor_t *actor = actor_of(conn);

    world_trace("%.16s: joined %#x, left %#x", conn, joined, left);
    truth.counts.presences++;
    if (place.is_doubtful) {
        actor->in &= ~left;
        actor->maybe_in |= joined;
        return;
    }
    check_turns(actor, joined, left, is_made);
    actor->in = (actor->in | joined) & ~left;
    actor->maybe_in = (actor->maybe_in | joined) & ~left;
    actor->joined = joined;
    actor->left = left;
}

void truth_presence_gap(uint32_t loop)
{
    for (uint32_t i = 0; i < truth.actor_count; i++) {
        if (loop_of(truth.actors[i].id) == loop) {
            truth.actors[i].in = 0;
        }
    }
}

void truth_presence_lost(void)
{
    for (uint32_t i = 0; i < truth.actor_count; i++) {
        truth.actors[i].in = 0;
    }
}

void truth_present(const char conn[CONN_ID_TEXT], uint32_t groups)
{
    const actor_t *actor = actor_of(conn);

    truth.counts.present += groups != 0;
    if (actor->was_told) {
        return; /* its broker took it for dead, and forgot that it had */
    }
    if ((actor->in & ~groups) != 0 || (groups & ~actor->maybe_in) != 0) {
        world_broken("%.16s is in %#x, and handlers believe it in %#x (%#x)",
                     actor->id, groups, actor->in, actor->maybe_in);
    }
}

/* --- faults -------------------------------------------------------------- */

void truth_doubt_worker(uint32_t worker)
{
    for (uint32_t i = 0; i < truth.actor_count; i++) {
        if (truth.actors[i].place.worker == worker) {
            truth.actors[i].place.is_doubtful = true;
        }
        *loose_at(&truth.actors[i], worker) = 0;
    }
}

/* In the place of the one that was over first. */
void truth_lost(int64_t until_ms)
{
    size_t first = 0;

    for (size_t i = 1; i < LOSSES; i++) {
        if (truth.losses[i] < truth.losses[first]) {
            first = i;
        }
    }
    truth.losses[first] = until_ms + UNSEEN_MS;
}

void truth_tries(uint32_t attempt, uint32_t n, uint64_t delivery)
{
    const attempt_t *self = attempt_of(attempt);
    uint64_t losses = 0;

    if (delivery <= 1 || n >= NOTED) {
        return;
    }
    for (size_t i = 0; i < LOSSES; i++) {
        losses += truth.losses[i] >= (int64_t)self->sent_ms[n];
    }
    if (delivery - 1 > losses) {
        world_broken("attempt %u: message %u is given for the %lluth time, and "
                     "workers were lost %llu times",
                     attempt, n, (unsigned long long)delivery,
                     (unsigned long long)losses);
    }
}

void truth_given_up(void)
{
    for (uint32_t i = 0; i < truth.actor_count; i++) {
        truth.actors[i].is_owed = true;
    }
}

void truth_farewell(const char conn[CONN_ID_TEXT])
{
    const actor_t *actor = actor_of(conn);

    if (actor->connects > 0 && is_accepted(actor) && !actor->was_told) {
        world_broken("%.16s: its gateway forgets it before DISCONNECT",
                     actor->id);
    }
}

void truth_torn(uint32_t loop)
{
    if (is_of(&truth.torn, loop)) {
        return;
    }
    add_loop(&truth.torn, loop);
    for (uint32_t i = 0; i < truth.actor_count; i++) {
        truth.actors[i].is_torn |= loop_of(truth.actors[i].id) == loop;
    }
}

void truth_unheard(uint32_t loop)
{
    add_loop(&truth.unheard, loop);
}

void truth_store(store_trust_t trust)
{
    truth.store = trust;
}

bool truth_is_torn(void)
{
    return truth.torn.count > 0;
}

void truth_broker_crashed(void)
{
    truth.broker_crashes++;
    for (uint32_t i = 0; i < truth.actor_count; i++) {
        truth.actors[i].place.is_doubtful = true;
        memset(truth.actors[i].loose, 0, sizeof truth.actors[i].loose);
        truth.actors[i].was_forgotten |= truth.actors[i].is_owed;
    }
}

void truth_gateway_crashed(uint32_t loop)
{
    truth.gateway_crashes++;
    for (uint32_t i = 0; i < truth.actor_count; i++) {
        truth.actors[i].is_orphan |= loop_of(truth.actors[i].id) == loop;
    }
}

/* --- the end ------------------------------------------------------------- */

/*
 * May its DISCONNECT be missing?  Only where the success of its CONNECT may
 * not have reached the broker or, by way of it, the gateway; or where all who
 * knew of it lost their memory, and no store knows: gateway and broker, or the
 * broker alone after the gateway had obeyed it and closed; or the gateway
 * obeyed a broker that had swept the rows of a store which did not have them
 * all.
 */
static bool may_miss_disconnect(const actor_t *actor)
{
    bool was_open = actor->attempt > 0 && attempt_of(actor->attempt)->was_open;

    if (!was_open && actor->place.is_doubtful) {
        return true;
    }
    if (truth.store == STORE_SURE) {
        return false;
    }
    if (actor->was_forgotten ||
        (truth.store == STORE_UNSURE && actor->is_owed)) {
        return true;
    }
    return actor->broker_crashes != truth.broker_crashes &&
           truth.gateway_crashes > 0;
}

void truth_probe(uint32_t attempt)
{
    attempt_t *self = attempt_of(attempt);

    self->is_probed = true;
    self->is_kicked = false;
    self->said = self->heard_words = 0;
    self->first = self->sent;
    for (size_t i = 0; i < TRUTH_GROUPS; i++) {
        self->groups[i].is_known = false;
    }
    truth.is_peace = true;
}

void truth_came(uint32_t attempt, uint32_t n)
{
    attempt_t *self = attempt_of(attempt);

    if (self->is_probed && self->first == n) {
        self->come = ++truth.comers;
    }
}

uint32_t truth_came_as(uint32_t attempt, uint32_t n)
{
    const attempt_t *self = attempt_of(attempt);
    return self->is_probed && self->first == n ? self->come : 0;
}

uint32_t truth_probed_by(uint32_t attempt)
{
    return attempt_of(attempt)->worker;
}

/* All that was said by it and to it has arrived. */
static void check_service(uint32_t attempt)
{
    const attempt_t *self = attempt_of(attempt);

    if (self->handled != self->sent) {
        world_broken("attempt %u stands, but reaches no handler", attempt);
    }
    check_cries(attempt);
    if (self->said != self->heard_words) {
        world_broken("attempt %u hears %u words of %u", attempt,
                     self->heard_words, self->said);
    }
}

void truth_probed(uint32_t attempt, bool is_open)
{
    const attempt_t *self = attempt_of(attempt);

    if (is_open == self->is_kicked) {
        world_broken("attempt %u %s", attempt,
                     is_open ? "stands, although a worker closed it"
                             : "was closed in peace");
    }
    if (is_open && self->heard_words > self->said) {
        world_broken("attempt %u hears %u words of %u", attempt,
                     self->heard_words, self->said);
    }
    if (is_open && !truth.has_resets) {
        check_service(attempt);
    }
}

void truth_resets(void)
{
    truth.has_resets = true;
}

void truth_groups(const char conn[CONN_ID_TEXT], uint32_t groups)
{
    const actor_t *actor = actor_of(conn);
    const attempt_t *self =
        actor->attempt > 0 ? attempt_of(actor->attempt) : NULL;

    for (uint32_t i = 0; self != NULL && !self->is_loose && i < TRUTH_GROUPS;
         i++) {
        if (self->groups[i].is_known &&
            self->groups[i].is_in != (groups >> i & 1)) {
            world_broken("attempt %u is %s g%u, against its handler's word",
                         actor->attempt, groups >> i & 1 ? "in" : "not in", i);
        }
    }
}

static void check_actor(const actor_t *actor)
{
    if (actor->connects > 0 && is_accepted(actor) && !actor->was_told &&
        !may_miss_disconnect(actor)) {
        world_broken("%.16s: DISCONNECT is missing", actor->id);
    }
    if (actor->is_running && !actor->place.is_doubtful && !actor->is_torn) {
        world_broken("%.16s: its handler never ended", actor->id);
    }
    check_left(actor);
}

void truth_final(void)
{
    for (uint32_t i = 0; i < truth.actor_count; i++) {
        check_actor(&truth.actors[i]);
    }
}
