/* SPDX-License-Identifier: MIT */
#include "cli/sources.h"

#include "cli/settings_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void say(sources_t *self, const setting_t *setting, said_by_t by,
                const char *value)
{
    self->by[setting - setting_table] = by;
    self->values[setting - setting_table] = value;
}

void sources_origin(const sources_t *self, const setting_t *setting,
                    char origin[ORIGIN_MAX])
{
    switch (self->by[setting - setting_table]) {
    case BY_FILE:
        snprintf(origin, ORIGIN_MAX, "%s: %s", self->config.path,
                 setting->name);
        return;
    case BY_VARIABLE:
        setting_variable(setting, origin);
        return;
    default:
        snprintf(origin, ORIGIN_MAX, "--%s", setting->name);
        return;
    }
}

/*
 * Read a file as zconfig; NULL when it cannot be.  zconfig_load would lose
 * memory over a wrong line (4.2.1).
 */
static zconfig_t *parse_file(const char *path)
{
    /* An open directory reads like an empty file. */
    zchunk_t *chunk =
        S_ISDIR(zsys_file_mode(path)) ? NULL : zchunk_slurp(path, 0);
    zconfig_t *config = chunk == NULL ? NULL : zconfig_chunk_load(chunk);

    zchunk_destroy(&chunk);
    return config;
}

/*
 * Load the file.  czmq prints what is wrong with it on standard output ("…
 * (zconfig): (2) indentation error"); that is caught, so that it becomes part
 * of our line.  No other thread prints there, and glibc lets stdout be set.
 */
static int load_file(settings_t *settings, const config_t *config, char *error)
{
    char *said = NULL, right[128];
    size_t size;

    if (!value_is_right(READABLE, config->path, right, sizeof right)) {
        return settings_fault(error, config->origin, config->path, right);
    }
    FILE *usual = stdout, *stream = open_memstream(&said, &size);

    stdout = stream != NULL ? stream : usual;
    settings->file = parse_file(config->path);
    stdout = usual;
    if (stream != NULL) {
        fclose(stream);
    }
    const char *reason = said == NULL ? NULL : strstr(said, "(zconfig): ");
    if (reason == NULL) {
        snprintf(right, sizeof right, "a file that can be read");
    } else {
        reason += strlen("(zconfig): ");
        snprintf(right, sizeof right, "lines like max-frame = 4096: %.*s",
                 (int)strcspn(reason, "\n"), reason);
    }
    free(said);
    return settings->file == NULL
               ? settings_fault(error, config->origin, config->path, right)
               : 0;
}

static int unknown_in_file(char *error, const char *path, const char *name)
{
    const char *near = setting_nearest(name);

    snprintf(error, SETTING_ERROR_MAX,
             "%s: '%s' is no setting; %s%s%s`hoist settings` lists them", path,
             name, near == NULL ? "" : "did you mean ",
             near == NULL ? "" : near, near == NULL ? "" : "?  ");
    return -EINVAL;
}

static int twice_in_file(char *error, const char *path, const char *name)
{
    snprintf(error, SETTING_ERROR_MAX,
             "%s: %s stands there more than once; give one line for a setting",
             path, name);
    return -EINVAL;
}

static int read_line(sources_t *self, audience_t audience, zconfig_t *line,
                     char *error)
{
    char origin[ORIGIN_MAX];
    const char *name = zconfig_name(line), *path = self->config.path;
    const setting_t *setting = setting_find(name, strlen(name));

    snprintf(origin, sizeof origin, "%s: %s", path, name);
    if (setting == NULL) {
        return unknown_in_file(error, path, name);
    }
    if (zconfig_child(line) != NULL) {
        return settings_fault(error, origin, zconfig_name(zconfig_child(line)),
                              "no indented lines below a setting");
    }
    /* One file may serve gateway and broker: each reads what is its. */
    if (!setting_is_for(setting, audience)) {
        return 0;
    }
    if (self->values[setting - setting_table] != NULL) {
        return twice_in_file(error, path, name);
    }
    say(self, setting, BY_FILE, zconfig_value(line));
    return 0;
}

static int read_file(sources_t *self, settings_t *settings, audience_t audience,
                     char *error)
{
    int rc = load_file(settings, &self->config, error);

    for (zconfig_t *line = rc < 0 ? NULL : zconfig_child(settings->file);
         rc == 0 && line != NULL; line = zconfig_next(line)) {
        rc = read_line(self, audience, line, error);
    }
    return rc;
}

static void read_environment(sources_t *self, audience_t audience)
{
    for (size_t i = 0; i < setting_count; i++) {
        char name[SETTING_VARIABLE_MAX];
        setting_variable(&setting_table[i], name);
        const char *value = getenv(name);
        if (value != NULL && setting_is_for(&setting_table[i], audience)) {
            say(self, &setting_table[i], BY_VARIABLE, value);
        }
    }
}

