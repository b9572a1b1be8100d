/* SPDX-License-Identifier: MIT
 *
 * Random clients and a random broker, one that goes, comes back, forgets and
 * talks nonsense, and an auditor that looks at each message and each byte.
 * Each seed is a gateway of its own; a failure names its seed.
 */
#include "base/xalloc.h"
#include "tests/unit/hub_fixture.h"
#include "tests/unit/random_wire.h"

#define SEEDS      600
#define STEPS      400
#define ACTORS_MAX 60 /* clients of a gateway, one after the other */
#define SENT_MAX   8192
#define SETTLE_MAX 500 /* turns until all must be over */
#define FIN        0x80

/* A client, as the broker and as itself see it. */
typedef struct {
    client_t *client;
    char id[CONN_ID_TEXT + 1];
    bool was_asked_for; /* by a CONNECT */
    bool is_known;      /* the CONNECT's 200 came in time */
    bool has_ended;     /* a DISCONNECT came */
    bool is_done;       /* and is acknowledged; or it was forgotten */
    unsigned said, taken;
    bool breaks_rules;
    bool has_head, is_open, is_over; /* it heard: a response, 101, a close */
    unsigned last_push;
} actor_t;

/* A REQUEST. */
typedef struct {
    uint64_t id;
    actor_t *actor; /* NULL until it is heard of */
    event_t event;
    size_t size;
    bool is_held;     /* by the broker */
    bool is_answered; /* while the gateway waited for it */
    bool is_lost;     /* the gateway has counted it as failed */
    int outcomes;
} sent_t;

static struct {
    random_t random;
    unsigned long long seed;
    actor_t actors[ACTORS_MAX];
    size_t actor_count;
    sent_t sent[SENT_MAX];
    size_t sent_count;
    bool awaits_sync;  /* what comes before it was made for a lost session */
    bool is_forgotten; /* the broker to come knows nothing of us */
    uint64_t lost;     /* stats.broker_lost and _left, as far as looked at */
    uint64_t given_up;
    unsigned pushes;
    uint64_t taken, credited, gone; /* taken and credited: of this session */
} world;

/* What all seeds together have led to. */
static struct {
    gateway_stats_t stats;
    uint64_t requests, lost, late, said_again;
} total;

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

static uint64_t between(uint64_t min, uint64_t max)
{
    return min + random_below(&world.random, max - min + 1);
}

static const link_t *hub_link(void)
{
    return gateway.hub->links[0];
}

/* --- the auditor: what the broker hears ---------------------------------- */

static actor_t *find_actor(wire_bytes_t id)
{
    for (size_t i = 0; i < world.actor_count; i++) {
        if (wire_is(id, world.actors[i].id)) {
            return &world.actors[i];
        }
    }
    fail_msg("seed %llu: a connection of nobody", world.seed);
    return NULL;
}

/* The request of this id, which may not have been heard of yet: a client may
 * hear of its failure while it waits to be sent. */
static sent_t *find_sent(uint64_t id)
{
    for (size_t i = world.sent_count; i > 0; i--) {
        if (world.sent[i - 1].id == id) {
            return &world.sent[i - 1];
        }
    }
    CHECK(world.sent_count < SENT_MAX);
    sent_t *sent = &world.sent[world.sent_count++];
    *sent = (sent_t){.id = id};
    return sent;
}

static bool is_within(uint64_t count, int64_t limit_or_0)
{
    return limit_or_0 == 0 || count < (uint64_t)limit_or_0;
}

/* What the broker holds of all, and what the gateway holds of one. */
static void audit_windows(const sent_t *sent)
{
    uint64_t held = 0, held_bytes = 0, own = 0, own_bytes = 0;

    for (size_t i = 0; i < world.sent_count; i++) {
        const sent_t *other = &world.sent[i];
        if (other == sent || !other->is_held) {
            continue;
        }
        if (event_is_counted(other->event)) {
            held++;
            held_bytes += other->size;
        }
        if (other->actor == sent->actor && !other->is_lost) {
            own++;
            own_bytes += other->size;
        }
    }
    CHECK(held < gateway.window);
    CHECK(held == 0 || held_bytes + sent->size <= gateway.window_bytes);
    CHECK(is_within(own, gateway.options.conn_window));
    CHECK(is_within(own_bytes, gateway.options.conn_window_bytes));
}

