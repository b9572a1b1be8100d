/* SPDX-License-Identifier: MIT */
#include "gateway/delivery.h"

#include "base/utf8.h"
#include "gateway/presence.h"
#include "proto/context.h"

#include <errno.h>

static session_t *session_of(member_t *member)
{
    return list_entry(member, session_t, member);
}

/* --- what the sender is told --------------------------------------------- */

/* Of what a broker sent by one link, what came later is not credited before
 * what came earlier: it gives credit in that order. */
static void give_credit(link_t *link, uint64_t bytes)
{
    job_t *job = link->pushes.last;

    if (job == NULL) {
        link_credit(link, 1, bytes);
    } else {
        job->credit_messages++;
        job->credit_bytes += bytes;
    }
}

/* Without room it is not said, and the broker counts them as gone. */
static void put_pushed(link_t *link, const job_t *job)
{
    message_pushed_t pushed = {job->ack, job->delivered, job->gone,
                               job->refused};

    if (job->is_asked) {
        (void)message_put_pushed(&link->out, &pushed);
    }
}

static void on_done(void *user, const job_t *job)
{
    hub_t *hub = user;
    size_t payload = job->len - job->head;

    hub->stats.push_late += job->late;
    if (job->sender == NULL) {
        return;
    }
    link_t *link = list_entry(job->sender, link_t, pushes);
    put_pushed(link, job);
    if (!job->is_queued) {
        give_credit(link, payload);
        return;
    }
    link_credit(link, 1 + job->credit_messages, payload + job->credit_bytes);
}

static int on_deliver(void *user, member_t *member, const job_t *job)
{
    (void)user;
    return session_deliver(session_of(member), job);
}

static const fanout_ops_t ops = {.deliver = on_deliver, .done = on_done};

/* --- to ids -------------------------------------------------------------- */

static void push_to_one(hub_t *hub, link_t *link, const message_push_t *push,
                        wire_bytes_t conn, job_t *counts)
{
    pusher_t pusher = {.from = wire_map_uint(push->options, "from", 0),
                       .link = link->serial};
    session_t *session = hub_find_conn(hub, conn);
    int rc = -ENOTCONN;

    if (session != NULL) {
        delivery_catch_up(session);
        rc = session_push(session, &push->body, pusher);
    }
    counts->delivered += rc == 0;
    counts->gone += rc == -ENOTCONN;
    counts->refused += rc < 0 && rc != -ENOTCONN;
    if (rc < 0) {
        hub_put_gone_to(hub, link, conn, pusher.from);
    }
}

/* To each of the ids; those behind one that is none are not read. */
static int push_to_ids(hub_t *hub, link_t *link, const message_push_t *push,
                       wire_cursor_t target, uint32_t count)
{
    job_t counts = {.is_asked = false};
    wire_cursor_t ack;
    wire_bytes_t conn;
    int rc = count > 0 ? 0 : -EPROTO;

    for (; count > 0 && rc == 0; count--) {
        if (wire_get_str(&target, &conn) < 0 || conn.len != CONN_ID_TEXT) {
            rc = -EPROTO; /* a broker names only what is an id of ours */
        } else {
            push_to_one(hub, link, push, conn, &counts);
        }
    }
    counts.is_asked = wire_map_find(push->options, "ack", &ack) &&
                      wire_get_uint(&ack, &counts.ack) == 0;
    put_pushed(link, &counts);
    give_credit(link, push->body.bytes.len);
    return rc;
}

/* --- to a name ----------------------------------------------------------- */

/* The frame, built once for all; false without memory. */
static bool put_frame(job_t *job, const body_t *body)
{
    buf_t frame;

    job->type = body->type;
    job->head = ws_head_len(body->bytes.len);
    buf_init(&frame, job->head + body->bytes.len);
    if (ws_put_frame(&frame, body->type == BODY_TEXT ? WS_TEXT : WS_BINARY,
                     body->bytes.data, body->bytes.len) < 0) {
        buf_fini(&frame);
        return false;
    }
    job->frame = frame.data; /* ours from here on */
    job->len = frame.len;
    return true;
}

