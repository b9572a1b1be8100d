/* SPDX-License-Identifier: MIT
 *
 * A session before its 101: the request head, the gate, and each answer.
 */
#include "base/xalloc.h"
#include "tests/unit/hub_fixture.h"

#define HANDSHAKE_MS 10000
#define REQUEST_MS   29000
#define LATE_MS      1500 /* behind a deadline: the gateway's own grace */

static bool has(const char *head, const char *line)
{
    return strstr(head, line) != NULL;
}

/* The whole response to a client that was not let in, and its end. */
static void is_refused(client_t *client, const char *line, const char *body)
{
    char length[64];
    const char *head = hears_head(client);

    snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n",
             strlen(body));
    if (strncmp(head, line, strlen(line)) != 0) {
        fail_msg("the answer was %s", head);
    }
    assert_true(has(head, length));
    assert_true(has(head, "\r\nConnection: close\r\n"));
    hears(client, body);
    assert_true(client->is_finished);
    client_leaves(client);
    assert_true(is_closed(client));
}

/* What the gateway says by itself, without asking anybody. */
static void head_is_refused(const char *head, const char *line,
                            const char *body)
{
    is_refused(a_newcomer(head), line, body);
    gets_nothing();
    nothing_is_left();
}

/* Options of a CONNECT's REPLY. */
typedef struct {
    buf_t map; /* owned */
} told_t;

static void tells(told_t *told, uint32_t entries)
{
    buf_init(&told->map, OPTIONS_MAX);
    must(wire_put_map(&told->map, entries) == 0);
}

static void tells_text(told_t *told, const char *key, const char *value)
{
    must(wire_put_text(&told->map, key) == 0);
    must(wire_put_text(&told->map, value) == 0);
}

