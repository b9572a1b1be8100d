/* SPDX-License-Identifier: MIT
 *
 * Random clients and workers, among them workers that die, drain and change
 * their routes, and an auditor that looks at each message.  Each seed is a
 * broker of its own; a failure names its seed.
 */
#include "tests/unit/core_fixture.h"
#include "tests/unit/random_wire.h"

#define SEEDS      1000
#define STEPS      500
#define GATEWAYS   2
#define MEMBERS    4  /* workers at a time */
#define DEATHS_MAX 40 /* workers and gateways of a broker are bounded */
#define ACTORS_MAX 80
#define HELD_MAX   64
#define IDS_MAX    4096
#define SETTLE_MS  50
#define SETTLE_MAX 2000 /* turns until all must be over */

typedef struct {
    client_t *client;
    int gateway;
    bool is_open, has_left;
    bool has_ended; /* a DISCONNECT has been delivered */
    bool is_done;   /* and acknowledged */
    uint64_t last_number;
} actor_t;

typedef struct {
    uint64_t id;
    actor_t *actor;
    bool is_disconnect;
} held_t;

typedef struct {
    node_t *node;
    uint64_t window;
    held_t held[HELD_MAX]; /* oldest first */
    size_t count;
    uint64_t asked; /* the number of the PING that it has not answered, or 0 */
} member_t;

typedef struct {
    actor_t *actor;
    event_t event;
    int outcomes;
} sent_t;

static struct {
    random_t random;
    unsigned long long seed;
    int deaths;
    node_t *gateways[GATEWAYS];
    member_t members[MEMBERS];
    actor_t actors[ACTORS_MAX];
    size_t actor_count;
    sent_t sent[GATEWAYS][IDS_MAX];
} world;

/* What all seeds together have led to. */
static broker_stats_t total;
static uint64_t total_asked;

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fail_msg("seed %llu: %s", world.seed, #condition);                 \
        }                                                                      \
    } while (0)

static bool chance(uint64_t times)
{
    return random_below(&world.random, times) == 0;
}

/* --- the auditor --------------------------------------------------------- */

static actor_t *find_actor(wire_bytes_t id)
{
    for (size_t i = 0; i < world.actor_count; i++) {
        if (is_text(id, world.actors[i].client->id)) {
            return &world.actors[i];
        }
    }
    fail_msg("seed %llu: a connection of nobody", world.seed);
    return NULL;
}

static bool holds(const member_t *member, const actor_t *actor)
{
    for (size_t i = 0; i < member->count; i++) {
        if (member->held[i].actor == actor) {
            return true;
        }
    }
    return false;
}

static void audit_request(member_t *member, const message_request_t *request)
{
    actor_t *actor = find_actor(request->conn);
    bool is_disconnect = request->event == EVENT_DISCONNECT;

    for (int i = 0; i < MEMBERS; i++) { /* never at two workers at once */
        CHECK(&world.members[i] == member || !holds(&world.members[i], actor));
    }
    CHECK(member->asked == 0);                 /* or it is in doubt */
    CHECK(!actor->is_done);                    /* DISCONNECT is the last */
    CHECK(!actor->has_ended || is_disconnect); /* it may come again */
    CHECK(request->number == 0 || request->number > actor->last_number ||
          (actor->has_ended && request->number == actor->last_number));
    CHECK(member->count < member->window);
    actor->has_ended = actor->has_ended || is_disconnect;
    if (request->number != 0) {
        actor->last_number = request->number;
    }
    member->held[member->count++] = (held_t){request->id, actor, is_disconnect};
}

static void audit_reply(int gateway, const message_reply_t *reply)
{
    CHECK(reply->id > 0 && reply->id <= world.gateways[gateway]->last_id);
    sent_t *sent = &world.sent[gateway][reply->id];
    CHECK(sent->outcomes++ == 0);
    if (sent->event == EVENT_CONNECT) {
        sent->actor->is_open = reply->status >= 200 && reply->status <= 299;
    }
}