static size_t find_except(const hub_t *hub, wire_bytes_t options,
                          member_t *except[EXCEPT_MAX])
{
    wire_cursor_t ids;
    wire_bytes_t conn;
    uint32_t left;
    size_t count = 0;

    if (!wire_map_find(options, "except", &ids) ||
        wire_get_array(&ids, &left) < 0) {
        return 0;
    }
    for (; left > 0 && count < EXCEPT_MAX && wire_get_str(&ids, &conn) == 0;
         left--) {
        session_t *session = hub_find_conn(hub, conn);
        if (session != NULL) {
            except[count++] = &session->member;
        }
    }
    return count;
}

static void push_to_group(hub_t *hub, link_t *link, const message_push_t *push,
                          group_t *group)
{
    member_t *except[EXCEPT_MAX];
    uint64_t ttl_ms = wire_map_uint(push->options, "ttl", 0);
    job_t job = {.group = group, .sender = &link->pushes};
    wire_cursor_t ack;

    job.is_asked = wire_map_find(push->options, "ack", &ack) &&
                   wire_get_uint(&ack, &job.ack) == 0;
    if (ttl_ms > 0) {
        job.due_ms = hub->now_ms +
                     (int64_t)(ttl_ms < DURATION_MAX ? ttl_ms : DURATION_MAX);
    }
    if (!put_frame(&job, &push->body)) {
        job.group = NULL;
        job.gone = group != NULL ? group->count : 0;
    }
    size_t count = find_except(hub, push->options, except);
    fanout_put(&hub->fanout, &job, except, count);
    hub->stats.push_jobs = hub->fanout.len;
}

static int push_to_name(hub_t *hub, link_t *link, const message_push_t *push,
                        wire_bytes_t word, wire_cursor_t target)
{
    wire_bytes_t name = {NULL, 0};
    group_type_t type = wire_is(word, "user")     ? GROUP_USER
                        : wire_is(word, "tenant") ? GROUP_TENANT
                        : wire_is(word, "group")  ? GROUP_NAMED
                                                  : GROUP_ALL;

    if (type == GROUP_ALL ? !wire_is(word, "all")
                          : wire_get_str(&target, &name) < 0) {
        give_credit(link, push->body.bytes.len);
        return -EPROTO;
    }
    push_to_group(hub, link, push, groups_find(&hub->groups, type, name));
    return 0;
}

void delivery_push(hub_t *hub, link_t *link, const message_push_t *push)
{
    wire_cursor_t target = wire_cursor(push->target);
    wire_bytes_t word = {NULL, 0};
    uint32_t count = 0;
    int rc;

    hub->stats.pushes++;
    if (wire_get_array(&target, &count) < 0 || count < 1 ||
        wire_get_str(&target, &word) < 0) {
        give_credit(link, push->body.bytes.len);
        rc = -EPROTO;
    } else if (wire_is(word, "connection")) {
        rc = push_to_ids(hub, link, push, target, count - 1);
    } else {
        rc = push_to_name(hub, link, push, word, target);
    }
    if (rc < 0) {
        hub_malformed(hub, "the target of a PUSH");
    }
}

/* --- joining ------------------------------------------------------------- */

static bool may_join(const session_t *session)
{
    return session != NULL &&
           (session->state == SESSION_GATED || session->state == SESSION_OPEN);
}

static void say_full(session_t *session)
{
    char conn[CONN_ID_TEXT];

    conn_id_format(&session->id, conn);
    session->hub->stats.groups_refused++;
    log_braked(&session->hub->brake, LEVEL_WARN, "GATEWAY-GROUPS-FULL",
               "conn=%.*s", CONN_ID_TEXT, conn);
}

static void enter(hub_t *hub, link_t *link, session_t *session,
                  const message_join_t *join)
{
    int rc =
        groups_join(&hub->groups, GROUP_NAMED, join->group, &session->member);

    if (rc == -ENOSPC) {
        say_full(session);
        (void)message_put_error_to(&link->out, join->from, "groups",
                                   "as many groups as a connection may have");
    } else if (rc < 0) { /* better no connection than one that misses things */
        session_close(session, 1011, wire_bytes("no memory"));
        hub_put_gone_to(hub, link, join->conn, join->from);
    }
}