static void tells_headers(told_t *told, const char *const (*pairs)[2],
                          uint32_t count)
{
    must(wire_put_text(&told->map, "headers") == 0);
    must(wire_put_array(&told->map, count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        must(wire_put_array(&told->map, 2) == 0);
        must(wire_put_text(&told->map, pairs[i][0]) == 0);
        must(wire_put_text(&told->map, pairs[i][1]) == 0);
    }
}

static void answers_told(uint64_t id, uint64_t status, body_t body,
                         told_t *told)
{
    answers_with(id, status, body, &told->map);
    buf_fini(&told->map);
}

/* --- let in -------------------------------------------------------------- */

static void a_client_is_let_in_by_a_status_of_200_to_299(void **state)
{
    (void)state;
    for (uint64_t status = 200; status <= 299; status += 33) {
        client_t *client = a_newcomer(UPGRADE);
        uint64_t id = gets_connect();
        hears_nothing(client);
        answers(id, status, NULL);
        assert_string_equal(
            hears_head(client),
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
        hears_nothing(client);
    }
    assert_int_equal(gateway.hub->stats.connects, 4);
    assert_int_equal(gateway.hub->stats.connections, 4);
}

static void a_body_on_acceptance_goes_nowhere(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    answers(gets_connect(), 200, "welcome");
    hears_head(client);
    hears_nothing(client);
}

static void the_chosen_subprotocol_is_said_when_it_was_offered(void **state)
{
    static const char head[] = "GET / HTTP/1.1\r\n" HOST HANDSHAKE
                               "Sec-WebSocket-Protocol: soap, wamp\r\n\r\n";
    told_t told;
    (void)state;

    client_t *client = a_newcomer(head);
    tells(&told, 1);
    tells_text(&told, "subprotocol", "wamp");
    answers_told(gets_connect(), 200, text_body(NULL), &told);
    assert_true(
        has(hears_head(client), "\r\nSec-WebSocket-Protocol: wamp\r\n"));

    client = a_newcomer(head);
    tells(&told, 1);
    tells_text(&told, "subprotocol", "graphql");
    answers_told(gets_connect(), 200, text_body(NULL), &told);
    assert_false(has(hears_head(client), "Sec-WebSocket-Protocol"));
}

static const char *const headers[][2] = {
    {"X-Trace", "abc"},         {"Connection", "close"},
    {"content-length", "5"},    {"Transfer-Encoding", "chunked"},
    {"Sec-WebSocket-Key", "k"}, {"Bad Name", "x"},
    {"X-Split", "a\r\nX: y"},   {"Set-Cookie", "b=c"},
};

static void headers_are_passed_on_but_for_those_of_the_framing(void **state)
{
    told_t told;
    (void)state;

    client_t *client = a_newcomer(UPGRADE);
    tells(&told, 1);
    tells_headers(&told, headers, 8);
    answers_told(gets_connect(), 200, text_body(NULL), &told);
    assert_string_equal(hears_head(client),
                        "HTTP/1.1 101 Switching Protocols\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                        "X-Trace: abc\r\nSet-Cookie: b=c\r\n\r\n");
}

static void frames_right_behind_the_head_are_taken_after_the_101(void **state)
{
    buf_t bytes;
    (void)state;

    buf_init(&bytes, 4096);
    must(buf_put(&bytes, UPGRADE, strlen(UPGRADE)) == 0);
    put_frame(&bytes, 0x81, "early", 5);
    client_t *client = a_socket();
    client_sends(client, bytes.data, bytes.len);
    buf_fini(&bytes);
    uint64_t id = gets_connect();
    gets_nothing();
    answers(id, 200, NULL);
    hears_head(client);
    gets_message("early");
}

static void more_early_frames_than_a_head_is_long_are_not_read(void **state)
{
    char payload[3000];
    (void)state;

    memset(payload, 'x', sizeof payload);
    client_t *client = a_newcomer(UPGRADE);
    client_sends_frame(client, 0x82, payload, sizeof payload);
    assert_false(client->is_paused);
    client_sends_frame(client, 0x82, payload, sizeof payload);
    assert_true(client->is_paused);
    answers(gets_connect(), 200, NULL);
    assert_false(client->is_paused);
    gets_request(EVENT_MESSAGE);
    gets_request(EVENT_MESSAGE);
}

/* --- what the CONNECT says ----------------------------------------------- */

static void the_connect_names_all_that_the_client_asked(void **state)
{
    wire_cursor_t details;
    wire_bytes_t raw;
    (void)state;

    a_newcomer("GET /a%20b?x=1&y=%C3%A4+z HTTP/1.1\r\n" HOST HANDSHAKE
               "User-Agent: Unit/1\r\nSec-WebSocket-Protocol: p1, p2\r\n\r\n");
    message_request_t request = gets_request(EVENT_CONNECT);
    assert_true(wire_is(request.route, "$connect"));
    assert_int_equal(request.body.type, BODY_NONE);
    assert_int_equal(request.deadline_ms, REQUEST_MS);
    assert_true(wire_is(wire_map_str(request.details, "path"), "/a b"));

    assert_true(wire_map_find(request.details, "query", &details));
    assert_int_equal(wire_get_raw_array(&details, &raw), 0);
    assert_true(wire_is(raw, "\x92\x92\xa1x\xa1"
                             "1\x92\xa1y\xa4\xc3\xa4 z"));
    assert_true(wire_map_find(request.details, "subprotocols", &details));
    assert_int_equal(wire_get_raw_array(&details, &raw), 0);
    assert_true(wire_is(raw, "\x92\xa2p1\xa2p2"));
    assert_true(wire_map_find(request.details, "headers", &details));
    assert_int_equal(wire_get_raw_array(&details, &raw), 0);
    assert_non_null(memmem(raw.data, raw.len, "\x92\xaauser-agent\xa6Unit/1",
                           strlen("\x92\xaauser-agent\xa6Unit/1")));
}

static void the_context_says_where_the_client_is_from(void **state)
{
    (void)state;
    gateway.options.stage = "prod";
    gateway_restarts();
    a_newcomer("GET /prod HTTP/1.1\r\n" HOST HANDSHAKE
               "User-Agent: Unit/1\r\n\r\n");
    wire_bytes_t context = gets_request(EVENT_CONNECT).context;
    assert_true(wire_is(wire_map_str(context, "ip"), "192.0.2.7"));
    assert_true(wire_is(wire_map_str(context, "user_agent"), "Unit/1"));
    assert_true(wire_is(wire_map_str(context, "domain"), "example.org"));
    assert_true(wire_is(wire_map_str(context, "stage"), "prod"));
    assert_int_equal(wire_map_uint(context, "connected_at", 0),
                     WALL_MS + gateway.now_ms - START_MS);
}

/* --- whose client it is -------------------------------------------------- */

/* Of the CONNECT that comes next. */
static void is_at(const char *ip)
{
    wire_bytes_t context = gets_request(EVENT_CONNECT).context;

    assert_true(wire_is(wire_map_str(context, "ip"), ip));
}

static void a_trusted_proxy_says_whose_client_it_is(void **state)
{
    (void)state;
    gateway.options.trusted_proxies = "192.0.2.0/24";
    gateway_restarts();
    client_t *client = a_newcomer("GET / HTTP/1.1\r\n" HOST HANDSHAKE
                                  "X-Forwarded-For: 203.0.113.9\r\n\r\n");
    const session_t *session = client->user;
    assert_string_equal(session->ip, "203.0.113.9");
    is_at("203.0.113.9");
}

static void nobody_else_does(void **state)
{
    (void)state;
    gateway.options.trusted_proxies = "10.0.0.0/8";
    gateway_restarts();
    a_newcomer("GET / HTTP/1.1\r\n" HOST HANDSHAKE
               "X-Forwarded-For: 203.0.113.9\r\n\r\n");
    is_at("192.0.2.7");
}

static void with_the_proxy_protocol_it_is_the_header_that_counts(void **state)
{
    (void)state;
    gateway.options.trusted_proxies = "192.0.2.0/24";
    gateway.options.proxy_protocol = true;
    gateway_restarts();
    a_newcomer("GET / HTTP/1.1\r\n" HOST HANDSHAKE
               "X-Forwarded-For: 203.0.113.9\r\n\r\n");
    is_at("192.0.2.7");
}

static void a_proxy_that_says_nothing_is_the_client(void **state)
{
    (void)state;
    gateway.options.trusted_proxies = "192.0.2.7";
    gateway_restarts();
    a_newcomer(UPGRADE);
    is_at("192.0.2.7");
}

static void each_request_on_a_proxys_socket_is_its_own_clients(void **state)
{
    (void)state;
    gateway.options.trusted_proxies = "192.0.2.7";
    gateway.options.static_dir = FILES;
    gateway_restarts();
    client_t *client = a_newcomer("GET /ids.json HTTP/1.1\r\n" HOST
                                  "X-Forwarded-For: 203.0.113.9\r\n\r\n");
    const session_t *session = client->user;
    assert_string_equal(session->ip, "192.0.2.7"); /* it has its answer */
    client_asks(client, "GET / HTTP/1.1\r\n" HOST HANDSHAKE
                        "X-Forwarded-For: 203.0.113.10\r\n\r\n");
    is_at("203.0.113.10");
}

/* --- what it has shown by TLS -------------------------------------------- */

static X509 *a_certificate(const char *name)
{
    X509 *cert = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");

    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const uint8_t *)name, -1, -1, 0);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 60);
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    return cert;
}

