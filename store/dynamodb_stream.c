/* SPDX-License-Identifier: MIT
 *
 * A shard is a piece of the stream that begins and ends; where one ends others
 * begin.  The list of shards is asked for now and again, and when one has
 * ended. Those of the first list are read from now on, later ones from their
 * start.
 */
#include "store/dynamodb_stream.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/xalloc.h"
#include "store/dynamodb_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define ARN_MAX_BYTES  1024
#define SHARDS_MAX     16384
#define ASK_MS         10000 /* for one question */
#define POLL_S         0.5   /* after an answer without records */
#define LIST_S         10.0  /* between two looks at the list of shards */
#define FAULT_S        1.0   /* after a failure */

typedef struct shard {
    list_t linked;
    dynamodb_stream_t *stream; /* borrowed */
    char id[NAME_MAX_BYTES], parent[NAME_MAX_BYTES];
    char last[NAME_MAX_BYTES]; /* sequence number; empty: none was read */
    char *iterator;            /* owned; NULL: to be asked for */
    bool is_from_start;        /* else from now on */
    bool is_listed;            /* in the list that comes in */
    bool is_over;
    dynamodb_call_t *call;
    ev_timer timer;
} shard_t;

struct dynamodb_stream {
    struct ev_loop *loop;                   /* borrowed */
    dynamodb_client_t *client;              /* borrowed */
    const dynamodb_url_t *url;              /* borrowed */
    const dynamodb_stream_events_t *events; /* borrowed */
    void *user;
    char arn[ARN_MAX_BYTES]; /* empty: to be asked for */
    list_t shards;           /* owned */
    size_t shard_count;
    bool is_listed; /* once at least */
    bool is_ready;
    dynamodb_call_t *call; /* for the list */
    ev_timer timer;
};

/* --- records ------------------------------------------------------------- */

static const char *text_of(const json_t *of, const char *key)
{
    const char *text = json_string_value(json_object_get(of, key));

    return text == NULL ? "" : text;
}

static bool is_expiry(const json_t *record)
{
    const json_t *who = json_object_get(record, "userIdentity");

    return strcmp(text_of(who, "PrincipalId"), "dynamodb.amazonaws.com") == 0 ||
           strcmp(text_of(who, "principalId"), "dynamodb.amazonaws.com") == 0;
}

/* Did nothing but its end change? */
static bool is_touch(const json_t *what)
{
    const json_t *former =
        json_object_get(json_object_get(what, "OldImage"), "context");
    const json_t *now =
        json_object_get(json_object_get(what, "NewImage"), "context");

    return former != NULL && json_equal(former, now);
}

static int kind_of(const json_t *record, const json_t *what,
                   change_kind_t *kind)
{
    const char *name = text_of(record, "eventName");

    if (strcmp(name, "INSERT") == 0) {
        *kind = CHANGE_CONNECTED;
    } else if (strcmp(name, "MODIFY") == 0 && !is_touch(what)) {
        *kind = CHANGE_CHANGED;
    } else if (strcmp(name, "REMOVE") == 0) {
        *kind = is_expiry(record) ? CHANGE_EXPIRED : CHANGE_DISCONNECTED;
    } else {
        return -ENOENT;
    }
    return 0;
}

int dynamodb_change_read(const json_t *record, dynamodb_change_t *change,
                         dynamodb_row_t *row)
{
    const json_t *what = json_object_get(record, "dynamodb");
    int rc = kind_of(record, what, &change->kind);

    if (rc < 0) {
        return rc;
    }
    bool is_gone =
        change->kind == CHANGE_DISCONNECTED || change->kind == CHANGE_EXPIRED;
    double at_s =
        json_number_value(json_object_get(what, "ApproximateCreationDateTime"));
    rc = dynamodb_row_read(
        json_object_get(what, is_gone ? "OldImage" : "NewImage"), row);
    change->at_ms = at_s > 0 && at_s < 1e12 ? (int64_t)at_s * 1000 : 0;
    change->row = &row->row;
    return rc;
}