static void audit_member(member_t *member)
{
    message_t message;

    while (takes(member->node, &message)) {
        CHECK(message.kind == KIND_REQUEST || message.kind == KIND_PING);
        if (message.kind == KIND_PING) {
            member->asked = message.ping.number;
            total_asked++;
        } else {
            audit_request(member, &message.request);
        }
    }
}

static void audit_gateway(int gateway)
{
    message_t message;

    while (takes(world.gateways[gateway], &message)) {
        CHECK(message.kind == KIND_REPLY);
        audit_reply(gateway, &message.reply);
    }
}

static void audit(void)
{
    for (int i = 0; i < MEMBERS; i++) {
        audit_member(&world.members[i]);
    }
    for (int i = 0; i < GATEWAYS; i++) {
        audit_gateway(i);
    }
}

/* --- what may happen ----------------------------------------------------- */

static void hire(member_t *member)
{
    static const char *const routes[] = {
        "a b $connect $disconnect",
        "a $disconnect",
        "b $default",
        "$connect $default",
    };
    static const char *const processes[] = {"p", "q", ""};
    char name[32];

    snprintf(name, sizeof name, "w%d", world.deaths);
    member->count = 0;
    member->asked = 0;
    member->window = 1 + random_below(&world.random, 20);
    member->node = a_stranger(SIDE_WORKERS, name);
    member->node->process =
        wire_bytes(processes[random_below(&world.random, 3)]);
    greets(member->node, routes[random_below(&world.random, 4)],
           member->window);
}

static void send_event(actor_t *actor, event_t event, const char *route)
{
    node_t *gateway = world.gateways[actor->gateway];
    uint64_t deadline_ms = 50 + random_below(&world.random, 3000);

    if (gateway->last_id + 1 == IDS_MAX) {
        return;
    }
    uint64_t id = put_event(actor->client, event, route,
                            event == EVENT_MESSAGE ? "x" : NULL, deadline_ms);
    world.sent[actor->gateway][id] = (sent_t){actor, event, 0};
    speaks(gateway);
}

static void somebody_knocks(void)
{
    if (world.actor_count == ACTORS_MAX) {
        return;
    }
    actor_t *actor = &world.actors[world.actor_count++];
    actor->gateway = (int)random_below(&world.random, GATEWAYS);
    actor->client = a_newcomer(world.gateways[actor->gateway]);
    send_event(actor, EVENT_CONNECT, "$connect");
}

static void somebody_speaks(void)
{
    static const char *const routes[] = {"a", "b", "c"};

    if (world.actor_count == 0) {
        return;
    }
    actor_t *actor =
        &world.actors[random_below(&world.random, world.actor_count)];
    if (!actor->is_open || actor->has_left) {
        return;
    }
    if (chance(12)) {
        actor->has_left = true;
        send_event(actor, EVENT_DISCONNECT, "$disconnect");
        return;
    }
    for (uint64_t i = 1 + random_below(&world.random, 5); i > 0; i--) {
        send_event(actor, EVENT_MESSAGE,
                   routes[random_below(&world.random, 3)]);
    }
}

/* The oldest that it holds of some connection. */
static size_t pick_held(const member_t *member)
{
    size_t at = random_below(&world.random, member->count);

    for (size_t i = 0; i < at; i++) {
        if (member->held[i].actor == member->held[at].actor) {
            return i;
        }
    }
    return at;
}

static void answers_one(member_t *member)
{
    if (member->count == 0) {
        return;
    }
    size_t at = pick_held(member);
    held_t held = member->held[at];
    member->count--;
    memmove(&member->held[at], &member->held[at + 1],
            (member->count - at) * sizeof(held_t));
    held.actor->is_done = held.actor->is_done || held.is_disconnect;
    answers(member->node, held.id, chance(10) ? 500 : 200, NULL);
}

static void says_that_it_lives(member_t *member)
{
    const message_t pong = {.kind = KIND_PONG, .pong = {member->asked}};

    if (member->asked != 0) {
        member->asked = 0;
        says(member->node, &pong);
    }
}

static void member_dies(member_t *member)
{
    if (world.deaths == DEATHS_MAX) {
        return;
    }
    world.deaths++;
    member->count = 0;
    member->node->is_silent = true;
    if (chance(2)) {
        says_bare(member->node, KIND_BYE);
    } else {
        member->node->is_broken = true;
        core_begin(broker.core, broker.now_ms * 1000);
        core_probe(broker.core);
        core_end(broker.core);
    }
    audit(); /* a DISCONNECT of its may be at another by now */
    hire(member);
}

