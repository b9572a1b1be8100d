/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_table.h"

#include "base/clock.h"
#include "store/dynamodb_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS      20000  /* for one question */
#define ACTIVE_MS   300000 /* until a new table is active */
#define LOOK_S      1.0    /* between two looks at it */
#define FAULT_BYTES 256

static const char *const indexes[] = {"gsi1", "gsi2"};
static const char *const listed[] = {"user", "tenant"};

/* One command at work. */
typedef struct {
    struct ev_loop *loop;      /* borrowed */
    const dynamodb_url_t *url; /* borrowed */
    FILE *out;                 /* borrowed */
    store_stats_t stats;
    dynamodb_client_t *client; /* owned */
    int rc;                    /* of the last question */
    json_t *answer;            /* owned; its answer */
    char type[FAULT_BYTES], message[FAULT_BYTES];
    int wrong; /* things found so far */
} table_t;

/* --- questions ----------------------------------------------------------- */

static void on_answer(void *user, int rc, json_t *answer,
                      const dynamodb_fault_t *fault)
{
    table_t *self = user;

    self->rc = rc;
    self->answer = json_incref(answer);
    snprintf(self->type, sizeof self->type, "%s", fault->type);
    snprintf(self->message, sizeof self->message, "%s", fault->message);
    ev_break(self->loop, EVBREAK_ALL);
}

/* Ask and wait; the answer stays until the next question.  body is moved. */
static int ask(table_t *self, const char *action, json_t *body)
{
    const dynamodb_request_t request = {.action = action,
                                        .body = body,
                                        .deadline_ms = clock_mono_ms() + ASK_MS,
                                        .done = on_answer,
                                        .user = self};

    json_decref(self->answer);
    self->answer = NULL;
    if (dynamodb_start(self->client, &request) == NULL) {
        self->rc = -ENOMEM;
        snprintf(self->message, sizeof self->message, "no memory");
        return self->rc;
    }
    ev_run(self->loop, 0);
    return self->rc;
}

