/* SPDX-License-Identifier: MIT */
#include "proto/json_out.h"
#include "workers/c/core.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/shape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define USUAL_DEPTH 16

/* Of a use; constant. */
typedef struct {
    const hoist_rule *body; /* borrowed */
    size_t max_bytes;
    unsigned max_depth;
    locale_t numbers;                /* owned */
    hoist_counter *passed, *refused; /* borrowed */
} validate_t;

static int check(hoist_app *app, const hoist_validate_config *wanted)
{
    char why[SHAPE_FAULT_MAX + 1];

    if (wanted == NULL || wanted->body == NULL) {
        return hoist_init_failed(app, -EINVAL, "hoist_validate: no body");
    }
    if (wanted->max_depth > SHAPE_DEPTH_MAX) {
        return hoist_init_failed(app, -EINVAL,
                                 "hoist_validate: max_depth=%u is more than 64",
                                 wanted->max_depth);
    }
    int rc = shape_check(wanted->body, why);
    return rc < 0 ? hoist_init_failed(app, rc, "hoist_validate: body: %s", why)
                  : 0;
}

static hoist_counter *counter_of(hoist_app *app, const char *labels)
{
    return hoist_counter_of(app, "hoist_worker_validation_events_total",
                            "Messages that came to hoist_validate: those that "
                            "passed and those that were refused.",
                            labels);
}

static int validate_init(hoist_app *app, const void *config, void **state)
{
    const hoist_validate_config *wanted = config;
    int rc = check(app, wanted);
    validate_t *self = rc == 0 ? calloc(1, sizeof *self) : NULL;

    if (self == NULL) {
        return rc < 0 ? rc : -ENOMEM;
    }
    self->numbers = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (self->numbers == (locale_t)0) {
        free(self);
        return -ENOMEM;
    }
    self->body = wanted->body;
    self->max_bytes = wanted->max_bytes;
    self->max_depth = wanted->max_depth > 0 ? wanted->max_depth : USUAL_DEPTH;
    self->passed = counter_of(app, "outcome=\"passed\"");
    self->refused = counter_of(app, "outcome=\"refused\"");
    *state = self;
    return 0;
}

static void validate_fini(void *state)
{
    validate_t *self = state;

    freelocale(self->numbers);
    free(self);
}

/* --- words --------------------------------------------------------------- */

static const char *type_words(const hoist_rule *rule)
{
    static const char *const words[] = {
        [HOIST_JSON_ANY] = "anything",
        [HOIST_JSON_OBJECT] = "an object",
        [HOIST_JSON_ARRAY] = "an array",
        [HOIST_JSON_STRING] = "a string",
        [HOIST_JSON_NUMBER] = "a number",
        [HOIST_JSON_INTEGER] = "an integer",
        [HOIST_JSON_BOOLEAN] = "true or false",
    };

    return words[rule->type];
}

static const char *unit_words(const hoist_rule *rule)
{
    return rule->type == HOIST_JSON_STRING  ? "characters"
           : rule->type == HOIST_JSON_ARRAY ? "elements"
                                            : "members";
}

static void put_length(const hoist_rule *rule, char *text, size_t size)
{
    if (rule->max > 0) {
        (void)snprintf(text, size, "must have %u to %u %s", rule->min,
                       rule->max, unit_words(rule));
    } else {
        (void)snprintf(text, size, "must have at least %u %s", rule->min,
                       unit_words(rule));
    }
}

/* What is wrong, for people. */
static void put_words(const shape_verdict_t *verdict, char *text, size_t size)
{
    switch (verdict->problem) {
    case SHAPE_DEPTH:
        (void)snprintf(text, size, "is nested too deep");
        break;
    case SHAPE_TYPE:
        (void)snprintf(text, size, "must be %s", type_words(verdict->rule));
        break;
    case SHAPE_MISSING:
        (void)snprintf(text, size, "is missing");
        break;
    case SHAPE_UNKNOWN:
        (void)snprintf(text, size, "is not known");
        break;
    case SHAPE_TWICE:
        (void)snprintf(text, size, "is there twice");
        break;
    case SHAPE_LENGTH:
        put_length(verdict->rule, text, size);
        break;
    case SHAPE_RANGE:
        (void)snprintf(text, size, "is out of range");
        break;
    case SHAPE_CHOICE:
        (void)snprintf(text, size, "is none of the choices");
        break;
    default:
        (void)snprintf(text, size, "is no JSON");
    }
}

static int put_details(buf_t *out, const shape_verdict_t *verdict)
{
    json_out_t json = json_out(out);

    out->len = 0;
    json_put_open(&json, '{');
    json_put_field(&json, "path", wire_bytes(verdict->path));
    json_put_field(&json, "problem",
                   wire_bytes(shape_problem_name(verdict->problem)));
    json_put_close(&json, '}');
    return json.rc;
}

/* --- events -------------------------------------------------------------- */

static int refuse(const validate_t *self, hoist_ctx *ctx,
                  const shape_verdict_t *verdict)
{
    buf_t *details = &ctx->scratch;
    char words[64], message[SHAPE_PATH_MAX + sizeof words + 16];

    hoist_count(self->refused, 1);
    put_words(verdict, words, sizeof words);
    (void)snprintf(message, sizeof message, "%s %s",
                   verdict->path[0] != '\0' ? verdict->path : "The body",
                   words);
    bool has_details = put_details(details, verdict) == 0;
    return hoist_fail_with(
        ctx,
        &(hoist_error){.status = 400,
                       .code = hoist_str("invalid-body"),
                       .message = hoist_str(message),
                       .details = hoist_bytes(details->data,
                                              has_details ? details->len : 0)});
}

static int validate_run(hoist_ctx *ctx, void *state)
{
    const validate_t *self = state;
    hoist_text body = hoist_body(ctx);
    shape_verdict_t verdict = {.problem = SHAPE_JSON};

    if (hoist_event_of(ctx) != HOIST_MESSAGE) {
        return hoist_next(ctx);
    }
    if (self->max_bytes > 0 && body.len > self->max_bytes) {
        hoist_count(self->refused, 1);
        return hoist_fail(ctx, 413, "too-long", "The body is too long");
    }
    if (hoist_body_type(ctx) == HOIST_TEXT) {
        shape_verify(self->body, wire_of(body), self->max_depth, self->numbers,
                     &verdict);
    }
    if (verdict.problem != SHAPE_FITS) {
        return refuse(self, ctx, &verdict);
    }
    hoist_count(self->passed, 1);
    return hoist_next(ctx);
}

static const hoist_middleware table = {.init = validate_init,
                                       .run = validate_run,
                                       .fini = validate_fini};
const hoist_middleware *const hoist_validate = &table;
