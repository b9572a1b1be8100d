/* SPDX-License-Identifier: MIT */
#include "broker/peers.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX       (48u << 20) /* bytes for one peer; a frame may have 64 MiB */
#define OUT_FLUSH     (256u << 10) /* bytes after which it is sent at once */
#define OUT_KEEP      (64u << 10)  /* bytes kept between turns, or … */
#define OUT_KEEP_USES 4            /* … so many times what a turn had used */
#define FAULTS_MAX    16
#define FAULTS_MS     10000
#define PEERS_DOUBLED 2 /* strangers and peers together, to a limit's one */

static list_t *bucket_of(core_t *core, side_t side, const void *id, size_t len)
{
    uint64_t hash = hash_bytes(id, len) + (uint64_t)side;

    return &core->peer_buckets[hash % PEER_BUCKETS];
}

peer_t *peers_find(core_t *core, side_t side, const void *id, size_t len)
{
    list_foreach(link, bucket_of(core, side, id, len)) {
        peer_t *peer = list_entry(link, peer_t, hashed);
        if (peer->side == side && peer->id_len == len &&
            memcmp(peer->id, id, len) == 0) {
            return peer;
        }
    }
    return NULL;
}

static list_t *boot_bucket_of(core_t *core, wire_bytes_t boot)
{
    return &core->boot_buckets[hash_bytes(boot.data, boot.len) % PEER_BUCKETS];
}

peer_t *peers_find_boot(core_t *core, const peer_t *but, wire_bytes_t boot)
{
    list_foreach(link, boot_bucket_of(core, boot)) {
        peer_t *peer = list_entry(link, peer_t, named);
        if (peer != but && peer->side == but->side &&
            wire_is(boot, peer->boot)) {
            return peer;
        }
    }
    return NULL;
}

void peers_set_boot(core_t *core, peer_t *peer, wire_bytes_t boot)
{
    memcpy(peer->boot, boot.data, boot.len); /* the codec checked its length */
    peer->boot[boot.len] = '\0';
    list_remove(&peer->named);
    list_append(boot_bucket_of(core, wire_bytes(peer->boot)), &peer->named);
}

void peers_clear_boot(peer_t *peer)
{
    peer->boot[0] = '\0';
    list_remove(&peer->named);
}

worker_t *peers_worker(const core_t *core, uint64_t handle)
{
    worker_t *worker = core->workers[handle % core->handles];

    return worker != NULL && worker->handle == handle ? worker : NULL;
}

static size_t limit_of(core_t *core, side_t side)
{
    int64_t limit = side == SIDE_WORKERS ? core->options.max_workers
                                         : core->options.max_gateways;
    return (size_t)(limit + managers_max(core)) * PEERS_DOUBLED;
}

peer_t *peers_add(core_t *core, const origin_t *origin)
{
    side_t side = origin->side;
    size_t len = origin->id_len;

    if (core->peer_count[side] >= limit_of(core, side)) {
        core->stats.refused++;
        return NULL;
    }
    peer_t *peer = calloc(1, sizeof *peer);
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    if (peer == NULL || copy == NULL) {
        free(peer);
        free(copy);
        return NULL;
    }
    memcpy(copy, origin->id, len);
    peer->principal = origin->principal;
    peer->id = copy;
    peer->id_len = len;
    peer->side = side;
    peer->last_heard_ms = core->now_ms;
    peer->last_asked_ms = INT64_MIN / 2;
    peer->liveness_ms = core->options.liveness_ms;
    buf_init(&peer->out, OUT_MAX);
    list_init(&peer->named);
    list_init(&peer->dirty);
    list_init(&peer->doomed);
    list_append(&core->peers, &peer->linked);
    list_append(bucket_of(core, side, copy, len), &peer->hashed);
    core->peer_count[side]++;
    return peer;
}

void peers_remove(core_t *core, peer_t *peer)
{
    list_remove(&peer->hashed);
    list_remove(&peer->named);
    list_remove(&peer->linked);
    list_remove(&peer->dirty);
    list_remove(&peer->doomed);
    core->peer_count[peer->side]--;
    buf_fini(&peer->out);
    free(peer->id);
    free(peer);
}

void peer_doom(core_t *core, peer_t *peer, const char *why)
{
    if (!peer_is_doomed(peer)) {
        peer->doom = why;
        list_append(&core->doomed, &peer->doomed);
    }
}

/* --- sending ------------------------------------------------------------- */

/* What a busy peer's memory is, it would be again in the next turn; that of one
 * that has become quiet goes. */
static size_t keep_of(const peer_t *peer)
{
    size_t used = OUT_KEEP_USES * peer->out.len;

    return used > OUT_KEEP ? used : OUT_KEEP;
}

/* Its transport is gone, or somebody else's by now. */
static bool is_out_of_reach(const peer_t *peer)
{
    return peer->is_mute || peer->is_unreachable;
}

static int send_bytes(core_t *core, peer_t *peer, const void *bytes, size_t len)
{
    int sent = core->ops.send(core->user, peer->side, peer->id, peer->id_len,
                              bytes, len);

    if (sent < 0 && sent != -EAGAIN) {
        peer->is_unreachable = true;
        peer_doom(core, peer, PEER_UNREACHABLE);
    }
    return sent;
}

void peer_probe(core_t *core, peer_t *peer)
{
    if (!is_out_of_reach(peer)) {
        (void)send_bytes(core, peer, NULL, 0);
    }
}

void peer_flush(core_t *core, peer_t *peer)
{
    if (peer->out.len == 0 || is_out_of_reach(peer)) {
        list_remove(&peer->dirty);
        return;
    }
    int sent = send_bytes(core, peer, peer->out.data, peer->out.len);
    if (sent == 0) {
        buf_reset(&peer->out, keep_of(peer));
        peer->last_sent_ms = core->now_ms;
    }
    if (sent != -EAGAIN) {
        list_remove(&peer->dirty);
    }
}

buf_t *peer_out(core_t *core, peer_t *peer)
{
    if (peer->out.len >= OUT_FLUSH) {
        peer_flush(core, peer);
    }
    if (list_is_empty(&peer->dirty)) {
        list_append(&core->dirty, &peer->dirty);
    }
    return &peer->out;
}

void peer_error(core_t *core, peer_t *peer, const char *code, const char *text)
{
    peer_sent(core, peer, message_put_error(peer_out(core, peer), code, text));
}

void peer_fault(core_t *core, peer_t *peer, const char *code, const char *text)
{
    if (core->now_ms - peer->faults_since_ms > FAULTS_MS) {
        peer->faults_since_ms = core->now_ms;
        peer->faults = 0;
    }
    log_braked(&core->brake, LEVEL_WARN, "PEER-FAULT", "name=%s code=%s %s",
               peer->name, code, text);
    peer_error(core, peer, code, text);
    if (++peer->faults >= FAULTS_MAX) {
        peer_sent(core, peer, message_put_bare(peer_out(core, peer), KIND_BYE));
        peer_doom(core, peer, "too many faults");
    }
}
