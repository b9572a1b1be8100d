/* SPDX-License-Identifier: MIT */
#include "cli/system.h"

#include "base/clock.h"
#include "cli/text.h"
#include "cli/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define REASON_COLUMNS 200

static void add_reason(system_t *self, const char *address, const char *who,
                       const char *why)
{
    char line[512];

    snprintf(line, sizeof line, "%s: %s%s%s", address, who,
             who[0] == '\0' ? "" : ": ", why);
    json_array_append_new(self->reasons, json_string(line));
}

json_t *system_actor(const system_t *self, size_t process, const char *actor)
{
    return json_object_get(self->replies[process].json, actor);
}

uint64_t system_counter(const json_t *actor, const char *name)
{
    return ask_number(json_object_get(actor, "counters"), name);
}

static void take_health(system_t *self, size_t process, const char *name)
{
    const json_t *actor = system_actor(self, process, name);
    const json_t *reasons = json_object_get(actor, "reasons");

    self->is_well &= ask_flag(actor, "ready");
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        add_reason(self, self->replies[process].address, name,
                   json_string_value(json_array_get(reasons, i)));
    }
}

static void take_gateway(system_t *self, size_t process)
{
    const json_t *actor = system_actor(self, process, "gateway");

    if (actor == NULL) {
        return;
    }
    self->gateways++;
#define X(name) self->sum.name += system_counter(actor, #name);
    SYSTEM_GATEWAY_SUMS(X)
#undef X
    take_health(self, process, "gateway");
}

/* A worker is at each of its brokers: by the same boot id, behind which stands
 * how often it has lost that one ("boot.2"). */
static void take_workers(system_t *self, const json_t *broker)
{
    const json_t *workers = json_object_get(broker, "workers");

    for (size_t i = 0; i < json_array_size(workers); i++) {
        const char *boot = ask_text(json_array_get(workers, i), "boot");
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(boot, "."), boot);
        json_object_set_new(self->boots, key, json_true());
    }
    self->workers_untold += ask_number(broker, "workers_untold");
}

uint64_t system_workers(const system_t *self)
{
    return json_object_size(self->boots) + self->workers_untold;
}

static void take_broker(system_t *self, size_t process)
{
    const json_t *actor = system_actor(self, process, "broker");

    if (actor == NULL) {
        return;
    }
    self->brokers++;
#define X(name) self->sum.name += system_counter(actor, #name);
    SYSTEM_BROKER_SUMS(X)
#undef X
    take_workers(self, actor);
    take_health(self, process, "broker");
}

static void take(system_t *self, size_t process)
{
    const reply_t *reply = &self->replies[process];

    if (reply->json == NULL) {
        self->is_well = false;
        add_reason(self, reply->address, "",
                   reply->problem[0] != '\0' ? reply->problem
                                             : "its answer is none of hoist's");
        return;
    }
    self->answered++;
    if (ask_flag(reply->json, "stopping")) {
        self->is_well = false;
        add_reason(self, reply->address, "", "stops");
    }
    take_gateway(self, process);
    take_broker(self, process);
}

void system_fetch(system_t *self, const asked_t *asked)
{
    memset(self, 0, sizeof *self);
    self->asked = asked;
    self->is_well = true;
    self->reasons = json_array();
    self->boots = json_object();
    ask_all(asked, &(ask_t){.path = "/status"}, self->replies);
    self->at_us = clock_mono_us();
    for (size_t i = 0; i < asked->count; i++) {
        take(self, i);
    }
    if (self->is_well && self->brokers > 0 && system_workers(self) == 0) {
        json_array_append_new(self->reasons,
                              json_string("no worker serves anything"));
    }
}

void system_fini(system_t *self)
{
    if (self->asked != NULL) {
        replies_fini(self->replies, self->asked->count);
    }
    json_decref(self->reasons);
    json_decref(self->boots);
    memset(self, 0, sizeof *self);
}

const char *system_name(const system_t *self, size_t process,
                        const json_t *actor)
{
    const char *name = ask_text(actor, "name");

    return name[0] != '\0' ? name : self->replies[process].address;
}

double system_rate(uint64_t now, uint64_t before, int64_t span_us)
{
    /* Less than before: a process was restarted. */
    return span_us <= 0 || now < before
               ? 0
               : (double)(now - before) * 1e6 / (double)span_us;
}

static void tell_number(FILE *out, const char *before, uint64_t count,
                        const char *what)
{
    fprintf(out, "%s%" PRIu64 " %s%s", before, count, what,
            count == 1 ? "" : "s");
}

/* Of what was not asked nothing is known. */
static void tell_numbers(const system_t *self, FILE *out)
{
    const char *between = "";

    if (self->gateways > 0) {
        tell_number(out, "", self->gateways, "gateway");
        between = ", ";
    }
    if (self->brokers > 0) {
        tell_number(out, between, self->brokers, "broker");
        tell_number(out, ", ", system_workers(self), "worker");
    }
    if (self->gateways > 0) {
        tell_number(out, ", ", self->sum.connections, "connection");
    }
    if (self->gateways + self->brokers == 0) {
        fputs("no gateway or broker answers", out);
    }
}

static void tell_reasons(const system_t *self, FILE *out)
{
    char clean[4 * REASON_COLUMNS + 1];

    for (size_t i = 0; i < json_array_size(self->reasons); i++) {
        text_clean(clean, sizeof clean,
                   json_string_value(json_array_get(self->reasons, i)),
                   REASON_COLUMNS);
        fprintf(out, "  %s\n", clean);
    }
}

void system_tell(const system_t *self, FILE *out)
{
    bool has_reasons = json_array_size(self->reasons) > 0;

    fprintf(out, "%s: ",
            !self->is_well ? "Not well"
            : has_reasons  ? "Well, with less than there should be"
                           : "Well");
    tell_numbers(self, out);
    fputs(has_reasons ? ";\n" : ".\n", out);
    tell_reasons(self, out);
}

int system_status(const system_t *self)
{
    return self->answered == 0 ? VERB_SILENT
           : self->is_well     ? VERB_FINE
                               : VERB_NOT;
}

void system_pause(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000),
                            .tv_nsec = (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}
