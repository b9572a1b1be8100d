/* SPDX-License-Identifier: MIT */
#include "cli/settings.h"

#include "base/log.h"
#include "cli/setting.h"
#include "cli/settings_check.h"
#include "cli/sources.h"

#include <stdlib.h>
#include <string.h>

/* --- settings that follow from others ------------------------------------ */

/* Both were checked. */
static void set_log(const settings_t *settings)
{
    log_level_t level = LEVEL_INFO;
    log_format_t format = LOG_TEXT;

    (void)log_level_parse(settings->log_level, &level);
    (void)log_format_parse(settings->log_format, &format);
    log_set_level(level);
    log_set_format(format);
}

/* They were checked. */
static void derive(settings_t *settings, audience_t audience)
{
    gateway_options_t *gateway = &settings->gateway;
    broker_options_t *broker = &settings->broker;

    gateway->trace_sample = strtod(settings->trace_sample, NULL);
    gateway->trace_endpoint = broker->trace_endpoint = settings->trace_endpoint;
    broker->curve_key = settings->curve_key;
    /* Within a process there is nothing to protect. */
    gateway->curve_key = audience == FOR_GATEWAY ? settings->curve_key : "";
    gateway->name = broker->name = settings->manage.name = settings->name;
    settings->manage.stage = gateway->stage;
    settings->admin.body_max = settings->manage.body_max;
    gateway->manage_body = settings->manage.body_max;
    gateway->drain_ms = broker->drain_ms = settings->drain_ms;
    set_log(settings);
}

static int check(const sources_t *sources, settings_t *settings,
                 audience_t audience, char *error)
{
    char liveness[ORIGIN_MAX];

    sources_origin(sources, setting_find("liveness", strlen("liveness")),
                   liveness);
    settings->is_size_said = sources_have(sources, "max-connections") ||
                             sources_have(sources, "max-handshakes") ||
                             sources_have(sources, "max-workers") ||
                             sources_have(sources, "max-gateways");
    int rc = settings_check(settings, audience, liveness, error);
    if (rc == 0) {
        derive(settings, audience);
    }
    return rc;
}

int settings_read(settings_t *settings, audience_t audience, int argc,
                  char **argv, char error[SETTING_ERROR_MAX])
{
    sources_t sources;

    error[0] = '\0';
    settings_default(settings);
    int read = sources_read(&sources, settings, audience, argc, argv, error);
    if (read == 0) {
        read = sources_take(&sources, settings, error);
    }
    return read == 0 ? check(&sources, settings, audience, error) : read;
}

void settings_fini(settings_t *settings)
{
    zconfig_destroy(&settings->file);
}

/* --- values as text ------------------------------------------------------ */

size_t settings_count(void)
{
    return setting_count;
}

bool settings_value(const settings_t *settings, audience_t audience, size_t i,
                    settings_value_t *value)
{
    value->name = setting_table[i].name;
    value->text = setting_text(settings, &setting_table[i], value->number);
    return setting_is_for(&setting_table[i], audience);
}

/* --- for people ---------------------------------------------------------- */

/* What a value may be: "1 to 65536 requests", "true or false", "FILE". */
static void print_right(const setting_t *setting, FILE *out)
{
    if (setting->type == NUMBER) {
        fprintf(out, "%lld to %lld %s", (long long)setting->min,
                (long long)setting->max, setting->unit);
    } else if (setting->type == FLAG) {
        fputs("true or false", out);
    } else if (setting->max > 0) {
        fprintf(out, "%s, at most %lld bytes", setting->unit,
                (long long)setting->max);
    } else {
        fputs(setting->unit, out);
    }
}

static void print_help(const settings_t *settings, const setting_t *setting,
                       FILE *out)
{
    char number[SETTING_NUMBER_MAX], variable[SETTING_VARIABLE_MAX];

    setting_variable(setting, variable);
    fprintf(out, "  --%s ", setting->name);
    print_right(setting, out);
    fprintf(out, "  %s\n      %s [%s]\n", variable, setting->help,
            setting_text(settings, setting, number));
}

void settings_help(audience_t audience, FILE *out)
{
    const char *chapter = NULL; /* that is still to be named */
    settings_t settings;

    settings_default(&settings);
    for (size_t i = 0; i < setting_count; i++) {
        const char *next = setting_chapter(&setting_table[i]);
        chapter = next != NULL ? next : chapter;
        if (!setting_is_for(&setting_table[i], audience)) {
            continue;
        }
        if (chapter != NULL) {
            fprintf(out, "\n%s:\n\n", chapter);
            chapter = NULL;
        }
        print_help(&settings, &setting_table[i], out);
    }
    fputs("\nBesides:\n\n"
          "  --config FILE  HOIST_CONFIG\n"
          "      read settings from FILE []\n"
          "  --help\n      show this\n",
          out);
}

static void print_row(const settings_t *settings, const setting_t *setting,
                      FILE *out)
{
    static const char *const audiences[] = {"", "gateway", "broker", "both"};
    char number[SETTING_NUMBER_MAX], variable[SETTING_VARIABLE_MAX];

    setting_variable(setting, variable);
    fprintf(out, "| `--%s` | `%s` | %s | ", setting->name, variable,
            audiences[setting->audience]);
    print_right(setting, out);
    fprintf(out, " | `%s` | %s |\n", setting_text(settings, setting, number),
            setting->help);
}

void settings_table(FILE *out)
{
    settings_t settings;

    settings_default(&settings);
    for (size_t i = 0; i < setting_count; i++) {
        const char *chapter = setting_chapter(&setting_table[i]);
        if (chapter != NULL) {
            fprintf(out,
                    "%s## %s\n\n"
                    "| Flag | Variable | Of | Value | Default | Meaning |\n"
                    "|---|---|---|---|---|---|\n",
                    i == 0 ? "" : "\n", chapter);
        }
        print_row(&settings, &setting_table[i], out);
    }
}