/* The value of argv[*i], which may be in the next argument; NULL: none. */
static const char *value_of(int argc, char **argv, int *i)
{
    const char *equals = strchr(argv[*i], '=');

    if (equals != NULL) {
        return equals + 1;
    }
    return *i + 1 < argc ? argv[++*i] : NULL;
}

static int unknown_flag(char *error, const char *flag)
{
    size_t dashes = strspn(flag, "-");
    char name[SETTING_VARIABLE_MAX];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(flag + dashes, "="),
             flag + dashes);
    const char *near = dashes == 2 ? setting_nearest(name) : NULL;
    snprintf(error, SETTING_ERROR_MAX,
             "%s: unknown here; %s%s%s--help lists the settings", flag,
             near == NULL ? "" : "did you mean --", near == NULL ? "" : near,
             near == NULL ? "" : "?  ");
    return -EINVAL;
}

/* A flag alone says true, unless the next argument is its value: arguments
 * that are neither a flag nor a value have no place here. */
static bool is_alone(const setting_t *setting, int argc, char **argv, int i)
{
    return setting->type == FLAG && strchr(argv[i], '=') == NULL &&
           (i + 1 == argc || argv[i + 1][0] == '-');
}

/* There is one of that name, which is not for this command. */
static int misplaced_flag(char *error, const setting_t *setting)
{
    bool is_the_brokers = setting->audience == FOR_BROKER;

    snprintf(error, SETTING_ERROR_MAX,
             "--%s: a setting of the %s, not of the %s; leave it out",
             setting->name, is_the_brokers ? "broker" : "gateway",
             is_the_brokers ? "gateway" : "broker");
    return -EINVAL;
}

static int read_flag(sources_t *self, audience_t audience, int argc,
                     char **argv, int *i, char *error)
{
    const char *flag = argv[*i];
    size_t len = strcspn(flag, "=");
    const setting_t *setting =
        strncmp(flag, "--", 2) == 0 ? setting_find(flag + 2, len - 2) : NULL;

    if (setting == NULL) {
        return unknown_flag(error, flag);
    }
    if ((setting->audience & audience) == 0) {
        return misplaced_flag(error, setting);
    }
    if (!setting_is_for(setting, audience)) {
        snprintf(error, SETTING_ERROR_MAX,
                 "--%s: not with serve, where gateway and broker are one "
                 "process; leave it out",
                 setting->name);
        return -EINVAL;
    }
    const char *value =
        is_alone(setting, argc, argv, *i) ? "true" : value_of(argc, argv, i);
    if (value == NULL) {
        snprintf(error, SETTING_ERROR_MAX, "%s: a value is missing; give %s",
                 flag, setting->unit);
        return -EINVAL;
    }
    say(self, setting, BY_FLAG, value);
    return 0;
}

static bool is_config(const char *argument)
{
    return streq(argument, "--config") ||
           strncmp(argument, "--config=", strlen("--config=")) == 0;
}

static config_t config_of(int argc, char **argv)
{
    config_t config = {getenv("HOIST_CONFIG"), "HOIST_CONFIG"};

    for (int i = 0; i < argc; i++) {
        if (is_config(argv[i])) {
            config = (config_t){value_of(argc, argv, &i), "--config"};
        }
    }
    return config;
}

static int read_flags(sources_t *self, audience_t audience, int argc,
                      char **argv, char *error)
{
    for (int i = 0; i < argc && argv[i] != NULL; i++) {
        if (streq(argv[i], "--help") || streq(argv[i], "-h")) {
            return 1;
        }
        if (is_config(argv[i])) {
            if (value_of(argc, argv, &i) == NULL) {
                return settings_fault(error, "--config", "", "a file");
            }
            continue;
        }
        int read = read_flag(self, audience, argc, argv, &i, error);
        if (read < 0) {
            return read;
        }
    }
    return 0;
}

int sources_take(const sources_t *self, settings_t *settings,
                 char error[SETTING_ERROR_MAX])
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < setting_count; i++) {
        char origin[ORIGIN_MAX];
        if (self->values[i] != NULL) {
            sources_origin(self, &setting_table[i], origin);
            rc = setting_set(settings, &setting_table[i], origin,
                             self->values[i], error);
        }
    }
    return rc;
}

bool sources_have(const sources_t *self, const char *name)
{
    return self->values[setting_find(name, strlen(name)) - setting_table] !=
           NULL;
}

int sources_read(sources_t *self, settings_t *settings, audience_t audience,
                 int argc, char **argv, char error[SETTING_ERROR_MAX])
{
    int rc = 0;

    *self = (sources_t){.config = config_of(argc, argv)};
    if (self->config.path != NULL) {
        rc = read_file(self, settings, audience, error);
    }
    if (rc == 0) {
        read_environment(self, audience);
        rc = read_flags(self, audience, argc, argv, error);
    }
    return rc;
}
