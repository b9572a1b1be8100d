/* SPDX-License-Identifier: MIT */
#include "workers/c/mail.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

void mail_init(mail_t *self, size_t limit)
{
    *self = (mail_t){.limit = limit};
    list_init(&self->runnable);
    for (size_t i = 0; i < MAIL_BUCKETS; i++) {
        list_init(&self->buckets[i]);
    }
}

/* The last characters of an id are random (PROTOCOL.md, "Connection ids"). */
static size_t bucket_of(wire_bytes_t conn)
{
    must(conn.len == CONN_ID_TEXT); /* decoding saw to it */
    return (conn.data[conn.len - 1] * 31u + conn.data[conn.len - 2]) %
           MAIL_BUCKETS;
}

static mailbox_t *find(const mail_t *self, wire_bytes_t conn)
{
    if (self->boxes == 0) {
        return NULL;
    }
    list_foreach(node, &self->buckets[bucket_of(conn)]) {
        mailbox_t *box = list_entry(node, mailbox_t, bucket);
        if (memcmp(box->conn, conn.data, sizeof box->conn) == 0) {
            return box;
        }
    }
    return NULL;
}

static bool is_empty(const mailbox_t *box)
{
    return box->requests.count == 0;
}

static void destroy(mail_t *self, mailbox_t *box)
{
    list_remove(&box->bucket);
    list_remove(&box->runnable);
    kept_fini(&box->requests);
    free(box);
    self->boxes--;
}

void mail_reset(mail_t *self)
{
    for (size_t i = 0; i < MAIL_BUCKETS; i++) {
        list_foreach_safe(node, &self->buckets[i]) {
            destroy(self, list_entry(node, mailbox_t, bucket));
        }
    }
    self->count = 0;
    self->bytes = 0;
}

void mail_fini(mail_t *self)
{
    mail_reset(self);
}

bool mail_has_box(const mail_t *self, wire_bytes_t conn)
{
    return find(self, conn) != NULL;
}

/* What is done stays in a box until it is half of it; and what came when. */
static size_t box_limit(const mail_t *self)
{
    return 2 * self->limit + 64;
}

static mailbox_t *add(mail_t *self, wire_bytes_t conn)
{
    mailbox_t *box = xcalloc(1, sizeof *box);

    memcpy(box->conn, conn.data, sizeof box->conn);
    kept_init(&box->requests, box_limit(self));
    list_init(&box->runnable);
    list_init(&box->bucket);
    list_append(&self->buckets[bucket_of(conn)], &box->bucket);
    self->boxes++;
    return box;
}

void mail_hold(mail_t *self, wire_bytes_t conn)
{
    mailbox_t *box = find(self, conn);

    if (box == NULL) {
        box = add(self, conn);
    }
    must(!box->is_held);
    box->is_held = true;
    list_remove(&box->runnable);
}

void mail_release(mail_t *self, wire_bytes_t conn)
{
    mailbox_t *box = find(self, conn);

    must(box != NULL && box->is_held);
    box->is_held = false;
    if (is_empty(box)) {
        destroy(self, box);
    } else {
        list_append(&self->runnable, &box->runnable);
    }
}

int mail_put(mail_t *self, wire_bytes_t conn, wire_bytes_t raw, int64_t now_ms)
{
    mailbox_t *box = find(self, conn);
    buf_t *bytes = &box->requests.bytes;
    size_t start = bytes->len;

    bytes->limit = box_limit(self); /* it may have grown */
    if (self->bytes + raw.len > self->limit) {
        return -ENOBUFS;
    }
    int rc = kept_put(&box->requests, raw, now_ms);
    if (rc < 0) {
        return rc;
    }
    self->count++;
    self->bytes += bytes->len - start;
    return 0;
}

bool mail_next(mail_t *self, mail_request_t *next)
{
    list_t *first = list_peek(&self->runnable);

    if (first == NULL) {
        return false;
    }
    next->box = list_entry(first, mailbox_t, runnable);
    kept_next(&next->box->requests, &next->kept);
    return true;
}

void mail_done(mail_t *self, const mail_request_t *done)
{
    mailbox_t *box = done->box;

    kept_done(&box->requests, &done->kept);
    self->bytes -= done->kept.len;
    self->count--;
    list_remove(&box->runnable);
    if (box->is_held) {
        return;
    }
    if (is_empty(box)) {
        destroy(self, box);
    } else {
        list_append(&self->runnable, &box->runnable);
    }
}
