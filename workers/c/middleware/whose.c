/* SPDX-License-Identifier: MIT */
#include "workers/c/middleware/whose.h"

#include "base/ip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KINDS                                                                  \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
#define NETWORK_BYTES 8 /* of IPv6 that are one address */

int whose_init(whose_t *self, const char *kind, hoist_by by, hoist_key *key,
               void *data, const char **why)
{
    size_t len = strlen(kind);

    if (len == 0 || len > WHOSE_KIND_MAX || kind[strspn(kind, KINDS)] != '\0') {
        *why = "name: it has to be 1 to 64 of A-Z a-z 0-9 _ . -";
        return -EINVAL;
    }
    if ((unsigned)by > HOIST_BY_ADDRESS) {
        *why = "by: it is none of hoist_by";
        return -EINVAL;
    }
    *self = (whose_t){.by = by, .key = key, .data = data};
    memcpy(self->kind, kind, len + 1);
    return 0;
}

static int put(whose_name_t *name, const char *kind, char letter,
               hoist_text key)
{
    size_t len = strlen(kind);

    if (key.len > WHOSE_KEY_MAX) {
        return -EMSGSIZE;
    }
    memcpy(name->text, kind, len);
    name->text[len++] = ':';
    name->text[len++] = letter;
    name->text[len++] = ':';
    if (key.len > 0) {
        memcpy(name->text + len, key.data, key.len);
    }
    name->len = len + key.len;
    return 0;
}

/* Who has one address of IPv6 has a network of them. */
static int put_address(whose_name_t *name, const char *kind, hoist_text text)
{
    char network[IP_TEXT];
    ip_t ip;

    if (text.len == 0 || ip_parse(text.data, text.len, &ip) < 0 ||
        ip_is_v4(&ip)) {
        return put(name, kind, 'a', text);
    }
    memset(ip.bytes + NETWORK_BYTES, 0, sizeof ip.bytes - NETWORK_BYTES);
    ip_format(&ip, network);
    return put(name, kind, 'a', hoist_str(network));
}

/* Of who has no other name. */
static int put_self(whose_name_t *name, const char *kind, const hoist_ctx *ctx)
{
    return hoist_event_of(ctx) == HOIST_CONNECT
               ? put_address(name, kind, hoist_ip(ctx))
               : put(name, kind, 'c', hoist_connection(ctx));
}

/* Names of users are of their tenant. */
static int put_user(whose_name_t *name, const char *kind, const hoist_ctx *ctx)
{
    hoist_text user = hoist_user(ctx), tenant = hoist_tenant(ctx);

    if (user.len == 0) {
        return put_self(name, kind, ctx);
    }
    if (tenant.len == 0) {
        return put(name, kind, 'u', user);
    }
    int rc = put(name, kind, 'U', user);
    return rc < 0 ? rc : whose_add(name, tenant);
}

static int put_tenant(whose_name_t *name, const char *kind,
                      const hoist_ctx *ctx)
{
    hoist_text tenant = hoist_tenant(ctx);

    return tenant.len > 0 ? put(name, kind, 't', tenant)
                          : put_self(name, kind, ctx);
}

int whose_name(const whose_t *self, hoist_ctx *ctx, whose_name_t *name)
{
    if (self->key != NULL) {
        hoist_text key = self->key(ctx, self->data);
        return key.data == NULL ? -ENOENT : put(name, self->kind, 'k', key);
    }
    switch (self->by) {
    case HOIST_BY_USER:
        return put_user(name, self->kind, ctx);
    case HOIST_BY_TENANT:
        return put_tenant(name, self->kind, ctx);
    case HOIST_BY_ADDRESS:
        return put_address(name, self->kind, hoist_ip(ctx));
    default:
        return put_self(name, self->kind, ctx);
    }
}

/* Its length makes that no two pairs of keys are one name. */
int whose_add(whose_name_t *name, hoist_text key)
{
    char *end = name->text + name->len;

    if (key.len > WHOSE_KEY_MAX) {
        return -EMSGSIZE;
    }
    *end++ = ':';
    if (key.len > 0) {
        memcpy(end, key.data, key.len);
    }
    end += key.len;
    *end++ = ':';
    for (size_t unit = 100; unit > 0; unit /= 10) {
        if (key.len >= unit || unit == 1) {
            *end++ = (char)('0' + key.len / unit % 10);
        }
    }
    name->len = (size_t)(end - name->text);
    return 0;
}

int whose_holder(const whose_t *self, const hoist_ctx *ctx,
                 const whose_name_t *name, whose_name_t *holder)
{
    char letter = name->text[strlen(self->kind) + 1];

    if (letter != 'c') {
        *holder = *name;
        return 0;
    }
    return hoist_user(ctx).len > 0
               ? put_user(holder, self->kind, ctx)
               : put_address(holder, self->kind, hoist_ip(ctx));
}

hoist_counter *whose_counter(const whose_t *self, hoist_app *app,
                             const char *name, const char *help,
                             const char *outcome)
{
    char labels[WHOSE_KIND_MAX + 64];

    int len = snprintf(labels, sizeof labels, "name=\"%s\"", self->kind);
    if (outcome != NULL) {
        (void)snprintf(labels + len, sizeof labels - (size_t)len,
                       ",outcome=\"%s\"", outcome);
    }
    return hoist_counter_of(app, name, help, labels);
}
