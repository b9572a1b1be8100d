/* SPDX-License-Identifier: MIT
 *
 * Lets in whoever connects with ?name=…, and echoes: the same as connect.c,
 * with ZeroMQ and MessagePack alone (docs/code-size.md).
 *
 *     connect_bare ENDPOINT
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sys/random.h>

#include <msgpack.h>
#include <zmq.h>

enum { HELLO = 1, READY = 3, REQUEST = 4, REPLY = 5, PING = 16, WHO = 21 };
enum { CONNECT = 1 };

/* Elements of a REQUEST, behind its kind. */
enum { ID = 1, EVENT = 2, BODY = 5, DETAILS = 8 };

#define PING_MS 500

static void *sock;
static char boot[17]; /* once a start */

/* --- what is sent -------------------------------------------------------- */

static void put_text(msgpack_packer *out, const char *text)
{
    msgpack_pack_str(out, strlen(text));
    msgpack_pack_str_body(out, text, strlen(text));
}

static void send_all(msgpack_sbuffer *frame)
{
    zmq_send(sock, frame->data, frame->size, ZMQ_DONTWAIT);
    msgpack_sbuffer_destroy(frame);
}

static void greet(void)
{
    msgpack_sbuffer frame;
    msgpack_packer out;

    msgpack_sbuffer_init(&frame);
    msgpack_packer_init(&out, &frame, msgpack_sbuffer_write);
    msgpack_pack_array(&out, 6);
    msgpack_pack_int(&out, HELLO);
    msgpack_pack_int(&out, 1);
    put_text(&out, "worker");
    put_text(&out, boot);
    put_text(&out, "connect_bare");
    msgpack_pack_map(&out, 0);
    msgpack_pack_array(&out, 4);
    msgpack_pack_int(&out, READY);
    msgpack_pack_array(&out, 2);
    put_text(&out, "$connect");
    put_text(&out, "echo");
    msgpack_pack_int(&out, 64);
    msgpack_pack_int(&out, 1 << 20);
    send_all(&frame);
}

static void ping(void)
{
    msgpack_sbuffer frame;
    msgpack_packer out;

    msgpack_sbuffer_init(&frame);
    msgpack_packer_init(&out, &frame, msgpack_sbuffer_write);
    msgpack_pack_array(&out, 1);
    msgpack_pack_int(&out, PING);
    send_all(&frame);
}

/* body, user: NULL for none. */
static void reply(const msgpack_object *request, int status,
                  const msgpack_object *body, const msgpack_object *user)
{
    msgpack_sbuffer frame;
    msgpack_packer out;

    msgpack_sbuffer_init(&frame);
    msgpack_packer_init(&out, &frame, msgpack_sbuffer_write);
    msgpack_pack_array(&out, 5);
    msgpack_pack_int(&out, REPLY);
    msgpack_pack_object(&out, request->via.array.ptr[ID]);
    msgpack_pack_int(&out, status);
    if (body != NULL) {
        msgpack_pack_object(&out, *body);
    } else {
        msgpack_pack_nil(&out);
    }
    msgpack_pack_map(&out, user != NULL);
    if (user != NULL) {
        put_text(&out, "user");
        msgpack_pack_object(&out, *user);
    }
    send_all(&frame);
}

/* --- handlers ------------------------------------------------------------ */

static int is_text(const msgpack_object *object, const char *text)
{
    return object->type == MSGPACK_OBJECT_STR &&
           object->via.str.size == strlen(text) &&
           memcmp(object->via.str.ptr, text, strlen(text)) == 0;
}

static const msgpack_object *find_query(const msgpack_object *details)
{
    if (details->type != MSGPACK_OBJECT_MAP) {
        return NULL;
    }
    for (uint32_t i = 0; i < details->via.map.size; i++) {
        const msgpack_object_kv *entry = &details->via.map.ptr[i];
        if (is_text(&entry->key, "query") &&
            entry->val.type == MSGPACK_OBJECT_ARRAY) {
            return &entry->val;
        }
    }
    return NULL;
}

static const msgpack_object *find_parameter(const msgpack_object *details,
                                            const char *name)
{
    const msgpack_object *query = find_query(details);

    for (uint32_t i = 0; query != NULL && i < query->via.array.size; i++) {
        const msgpack_object *pair = &query->via.array.ptr[i];
        if (pair->type == MSGPACK_OBJECT_ARRAY && pair->via.array.size == 2 &&
            is_text(&pair->via.array.ptr[0], name)) {
            return &pair->via.array.ptr[1];
        }
    }
    return NULL;
}

static void on_connect(const msgpack_object *request)
{
    const msgpack_object *name =
        find_parameter(&request->via.array.ptr[DETAILS], "name");

    if (name == NULL || name->type != MSGPACK_OBJECT_STR ||
        name->via.str.size == 0) {
        reply(request, 400, NULL, NULL);
    } else {
        reply(request, 200, NULL, name);
    }
}

static void on_echo(const msgpack_object *request)
{
    reply(request, 200, &request->via.array.ptr[BODY], NULL);
}

/* --- the loop ------------------------------------------------------------ */

static void take(const msgpack_object *message)
{
    if (message->type != MSGPACK_OBJECT_ARRAY || message->via.array.size == 0) {
        return;
    }
    const msgpack_object *fields = message->via.array.ptr;
    uint64_t kind = fields[0].via.u64;
    if (kind == WHO) {
        greet();
    } else if (kind == REQUEST && message->via.array.size > DETAILS) {
        if (fields[EVENT].via.u64 == CONNECT) {
            on_connect(message);
        } else {
            on_echo(message);
        }
    }
}

static void read_frame(void)
{
    zmq_msg_t frame;
    msgpack_unpacked message;
    size_t at = 0;

    zmq_msg_init(&frame);
    msgpack_unpacked_init(&message);
    if (zmq_msg_recv(&frame, sock, ZMQ_DONTWAIT) >= 0) {
        while (msgpack_unpack_next(&message, zmq_msg_data(&frame),
                                   zmq_msg_size(&frame),
                                   &at) == MSGPACK_UNPACK_SUCCESS) {
            take(&message.data);
        }
    }
    msgpack_unpacked_destroy(&message);
    zmq_msg_close(&frame);
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run(void)
{
    zmq_pollitem_t item = {.socket = sock, .events = ZMQ_POLLIN};
    long due_ms = now_ms();

    greet();
    for (;;) {
        if (now_ms() >= due_ms) { /* whatever comes in */
            ping();
            due_ms = now_ms() + PING_MS;
        }
        if (zmq_poll(&item, 1, PING_MS) > 0) {
            read_frame();
        }
    }
}

static void name_boot(void)
{
    unsigned char bytes[8];

    if (getrandom(bytes, sizeof bytes, 0) == sizeof bytes) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            (void)snprintf(boot + 2 * i, 3, "%02x", bytes[i]);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: connect_bare ENDPOINT\n");
        return 1;
    }
    name_boot();
    sock = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
    if (zmq_connect(sock, argv[1]) < 0) {
        fprintf(stderr, "connect_bare: %s: %s\n", argv[1],
                zmq_strerror(zmq_errno()));
        return 1;
    }
    run();
    return 0;
}