static void a_certificate_is_among_the_details(void **state)
{
    X509 *cert = a_certificate("device-7");
    wire_cursor_t at;
    wire_bytes_t map;

    (void)state;
    client_t *client = a_socket();
    client->cert = cert;
    client_asks(client, UPGRADE);
    assert_true(
        wire_map_find(gets_request(EVENT_CONNECT).details, "client_cert", &at));
    assert_int_equal(wire_get_raw_map(&at, &map), 0);
    assert_true(wire_is(wire_map_str(map, "subject"), "CN=device-7"));
    X509_free(cert);
}

static void without_one_there_is_no_word_of_it(void **state)
{
    wire_cursor_t at;

    (void)state;
    a_newcomer(UPGRADE);
    assert_false(
        wire_map_find(gets_request(EVENT_CONNECT).details, "client_cert", &at));
}

static void require_connect_is_asked_of_the_broker(void **state)
{
    (void)state;
    message_hello_t hello = gets(KIND_HELLO).hello;
    assert_false(wire_map_bool(hello.options, "require_connect", true));
    gateway.options.require_connect = true;
    gateway_restarts_alone();
    hello = gets(KIND_HELLO).hello;
    assert_true(wire_map_bool(hello.options, "require_connect", false));
    assert_true(wire_is(hello.role, "gateway"));
}