static void tell(dynamodb_stream_t *self, const json_t *record)
{
    dynamodb_change_t change;
    dynamodb_row_t row;

    if (dynamodb_change_read(record, &change, &row) == 0) {
        self->events->on_change(self->user, &change);
        dynamodb_row_fini(&row);
    }
}

/* --- calls --------------------------------------------------------------- */

static dynamodb_call_t *ask(dynamodb_stream_t *self, const char *action,
                            bool is_streams, json_t *body,
                            dynamodb_done_fn *done, void *user)
{
    const dynamodb_request_t request = {.action = action,
                                        .is_streams = is_streams,
                                        .body = body,
                                        .deadline_ms = clock_mono_ms() + ASK_MS,
                                        .done = done,
                                        .user = user};
    dynamodb_call_t *call = dynamodb_start(self->client, &request);

    must(call != NULL); /* a command at a terminal, out of memory */
    return call;
}

static void set_timer(dynamodb_stream_t *self, ev_timer *timer, double seconds)
{
    ev_now_update(self->loop);
    ev_timer_stop(self->loop, timer);
    ev_timer_set(timer, seconds, 0);
    ev_timer_start(self->loop, timer);
}

static bool is_type(const dynamodb_fault_t *fault, const char *type)
{
    return strcmp(fault->type, type) == 0;
}

static const char *why(const dynamodb_fault_t *fault, int rc)
{
    return fault->message[0] != '\0' ? fault->message : strerror(-rc);
}

/* --- shards -------------------------------------------------------------- */

static void read_shard(shard_t *shard);

static void free_shard(shard_t *shard)
{
    list_remove(&shard->linked);
    shard->stream->shard_count--;
    dynamodb_cancel(&shard->call);
    ev_timer_stop(shard->stream->loop, &shard->timer);
    free(shard->iterator);
    free(shard);
}

static shard_t *find_shard(const dynamodb_stream_t *self, const char *id)
{
    list_foreach(link, &self->shards) {
        shard_t *shard = list_entry(link, shard_t, linked);
        if (strcmp(shard->id, id) == 0) {
            return shard;
        }
    }
    return NULL;
}

/* Every shard whose parent is done with and that is not read yet. */
static void read_those_ready(dynamodb_stream_t *self)
{
    list_foreach(link, &self->shards) {
        shard_t *shard = list_entry(link, shard_t, linked);
        const shard_t *parent = find_shard(self, shard->parent);
        if (!shard->is_over && shard->call == NULL &&
            !ev_is_active(&shard->timer) &&
            (parent == NULL || parent->is_over)) {
            read_shard(shard);
        }
    }
}

/* All that are open have an iterator: nothing from here on is missed. */
static void note_ready(dynamodb_stream_t *self)
{
    list_foreach(link, &self->shards) {
        shard_t *shard = list_entry(link, shard_t, linked);
        if (!shard->is_over && shard->iterator == NULL) {
            return;
        }
    }
    if (!self->is_ready && self->is_listed) {
        self->is_ready = true;
        self->events->on_ready(self->user);
    }
}

static void end_shard(shard_t *shard)
{
    dynamodb_stream_t *self = shard->stream;

    shard->is_over = true;
    set_timer(self, &self->timer, 0); /* there may be children */
    read_those_ready(self);
}

static void on_shard_fault(shard_t *shard, int rc,
                           const dynamodb_fault_t *fault)
{
    dynamodb_stream_t *self = shard->stream;

    free(shard->iterator);
    shard->iterator = NULL;
    if (is_type(fault, "ExpiredIteratorException")) {
        read_shard(shard);
    } else if (is_type(fault, "TrimmedDataAccessException")) {
        self->events->on_fault(self->user, false,
                               "changes were missed: they are kept for 24 "
                               "hours");
        shard->last[0] = '\0';
        shard->is_from_start = true;
        read_shard(shard);
    } else if (is_type(fault, "ResourceNotFoundException")) {
        end_shard(shard);
    } else {
        self->events->on_fault(self->user, false, why(fault, rc));
        set_timer(self, &shard->timer, FAULT_S);
    }
}

