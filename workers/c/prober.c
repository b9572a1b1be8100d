/* SPDX-License-Identifier: MIT */
#include "workers/c/prober.h"

#include "base/clock.h"
#include "base/thread.h"
#include "base/xalloc.h"
#include "workers/c/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG  16
#define PAUSE_MS 100 /* after EMFILE; descriptors may be free then */

enum { ITEM_STOP, ITEM_LISTENER, ITEM_SLOTS };

typedef enum { FREE, READING, WRITING, LINGERING } state_t;

typedef struct {
    state_t state;
    int fd;
    int64_t due_ms; /* when its state ends at the latest */
    size_t in_len;
    size_t written;                 /* bytes of out */
    uint8_t in[PROBE_HEAD_MAX + 1]; /* one too many is seen as such */
    buf_t out;                      /* owned */
} slot_t;

struct prober {
    hoist_app *app;         /* borrowed */
    hoist_counter *dropped; /* borrowed */
    int listener, stop_fd;  /* owned */
    pthread_t thread;
    int64_t now_ms;
    int64_t accept_ms; /* accepting rests until then */
    char address[LISTENER_ADDRESS_MAX];
    slot_t slots[PROBER_SLOTS];
};

/* --- one socket ---------------------------------------------------------- */

static void end(slot_t *slot)
{
    close(slot->fd);
    buf_fini(&slot->out);
    slot->state = FREE;
}

static void become(const prober_t *self, slot_t *slot, state_t state,
                   int64_t ms)
{
    slot->state = state;
    slot->due_ms = self->now_ms + ms;
}

/* Closing at once would reset the connection while bytes of the client's are
 * unread, and with it what the client has not read yet. */
static void linger(const prober_t *self, slot_t *slot)
{
    if (shutdown(slot->fd, SHUT_WR) < 0) {
        end(slot);
    } else {
        become(self, slot, LINGERING, PROBER_LINGER_MS);
    }
}

/* End one that stands in the way.  A client that lingers was answered. */
static void drop(const prober_t *self, slot_t *slot)
{
    if (slot->state != LINGERING) {
        hoist_count(self->dropped, 1);
    }
    end(slot);
}

static void write_on(const prober_t *self, slot_t *slot)
{
    while (slot->written < slot->out.len) {
        ssize_t sent = send(slot->fd, slot->out.data + slot->written,
                            slot->out.len - slot->written, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            return;
        }
        if (sent < 0 && errno != EINTR) {
            end(slot);
            return;
        }
        slot->written += sent < 0 ? 0 : (size_t)sent;
    }
    linger(self, slot);
}

/* With one more that has not read all, which is the latest, there may be too
 * many: then the first goes that had its time, or this one. */
static void bound_writing(prober_t *self, slot_t *latest)
{
    slot_t *first = latest;
    size_t count = 0;

    for (size_t i = 0; i < PROBER_SLOTS; i++) {
        slot_t *slot = &self->slots[i];
        if (slot->state == WRITING) {
            count++;
            first = slot->due_ms < first->due_ms ? slot : first;
        }
    }
    if (count > PROBER_WRITING) {
        int64_t since_ms = first->due_ms - PROBER_MS;
        drop(self, since_ms + PROBER_READ_MS <= self->now_ms ? first : latest);
    }
}

static void read_on(prober_t *self, slot_t *slot)
{
    ssize_t got = recv(slot->fd, slot->in + slot->in_len,
                       sizeof slot->in - slot->in_len, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        end(slot);
        return;
    }
    slot->in_len += (size_t)got;
    int rc = probe_answer(self->app, (wire_bytes_t){slot->in, slot->in_len},
                          self->now_ms, &slot->out);
    if (rc == 0) {
        become(self, slot, WRITING, PROBER_MS);
        write_on(self, slot);
        if (slot->state == WRITING) {
            bound_writing(self, slot);
        }
    } else if (rc != -EAGAIN) {
        end(slot); /* without memory there is nothing to say */
    }
}

static void discard(slot_t *slot)
{
    char bytes[4096];
    ssize_t got = recv(slot->fd, bytes, sizeof bytes, 0);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        end(slot);
    }
}

static void go_on(prober_t *self, slot_t *slot)
{
    if (slot->state == READING) {
        read_on(self, slot);
    } else if (slot->state == WRITING) {
        write_on(self, slot);
    } else {
        discard(slot);
    }
}

/* --- accepting ----------------------------------------------------------- */

/* One that is free, or the one that has been asking, or lingering, longest:
 * PROBER_WRITING leaves some that do. */
static slot_t *find_slot(prober_t *self)
{
    slot_t *oldest = NULL;

    for (size_t i = 0; i < PROBER_SLOTS; i++) {
        slot_t *slot = &self->slots[i];
        if (slot->state == FREE) {
            return slot;
        }
        if (slot->state != WRITING &&
            (oldest == NULL || slot->due_ms < oldest->due_ms)) {
            oldest = slot;
        }
    }
    return oldest;
}