static json_t *named(const table_t *self)
{
    return json_pack("{s:s}", "TableName", self->url->table);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void pause_for(table_t *self, double seconds)
{
    ev_timer timer;

    ev_now_update(self->loop);
    ev_timer_init(&timer, on_pause_over, seconds, 0);
    ev_timer_start(self->loop, &timer);
    ev_run(self->loop, 0);
    ev_timer_stop(self->loop, &timer);
}

/* --- words --------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void say(table_t *self,
                                                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(self->out, format, args);
    va_end(args);
    fputc('\n', self->out);
    fflush(self->out);
}

#define wrong(self, ...) ((self)->wrong++, say((self), __VA_ARGS__))

/* The last question failed. */
static int failed(table_t *self, const char *what)
{
    wrong(self, "%s: %s", what,
          self->message[0] != '\0' ? self->message : strerror(-self->rc));
    return self->rc;
}

static bool is_type(const table_t *self, const char *type)
{
    return self->rc < 0 && strcmp(self->type, type) == 0;
}

static const char *text_of(const json_t *of, const char *key)
{
    const char *text = json_string_value(json_object_get(of, key));

    return text == NULL ? "" : text;
}

static bool is_text(const json_t *of, const char *key, const char *value)
{
    return strcmp(text_of(of, key), value) == 0;
}

/* --- what is there ------------------------------------------------------- */

/* Of the last answer, which described the table; borrowed. */
static const json_t *description(const table_t *self)
{
    return json_object_get(self->answer, "Table");
}

static const json_t *find_index(const json_t *table, const char *name)
{
    const json_t *list = json_object_get(table, "GlobalSecondaryIndexes");
    size_t i;
    json_t *index;

    json_array_foreach(list, i, index)
    {
        if (is_text(index, "IndexName", name)) {
            return index;
        }
    }
    return NULL;
}

static bool is_string_attribute(const json_t *table, const char *name)
{
    const json_t *list = json_object_get(table, "AttributeDefinitions");
    size_t i;
    json_t *attribute;

    json_array_foreach(list, i, attribute)
    {
        if (is_text(attribute, "AttributeName", name)) {
            return is_text(attribute, "AttributeType", "S");
        }
    }
    return false;
}

/* Is its key `hash` and `range`, both of them strings? */
static bool has_key(const json_t *table, const json_t *of, const char *hash,
                    const char *range)
{
    const json_t *schema = json_object_get(of, "KeySchema");
    const json_t *first = json_array_get(schema, 0);
    const json_t *second = json_array_get(schema, 1);

    return json_array_size(schema) == 2 &&
           is_text(first, "AttributeName", hash) &&
           is_text(first, "KeyType", "HASH") &&
           is_text(second, "AttributeName", range) &&
           is_text(second, "KeyType", "RANGE") &&
           is_string_attribute(table, hash) &&
           is_string_attribute(table, range);
}

static bool has_stream(const json_t *table)
{
    const json_t *stream = json_object_get(table, "StreamSpecification");

    return json_is_true(json_object_get(stream, "StreamEnabled")) &&
           is_text(stream, "StreamViewType", "NEW_AND_OLD_IMAGES");
}

/* --- check --------------------------------------------------------------- */

static void check_index(table_t *self, const json_t *table, int which)
{
    const char *name = indexes[which], *of = listed[which];
    const json_t *index = find_index(table, name);
    char hash[16], range[16];

    snprintf(hash, sizeof hash, "%spk", name);
    snprintf(range, sizeof range, "%ssk", name);
    if (index == NULL) {
        wrong(self,
              "index %s is missing: the connections of a %s cannot be listed; "
              "add it with the key %s (hash), %s (range), both strings, and "
              "projection ALL",
              name, of, hash, range);
        return;
    }
    if (!has_key(table, index, hash, range)) {
        wrong(self,
              "index %s has another key than %s (hash), %s (range), both "
              "strings: remove it and make it anew",
              name, hash, range);
    }
    if (!is_text(json_object_get(index, "Projection"), "ProjectionType",
                 "ALL")) {
        wrong(self,
              "index %s does not hold all attributes (projection ALL): "
              "remove it and make it anew",
              name);
    }
    if (!is_text(index, "IndexStatus", "ACTIVE")) {
        wrong(self, "index %s is %s, not active yet", name,
              text_of(index, "IndexStatus"));
    }
}

static void check_description(table_t *self, const json_t *table)
{
    if (!is_text(table, "TableStatus", "ACTIVE")) {
        wrong(self, "the table is %s, not active",
              text_of(table, "TableStatus"));
    }
    if (!has_key(table, table, "pk", "sk")) {
        wrong(self, "the table's key is not pk (hash), sk (range), both "
                    "strings, and that of a table cannot be changed: use "
                    "another table");
    }
    for (int i = 0; i < 2; i++) {
        check_index(self, table, i);
    }
    if (!has_stream(table)) {
        wrong(self, "there is no stream with new and old images: hoist store "
                    "watch sees nothing; hoist store init switches it on");
    }
}

static void check_ttl(table_t *self)
{
    if (ask(self, "DescribeTimeToLive", named(self)) < 0) {
        if (is_type(self, "UnknownOperationException")) {
            say(self, "note: this service knows no TTL, so rows that are over "
                      "stay until they are removed");
        } else {
            failed(self, "TTL cannot be looked at");
        }
        return;
    }
    const json_t *ttl = json_object_get(self->answer, "TimeToLiveDescription");
    const char *status = text_of(ttl, "TimeToLiveStatus");
    if (strcmp(status, "ENABLED") != 0 && strcmp(status, "ENABLING") != 0) {
        wrong(self, "TTL is off, so rows that are over stay for ever: hoist "
                    "store init switches it on");
    } else if (!is_text(ttl, "AttributeName", "ttl")) {
        wrong(self,
              "TTL looks at the attribute %s instead of ttl: switch it "
              "off, and after an hour run hoist store init",
              text_of(ttl, "AttributeName"));
    }
}

static int say_absent(table_t *self)
{
    if (is_type(self, "ResourceNotFoundException")) {
        wrong(self, "there is no table %s in %s: hoist store init makes it",
              self->url->table, self->url->region);
    } else {
        failed(self, "the table cannot be looked at");
    }
    return -1;
}

static void check(table_t *self)
{
    if (ask(self, "DescribeTable", named(self)) < 0) {
        say_absent(self);
        return;
    }
    check_description(self, description(self));
    check_ttl(self);
    if (self->wrong == 0) {
        say(self, "table %s is as it should be", self->url->table);
    }
}

/* --- init ---------------------------------------------------------------- */

static json_t *key_schema(const char *hash, const char *range)
{
    return json_pack("[{s:s, s:s}, {s:s, s:s}]", "AttributeName", hash,
                     "KeyType", "HASH", "AttributeName", range, "KeyType",
                     "RANGE");
}

static json_t *strings(const char *const *names, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_pack("{s:s, s:s}", "AttributeName",
                                              names[i], "AttributeType", "S"));
    }
    return list;
}

