/* SPDX-License-Identifier: MIT */
#include "gateway/options.h"

#include "proto/message.h"

void gateway_options_init(gateway_options_t *options)
{
    *options = (gateway_options_t){
        .name = "",
        .listen = "127.0.0.1:8080",
        .loops = 1,
        .broker = "tcp://127.0.0.1:5556",
        .curve_key = "",
        .curve_broker = "",
        .resolve_ms = 5000,
        .route_selection_expression = "$request.body.action",
        .stage = "",
        .static_dir = "",
        .tls_cert = "",
        .tls_key = "",
        .tls_client_ca = "",
        .trusted_proxies = "",
        .origins = "",
        .trace_endpoint = "",
        .max_connections = 100000,
        .max_handshakes = 10000,
        .address_bits = 64,
        .max_groups = GROUPS_MAX,
        .max_frame = 131072,
        .max_message = 131072,
        .max_head = 16384,
        .handshake_ms = 10000,
        .request_ms = 29000,
        .ping_ms = 25000,
        .pong_ms = 10000,
        .idle_ms = 0,
        .conn_window = 64,
        .conn_window_bytes = 1 << 20,
        .out_soft = 1 << 20,
        .out_soft_ms = 10000,
        .out_hard = 8 << 20,
        .drain_ms = 10000,
    };
}
