/* SPDX-License-Identifier: MIT */
#include "gateway/summary.h"

#include "base/xalloc.h"
#include "gateway/report.h"
#include "gateway/rows.h"

#include <stdio.h>
#include <string.h>

#define REASONS_MAX 512 /* bytes of a loop's */

/* --- reports ------------------------------------------------------------- */

static report_t numbers_of(const hub_t *hub)
{
    return (report_t){
        .number = (uint32_t)hub->options.loop + 1,
        .id = hub->loop,
        .is_draining = hub->is_draining,
        .uptime_ms = (uint64_t)(hub->now_ms - hub->born_ms),
        .groups = hub->groups.table.count,
        .stats = hub->stats,
        .trips = hub->trips,
    };
}

static unsigned put_own_brokers(const hub_t *hub, buf_t *text)
{
    json_out_t out = json_out(text);

    json_put_open(&out, '[');
    for (size_t i = 0; i < hub->link_count; i++) {
        row_put_broker(&out, hub, hub->links[i]);
    }
    json_put_close(&out, ']');
    return out.rc < 0 ? 500 : 200;
}

/* The numbers are filled in when the texts behind them are there. */
unsigned report_put(const hub_t *hub, buf_t *out)
{
    report_t report = numbers_of(hub);
    size_t start = out->len;

    if (buf_put(out, &report, sizeof report) < 0) {
        return 500;
    }
    report.ready = gateway_ready(hub, out);
    report.reasons_len = (uint32_t)(out->len - start - sizeof report);
    memcpy(out->data + start, &report, sizeof report);
    return report.ready == 500 ? 500 : put_own_brokers(hub, out);
}

void report_read(wire_bytes_t bytes, report_t *report)
{
    must(bytes.len >= sizeof *report);
    memcpy(report, bytes.data, sizeof *report);
    size_t texts = bytes.len - sizeof *report;
    must(report->reasons_len <= texts);
    report->reasons =
        (wire_bytes_t){bytes.data + sizeof *report, report->reasons_len};
    report->brokers = (wire_bytes_t){report->reasons.data + report->reasons_len,
                                     texts - report->reasons_len};
}

/* --- sums ---------------------------------------------------------------- */

/* Each loop has read the certificate by itself: the first end counts. */
static uint64_t first_end(uint64_t one, uint64_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

static void add(report_t *sum, const report_t *other)
{
    uint64_t until = first_end(sum->stats.tls_until, other->stats.tls_until);

#define X(name, kind, unit, meaning) sum->stats.name += other->stats.name;
    GATEWAY_STATS(X)
#undef X
    sum->stats.tls_until = until;
    trips_merge(&sum->trips, &other->trips);
    sum->groups += other->groups;
}

void summary_sum(const report_t *loops, size_t count, report_t *sum)
{
    *sum = loops[0];
    for (size_t i = 1; i < count; i++) {
        add(sum, &loops[i]);
    }
}

/* --- readiness ----------------------------------------------------------- */

/* Each line with its loop. */
static int put_reasons(const report_t *report, buf_t *out)
{
    wire_bytes_t rest = report->reasons;
    char before[32];
    int rc = 0;

    int len = snprintf(before, sizeof before, "loop %u: ", report->number);
    while (rc == 0 && rest.len > 0) {
        const uint8_t *lf = memchr(rest.data, '\n', rest.len);
        size_t line = lf == NULL ? rest.len : (size_t)(lf - rest.data) + 1;
        if ((rc = buf_put(out, before, (size_t)len)) == 0) {
            rc = buf_put(out, rest.data, line);
        }
        rest.data += line;
        rest.len -= line;
    }
    return rc;
}

/* Mostly they are, since all have the same brokers. */
static bool are_of_one_mind(const report_t *loops, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (!wire_equal(loops[i].reasons, loops[0].reasons)) {
            return false;
        }
    }
    return true;
}

static int put_all_reasons(const report_t *loops, size_t count, buf_t *out)
{
    int rc = 0;

    if (are_of_one_mind(loops, count)) {
        return buf_put(out, loops[0].reasons.data, loops[0].reasons.len);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = put_reasons(&loops[i], out);
    }
    return rc;
}

unsigned summary_ready(const report_t *loops, size_t count, buf_t *out)
{
    unsigned worst = 200;

    for (size_t i = 0; i < count; i++) {
        worst = loops[i].ready > worst ? loops[i].ready : worst;
    }
    return put_all_reasons(loops, count, out) < 0 ? 500 : worst;
}

/* --- /status ------------------------------------------------------------- */

static void put_ready(json_out_t *out, const report_t *loops, size_t count)
{
    buf_t lines;

    buf_init(&lines, count * REASONS_MAX);
    json_put_field_bool(out, "ready",
                        summary_ready(loops, count, &lines) == 200);
    json_put_key(out, "reasons");
    json_put_lines(out, (wire_bytes_t){lines.data, lines.len});
    buf_fini(&lines);
}

static bool is_draining(const report_t *loops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (loops[i].is_draining) {
            return true;
        }
    }
    return false;
}

static void put_loop(json_out_t *out, const report_t *report)
{
    json_put_open(out, '{');
    json_put_field_uint(out, "loop", report->number);
    json_put_field_uint(out, "id", report->id);
    json_put_field_bool(out, "ready", report->ready == 200);
    json_put_field_bool(out, "draining", report->is_draining);
    json_put_field_uint(out, "groups", report->groups);
    json_put_field_uint(out, "connections", report->stats.connections);
    json_put_field_uint(out, "messages_in", report->stats.messages_in);
    json_put_field_uint(out, "messages_out", report->stats.messages_out);
    json_put_close(out, '}');
}

/* What is between the brackets of each loop's array. */
static void put_brokers(json_out_t *out, const report_t *loops, size_t count)
{
    json_put_key(out, "brokers");
    json_put_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        wire_bytes_t brokers = loops[i].brokers;
        if (brokers.len > 2) {
            json_put_raw(out,
                         (wire_bytes_t){brokers.data + 1, brokers.len - 2});
        }
    }
    json_put_close(out, ']');
}

static void put_loops(json_out_t *out, const report_t *loops, size_t count)
{
    json_put_key(out, "loops");
    json_put_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        put_loop(out, &loops[i]);
    }
    json_put_close(out, ']');
}

static void put_counters(json_out_t *out, const gateway_stats_t *stats)
{
    json_put_key(out, "counters");
    json_put_open(out, '{');
#define X(name, kind, unit, meaning)                                           \
    json_put_field_uint(out, #name, stats->name);
    GATEWAY_STATS(X)
#undef X
    json_put_close(out, '}');
}

unsigned summary_status(const report_t *loops, size_t count, const char *name,
                        const char *address, buf_t *text)
{
    json_out_t out = json_out(text);
    report_t sum;

    summary_sum(loops, count, &sum);
    json_put_open(&out, '{');
    json_put_field(&out, "name", wire_bytes(name));
    json_put_field(&out, "address", wire_bytes(address));
    json_put_field_uint(&out, "uptime_ms", sum.uptime_ms);
    put_ready(&out, loops, count);
    json_put_field_bool(&out, "draining", is_draining(loops, count));
    json_put_field_uint(&out, "groups", sum.groups);
    put_loops(&out, loops, count);
    put_brokers(&out, loops, count);
    put_counters(&out, &sum.stats);
    json_put_close(&out, '}');
    return out.rc < 0 ? 500 : 200;
}