/* --- refused by the worker ----------------------------------------------- */

static void any_other_status_is_the_refusal(void **state)
{
    static const struct {
        uint64_t status;
        const char *line, *body;
    } cases[] = {
        {301, "HTTP/1.1 301 Moved Permanently\r\n", "Moved Permanently"},
        {401, "HTTP/1.1 401 Unauthorized\r\n", "Unauthorized"},
        {403, "HTTP/1.1 403 Forbidden\r\n", "Forbidden"},
        {409, "HTTP/1.1 409 Conflict\r\n", "Conflict"},
        {429, "HTTP/1.1 429 Too Many Requests\r\n", "Too Many Requests"},
        {500, "HTTP/1.1 500 Internal Server Error\r\n",
         "Internal Server Error"},
        {502, "HTTP/1.1 502 Bad Gateway\r\n", "Bad Gateway"},
        {503, "HTTP/1.1 503 Service Unavailable\r\n", "Service Unavailable"},
        {504, "HTTP/1.1 504 Gateway Timeout\r\n", "Gateway Timeout"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        client_t *client = a_newcomer(UPGRADE);
        answers(gets_connect(), cases[i].status, NULL);
        is_refused(client, cases[i].line, cases[i].body);
    }
    gets_nothing();
    nothing_is_left();
    assert_int_equal(gateway.hub->stats.handshakes_failed, 9);
    assert_int_equal(gateway.hub->stats.connects, 0);
}

static void a_status_below_200_is_no_answer(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    answers(gets_connect(), 101, NULL);
    is_refused(client, "HTTP/1.1 502 Bad Gateway\r\n", "Bad Gateway");
}

static void a_refusal_has_the_workers_headers_and_body(void **state)
{
    told_t told;
    (void)state;

    client_t *client = a_newcomer(UPGRADE);
    tells(&told, 1);
    tells_headers(&told, headers, 8);
    answers_told(gets_connect(), 409, text_body("{\"taken\":true}"), &told);
    assert_string_equal(hears_head(client),
                        "HTTP/1.1 409 Conflict\r\nConnection: close\r\n"
                        "X-Trace: abc\r\nSet-Cookie: b=c\r\n"
                        "Content-Type: application/json\r\n"
                        "X-Content-Type-Options: nosniff\r\n"
                        "Content-Length: 14\r\n\r\n");
    hears(client, "{\"taken\":true}");
    assert_true(client->is_finished);
}

static void what_a_refusal_is_made_of_is_said(void **state)
{
    static const struct {
        body_t body;
        const char *type;
    } cases[] = {
        {{BODY_NONE, {NULL, 0}}, "text/plain; charset=utf-8"},
        {{BODY_TEXT, {(const uint8_t *)"", 0}}, "text/plain; charset=utf-8"},
        {{BODY_TEXT, {(const uint8_t *)"<b>", 3}}, "text/plain; charset=utf-8"},
        {{BODY_TEXT, {(const uint8_t *)" [1]", 4}}, "application/json"},
        {{BODY_BINARY, {(const uint8_t *)"{}", 2}}, "application/octet-stream"},
    };
    told_t told;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        client_t *client = a_newcomer(UPGRADE);
        char wanted[128];
        (void)snprintf(wanted, sizeof wanted,
                       "\r\nContent-Type: %s\r\n"
                       "X-Content-Type-Options: nosniff\r\n",
                       cases[i].type);
        tells(&told, 0);
        answers_told(gets_connect(), 403, cases[i].body, &told);
        assert_true(has(hears_head(client), wanted));
    }
}