static json_t *create_body(const table_t *self)
{
    static const char *const keys[] = {"pk",     "sk",     "gsi1pk",
                                       "gsi1sk", "gsi2pk", "gsi2sk"};

    return json_pack(
        "{s:s, s:s, s:o, s:o, s:[{s:s, s:o, s:{s:s}}, {s:s, s:o, s:{s:s}}], "
        "s:{s:b, s:s}}",
        "TableName", self->url->table, "BillingMode", "PAY_PER_REQUEST",
        "AttributeDefinitions", strings(keys, sizeof keys / sizeof keys[0]),
        "KeySchema", key_schema("pk", "sk"), "GlobalSecondaryIndexes",
        "IndexName", "gsi1", "KeySchema", key_schema("gsi1pk", "gsi1sk"),
        "Projection", "ProjectionType", "ALL", "IndexName", "gsi2", "KeySchema",
        key_schema("gsi2pk", "gsi2sk"), "Projection", "ProjectionType", "ALL",
        "StreamSpecification", "StreamEnabled", 1, "StreamViewType",
        "NEW_AND_OLD_IMAGES");
}

static bool is_active(const json_t *table)
{
    bool is = is_text(table, "TableStatus", "ACTIVE");

    for (int i = 0; i < 2; i++) {
        const json_t *index = find_index(table, indexes[i]);
        is &= index == NULL || is_text(index, "IndexStatus", "ACTIVE");
    }
    return is;
}

/* Leaves the description as the last answer. */
static int await_active(table_t *self)
{
    int64_t end_ms = clock_mono_ms() + ACTIVE_MS;

    for (;;) {
        int rc = ask(self, "DescribeTable", named(self));
        if (rc == 0 && is_active(description(self))) {
            return 0;
        }
        if (rc < 0 && !is_type(self, "ResourceNotFoundException")) {
            return failed(self, "the table cannot be looked at");
        }
        if (clock_mono_ms() > end_ms) {
            wrong(self, "the table is not active after %d minutes",
                  ACTIVE_MS / 60000);
            return -ETIMEDOUT;
        }
        pause_for(self, LOOK_S);
    }
}

/* Make it, or see that it is there. */
static int create(table_t *self)
{
    int rc = ask(self, "DescribeTable", named(self));

    if (rc == 0) {
        say(self, "table %s exists", self->url->table);
        return 0;
    }
    if (!is_type(self, "ResourceNotFoundException")) {
        return failed(self, "the table cannot be looked at");
    }
    rc = ask(self, "CreateTable", create_body(self));
    if (rc < 0 && !is_type(self, "ResourceInUseException")) {
        return failed(self, "the table cannot be made");
    }
    say(self, "table %s is being made in %s", self->url->table,
        self->url->region);
    return 0;
}

static void switch_on_stream(table_t *self)
{
    const json_t *stream =
        json_object_get(description(self), "StreamSpecification");

    if (json_is_true(json_object_get(stream, "StreamEnabled"))) {
        return; /* if it is of another kind, check says so */
    }
    if (ask(self, "UpdateTable",
            json_pack("{s:s, s:{s:b, s:s}}", "TableName", self->url->table,
                      "StreamSpecification", "StreamEnabled", 1,
                      "StreamViewType", "NEW_AND_OLD_IMAGES")) == 0) {
        say(self, "its stream is switched on");
        (void)await_active(self);
    }
}

static void switch_on_ttl(table_t *self)
{
    if (ask(self, "DescribeTimeToLive", named(self)) < 0 ||
        !is_text(json_object_get(self->answer, "TimeToLiveDescription"),
                 "TimeToLiveStatus", "DISABLED")) {
        return; /* check says what is wrong with it, if anything is */
    }
    if (ask(self, "UpdateTimeToLive",
            json_pack("{s:s, s:{s:b, s:s}}", "TableName", self->url->table,
                      "TimeToLiveSpecification", "Enabled", 1, "AttributeName",
                      "ttl")) < 0) {
        failed(self, "TTL cannot be switched on");
    } else {
        say(self, "its TTL is switched on");
    }
}

static void init(table_t *self)
{
    if (create(self) < 0 || await_active(self) < 0) {
        return;
    }
    switch_on_stream(self);
    switch_on_ttl(self);
    check(self);
}

/* --- public -------------------------------------------------------------- */

static int run(struct ev_loop *loop, const dynamodb_url_t *url, FILE *out,
               void (*command)(table_t *))
{
    table_t self = {.loop = loop, .url = url, .out = out};

    self.client = dynamodb_client_new(loop, url, &self.stats);
    command(&self);
    json_decref(self.answer);
    dynamodb_client_destroy(&self.client);
    return self.wrong == 0 ? 0 : 1;
}

int dynamodb_table_init(struct ev_loop *loop, const dynamodb_url_t *url,
                        FILE *out)
{
    return run(loop, url, out, init);
}

int dynamodb_table_check(struct ev_loop *loop, const dynamodb_url_t *url,
                         FILE *out)
{
    return run(loop, url, out, check);
}
