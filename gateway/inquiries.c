/* SPDX-License-Identifier: MIT */
#include "base/question.h"
#include "base/xalloc.h"
#include "gateway/loops.h"
#include "gateway/ranking.h"
#include "gateway/report.h"
#include "gateway/view.h"

#include <stdlib.h>
#include <string.h>

#define ANSWERS_PER_TURN 64

static uint64_t bit_of(size_t loop)
{
    return UINT64_C(1) << loop;
}

static wire_bytes_t bytes_of(actor_part_t part)
{
    return (wire_bytes_t){part.data, part.len};
}

/* --- what is said when all have answered ---------------------------------- */

/* Of a loop that has ended its last word counts.  Returns how many there are.
 */
static size_t read_reports(loops_t *self, const inquiry_t *inquiry)
{
    size_t count = 0;

    for (size_t i = 0; i < self->count; i++) {
        const actor_answer_t *answer = &inquiry->answers[i];
        wire_bytes_t bytes = answer->status == 200 ? bytes_of(answer->text)
                                                   : self->loops[i].last_report;
        if (bytes.len > 0) {
            report_read(bytes, &self->reports[count++]);
        }
    }
    return count;
}

static unsigned render_health(loops_t *self, const inquiry_t *inquiry,
                              buf_t *out)
{
    (void)self;
    (void)inquiry;
    (void)out;
    return 200;
}

static unsigned render_ready(loops_t *self, const inquiry_t *inquiry,
                             buf_t *out)
{
    return summary_ready(self->reports, read_reports(self, inquiry), out);
}

static unsigned render_metrics(loops_t *self, const inquiry_t *inquiry,
                               buf_t *out)
{
    report_t sum;

    summary_sum(self->reports, read_reports(self, inquiry), &sum);
    return gateway_metrics(&sum.stats, &sum.trips, out);
}

static unsigned render_status(loops_t *self, const inquiry_t *inquiry,
                              buf_t *out)
{
    return summary_status(self->reports, read_reports(self, inquiry),
                          self->options->name, self->address, out);
}

static unsigned render_busiest(loops_t *self, const inquiry_t *inquiry,
                               buf_t *out)
{
    wire_bytes_t rows[GATEWAY_LOOPS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < self->count; i++) {
        if (inquiry->answers[i].status == 200) {
            rows[count++] = bytes_of(inquiry->answers[i].text);
        }
    }
    return ranking_show(rows, count, inquiry->limit, out);
}

static unsigned render_log(loops_t *self, const inquiry_t *inquiry, buf_t *out)
{
    report_t sum;
    (void)out;

    summary_sum(self->reports, read_reports(self, inquiry), &sum);
    gateway_log_stats(&sum.stats);
    return 200;
}

/* --- inquiries ----------------------------------------------------------- */

static void forget(loops_t *self, inquiry_t *inquiry)
{
    for (size_t i = 0; i < self->count; i++) {
        actor_drop(&inquiry->answers[i]); /* harmless where there is none */
        inquiry->answers[i] = (actor_answer_t){0};
    }
    inquiry->number = 0;
}

/* A loop without memory for its answer has said 500; the one that was asked for
 * a page may have said 400, too, and why. */
static const actor_answer_t *find_plain(const loops_t *self,
                                        const inquiry_t *inquiry)
{
    for (size_t i = 0; i < self->count; i++) {
        const actor_answer_t *answer = &inquiry->answers[i];
        if (answer->status != 0 &&
            (answer->status != 200 || inquiry->render == NULL)) {
            return answer;
        }
    }
    return NULL;
}

/* Append what is told; returns its status. */
static unsigned put_answer(loops_t *self, const inquiry_t *inquiry, buf_t *text)
{
    const actor_answer_t *plain = find_plain(self, inquiry);

    if (plain != NULL) {
        return buf_put(text, plain->text.data, plain->text.len) < 0
                   ? 500
                   : plain->status;
    }
    return inquiry->render == NULL ? 503 /* it has ended meanwhile */
                                   : inquiry->render(self, inquiry, text);
}

static void finish(loops_t *self, inquiry_t *inquiry)
{
    buf_t text;

    buf_init(&text, REPORT_MAX);
    unsigned status = put_answer(self, inquiry, &text);
    if (!inquiry->is_ours) {
        actor_answer(&self->actor, inquiry->call, status,
                     (actor_part_t){text.data, text.len},
                     (actor_part_t){NULL, 0});
    }
    buf_fini(&text);
    forget(self, inquiry);
}

static inquiry_t *find_free(loops_t *self)
{
    for (size_t i = 0; i < INQUIRIES_MAX; i++) {
        if (self->inquiries[i].number == 0) {
            return &self->inquiries[i];
        }
    }
    return NULL;
}

/* Who is not there any more is not asked; who takes no question has no
 * answer. */
static void put(inquiry_t *inquiry, loop_t *loop, const char *question)
{
    if (loop->actor.pipe != NULL) {
        inquiry->due |= bit_of(loop_index(loop));
        (void)actor_ask(loop->asking, inquiry->number, question, NULL, 0);
    }
}

static void put_to_all(loops_t *self, inquiry_t *inquiry, const char *question)
{
    for (size_t i = 0; i < self->count; i++) {
        put(inquiry, &self->loops[i], question);
    }
}

/* NULL: there are as many as there may be. */
static inquiry_t *begin_inquiry(loops_t *self, render_fn *render)
{
    inquiry_t *inquiry = find_free(self);

    if (inquiry != NULL) {
        inquiry->number = ++self->inquiry_number;
        inquiry->render = render;
        inquiry->is_ours = false;
        inquiry->due = 0;
        inquiry->deadline_ms = self->now_ms + INQUIRY_MS;
    }
    return inquiry;
}