static void quit(hub_t *hub, session_t *session, wire_bytes_t name)
{
    group_t *group = groups_find(&hub->groups, GROUP_NAMED, name);

    if (group != NULL) {
        groups_leave(&hub->groups, group, &session->member);
    }
}

void delivery_join(hub_t *hub, link_t *link, message_kind_t kind,
                   const message_join_t *join)
{
    session_t *session = hub_find_conn(hub, join->conn);

    hub->stats.joins++;
    if (may_join(session)) {
        delivery_catch_up(session); /* by that it may end */
    }
    if (!may_join(session)) {
        hub_put_gone_to(hub, link, join->conn, join->from);
    } else if (kind == KIND_JOIN) {
        enter(hub, link, session, join);
        presence_touch(session);
    } else {
        quit(hub, session, join->group);
        presence_touch(session);
    }
    give_credit(link, 0);
}

/* --- closing ------------------------------------------------------------- */

static void kick(hub_t *hub, link_t *link, const message_close_t *close)
{
    session_t *session = hub_find_conn(hub, close->conn);
    wire_bytes_t reason = close->reason;

    if (!close_code_is_allowed(close->code)) {
        hub_malformed(hub, "close code not allowed");
        return;
    }
    if (!utf8_is_valid(reason.data, reason.len)) {
        hub_malformed(hub, "the reason of a CLOSE is no UTF-8");
        reason.len = 0; /* no client may be told, nor a worker */
    }
    if (session != NULL) {
        delivery_catch_up(session);
    }
    if (session == NULL ||
        session_kick(session, (uint16_t)close->code, reason) < 0) {
        hub_put_gone_to(hub, link, close->conn, close->from);
    }
}

void delivery_close(hub_t *hub, link_t *link, const message_close_t *close)
{
    kick(hub, link, close);
    if (link->credits_closes) {
        give_credit(link, 0);
    }
}

/* --- a connection's life ------------------------------------------------- */

static int join_as(session_t *session, group_type_t type, wire_bytes_t name)
{
    if (name.len == 0 && type != GROUP_ALL) {
        return 0;
    }
    return groups_join(&session->hub->groups, type, name, &session->member);
}

int delivery_accept(session_t *session, wire_bytes_t options)
{
    wire_cursor_t groups;
    wire_bytes_t name;
    uint32_t count;

    delivery_catch_up(session);
    if (context_groups(options, &groups, &count) < 0) {
        return -EPROTO;
    }
    int rc = join_as(session, GROUP_USER, wire_map_str(options, "user"));
    if (rc == 0) {
        rc = join_as(session, GROUP_TENANT, wire_map_str(options, "tenant"));
    }
    if (rc == 0) {
        rc = join_as(session, GROUP_ALL, (wire_bytes_t){NULL, 0});
    }
    for (; rc == 0 && count > 0; count--) {
        (void)wire_get_str(&groups, &name);
        rc = join_as(session, GROUP_NAMED, name);
    }
    if (rc == -ENOSPC) {
        say_full(session);
    }
    return rc;
}

void delivery_catch_up(session_t *session)
{
    fanout_catch_up(&session->hub->fanout, &session->member);
}

void delivery_end(session_t *session)
{
    fanout_abandon(&session->hub->fanout, &session->member);
    groups_leave_all(&session->hub->groups, &session->member);
}

void delivery_forget(hub_t *hub, link_t *link)
{
    fanout_forget(&hub->fanout, &link->pushes);
}

/* --- turns --------------------------------------------------------------- */

void delivery_step(hub_t *hub)
{
    hub->fanout.now_ms = hub->now_ms;
    fanout_step(&hub->fanout);
    hub->stats.push_jobs = hub->fanout.len;
}

bool delivery_is_busy(const hub_t *hub)
{
    return !fanout_is_idle(&hub->fanout);
}

void delivery_init(hub_t *hub)
{
    groups_init(&hub->groups, (uint32_t)hub->options.max_groups);
    fanout_init(&hub->fanout, &hub->groups, &ops, hub);
}

void delivery_fini(hub_t *hub)
{
    fanout_fini(&hub->fanout);
    groups_fini(&hub->groups);
}