static void a_worker_may_say_itself_what_its_refusal_is_made_of(void **state)
{
    static const char *const type[][2] = {{"content-type", "text/html"}};
    told_t told;
    (void)state;

    client_t *client = a_newcomer(UPGRADE);
    tells(&told, 1);
    tells_headers(&told, type, 1);
    answers_told(gets_connect(), 403, text_body("[]"), &told);
    assert_string_equal(hears_head(client),
                        "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"
                        "content-type: text/html\r\n"
                        "Content-Length: 2\r\n\r\n");
}

static void an_identity_over_its_limit_fails_with_502(void **state)
{
    char user[USER_MAX + 2];
    told_t told;
    (void)state;

    memset(user, 'u', sizeof user - 1);
    user[sizeof user - 1] = '\0';
    client_t *client = a_newcomer(UPGRADE);
    tells(&told, 1);
    tells_text(&told, "user", user);
    answers_told(gets_connect(), 200, text_body(NULL), &told);
    uint64_t id = gets_disconnect(client, 1011, "handshake failed");
    is_refused(client, "HTTP/1.1 502 Bad Gateway\r\n", "Bad Gateway");
    answers(id, 200, NULL);
    nothing_is_left();
}

/* --- refused by the gateway ---------------------------------------------- */

static void a_plain_get_is_told_to_upgrade(void **state)
{
    (void)state;
    client_t *client = a_newcomer("GET / HTTP/1.1\r\n" HOST "\r\n");
    const char *head = hears_head(client);
    assert_true(has(head, "HTTP/1.1 426 Upgrade Required\r\n"));
    assert_true(has(head, "\r\nUpgrade: websocket\r\n"));
    assert_true(has(head, "\r\nSec-WebSocket-Version: 13\r\n"));
    assert_true(has(head, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    gets_nothing();
}

static void a_wrong_version_is_told_the_right_one(void **state)
{
    (void)state;
    head_is_refused("GET / HTTP/1.1\r\n" HOST
                    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Version: 8\r\n\r\n",
                    "HTTP/1.1 426 ", "Upgrade Required");
}

static void a_post_is_told_what_is_allowed(void **state)
{
    (void)state;
    client_t *client = a_newcomer("POST / HTTP/1.1\r\n" HOST HANDSHAKE "\r\n");
    const char *head = hears_head(client);
    assert_true(has(head, "HTTP/1.1 405 Method Not Allowed\r\n"));
    assert_true(has(head, "\r\nAllow: GET, HEAD\r\n"));
    gets_nothing();
}

static void a_wrong_host_is_a_bad_request(void **state)
{
    static const char *const hosts[] = {"", "Host: a b\r\n", "Host: \r\n",
                                        HOST "Host: other.org\r\n"};
    char head[512];
    (void)state;

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        snprintf(head, sizeof head, "GET / HTTP/1.1\r\n%s" HANDSHAKE "\r\n",
                 hosts[i]);
        head_is_refused(head, "HTTP/1.1 400 ", "Bad Request");
    }
}

static void only_listed_origins_get_in(void **state)
{
    (void)state;
    gateway.options.origins = "https://a.org, https://b.org";
    gateway_restarts();
    a_newcomer("GET / HTTP/1.1\r\n" HOST HANDSHAKE
               "Origin: https://b.org\r\n\r\n");
    answers(gets_connect(), 403, NULL);
    is_refused(a_newcomer("GET / HTTP/1.1\r\n" HOST HANDSHAKE
                          "Origin: https://evil.org\r\n\r\n"),
               "HTTP/1.1 403 ", "Forbidden");
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 403 ", "Forbidden");
    gets_nothing();
}

static void garbage_is_a_bad_request(void **state)
{
    (void)state;
    head_is_refused("\x16\x03\x01 hello", "HTTP/1.1 400 ", "Bad Request");
    head_is_refused("GET / HTTP/1.1\r\n" HOST HANDSHAKE
                    "Content-Length: 3\r\n\r\n",
                    "HTTP/1.1 400 ", "Bad Request");
    head_is_refused("GET /?x=%zz HTTP/1.1\r\n" HOST HANDSHAKE "\r\n",
                    "HTTP/1.1 400 ", "Bad Request");
}

static void a_head_that_is_too_long_is_431(void **state)
{
    char head[5000];
    (void)state;

    int len = snprintf(head, sizeof head, "GET / HTTP/1.1\r\n" HOST "X: ");
    memset(head + len, 'x', sizeof head - (size_t)len - 1);
    head[sizeof head - 1] = '\0';
    head_is_refused(head, "HTTP/1.1 431 ", "Request Header Fields Too Large");
}

static void with_a_stage_clients_connect_there_only(void **state)
{
    (void)state;
    gateway.options.stage = "prod";
    gateway_restarts();
    head_is_refused(UPGRADE, "HTTP/1.1 403 ", "Forbidden");
    head_is_refused("GET /prod/x HTTP/1.1\r\n" HOST HANDSHAKE "\r\n",
                    "HTTP/1.1 403 ", "Forbidden");
    a_newcomer("GET /prod/ HTTP/1.1\r\n" HOST HANDSHAKE "\r\n");
    gets_connect();
}

static void one_connection_too_many_is_503(void **state)
{
    (void)state;
    gateway.options.max_connections = 2;
    gateway_restarts();
    a_client();
    a_newcomer(UPGRADE); /* at the gate, and counted */
    gets_connect();
    is_refused(a_newcomer(UPGRADE), "HTTP/1.1 503 ", "Service Unavailable");
    assert_int_equal(gateway.hub->stats.connections_refused, 1);
    gets_nothing();
}

static void one_handshake_too_many_is_not_accepted(void **state)
{
    (void)state;
    gateway.options.max_handshakes = 2;
    gateway_restarts();
    client_t *first = a_socket();
    a_newcomer(UPGRADE);
    assert_null(a_socket());
    assert_int_equal(gateway.hub->stats.handshakes_refused, 1);
    client_leaves(first);
    assert_non_null(a_socket());
}

/* --- in its own time ----------------------------------------------------- */

static void a_head_may_come_byte_by_byte(void **state)
{
    (void)state;
    client_t *client = a_socket();
    for (const char *at = UPGRADE; *at != '\0'; at++) {
        gets_nothing();
        client_sends(client, at, 1);
    }
    answers(gets_connect(), 200, NULL);
    assert_true(has(hears_head(client), "HTTP/1.1 101 "));
}

static void half_a_head_is_408_when_time_is_up(void **state)
{
    (void)state;
    client_t *client = a_newcomer("GET / HTTP/1.1\r\nHo");
    time_passes(HANDSHAKE_MS - 50);
    hears_nothing(client);
    client_asks(client, "s"); /* more bytes buy no more time */
    time_passes(100);
    is_refused(client, "HTTP/1.1 408 ", "Request Timeout");
    nothing_is_left();
}

static void a_socket_that_asks_nothing_is_closed_without_a_word(void **state)
{
    (void)state;
    client_t *client = a_socket();
    time_passes(HANDSHAKE_MS - 50);
    assert_false(is_closed(client));
    time_passes(100);
    assert_true(is_closed(client));
    hears_nothing(client);
    nothing_is_left();
}

static void a_gate_that_stays_shut_is_504(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    time_passes(REQUEST_MS + LATE_MS);
    is_refused(client, "HTTP/1.1 504 ", "Gateway Timeout");
    answers(id, 504, NULL);
    gets_nothing();
    nothing_is_left();
}

static void one_who_is_let_in_too_late_is_said_to_have_left(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    time_passes(REQUEST_MS + LATE_MS);
    hears_head(client);
    gets_nothing();
    answers(id, 200, NULL);
    answers(gets_disconnect(client, 1006, ""), 200, NULL);
    client_leaves(client);
    nothing_is_left();
}

static void while_no_broker_is_there_clients_wait_and_then_get_503(void **state)
{
    (void)state;
    forgets();
    client_t *client = a_newcomer(UPGRADE);
    time_passes(HANDSHAKE_MS - 100);
    hears_nothing(client);
    time_passes(200);
    is_refused(client, "HTTP/1.1 503 ", "Service Unavailable");
    nothing_is_left();
}

static void those_who_wait_are_asked_for_when_the_broker_comes(void **state)
{
    (void)state;
    a_newcomer(UPGRADE);
    a_newcomer(UPGRADE);
    gets(KIND_HELLO);
    gets_nothing();
    broker_welcomes();
    gets_list(NULL, 0);
    gets_connect();
    gets_connect();
}

static void who_finds_no_room_waits_for_the_next_reply(void **state)
{
    (void)state;
    gateway.window = 1;
    gateway_restarts();
    client_t *first = a_newcomer(UPGRADE);
    client_t *second = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    gets_nothing();
    answers(id, 200, NULL);
    hears_head(first);
    answers(gets_connect(), 200, NULL);
    hears_head(second);
}

/* --- plain HTTP ---------------------------------------------------------- */

static void with_files(void)
{
    gateway.options.static_dir = FILES;
    gateway_restarts();
}

static void a_file_and_an_upgrade_may_come_over_one_socket(void **state)
{
    (void)state;
    with_files();
    client_t *client = a_newcomer("GET /none HTTP/1.1\r\n" HOST "\r\n");
    assert_true(has(hears_head(client), "HTTP/1.1 404 "));
    client->heard_at = client->heard.len;
    assert_false(client->is_finished);
    time_passes(HANDSHAKE_MS - 100); /* each request has this long */
    client_asks(client, "HEAD /ids.json HTTP/1.1\r\n" HOST "\r\n");
    assert_true(has(hears_head(client), "HTTP/1.1 200 "));
    hears_nothing(client);
    time_passes(HANDSHAKE_MS - 100);
    client_asks(client, UPGRADE);
    answers(gets_connect(), 200, NULL);
    assert_true(has(hears_head(client), "HTTP/1.1 101 "));
}

static void one_that_asks_no_more_is_closed_in_time(void **state)
{
    (void)state;
    with_files();
    client_t *client = a_newcomer("GET /ids.json HTTP/1.1\r\n" HOST "\r\n");
    assert_true(has(hears_head(client), "HTTP/1.1 200 "));
    time_passes(HANDSHAKE_MS + 100);
    assert_true(is_closed(client));
    nothing_is_left();
}

static void requests_sent_ahead_get_one_file(void **state)
{
    (void)state;
    with_files();
    client_t *client = a_newcomer("HEAD /ids.json HTTP/1.1\r\n" HOST "\r\n"
                                  "HEAD /ids.json HTTP/1.1\r\n" HOST "\r\n");
    assert_true(has(hears_head(client), "\r\nConnection: close\r\n"));
    hears_nothing(client);
    assert_true(client->is_finished);
}

static void a_socket_that_cannot_be_kept_leaves_nothing(void **state)
{
    (void)state;
    ip_t from = ip_of_v4((const uint8_t[]){192, 0, 2, 1});
    void *user = hub_transport_ops.opened(gateway.hub, &from);
    hub_transport_ops.closed(user); /* it was never bound */
    time_passes(50);
    nothing_is_left();
}

/* --- leaving at the gate ------------------------------------------------- */

static void
one_who_left_before_the_reply_is_said_to_have_left_after_it(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    client_leaves(client);
    assert_true(is_closed(client));
    gets_nothing();
    assert_false(hub_is_empty(gateway.hub));
    answers(id, 200, NULL);
    answers(gets_disconnect(client, 1006, ""), 200, NULL);
    nothing_is_left();
}

static void one_who_left_and_is_refused_is_nobodys_business(void **state)
{
    (void)state;
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    client_leaves(client);
    answers(id, 403, NULL);
    gets_nothing();
    nothing_is_left();
}

static void one_who_left_while_waiting_is_never_asked_for(void **state)
{
    (void)state;
    gets(KIND_HELLO);
    client_leaves(a_newcomer(UPGRADE));
    broker_welcomes();
    gets_list(NULL, 0);
    gets_nothing();
    nothing_is_left();
}

static void one_who_does_not_end_its_side_is_cut_off(void **state)
{
    (void)state;
    client_t *client = a_newcomer("nonsense\r\n\r\n");
    assert_true(client->is_finished);
    time_passes(2900);
    assert_false(is_closed(client));
    time_passes(200);
    assert_true(is_closed(client));
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)
#define TEST_ALONE(name)                                                       \
    cmocka_unit_test_setup_teardown(name, gateway_set_up_alone,                \
                                    gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_let_in_by_a_status_of_200_to_299),
        TEST(a_body_on_acceptance_goes_nowhere),
        TEST(the_chosen_subprotocol_is_said_when_it_was_offered),
        TEST(headers_are_passed_on_but_for_those_of_the_framing),
        TEST(frames_right_behind_the_head_are_taken_after_the_101),
        TEST(more_early_frames_than_a_head_is_long_are_not_read),
        TEST(the_connect_names_all_that_the_client_asked),
        TEST(the_context_says_where_the_client_is_from),
        TEST(a_trusted_proxy_says_whose_client_it_is),
        TEST(nobody_else_does),
        TEST(with_the_proxy_protocol_it_is_the_header_that_counts),
        TEST(a_proxy_that_says_nothing_is_the_client),
        TEST(each_request_on_a_proxys_socket_is_its_own_clients),
        TEST(a_certificate_is_among_the_details),
        TEST(without_one_there_is_no_word_of_it),
        TEST_ALONE(require_connect_is_asked_of_the_broker),
        TEST(any_other_status_is_the_refusal),
        TEST(a_status_below_200_is_no_answer),
        TEST(a_refusal_has_the_workers_headers_and_body),
        TEST(what_a_refusal_is_made_of_is_said),
        TEST(a_worker_may_say_itself_what_its_refusal_is_made_of),
        TEST(an_identity_over_its_limit_fails_with_502),
        TEST(a_plain_get_is_told_to_upgrade),
        TEST(a_wrong_version_is_told_the_right_one),
        TEST(a_post_is_told_what_is_allowed),
        TEST(a_wrong_host_is_a_bad_request),
        TEST(only_listed_origins_get_in),
        TEST(garbage_is_a_bad_request),
        TEST(a_head_that_is_too_long_is_431),
        TEST(with_a_stage_clients_connect_there_only),
        TEST(one_connection_too_many_is_503),
        TEST(one_handshake_too_many_is_not_accepted),
        TEST(a_head_may_come_byte_by_byte),
        TEST(half_a_head_is_408_when_time_is_up),
        TEST(a_socket_that_asks_nothing_is_closed_without_a_word),
        TEST(a_gate_that_stays_shut_is_504),
        TEST(one_who_is_let_in_too_late_is_said_to_have_left),
        TEST_ALONE(while_no_broker_is_there_clients_wait_and_then_get_503),
        TEST_ALONE(those_who_wait_are_asked_for_when_the_broker_comes),
        TEST(who_finds_no_room_waits_for_the_next_reply),
        TEST(a_file_and_an_upgrade_may_come_over_one_socket),
        TEST(one_that_asks_no_more_is_closed_in_time),
        TEST(requests_sent_ahead_get_one_file),
        TEST(a_socket_that_cannot_be_kept_leaves_nothing),
        TEST(one_who_left_before_the_reply_is_said_to_have_left_after_it),
        TEST(one_who_left_and_is_refused_is_nobodys_business),
        TEST_ALONE(one_who_left_while_waiting_is_never_asked_for),
        TEST(one_who_does_not_end_its_side_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
