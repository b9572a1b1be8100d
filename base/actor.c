/* SPDX-License-Identifier: MIT */
#include "base/actor.h"

#include "base/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define QUESTIONS_PER_TURN 16      /* of an asker */
#define PARTS_MAX          4       /* behind a question */
#define ANSWER_MAX         1048576 /* bytes of text */
#define FIRST_PRIORITY     (ZWATCH_PRIORITY + 1)
#define HIGH_WATER_FRAMES  10000
#define FRAME_MAX          (INT64_C(64) << 20) /* bytes; PROTOCOL.md section 2 */
#define LINGER_MS          500 /* for the last frames, BYE among them */
/*
 * ZMTP's own heartbeats find a host that is gone; ours find a process that does
 * not work.  They take their time, since a broker that only stood still should
 * find its gateways' transports whole.
 */
#define TRANSPORT_PING_MS 5000
#define TRANSPORT_DEAD_MS 15000
#define CONNECT_MS        2000 /* or TCP would try for two minutes */

static void on_begin(struct ev_loop *loop, ev_check *check, int events)
{
    actor_t *self = check->data;
    (void)loop;
    (void)events;

    self->ops->begin(self->user);
}

static void on_end(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    actor_t *self = prepare->data;
    (void)loop;
    (void)events;

    self->ops->end(self->user);
}

/* As czmq sends one. */
static void *pop_pointer(zmsg_t *message)
{
    zframe_t *frame = zmsg_pop(message);
    void *pointer;

    must(frame != NULL && zframe_size(frame) == sizeof pointer);
    memcpy(&pointer, zframe_data(frame), sizeof pointer);
    zframe_destroy(&frame);
    return pointer;
}

static void take_guest(actor_t *self, zmsg_t *rest)
{
    const actor_kind_t *kind = pop_pointer(rest);
    zsock_t *pipe = pop_pointer(rest);

    self->place.join(self->place.thread, kind, pipe, pop_pointer(rest));
}

static void take_command(actor_t *self, const char *command, zmsg_t *rest)
{
    if (streq(command, "$TERM")) {
        self->ops->term(self->user);
    } else if (streq(command, "STATS")) {
        self->ops->stats(self->user);
    } else if (streq(command, "RELOAD")) {
        if (self->ops->reload != NULL) {
            self->ops->reload(self->user);
        }
    } else if (streq(command, "CANCEL")) {
        self->is_cancelled = true;
    } else if (streq(command, "JOIN")) {
        take_guest(self, rest);
    } else if (self->ops->told != NULL) {
        self->ops->told(self->user, command);
    }
}

static void on_command(void *user)
{
    actor_t *self = user;
    zmsg_t *message = zmsg_recv_nowait(self->place.pipe);
    char *command = message == NULL ? NULL : zmsg_popstr(message);

    if (command != NULL) {
        take_command(self, command, message);
    }
    zstr_free(&command);
    zmsg_destroy(&message);
}

/* --- questions ----------------------------------------------------------- */

static zmsg_t *begin_message(uint64_t number, const char *word)
{
    zmsg_t *message = zmsg_new();

    zmsg_addstrf(message, "%" PRIu64, number);
    zmsg_addstr(message, word);
    return message;
}

/* Returns whether the pipe had room. */
static bool send_message(zmsg_t *message, zsock_t *pipe)
{
    bool is_sent = zmsg_send(&message, pipe) == 0;

    zmsg_destroy(&message); /* harmless when it was */
    return is_sent;
}

void actor_answer(actor_t *self, actor_call_t call, unsigned status,
                  actor_part_t text, actor_part_t more)
{
    char code[16];

    snprintf(code, sizeof code, "%u", status);
    zmsg_t *message = begin_message(call.number, code);
    zmsg_addmem(message, text.data, text.len);
    if (more.len > 0) {
        zmsg_addmem(message, more.data, more.len);
    }
    (void)send_message(message, self->askers[call.asker].questions);
}

int actor_ask(zsock_t *questions, uint64_t number, const char *question,
              const actor_part_t *parts, size_t count)
{
    zmsg_t *message = begin_message(number, question);

    for (size_t i = 0; i < count; i++) {
        zmsg_addmem(message, parts[i].data, parts[i].len);
    }
    return send_message(message, questions) ? 0 : -EAGAIN;
}

static actor_part_t part_of(zframe_t *frame)
{
    return frame == NULL
               ? (actor_part_t){NULL, 0}
               : (actor_part_t){zframe_data(frame), zframe_size(frame)};
}

static uint64_t pop_number(zmsg_t *message)
{
    char *word = zmsg_popstr(message);
    uint64_t number = word == NULL ? 0 : strtoull(word, NULL, 10);

    zstr_free(&word);
    return number;
}

bool actor_next(zsock_t *questions, actor_answer_t *answer)
{
    zmsg_t *message = zmsg_recv_nowait(questions);

    if (message == NULL) {
        return false;
    }
    answer->number = pop_number(message);
    answer->status = (unsigned)pop_number(message);
    answer->text = part_of(zmsg_first(message));
    answer->more = part_of(zmsg_next(message));
    answer->message = message;
    return true;
}

