/* SPDX-License-Identifier: MIT
 *
 * Every setting of the `hoist` program, in one table: its flag, its HOIST_…
 * variable, its line in the configuration file, its default and its help all
 * come from there.  A flag wins over a variable, a variable over the file.
 * One thread, the main one.
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "admin/options.h"
#include "broker/options.h"
#include "gateway/gateway.h"
#include "manage/options.h"

#include <stdio.h>

/* Who understands a setting; a bit each. */
typedef enum { FOR_GATEWAY = 1, FOR_BROKER = 2, FOR_ALL = 3 } audience_t;

typedef struct {
    gateway_options_t gateway;
    broker_options_t broker;
    admin_options_t admin;
    manage_options_t manage;
    const char *name;           /* of this process, for people */
    const char *curve_key;      /* of both */
    int64_t drain_ms;           /* of both */
    bool is_size_said;          /* somebody said how many clients, handshakes,
                                   workers or gateways there may be */
    const char *log_level;      /* "error", "warn", "info" or "debug" */
    const char *trace_sample;   /* a number from 0 to 1 */
    const char *trace_endpoint; /* of both */
    const char *log_format;     /* "text" or "json" */
    zconfig_t *file;            /* owned: texts that came from it; NULL: none */
} settings_t;

#define SETTING_ERROR_MAX 1024

/*
 * Fill settings from defaults, the file that --config or HOIST_CONFIG names,
 * the environment and argv (without program and subcommand).  Texts in
 * settings live until settings_fini, which is due after a failure too.
 *
 * Returns 0; 1 when --help was asked for; -EINVAL with one line in error that
 * names the setting, its value and what would be right.
 */
int settings_read(settings_t *settings, audience_t audience, int argc,
                  char **argv, char error[SETTING_ERROR_MAX]);

void settings_fini(settings_t *settings);

#define SETTING_NUMBER_MAX 24

typedef struct {
    const char *name;
    const char *text;
    char number[SETTING_NUMBER_MAX]; /* what `text` may point at */
} settings_value_t;

/* How many there are, for whomever. */
size_t settings_count(void);

/* The i-th with its value; false: it is not for this audience. */
bool settings_value(const settings_t *settings, audience_t audience, size_t i,
                    settings_value_t *value);

/* The flags of an audience with their defaults in chapters, as --help shows
 * them. */
void settings_help(audience_t audience, FILE *out);

/* All of them as tables of Markdown, as docs/settings.md has them. */
void settings_table(FILE *out);

#endif