static void adopt(prober_t *self, int fd)
{
    slot_t *slot = find_slot(self);

    if (slot->state != FREE) {
        drop(self, slot);
    }
    slot->fd = fd;
    slot->in_len = 0;
    slot->written = 0;
    buf_init(&slot->out, PROBE_OUT_MAX);
    become(self, slot, READING, PROBER_MS);
}

static void accept_one(prober_t *self)
{
    int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        adopt(self, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
               errno == ENOMEM) {
        self->accept_ms = self->now_ms + PAUSE_MS;
    } /* else: that client is gone already */
}

/* --- turns --------------------------------------------------------------- */

static void give_up_late(prober_t *self)
{
    for (size_t i = 0; i < PROBER_SLOTS; i++) {
        slot_t *slot = &self->slots[i];
        if (slot->state != FREE && slot->due_ms <= self->now_ms) {
            drop(self, slot);
        }
    }
}

static bool accepts(const prober_t *self)
{
    return self->accept_ms <= self->now_ms;
}

/* Until something is due, or -1. */
static int wait_ms(const prober_t *self)
{
    int64_t due_ms = accepts(self) ? INT64_MAX : self->accept_ms;

    for (size_t i = 0; i < PROBER_SLOTS; i++) {
        const slot_t *slot = &self->slots[i];
        if (slot->state != FREE && slot->due_ms < due_ms) {
            due_ms = slot->due_ms;
        }
    }
    return due_ms == INT64_MAX      ? -1
           : due_ms <= self->now_ms ? 0
                                    : (int)(due_ms - self->now_ms);
}

static void gather_items(const prober_t *self,
                         struct pollfd items[ITEM_SLOTS + PROBER_SLOTS])
{
    items[ITEM_STOP] = (struct pollfd){.fd = self->stop_fd, .events = POLLIN};
    items[ITEM_LISTENER] = (struct pollfd){
        .fd = accepts(self) ? self->listener : -1, .events = POLLIN};
    for (size_t i = 0; i < PROBER_SLOTS; i++) {
        const slot_t *slot = &self->slots[i];
        items[ITEM_SLOTS + i] = (struct pollfd){
            .fd = slot->state == FREE ? -1 : slot->fd,
            .events = slot->state == WRITING ? POLLOUT : POLLIN};
    }
}

/* Returns false when it is to end. */
static bool turn(prober_t *self)
{
    struct pollfd items[ITEM_SLOTS + PROBER_SLOTS];

    gather_items(self, items);
    int ready = poll(items, sizeof items / sizeof *items, wait_ms(self));
    self->now_ms = clock_mono_ms();
    if (ready > 0 && items[ITEM_STOP].revents != 0) {
        return false;
    }
    for (size_t i = 0; ready > 0 && i < PROBER_SLOTS; i++) {
        if (items[ITEM_SLOTS + i].revents != 0) {
            go_on(self, &self->slots[i]);
        }
    }
    give_up_late(self);
    if (ready > 0 && items[ITEM_LISTENER].revents != 0) {
        accept_one(self);
    }
    return true;
}

static void *run(void *user)
{
    prober_t *self = user;

    self->now_ms = clock_mono_ms();
    while (turn(self)) {
    }
    return NULL;
}

/* --- start and end ------------------------------------------------------- */

static void free_prober(prober_t *self)
{
    for (size_t i = 0; i < PROBER_SLOTS; i++) {
        if (self->slots[i].state != FREE) {
            end(&self->slots[i]);
        }
    }
    if (self->stop_fd >= 0) {
        close(self->stop_fd);
    }
    if (self->listener >= 0) {
        close(self->listener);
    }
    free(self);
}

static int start(prober_t *self, char *error, size_t size)
{
    self->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = self->stop_fd < 0
                 ? -errno
                 : thread_start(&self->thread, run, self, "hoist-metrics");
    if (rc < 0) {
        snprintf(error, size, "%s", strerror(-rc));
    }
    return rc;
}

int prober_new(prober_t **self_p, hoist_app *app, const char *listen,
               char *error, size_t size)
{
    prober_t *self = xcalloc(1, sizeof *self);
    char address[256];

    must(listener_address(listen, address, sizeof address)); /* a setting */
    self->app = app;
    self->stop_fd = -1;
    self->dropped = hoist_counter_of(
        app, "hoist_worker_probes_dropped_total",
        "Sockets of the metrics listener that were closed without an answer.",
        NULL);
    self->listener = listener_open(address, LISTENER_ALONE, BACKLOG,
                                   self->address, error, size);
    int rc = self->listener < 0 ? self->listener : start(self, error, size);
    if (rc < 0) {
        free_prober(self);
        return rc;
    }
    *self_p = self;
    return 0;
}

void prober_destroy(prober_t **self_p)
{
    prober_t *self = *self_p;
    uint64_t one = 1;

    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    must(write(self->stop_fd, &one, sizeof one) == sizeof one);
    must(pthread_join(self->thread, NULL) == 0);
    free_prober(self);
}

const char *prober_address(const prober_t *self)
{
    return self->address;
}