static void audit_connect(const sent_t *sent)
{
    CHECK(!sent->actor->was_asked_for);
    sent->actor->was_asked_for = true;
}

/* Each message is there, in the order said. */
static void audit_message(const sent_t *sent, const message_request_t *request)
{
    actor_t *actor = sent->actor;
    char text[64];
    int len = snprintf(text, sizeof text, "%zu %u ",
                       (size_t)(actor - world.actors), ++actor->taken);

    CHECK(actor->is_known && !actor->has_ended);
    CHECK(actor->taken <= actor->said);
    CHECK(request->body.bytes.len >= (size_t)len);
    CHECK(memcmp(request->body.bytes.data, text, (size_t)len) == 0);
}

/* Once; again only when the link broke before it was acknowledged. */
static void audit_disconnect(const sent_t *sent)
{
    actor_t *actor = sent->actor;

    CHECK(actor->is_known);
    for (const sent_t *other = world.sent; other < sent; other++) {
        bool is_same =
            other->actor == actor && other->event == EVENT_DISCONNECT;
        CHECK(!is_same || (other->is_lost && !other->is_answered));
    }
    total.said_again += actor->has_ended;
    actor->has_ended = true;
}

static void audit_request(const message_t *message)
{
    const message_request_t *request = &message->request;
    sent_t *sent = find_sent(request->id);

    CHECK(sent->actor == NULL); /* an id is used once */
    sent->actor = find_actor(request->conn);
    sent->event = (event_t)request->event;
    sent->size = message->size;
    sent->is_lost |= world.awaits_sync;
    sent->is_held = !(world.awaits_sync && world.is_forgotten);
    total.requests++;
    if (request->event == EVENT_CONNECT) {
        audit_connect(sent);
    } else if (request->event == EVENT_MESSAGE) {
        audit_message(sent, request);
    } else if (!world.awaits_sync || !sent->actor->is_done) {
        CHECK(!sent->actor->is_done);
        audit_disconnect(sent);
    }
    if (sent->is_held && event_is_counted(sent->event)) {
        audit_windows(sent);
    }
}