static void take_records(shard_t *shard, const json_t *records)
{
    size_t i;
    json_t *record;

    json_array_foreach(records, i, record)
    {
        const char *number =
            text_of(json_object_get(record, "dynamodb"), "SequenceNumber");
        if (number[0] != '\0' && strlen(number) < sizeof shard->last) {
            memcpy(shard->last, number, strlen(number) + 1);
        }
        tell(shard->stream, record);
    }
}

static void on_records(void *user, int rc, json_t *answer,
                       const dynamodb_fault_t *fault)
{
    shard_t *shard = user;

    shard->call = NULL;
    if (rc < 0) {
        on_shard_fault(shard, rc, fault);
        return;
    }
    const json_t *records = json_object_get(answer, "Records");
    const char *next = text_of(answer, "NextShardIterator");
    take_records(shard, records);
    free(shard->iterator);
    shard->iterator = next[0] == '\0' ? NULL : xstrdup(next);
    if (shard->iterator == NULL) {
        end_shard(shard);
    } else if (json_array_size(records) > 0) {
        read_shard(shard);
    } else {
        set_timer(shard->stream, &shard->timer, POLL_S);
    }
}

static void on_iterator(void *user, int rc, json_t *answer,
                        const dynamodb_fault_t *fault)
{
    shard_t *shard = user;

    shard->call = NULL;
    if (rc < 0) {
        on_shard_fault(shard, rc, fault);
        return;
    }
    shard->iterator = xstrdup(text_of(answer, "ShardIterator"));
    note_ready(shard->stream);
    read_shard(shard);
}

static json_t *iterator_body(const shard_t *shard)
{
    const char *type = shard->last[0] != '\0' ? "AFTER_SEQUENCE_NUMBER"
                       : shard->is_from_start ? "TRIM_HORIZON"
                                              : "LATEST";
    json_t *body = json_pack("{s:s, s:s, s:s}", "StreamArn", shard->stream->arn,
                             "ShardId", shard->id, "ShardIteratorType", type);

    if (shard->last[0] != '\0') {
        json_object_set_new(body, "SequenceNumber", json_string(shard->last));
    }
    return body;
}

static void read_shard(shard_t *shard)
{
    if (shard->iterator == NULL) {
        shard->call = ask(shard->stream, "GetShardIterator", true,
                          iterator_body(shard), on_iterator, shard);
    } else {
        shard->call = ask(shard->stream, "GetRecords", true,
                          json_pack("{s:s}", "ShardIterator", shard->iterator),
                          on_records, shard);
    }
}

static void on_shard_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    read_shard(timer->data);
}

/* --- the list ------------------------------------------------------------ */

static void add_shard(dynamodb_stream_t *self, const json_t *of)
{
    const json_t *range = json_object_get(of, "SequenceNumberRange");
    shard_t *shard = find_shard(self, text_of(of, "ShardId"));

    if (shard != NULL) {
        shard->is_listed = true;
        return;
    }
    if (self->shard_count == SHARDS_MAX) {
        return;
    }
    shard = xcalloc(1, sizeof *shard);
    shard->stream = self;
    snprintf(shard->id, sizeof shard->id, "%s", text_of(of, "ShardId"));
    snprintf(shard->parent, sizeof shard->parent, "%s",
             text_of(of, "ParentShardId"));
    shard->is_listed = true;
    shard->is_from_start = self->is_listed;
    /* What had ended before we came is not for us. */
    shard->is_over =
        !self->is_listed && text_of(range, "EndingSequenceNumber")[0] != '\0';
    ev_init(&shard->timer, on_shard_timer);
    shard->timer.data = shard;
    list_append(&self->shards, &shard->linked);
    self->shard_count++;
}

/* Those that the list has no more are forgotten. */
static void forget_unlisted(dynamodb_stream_t *self)
{
    list_foreach_safe(link, &self->shards) {
        shard_t *shard = list_entry(link, shard_t, linked);
        if (!shard->is_listed && shard->is_over) {
            free_shard(shard);
        } else {
            shard->is_listed = false;
        }
    }
}

