/* SPDX-License-Identifier: MIT */
#include "store/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 8192 /* a session token is long */
#define PATH_MAX_BYTES 4096
#define NAME_MAX_BYTES 256

/* Without the spaces around it; changes the text. */
static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1])) {
        *--end = '\0';
    }
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return text;
}

/* Is it the head of this section?  Spaces inside are as good as one. */
static bool is_head(char *line, const char *section)
{
    char *end = strchr(line, ']');

    if (end == NULL) {
        return false;
    }
    *end = '\0';
    char *name = trim(line + 1);
    if (strncmp(name, "profile", 7) == 0 && isspace((unsigned char)name[7]) &&
        strncmp(section, "profile ", 8) == 0) {
        name = trim(name + 7);
        section += 8;
    }
    return strcmp(name, section) == 0;
}

/* 0 with the value, -ENOENT: another key. */
static int value_of(char *line, const char *key, char *value, size_t size)
{
    char *equals = strchr(line, '=');

    if (equals == NULL || line[0] == '#' || line[0] == ';') {
        return -ENOENT;
    }
    *equals = '\0';
    if (strcmp(trim(line), key) != 0) {
        return -ENOENT;
    }
    const char *text = trim(equals + 1);
    size_t len = strlen(text);
    if (len >= size) {
        return -ENOBUFS;
    }
    memcpy(value, text, len + 1);
    return 0;
}

int profile_find(const char *path, const char *section, const char *key,
                 char *value, size_t size)
{
    char line[LINE_MAX_BYTES];
    bool is_inside = false;
    int rc = -ENOENT;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return -ENOENT;
    }
    while (rc == -ENOENT && fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '[') {
            is_inside = is_head(line, section);
        } else if (is_inside) {
            rc = value_of(line, key, value, size);
        }
    }
    explicit_bzero(line, sizeof line); /* it may have held a secret */
    fclose(file);
    return rc;
}

/* The file that `variable` names, or one in the home. */
static bool path_of(const char *variable, const char *in_home, char *path,
                    size_t size)
{
    const char *named = getenv(variable), *home = getenv("HOME");
    int len = named != NULL && named[0] != '\0'
                  ? snprintf(path, size, "%s", named)
                  : snprintf(path, size, "%s/.aws/%s", home != NULL ? home : "",
                             in_home);

    return len > 0 && (size_t)len < size;
}

static const char *profile(void)
{
    const char *named = getenv("AWS_PROFILE");

    return named != NULL && named[0] != '\0' ? named : "default";
}

int profile_credential(const char *key, char *value, size_t size)
{
    char path[PATH_MAX_BYTES];

    if (!path_of("AWS_SHARED_CREDENTIALS_FILE", "credentials", path,
                 sizeof path)) {
        return -ENOENT;
    }
    return profile_find(path, profile(), key, value, size);
}

int profile_setting(const char *key, char *value, size_t size)
{
    char path[PATH_MAX_BYTES], section[NAME_MAX_BYTES];
    bool is_default = strcmp(profile(), "default") == 0;

    snprintf(section, sizeof section, "%s%s", is_default ? "" : "profile ",
             profile());
    if (!path_of("AWS_CONFIG_FILE", "config", path, sizeof path)) {
        return -ENOENT;
    }
    return profile_find(path, section, key, value, size);
}
