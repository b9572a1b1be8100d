/* SPDX-License-Identifier: MIT */
#include "broker/options.h"

void broker_options_init(broker_options_t *options)
{
    *options = (broker_options_t){
        .name = "",
        .workers = "tcp://127.0.0.1:5555",
        .gateways = "tcp://127.0.0.1:5556",
        .inner = "",
        .heartbeat_ms = 1000,
        .liveness_ms = 3500,
        .settle_ms = 4000,
        .route_grace_ms = 5000,
        .gateway_window = 10000,
        .gateway_window_bytes = 32 << 20,
        .push_window = 10000,
        .push_window_bytes = 32 << 20,
        .curve_key = "",
        .curve_workers = "",
        .curve_gateways = "",
        .trace_endpoint = "",
        .dead_letters = "",
        .dead_letters_max = 64 << 20,
        .store = "memory",
        .store_timeout_ms = 5000,
        .store_queue = 100000,
        .store_ttl_s = 86400,
        .store_lease_ms = 30000,
        .drain_ms = 10000,
        .max_workers = 1000,
        .max_gateways = 1000,
    };
}