static void say_silent(loops_t *self, const inquiry_t *inquiry)
{
    for (size_t i = 0; i < self->count; i++) {
        if ((inquiry->due & bit_of(i)) != 0) {
            log_braked(&self->brake, LEVEL_WARN, "GATEWAY-LOOP-SILENT",
                       "loop=%zu", i + 1);
        }
    }
}

/* --- questions ----------------------------------------------------------- */

static const struct {
    const char *word, *of_loops;
    render_fn *render;
} sums[] = {
    {"HEALTH", "HEALTH", render_health},
    {"READY", GATEWAY_REPORT, render_ready},
    {"METRICS", GATEWAY_REPORT, render_metrics},
    {"STATUS", GATEWAY_REPORT, render_status},
};

/* The loop whose page is asked for.  What is no cursor is for any to say. */
static loop_t *of_page(loops_t *self, const char *question)
{
    uint64_t cursor = 0;

    (void)question_number(question, "cursor", INT64_MAX, &cursor);
    uint64_t loop = cursor >> VIEW_LOOP_SHIFT;
    return &self->loops[loop < self->count ? loop : 0];
}

static bool is_of_busiest(const char *question)
{
    return question_is(question, "CONNECTIONS") &&
           question_has(question, "busiest") &&
           !question_says(question, "of", "broker");
}

static void ask_busiest(loops_t *self, inquiry_t *inquiry, const char *question)
{
    inquiry->limit = BUSIEST_MAX;
    if (question_number(question, "busiest", BUSIEST_MAX, &inquiry->limit) <
        0) {
        put(inquiry, &self->loops[0], question); /* it says what is wrong */
        return;
    }
    inquiry->render = render_busiest;
    put_to_all(self, inquiry, GATEWAY_BUSIEST);
}

static void ask(loops_t *self, inquiry_t *inquiry, const char *question)
{
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        if (question_is(question, sums[i].word)) {
            inquiry->render = sums[i].render;
            put_to_all(self, inquiry, sums[i].of_loops);
            return;
        }
    }
    if (is_of_busiest(question)) {
        ask_busiest(self, inquiry, question);
    } else {
        put(inquiry, of_page(self, question), question);
    }
}

void inquiries_ask(void *user, actor_call_t call, const char *question)
{
    loops_t *self = user;
    inquiry_t *inquiry = begin_inquiry(self, NULL);

    if (inquiry == NULL) {
        return; /* a loop hangs, or these were answered */
    }
    inquiry->call = call;
    ask(self, inquiry, question);
    if (inquiry->due == 0) {
        finish(self, inquiry);
    }
}

static void take_answer(loop_t *loop, actor_answer_t *answer)
{
    loops_t *self = loop->loops;
    size_t i = loop_index(loop);

    for (size_t at = 0; at < INQUIRIES_MAX; at++) {
        inquiry_t *inquiry = &self->inquiries[at];
        if (inquiry->number == answer->number &&
            (inquiry->due & bit_of(i)) != 0) {
            inquiry->due &= ~bit_of(i);
            inquiry->answers[i] = *answer;
            if (inquiry->due == 0) {
                finish(self, inquiry);
            }
            return;
        }
    }
    actor_drop(answer); /* too late */
}

void inquiries_take(void *user)
{
    loop_t *loop = user;
    actor_answer_t answer;

    for (int i = 0; i < ANSWERS_PER_TURN && actor_next(loop->asking, &answer);
         i++) {
        take_answer(loop, &answer);
    }
}

/* --- the rest ------------------------------------------------------------ */

void inquiries_log(loops_t *self)
{
    inquiry_t *inquiry = begin_inquiry(self, render_log);

    if (inquiry != NULL) {
        inquiry->is_ours = true;
        put_to_all(self, inquiry, GATEWAY_REPORT);
    }
}

void inquiries_log_last(loops_t *self)
{
    inquiry_t *inquiry = &self->inquiries[0];

    forget(self, inquiry);
    (void)render_log(self, inquiry, NULL);
}

void inquiries_lose(loops_t *self, const loop_t *loop)
{
    uint64_t bit = bit_of(loop_index(loop));

    for (size_t i = 0; i < INQUIRIES_MAX; i++) {
        inquiry_t *inquiry = &self->inquiries[i];
        if (inquiry->number != 0 && (inquiry->due & bit) != 0) {
            inquiry->due &= ~bit;
            if (inquiry->due == 0) {
                finish(self, inquiry);
            }
        }
    }
}

void inquiries_end(loops_t *self)
{
    for (size_t i = 0; i < INQUIRIES_MAX; i++) {
        inquiry_t *inquiry = &self->inquiries[i];
        if (inquiry->number != 0 && self->now_ms >= inquiry->deadline_ms) {
            say_silent(self, inquiry);
            forget(self, inquiry);
        }
    }
}

void inquiries_init(loops_t *self)
{
    size_t count = (size_t)self->options->loops;

    self->reports = xcalloc(count, sizeof *self->reports);
    for (size_t i = 0; i < INQUIRIES_MAX; i++) {
        self->inquiries[i].answers =
            xcalloc(count, sizeof *self->inquiries[i].answers);
    }
}

void inquiries_fini(loops_t *self)
{
    for (size_t i = 0; i < INQUIRIES_MAX; i++) {
        forget(self, &self->inquiries[i]);
        free(self->inquiries[i].answers);
    }
    free(self->reports);
}