static void list_shards(dynamodb_stream_t *self, const char *behind);

static void on_list_fault(dynamodb_stream_t *self, int rc,
                          const dynamodb_fault_t *fault)
{
    bool is_final = !self->is_ready && (rc == -EACCES || rc == -EREMOTEIO);

    if (is_type(fault, "ResourceNotFoundException")) {
        self->arn[0] = '\0'; /* the stream was made anew, perhaps */
    }
    set_timer(self, &self->timer, FAULT_S);
    self->events->on_fault(self->user, is_final, why(fault, rc));
}

static void on_list(void *user, int rc, json_t *answer,
                    const dynamodb_fault_t *fault)
{
    dynamodb_stream_t *self = user;
    const json_t *stream = json_object_get(answer, "StreamDescription");
    const char *last = text_of(stream, "LastEvaluatedShardId");
    size_t i;
    json_t *shard;

    self->call = NULL;
    if (rc < 0) {
        on_list_fault(self, rc, fault);
        return;
    }
    json_array_foreach(json_object_get(stream, "Shards"), i, shard)
    {
        add_shard(self, shard);
    }
    if (last[0] != '\0') {
        list_shards(self, last);
        return;
    }
    forget_unlisted(self);
    self->is_listed = true;
    set_timer(self, &self->timer, LIST_S);
    read_those_ready(self);
    note_ready(self);
}

static void list_shards(dynamodb_stream_t *self, const char *behind)
{
    json_t *body = json_pack("{s:s}", "StreamArn", self->arn);

    if (behind != NULL) {
        json_object_set_new(body, "ExclusiveStartShardId", json_string(behind));
    }
    self->call = ask(self, "DescribeStream", true, body, on_list, self);
}

static void on_table(void *user, int rc, json_t *answer,
                     const dynamodb_fault_t *fault)
{
    dynamodb_stream_t *self = user;
    const char *arn =
        text_of(json_object_get(answer, "Table"), "LatestStreamArn");

    self->call = NULL;
    if (rc < 0) {
        on_list_fault(self, rc, fault);
        return;
    }
    if (arn[0] == '\0' || strlen(arn) >= sizeof self->arn) {
        set_timer(self, &self->timer, FAULT_S);
        self->events->on_fault(self->user, !self->is_ready,
                               "the table has no stream; hoist store init "
                               "switches it on");
        return;
    }
    memcpy(self->arn, arn, strlen(arn) + 1);
    list_shards(self, NULL);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    dynamodb_stream_t *self = timer->data;
    (void)loop;
    (void)events;

    if (self->call != NULL) {
        return; /* the end of the list sets the timer again */
    }
    if (self->arn[0] == '\0') {
        self->call = ask(self, "DescribeTable", false,
                         json_pack("{s:s}", "TableName", self->url->table),
                         on_table, self);
    } else {
        list_shards(self, NULL);
    }
}

/* --- public -------------------------------------------------------------- */

dynamodb_stream_t *dynamodb_stream_new(struct ev_loop *loop,
                                       dynamodb_client_t *client,
                                       const dynamodb_url_t *url,
                                       const dynamodb_stream_events_t *events,
                                       void *user)
{
    dynamodb_stream_t *self = xcalloc(1, sizeof *self);

    self->loop = loop;
    self->client = client;
    self->url = url;
    self->events = events;
    self->user = user;
    list_init(&self->shards);
    ev_init(&self->timer, on_timer);
    self->timer.data = self;
    set_timer(self, &self->timer, 0);
    return self;
}

void dynamodb_stream_destroy(dynamodb_stream_t **self_p)
{
    dynamodb_stream_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    list_foreach_safe(link, &self->shards) {
        free_shard(list_entry(link, shard_t, linked));
    }
    dynamodb_cancel(&self->call);
    ev_timer_stop(self->loop, &self->timer);
    free(self);
    *self_p = NULL;
}
