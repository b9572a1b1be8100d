/* SPDX-License-Identifier: MIT */
#include "cli/reload.h"

#include "base/log.h"
#include "base/xalloc.h"
#include "cli/descriptors.h"
#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 2048 /* bytes of names in a line of the log */

struct reload {
    audience_t audience;
    int argc;
    char **argv; /* borrowed */
    size_t count;
    char **running; /* owned: values in force; NULL: not for us */
};

/* Reading such a setting has changed it. */
static bool is_of_the_log(const char *name)
{
    return strcmp(name, "log-level") == 0 || strcmp(name, "log-format") == 0;
}

static void keep(reload_t *self, size_t i, const char *value)
{
    free(self->running[i]);
    self->running[i] = xstrdup(value);
}

reload_t *reload_new(const settings_t *settings, audience_t audience, int argc,
                     char **argv)
{
    reload_t *self = xcalloc(1, sizeof *self);
    settings_value_t value;

    self->audience = audience;
    self->argc = argc;
    self->argv = argv;
    self->count = settings_count();
    self->running = xcalloc(self->count, sizeof(char *));
    for (size_t i = 0; i < self->count; i++) {
        if (settings_value(settings, audience, i, &value)) {
            keep(self, i, value.text);
        }
    }
    return self;
}

void reload_destroy(reload_t **self_p)
{
    reload_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++) {
        free(self->running[i]);
    }
    free(self->running);
    free(self);
}

/* Append to a list of names. */
static void add(char names[NAMES_MAX], const char *name)
{
    size_t len = strlen(names);

    snprintf(names + len, NAMES_MAX - len, "%s%s", len > 0 ? "," : "", name);
}

static const char *or_none(const char *names)
{
    return names[0] == '\0' ? "none" : names;
}

static void compare(reload_t *self, const settings_t *fresh,
                    reload_tell_fn *tell, void *user)
{
    char changed[NAMES_MAX] = "", restart[NAMES_MAX] = "";
    settings_value_t value;

    for (size_t i = 0; i < self->count; i++) {
        if (!settings_value(fresh, self->audience, i, &value) ||
            strcmp(value.text, self->running[i]) == 0) {
            continue;
        }
        bool is_told = gateway_can_set(value.name);
        if (!is_told && !is_of_the_log(value.name)) {
            add(restart, value.name);
            continue;
        }
        if (is_told) {
            tell(user, value.name, value.text);
        }
        keep(self, i, value.text);
        add(changed, value.name);
    }
    log_info("SETTINGS-READ", "changed=%s restart=%s", or_none(changed),
             or_none(restart));
    if (changed[0] != '\0') {
        descriptors_check(fresh, self->audience);
    }
}

void reload_read(reload_t *self, reload_tell_fn *tell, void *user)
{
    char error[SETTING_ERROR_MAX];
    settings_t fresh;

    if (settings_read(&fresh, self->audience, self->argc, self->argv, error) ==
        0) {
        compare(self, &fresh, tell, user);
    } else {
        log_warn("SETTINGS-KEPT", "error=\"%s\"", error);
    }
    settings_fini(&fresh);
}