static void something_happens(void)
{
    member_t *member = &world.members[random_below(&world.random, MEMBERS)];

    switch (random_below(&world.random, 20)) {
    case 0:
    case 1:
        somebody_knocks();
        break;
    case 2:
        time_passes((int64_t)random_below(&world.random, 400));
        break;
    case 3:
        if (chance(4)) {
            member_dies(member);
        }
        break;
    case 4:
        if (chance(4)) {
            says_bare(member->node, KIND_DRAIN);
        } else if (chance(4)) {
            member->window = 1 + random_below(&world.random, 20);
            announces(member->node, "a b c $connect $disconnect",
                      member->window);
        }
        break;
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        somebody_speaks();
        break;
    case 12:
        says_that_it_lives(member);
        break;
    default:
        answers_one(member);
    }
    audit();
}

/* --- a whole life -------------------------------------------------------- */

static bool is_all_over(void)
{
    for (int g = 0; g < GATEWAYS; g++) {
        for (uint64_t id = 1; id <= world.gateways[g]->last_id; id++) {
            if (world.sent[g][id].outcomes != 1) {
                return false;
            }
        }
    }
    return core_stats(broker.core)->requests == 0;
}

static void all_comes_to_its_end(void)
{
    for (int i = 0; i < MEMBERS; i++) {
        world.members[i].window = 8;
        announces(world.members[i].node, "$default $connect $disconnect", 8);
        audit(); /* by the windows as they are now */
    }
    for (int turn = 0; turn < SETTLE_MAX && !is_all_over(); turn++) {
        audit();
        for (int i = 0; i < MEMBERS; i++) {
            says_that_it_lives(&world.members[i]);
            audit();
            while (world.members[i].count > 0) {
                answers_one(&world.members[i]);
                audit();
            }
        }
        time_passes(SETTLE_MS);
    }
    audit();
    CHECK(is_all_over());
}

static void add_up(void)
{
    const broker_stats_t *stats = core_stats(broker.core);

    total.replies += stats->replies;
    total.replies_late += stats->replies_late;
    total.timeouts += stats->timeouts;
    total.worker_died += stats->worker_died;
    total.no_worker += stats->no_worker;
}

/* A workload in which nothing goes wrong would show nothing. */
static void check_that_all_happened(void)
{
    print_message("seeds 1 to %d: %llu replies, %llu late, %llu timeouts, "
                  "%llu lost with their worker, %llu without one; workers were "
                  "asked %llu times whether they live\n",
                  SEEDS, (unsigned long long)total.replies,
                  (unsigned long long)total.replies_late,
                  (unsigned long long)total.timeouts,
                  (unsigned long long)total.worker_died,
                  (unsigned long long)total.no_worker,
                  (unsigned long long)total_asked);
    assert_true(total.replies > 0 && total.replies_late > 0);
    assert_true(total.timeouts > 0 && total.worker_died > 0);
    assert_true(total.no_worker > 0 && total_asked > 0);
}

static void live(uint64_t seed)
{
    random_t random = world.random;

    memset(&world, 0, sizeof world);
    world.random = random;
    world.random.state = seed;
    world.seed = seed;
    for (uint32_t i = 0; i < GATEWAYS; i++) {
        world.gateways[i] = a_gateway(i + 1);
    }
    for (int i = 0; i < MEMBERS; i++) {
        world.deaths++; /* a name for each */
        hire(&world.members[i]);
    }
    for (int i = 0; i < STEPS; i++) {
        something_happens();
    }
    all_comes_to_its_end();
}

static void each_request_has_one_outcome_and_each_client_its_order(void **state)
{
    random_init(&world.random, 1);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        live(seed);
        add_up();
        broker_tear_down(state);
        broker_set_up(state);
    }
    random_fini(&world.random);
    check_that_all_happened();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            each_request_has_one_outcome_and_each_client_its_order,
            broker_set_up, broker_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