void actor_drop(actor_answer_t *answer)
{
    zmsg_destroy(&answer->message);
}

static void answer_word(actor_t *self, actor_call_t call, const char *question)
{
    unsigned status = 404;
    buf_t text;

    buf_init(&text, ANSWER_MAX);
    if (streq(question, "HEALTH")) {
        status = 200;
    } else if (self->ops->answer != NULL) {
        status = self->ops->answer(self->user, question, &text);
    }
    actor_answer(self, call, status, (actor_part_t){text.data, text.len},
                 (actor_part_t){NULL, 0});
    buf_fini(&text);
}

/* The frames that are left of a message, lent. */
static size_t read_parts(zmsg_t *message, actor_part_t parts[PARTS_MAX])
{
    size_t count = 0;

    for (zframe_t *frame = zmsg_first(message);
         frame != NULL && count < PARTS_MAX; frame = zmsg_next(message)) {
        parts[count++] = part_of(frame);
    }
    return count;
}

static void take_question(actor_t *self, actor_call_t call,
                          const char *question, zmsg_t *rest)
{
    actor_part_t parts[PARTS_MAX];
    size_t count = read_parts(rest, parts);

    if (count > 0 && self->ops->asked != NULL) {
        self->ops->asked(self->user, call, parts, count);
    } else if (self->ops->defers != NULL) {
        self->ops->defers(self->user, call, question);
    } else {
        answer_word(self, call, question);
    }
}

static void on_questions(void *user)
{
    actor_asker_t *asker = user;
    actor_t *self = asker->actor;

    for (int i = 0; i < QUESTIONS_PER_TURN; i++) {
        zmsg_t *message = zmsg_recv_nowait(asker->questions);
        if (message == NULL) {
            return;
        }
        actor_call_t call = {.asker = (uint32_t)(asker - self->askers),
                             .number = pop_number(message)};
        char *question = zmsg_popstr(message);
        if (question != NULL) {
            take_question(self, call, question, message);
        }
        zstr_free(&question);
        zmsg_destroy(&message);
    }
}

void actor_take_questions(actor_t *self, zsock_t *questions)
{
    if (questions == NULL) {
        return;
    }
    must(self->asker_count < ACTOR_ASKERS_MAX);
    zsock_set_sndtimeo(questions, 0);
    self->askers[self->asker_count++] =
        (actor_asker_t){.actor = self, .questions = questions};
}

void actor_init(actor_t *self, const actor_place_t *place,
                const actor_ops_t *ops, void *user)
{
    *self = (actor_t){
        .place = *place, .loop = place->loop, .ops = ops, .user = user};
    ev_check_init(&self->begin, on_begin);
    ev_prepare_init(&self->end, on_end);
    ev_set_priority(&self->begin, FIRST_PRIORITY);
    ev_set_priority(&self->end, FIRST_PRIORITY);
    self->begin.data = self;
    self->end.data = self;
}

/* Who only answers words sends while it reads. */
static zwatch_use_t use_of(const actor_t *self)
{
    return self->ops->asked == NULL && self->ops->defers == NULL
               ? ZWATCH_READS
               : ZWATCH_READS_AND_SENDS;
}

void actor_run(actor_t *self)
{
    ev_check_start(self->loop, &self->begin);
    ev_prepare_start(self->loop, &self->end);
    zwatch_start(&self->commands, self->loop, zsock_resolve(self->place.pipe),
                 ZWATCH_READS, on_command, self);
    for (uint32_t i = 0; i < self->asker_count; i++) {
        actor_asker_t *asker = &self->askers[i];
        zwatch_start(&asker->watch, self->loop, zsock_resolve(asker->questions),
                     use_of(self), on_questions, asker);
    }
}

void actor_end(actor_t *self)
{
    self->is_over = true;
    ev_break(self->loop, EVBREAK_ALL);
}

void actor_fini(actor_t *self)
{
    zwatch_stop(&self->commands);
    for (uint32_t i = 0; i < self->asker_count; i++) {
        zwatch_stop(&self->askers[i].watch);
    }
    ev_check_stop(self->loop, &self->begin);
    ev_prepare_stop(self->loop, &self->end);
}

void actor_socket_set(void *socket, int option, int value)
{
    must(zmq_setsockopt(socket, option, &value, sizeof value) == 0);
}

void *actor_socket(int type)
{
    const int64_t frame_max = FRAME_MAX;
    void *socket = zmq_socket(zsys_init(), type);

    if (socket == NULL) {
        return NULL;
    }
    actor_socket_set(socket, ZMQ_LINGER, LINGER_MS);
    actor_socket_set(socket, ZMQ_SNDHWM, HIGH_WATER_FRAMES);
    actor_socket_set(socket, ZMQ_RCVHWM, HIGH_WATER_FRAMES);
    actor_socket_set(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_MS);
    actor_socket_set(socket, ZMQ_HEARTBEAT_IVL, TRANSPORT_PING_MS);
    actor_socket_set(socket, ZMQ_HEARTBEAT_TIMEOUT, TRANSPORT_DEAD_MS);
    must(zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) ==
         0);
    return socket;
}