/* The list has all that are known, and nobody else. */
static void audit_sync(const message_sync_t *sync)
{
    wire_cursor_t in = wire_cursor(sync->connections);
    wire_bytes_t conn, context;
    uint32_t count, parts, known = 0;

    CHECK(sync->session == gateway.broker_session && !sync->more);
    CHECK(wire_get_array(&in, &count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(wire_get_array(&in, &parts) == 0 && parts == 2);
        CHECK(wire_get_str(&in, &conn) == 0);
        CHECK(wire_get_raw_map(&in, &context) == 0);
        const actor_t *actor = find_actor(conn);
        CHECK(actor->is_known && !actor->is_done);
    }
    for (size_t i = 0; i < world.actor_count; i++) {
        known += world.actors[i].is_known && !world.actors[i].is_done;
    }
    CHECK(count == known);
    CHECK(world.awaits_sync);
    world.awaits_sync = world.is_forgotten = false;
}

/* One for each PUSH of this session, and none for one of another. */
static void audit_credit(const message_credit_t *credit)
{
    if (!(world.awaits_sync && world.is_forgotten)) {
        world.credited += credit->messages;
    }
    CHECK(world.credited <= world.taken);
}

static void audit_one(const message_t *message)
{
    switch (message->kind) {
    case KIND_REQUEST:
        audit_request(message);
        return;
    case KIND_SYNC:
        audit_sync(&message->sync);
        return;
    case KIND_GONE:
        world.gone++;
        CHECK(message->gone.from <= world.pushes);
        return;
    case KIND_CREDIT:
        audit_credit(&message->credit);
        return;
    default:
        CHECK(message->kind == KIND_HELLO);
    }
}

static void audit_broker(void)
{
    message_t message;

    while (takes(&message)) {
        audit_one(&message);
    }
}

/* The gateway has given up all that is on its way. */
static void lose_requests(void)
{
    for (size_t i = 0; i < world.sent_count; i++) {
        sent_t *sent = &world.sent[i];
        if (sent->actor != NULL && !sent->is_answered && !sent->is_lost) {
            sent->is_lost = true;
            total.lost++;
        }
    }
    world.awaits_sync = true;
}

static void notice_loss(void)
{
    const gateway_stats_t *stats = &gateway.hub->stats;

    if (world.lost != stats->broker_lost + stats->broker_left) {
        world.lost = stats->broker_lost + stats->broker_left;
        lose_requests();
    }
}

/* --- the auditor: what clients hear -------------------------------------- */

static uint64_t number_of(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                   "qrstuvwxyz0123456789-_";
    uint64_t number = 0;

    for (int i = 0; i < 11; i++) {
        const char *at = strchr(alphabet, text[i]);
        CHECK(text[i] != '\0' && at != NULL);
        uint64_t bits = (uint64_t)(at - alphabet);
        number = i < 10 ? number << 6 | bits : number << 4 | bits >> 2;
    }
    return number;
}

static void hear_error(actor_t *actor, const char *text)
{
    const char *id = strstr(text, "\"requestId\":\"");

    CHECK(id != NULL);
    sent_t *sent = find_sent(number_of(id + strlen("\"requestId\":\"")));
    CHECK(sent->actor == NULL || sent->actor == actor);
    CHECK(sent->is_answered || sent->is_lost || sent->actor == NULL);
    sent->is_lost |= !sent->is_answered;
    CHECK(++sent->outcomes == 1);
}

static void hear_text(actor_t *actor, const char *text)
{
    unsigned long long id;
    unsigned push;

    if (sscanf(text, "re %llu", &id) == 1) {
        sent_t *sent = find_sent(id);
        CHECK(sent->actor == actor && sent->event == EVENT_MESSAGE);
        CHECK(sent->is_answered && !sent->is_lost);
        CHECK(++sent->outcomes == 1);
    } else if (sscanf(text, "push %u", &push) == 1) {
        CHECK(push >= actor->last_push); /* one may be named twice */
        actor->last_push = push;
    } else {
        CHECK(strncmp(text, "{\"message\": ", 12) == 0);
        hear_error(actor, text);
    }
}

/* It is blamed only for what it did. */
static void hear_close(actor_t *actor, const frame_t *frame)
{
    int code = frame->len < 2 ? 0 : frame->payload[0] << 8 | frame->payload[1];

    CHECK(actor->breaks_rules ||
          (code != 1002 && code != 1007 && code != 1009));
    actor->is_over = true;
}

static void hear_frame(actor_t *actor, const frame_t *frame)
{
    char text[256];

    CHECK((frame->first & FIN) != 0 && frame->len < sizeof text);
    switch (frame->first & ~FIN) {
    case WS_TEXT:
        memcpy(text, frame->payload, frame->len);
        text[frame->len] = '\0';
        hear_text(actor, text);
        return;
    case WS_CLOSE:
        hear_close(actor, frame);
        return;
    case WS_PING:
    case WS_PONG:
        return;
    default:
        CHECK(false);
    }
}

static void hear_frames(actor_t *actor)
{
    frame_t frame = {0};

    while (hears_next(actor->client, &frame)) {
        CHECK(!actor->is_over); /* nothing behind a close */
        hear_frame(actor, &frame);
    }
}

static void hear(actor_t *actor)
{
    client_t *client = actor->client;

    if (client->heard_at == client->heard.len) {
        return;
    }
    if (!actor->has_head) {
        actor->has_head = true;
        actor->is_open = strncmp(hears_head(client), "HTTP/1.1 101 ", 13) == 0;
        if (!actor->is_open) {
            client->heard_at = client->heard.len; /* the body */
            actor->is_over = true;
        }
    }
    CHECK(actor->is_open || client->heard_at == client->heard.len);
    if (actor->is_open) {
        CHECK(actor->is_known);
        hear_frames(actor);
    }
}

/* What counts for the source of a socket. */
static void audit_source(const session_t *of)
{
    const hub_t *hub = gateway.hub;
    const source_t *source = of->source;
    uint32_t sockets = 0, connections = 0;

    for (uint32_t slot = 0; slot < hub->used; slot++) {
        const session_t *session = hub->table[slot];
        if (session != NULL && session->source == source) {
            sockets++;
            connections +=
                session->is_connecting || (session->state >= SESSION_WAITING &&
                                           session->state <= SESSION_OPEN);
        }
    }
    CHECK(of->sock != NULL || of->is_connecting);
    CHECK(source->sockets == sockets && source->connections == connections);
    int64_t max = gateway.options.address_connections;
    CHECK(max == 0 || connections <= max);
}

static void audit_admission(void)
{
    const hub_t *hub = gateway.hub;

    for (uint32_t slot = 0; slot < hub->used; slot++) {
        const session_t *session = hub->table[slot];
        if (session != NULL && session->source != NULL) {
            audit_source(session);
        }
    }
}

static void audit(void)
{
    audit_broker();
    audit_admission();
    notice_loss();
    for (size_t i = 0; i < world.actor_count; i++) {
        hear(&world.actors[i]);
    }
}

/* --- what clients do ----------------------------------------------------- */

static void note_id(actor_t *actor)
{
    const session_t *session = actor->client->user;

    if (session != NULL && !actor->was_asked_for) {
        conn_id_format(&session->id, actor->id);
    }
}

static void somebody_knocks(void)
{
    static const char *const addresses[] = {"192.0.2.7", "2001:db8::1",
                                            "2001:db8::2"};
    const char *from = addresses[between(0, 2)];
    client_t *client =
        world.actor_count < ACTORS_MAX ? a_socket_from(from) : NULL;

    if (client == NULL) {
        return;
    }
    actor_t *actor = &world.actors[world.actor_count++];
    *actor = (actor_t){.client = client};
    note_id(actor);
    size_t len = strlen(UPGRADE), first = between(0, len);
    client_sends(client, UPGRADE, first);
    actor->breaks_rules = chance(20);
    client_asks(client,
                actor->breaks_rules ? " nonsense\r\n\r\n" : &UPGRADE[first]);
}

static void says_some(actor_t *actor)
{
    char text[160];

    for (uint64_t i = between(1, 6); i > 0; i--) {
        int padding = (int)between(0, 80);
        snprintf(text, sizeof text, "%zu %u %*s",
                 (size_t)(actor - world.actors), ++actor->said, padding, "");
        client_says(actor->client, text);
    }
}

static void breaks_rules(actor_t *actor)
{
    static const uint8_t faults[][7] = {
        {0x81, 0x01, 'x'},
        {0xc1, 0x80, 0, 0, 0, 0},
        {0x81, 0x81, 0, 0, 0, 0, 0xff},
        {0x83, 0x80, 0, 0, 0, 0},
    };

    actor->breaks_rules = true;
    client_sends(actor->client, faults[between(0, 3)], 7);
}

static void leaves_somehow(actor_t *actor)
{
    client_t *client = actor->client;

    switch (between(0, 4)) {
    case 0:
        client_closes(client, (uint16_t)between(3000, 4999), "so long");
        return;
    case 1:
        client_sends_frame(client, FIN | WS_CLOSE, "", 0);
        return;
    case 2:
        client_leaves(client);
        return;
    case 3:
        breaks_rules(actor);
        return;
    default:
        client_vanishes(client);
    }
}

static void acts(actor_t *actor)
{
    client_t *client = actor->client;

    if (actor->is_over || client->has_left || client->user == NULL) {
        if (chance(4)) {
            client_leaves(client);
        }
        return;
    }
    switch (actor->is_open ? between(0, 20) : between(14, 60)) {
    case 14:
    case 15:
        leaves_somehow(actor);
        return;
    case 16:
        client->is_stuck = true;
        return;
    case 17:
        client_reads_on(client);
        return;
    case 18:
        client->is_broken = chance(8);
        return;
    case 19:
    case 20:
        if (actor->is_open) {
            client_sends_frame(client, FIN | (chance(2) ? WS_PING : WS_PONG),
                               "p", 1);
        }
        return;
    default:
        if (actor->is_open) {
            says_some(actor);
        }
    }
}

static void somebody_acts(void)
{
    if (world.actor_count > 0) { /* more often one of the last */
        size_t among = between(1, world.actor_count);
        acts(&world.actors[world.actor_count - between(1, among)]);
    }
}

/* --- what the broker does ------------------------------------------------ */

static void note_answer(sent_t *sent, uint64_t status, bool has_body)
{
    actor_t *actor = sent->actor;

    sent->is_held = false;
    if (sent->is_lost) {
        total.late++;
        return;
    }
    sent->is_answered = true;
    if (sent->event == EVENT_CONNECT) {
        actor->is_known = status >= 200 && status <= 299;
    } else if (sent->event == EVENT_DISCONNECT) {
        actor->is_done = true;
    } else if (!has_body && status < 400) {
        sent->outcomes++;
    }
}

static void answers_it(sent_t *sent)
{
    static const uint64_t statuses[] = {200, 200, 200, 200, 204, 403, 500, 101};
    uint64_t status = statuses[between(0, 7)];
    char text[64];

    snprintf(text, sizeof text, "re %llu", (unsigned long long)sent->id);
    bool has_body = sent->event == EVENT_MESSAGE && chance(2);
    note_answer(sent, status, has_body);
    answers(sent->id, status, has_body ? text : NULL);
}

/* One that it holds: the oldest of some connection. */
static sent_t *pick_held(void)
{
    const actor_t *actor = NULL;
    size_t start = world.sent_count == 0 ? 0 : between(0, world.sent_count - 1);

    for (size_t i = start; i < world.sent_count && actor == NULL; i++) {
        actor = world.sent[i].is_held ? world.sent[i].actor : NULL;
    }
    for (size_t i = 0; i < world.sent_count; i++) {
        sent_t *sent = &world.sent[i];
        if (sent->is_held && (actor == NULL || sent->actor == actor)) {
            return sent;
        }
    }
    return NULL;
}

static void answers_one(void)
{
    sent_t *sent = pick_held();

    if (sent != NULL) {
        answers_it(sent);
    }
}

/* One of those that there are or were, or nobody's. */
static const char *any_id(void)
{
    return world.actor_count > 0 && !chance(10)
               ? world.actors[between(0, world.actor_count - 1)].id
               : "no-such-connects";
}

/* Pushes to those whose $connect decides: they come behind the 101. */
static uint64_t kept_pushes(void)
{
    uint64_t kept = 0;

    for (uint32_t slot = 0; slot < gateway.hub->used; slot++) {
        if (gateway.hub->table[slot] != NULL) {
            kept += early_count(gateway.hub->table[slot]->early);
        }
    }
    return kept;
}

static void pushes_some(void)
{
    const gateway_stats_t before = gateway.hub->stats;
    uint64_t kept = kept_pushes();
    char ids[200] = "", text[32];
    uint64_t count = between(1, 4);

    for (uint64_t i = 0; i < count; i++) {
        size_t len = strlen(ids);
        snprintf(ids + len, sizeof ids - len, "%s%s", i > 0 ? " " : "",
                 any_id());
    }
    snprintf(text, sizeof text, "push %u", ++world.pushes);
    put_push(ids, text_body(text), world.pushes);
    world.taken++;
    if (chance(20)) { /* in the turn that took it */
        put_message(&(message_t){.kind = KIND_WHO});
    }
    broker_speaks();
    const gateway_stats_t *after = &gateway.hub->stats;
    CHECK(after->messages_out + after->gone + kept_pushes() ==
          before.messages_out + before.gone + kept + count);
}

static void closes_one(void)
{
    if (world.actor_count > 0) {
        closes(world.actors[between(0, world.actor_count - 1)].id, 4000, "why",
               0);
    }
}

static void talks_nonsense(void)
{
    static const uint8_t fault[] = {0xc1};
    static const uint8_t cut[] = {0x93, KIND_PUSH, 0x92};
    message_t message = {.kind = KIND_READY};
    buf_t bytes;

    random_reuse(&world.random);
    buf_init(&bytes, 4096);
    switch (between(0, 4)) {
    case 0:
        broker_says_bytes(fault, sizeof fault);
        break;
    case 1:
        broker_says_bytes(cut, sizeof cut);
        break;
    case 2: /* a kind of a later version */
        must(wire_put_array(&bytes, 3) == 0);
        must(wire_put_uint(&bytes, 99) == 0);
        random_element(&world.random, &bytes, 2);
        random_element(&world.random, &bytes, 2);
        broker_says_bytes(bytes.data, bytes.len);
        break;
    case 3: /* an id that nobody has */
        answers(UINT64_MAX - between(0, 99), 200, "nobody's");
        break;
    default:
        message.ready =
            (message_ready_t){random_keep(&world.random, "\x91\xa1x", 3), 1, 1};
        broker_says(&message);
    }
    buf_fini(&bytes);
}

/* A REPLY is said twice. */
static void stutters(void)
{
    for (size_t i = 0; i < world.sent_count; i++) {
        const sent_t *sent = &world.sent[i];
        if (sent->is_answered && chance(1 + world.sent_count)) {
            answers(sent->id, 200, "twice");
            return;
        }
    }
}

static void forget_known(void)
{
    for (size_t i = 0; i < world.actor_count; i++) {
        world.actors[i].is_done |= world.actors[i].is_known;
    }
}

/* The session is another one: nothing of the former is held, or credited. */
static void another_session(void)
{
    for (size_t i = 0; i < world.sent_count; i++) {
        world.sent[i].is_held = false;
    }
    world.taken = world.credited = 0;
    world.is_forgotten = true;
}

/* WELCOME: as before, by another process, or by one that had given us up. */
static void greets_back(void)
{
    uint64_t what = between(0, 5);
    bool is_same = what > 1;

    gateway.broker_is_stuck = false;
    if (is_same && hub_link()->state == LINK_UP) {
        broker_welcomes();
        return;
    }
    if (!is_same) {
        another_session();
        gateway.broker_session++;
    }
    if (what == 1) {
        char *last = &gateway.broker_boot[strlen(gateway.broker_boot) - 1];
        ++*last;
    }
    gateway.broker_ended = what == 0 && chance(2);
    if (gateway.broker_ended) {
        forget_known(); /* it gave us up, and had our list */
    }
    lose_requests();
    broker_welcomes();
    gateway.broker_ended = false;
}

static void takes_our_number(void)
{
    if (hub_link()->state == LINK_UP) {
        return;
    }
    gateway.broker_is_stuck = false; /* what waits has ids of the old one */
    time_passes(1);
    audit();
    /* It knows nothing of us, so what comes next is another session. */
    another_session();
    gateway.broker_session++;
    lose_requests();
    forget_known();
    assert_int_equal(message_put_error(&gateway.out, "loop", "taken"), 0);
    broker_speaks();
    for (size_t i = 0; i < world.actor_count; i++) {
        note_id(&world.actors[i]);
    }
}

static void broker_acts(void)
{
    if (hub_link()->state != LINK_UP) {
        if (chance(3)) {
            greets_back();
        } else if (chance(20)) {
            takes_our_number();
        }
        return;
    }
    switch (between(0, 30)) {
    case 0:
        talks_nonsense();
        return;
    case 1:
        stutters();
        return;
    case 2:
        closes_one();
        return;
    case 3:
    case 4:
    case 5:
        pushes_some();
        return;
    case 6:
        if (chance(3)) {
            broker_says_bare(chance(2) ? KIND_WHO : KIND_BYE);
        }
        return;
    case 7:
        broker_says_bare(KIND_PONG);
        return;
    case 8:
        if (chance(3)) {
            greets_back();
        }
        return;
    case 9:
        gateway.broker_is_stuck = !gateway.broker_is_stuck;
        return;
    default:
        answers_one();
    }
}

/* --- a whole life -------------------------------------------------------- */

static void time_goes_by(void)
{
    if (chance(40)) {
        gateway.now_ms += 20000; /* stopped, and not the broker's fault */
    }
    gateway.broker_is_silent = chance(20);
    time_passes((int64_t)between(1, chance(10) ? 12000 : 600));
    gateway.broker_is_silent = false;
}

static void something_happens(void)
{
    switch (between(0, 19)) {
    case 0:
    case 1:
        somebody_knocks();
        break;
    case 2:
        time_goes_by();
        break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        somebody_acts();
        break;
    default:
        broker_acts();
    }
    audit();
}

static bool answers_all(void)
{
    bool did_any = false;

    for (sent_t *sent; (sent = pick_held()) != NULL;) {
        answers_it(sent);
        audit();
        did_any = true;
    }
    return did_any;
}

/* Whoever is still there has been read to the last byte. */
static void audit_reading(void)
{
    for (size_t i = 0; i < world.actor_count; i++) {
        const actor_t *actor = &world.actors[i];
        bool is_served =
            actor->is_open && !actor->is_over && actor->client->user != NULL;
        CHECK(!is_served || actor->client->unread.len == 0);
        CHECK(!is_served || actor->breaks_rules || actor->taken == actor->said);
    }
}

/* Somebody has sent too fast, and is read when its tokens are back. */
static bool somebody_waits(void)
{
    for (size_t i = 0; i < world.actor_count; i++) {
        const session_t *session = world.actors[i].client->user;
        if (session != NULL && session->is_throttled) {
            return true;
        }
    }
    return false;
}

/* The broker is there and answers, and all that was held back goes on. */
static void all_is_well(void)
{
    gateway.broker_is_stuck = false;
    if (hub_link()->state != LINK_UP) {
        greets_back();
        audit();
    }
    for (size_t i = 0; i < world.actor_count; i++) {
        client_reads_on(world.actors[i].client);
        audit();
    }
    for (bool goes_on = true; goes_on;) {
        bool is_throttled = somebody_waits();
        time_passes(is_throttled ? 50 : 1);
        audit();
        goes_on = answers_all() || is_throttled;
    }
    audit_reading();
}

static void all_comes_to_its_end(void)
{
    all_is_well();
    if (chance(4)) {
        gateway_drains();
        audit();
    }
    for (size_t i = 0; i < world.actor_count; i++) {
        client_vanishes(world.actors[i].client);
        audit();
    }
    for (int turn = 0; turn < SETTLE_MAX && !hub_is_empty(gateway.hub);
         turn++) {
        time_passes(50);
        audit();
        answers_all();
    }
}

static void audit_the_end(void)
{
    nothing_is_left();
    for (size_t i = 0; i < world.actor_count; i++) {
        CHECK(!world.actors[i].is_known || world.actors[i].is_done);
    }
    for (size_t i = 0; i < world.sent_count; i++) {
        const sent_t *sent = &world.sent[i];
        CHECK(sent->actor != NULL);
        CHECK(sent->is_answered || sent->is_lost);
    }
    CHECK(world.gone == gateway.hub->stats.gone);
    CHECK(world.credited == world.taken);
    CHECK(gateway.hub->stats.error_frames <= gateway.hub->stats.messages_out);
}

/* One that is still open has an outcome for all that was taken from it. */
static void audit_outcomes(void)
{
    for (size_t i = 0; i < world.sent_count; i++) {
        const sent_t *sent = &world.sent[i];
        const actor_t *actor = sent->actor;
        if (actor == NULL || sent->event != EVENT_MESSAGE ||
            actor->client->user == NULL || actor->is_over ||
            actor->client->is_stuck || actor->client->is_held) {
            continue;
        }
        CHECK(sent->outcomes == (sent->is_answered || sent->is_lost ? 1 : 0));
    }
}

/* Now and then a limit is off. */
static int64_t limit(int64_t value)
{
    return chance(8) ? 0 : value;
}

static void choose_limits(uint64_t seed)
{
    gateway_options_t *options = &gateway.options;

    gateway.random = seed;
    gateway.window = between(1, 12);
    gateway.window_bytes = chance(4) ? 1 : 1 << 20;
    gateway.push_window = between(0, 20);
    gateway.push_window_bytes = 1 << 20;
    options->conn_window = limit((int64_t)between(1, 6));
    options->conn_window_bytes = limit(chance(2) ? 250 : 1 << 20);
    options->max_connections = limit((int64_t)between(5, 40));
    options->max_handshakes = limit((int64_t)between(3, 20));
    options->handshake_ms = 3000;
    options->request_ms = 4000;
    options->ping_ms = limit(chance(2) ? 1500 : 0);
    options->pong_ms = 1000;
    options->idle_ms = limit(chance(3) ? 6000 : 0);
    options->out_soft = limit((int64_t)between(50, 400));
    options->out_soft_ms = 1500;
    options->out_hard = limit((int64_t)between(200, 2000));
    options->address_connections = limit((int64_t)between(5, 40));
    options->handshake_rate = limit((int64_t)between(1, 20));
    options->address_rate = limit((int64_t)between(1, 20));
    options->message_rate = limit((int64_t)between(1, 20));
    options->message_burst = limit((int64_t)between(1, 10));
    options->byte_rate = limit((int64_t)between(50, 2000));
}

static void live(uint64_t seed)
{
    random_t random = world.random;

    memset(&world, 0, sizeof world);
    world.random = random;
    world.random.state = seed;
    world.seed = seed;
    choose_limits(seed);
    gateway_restarts();
    for (int i = 0; i < STEPS; i++) {
        something_happens();
        audit_outcomes();
    }
    all_comes_to_its_end();
    audit_the_end();
}

static void add_up(void)
{
#define X(name, kind, unit, meaning)                                           \
    total.stats.name += gateway.hub->stats.name;
    GATEWAY_STATS(X)
#undef X
}

/* A workload in which nothing goes wrong would show nothing. */
static void check_that_all_happened(void)
{
    const gateway_stats_t *stats = &total.stats;

    print_message(
        "seeds 1 to %d: %llu connections, %llu requests, %llu lost, "
        "%llu late replies, %llu DISCONNECTs said again\n",
        SEEDS, (unsigned long long)stats->connects,
        (unsigned long long)total.requests, (unsigned long long)total.lost,
        (unsigned long long)total.late, (unsigned long long)total.said_again);
    assert_true(total.lost > 0 && total.late > 0 && total.said_again > 0);
    assert_true(stats->error_frames > 0 && stats->gone > 0);
    assert_true(stats->slow_closed > 0 && stats->dead_closed > 0);
    assert_true(stats->idle_closed > 0 && stats->protocol_errors > 0);
    assert_true(stats->paused > 0 && stats->broker_lost > 0);
    assert_true(stats->given_up > 0);
    assert_true(stats->handshakes_refused > 0);
    assert_true(stats->connections_refused > 0);
    assert_true(stats->address_refused > 0 && stats->address_throttled > 0);
    assert_true(stats->address_sockets_refused > 0);
    assert_true(stats->handshakes_throttled > 0 && stats->throttled > 0);
    assert_true(stats->broker_malformed > 0 && stats->replies_unknown > 0);
}

static void
each_request_has_one_outcome_each_client_its_order_and_nothing_stays(
    void **state)
{
    random_init(&world.random, 1);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        live(seed);
        add_up();
        gateway_tear_down(state);
        gateway_set_up(state);
    }
    random_fini(&world.random);
    check_that_all_happened();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            each_request_has_one_outcome_each_client_its_order_and_nothing_stays,
            gateway_set_up, gateway_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
