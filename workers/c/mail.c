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
    return box->at == box->requests.len;
}

static void destroy(mail_t *self, mailbox_t *box)
{
    list_remove(&box->bucket);
    list_remove(&box->runnable);
    buf_fini(&box->requests);
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
    buf_init(&box->requests, box_limit(self));
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
    buf_t *requests = &box->requests;
    size_t start = requests->len;

    requests->limit = box_limit(self); /* it may have grown */
    if (self->bytes + raw.len > self->limit) {
        return -ENOBUFS;
    }
    int rc = wire_put_uint(requests, (uint64_t)now_ms);
    if (rc == 0) {
        rc = wire_put_raw(requests, raw);
    }
    if (rc < 0) {
        requests->len = start;
        return rc;
    }
    self->count++;
    self->bytes += requests->len - start;
    return 0;
}

bool mail_next(mail_t *self, mail_request_t *next)
{
    list_t *first = list_peek(&self->runnable);
    message_t message;
    uint64_t came_ms;

    if (first == NULL) {
        return false;
    }
    mailbox_t *box = list_entry(first, mailbox_t, runnable);
    wire_bytes_t rest = {box->requests.data + box->at,
                         box->requests.len - box->at};
    wire_cursor_t at = wire_cursor(rest);
    must(wire_get_uint(&at, &came_ms) == 0);  /* we wrote it */
    must(message_decode(&at, &message) == 1); /* it was decoded before */
    *next = (mail_request_t){.box = box,
                             .request = message.request,
                             .came_ms = (int64_t)came_ms,
                             .len = (size_t)(at.at - rest.data)};
    return true;
}

/* Give the bytes of what is done back before they outgrow what waits. */
static void compact(mailbox_t *box)
{
    if (box->at > box->requests.len / 2) {
        buf_drop(&box->requests, box->at);
        box->at = 0;
    }
}

void mail_done(mail_t *self, const mail_request_t *done)
{
    mailbox_t *box = done->box;

    box->at += done->len;
    self->bytes -= done->len;
    self->count--;
    list_remove(&box->runnable);
    if (box->is_held) {
        compact(box);
    } else if (is_empty(box)) {
        destroy(self, box);
    } else {
        compact(box);
        list_append(&self->runnable, &box->runnable);
    }
}
