/* SPDX-License-Identifier: MIT */
#include "broker/returns.h"

#include "broker/dispatch.h"
#include "broker/interests.h"
#include "broker/live.h"
#include "broker/peers.h"
#include "broker/pushes.h"
#include "broker/watch.h"

#include <string.h>

/* A list that has only begun to come does not say yet whom it has: its
 * connections are listed again under another session. */
static bool may_return(const peer_t *peer)
{
    return peer->gateway != NULL && peer->gateway->returns &&
           peer->gateway->was_synced;
}

/* From now on what it says by this transport is not heard any more, and what is
 * for it waits. */
static void cut(core_t *core, peer_t *peer)
{
    gateway_t *gateway = peer->gateway;

    peer->cut_ms = core->now_ms;
    peer->is_unreachable = true;
    buf_reset(&peer->out, 0); /* as lost as what is before it */
    gateway->is_syncing = false;
    dispatch_cut(core, gateway);
    pushes_cut(core, gateway);
    interests_doubt(core, gateway);
    live_cut(core, gateway);
}

bool returns_keep(core_t *core, peer_t *peer)
{
    bool has_broken = strcmp(peer->doom, PEER_UNREACHABLE) == 0;

    if (!has_broken || peer->cut_ms != 0 || !may_return(peer)) {
        return false;
    }
    log_info("PEER-CUT", "role=gateway name=%s connections=%zu", peer->name,
             peer->gateway->conns);
    peer->doom = NULL;
    cut(core, peer);
    return true;
}

bool returns_is_late(const core_t *core, const peer_t *peer)
{
    return peer->cut_ms != 0 && core->now_ms - peer->cut_ms >= RETURN_MS;
}

static bool is_same(const core_t *core, const gateway_t *gateway,
                    const message_hello_t *hello)
{
    wire_bytes_t options = hello->options;

    return wire_is(hello->role, "gateway") &&
           wire_is(wire_map_str(options, "broker"), core->boot) &&
           wire_map_uint(options, "session", 0) == gateway->session &&
           wire_map_uint(options, "loop", UINT64_MAX) == gateway->loop;
}

bool returns_take(core_t *core, peer_t *former, peer_t *peer,
                  const message_hello_t *hello)
{
    gateway_t *gateway = former->gateway;

    if (!may_return(former) || !is_same(core, gateway, hello) ||
        peer->worker != NULL || peer->gateway != NULL) {
        return false;
    }
    if (former->cut_ms == 0) { /* we had not noticed */
        cut(core, former);
    }
    former->gateway = NULL;
    peer->gateway = gateway;
    gateway->peer = peer;
    gateway->is_drained = false;
    peers_set_boot(core, peer, hello->boot);
    watch_returned(gateway, hello);
    core->stats.returned++;
    log_info("PEER-BACK", "role=gateway name=%s ms=%lld", former->name,
             (long long)(core->now_ms - former->cut_ms));
    return true;
}

void returns_welcomed(core_t *core, peer_t *former, peer_t *peer)
{
    watch_welcomed(core, peer->gateway);
    peer_sent(core, peer,
              buf_put(peer_out(core, peer), former->out.data, former->out.len));
}
