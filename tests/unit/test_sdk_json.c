/* SPDX-License-Identifier: MIT
 *
 * Bodies as JSON, by hoist_json.h.
 */
#include "base/xalloc.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_json.h"

/* A MESSAGE with this body. */
static void body_comes(body_type_t type, const char *text)
{
    message_request_t request = sdk_message("a");

    request.body = (body_t){type, wire_bytes(text)};
    must(message_put_request(&worker.in, &request) == 0);
    feed(worker.now_ms);
}

static int give_back(hoist_ctx *ctx)
{
    json_t *body;
    int rc = hoist_body_as_json(ctx, &body);

    return rc < 0 ? rc
                  : hoist_reply_with_json(ctx, 201,
                                          json_pack("{so}", "got", body));
}

static void a_body_is_read_and_a_reply_written(void **state)
{
    (void)state;
    serves("a", give_back);
    body_comes(BODY_TEXT, " {\"n\" : [1, \"\xc3\xbc\"]} ");
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    assert_int_equal(reply->status, 201);
    assert_int_equal(reply->body.type, BODY_TEXT);
    assert_true(hoist_is(lend(reply->body.bytes),
                         "{\"got\":{\"n\":[1,\"\xc3\xbc\"]}}"));
}

static void what_is_no_json_is_a_bad_request(void **state)
{
    static const char *const texts[] = {"", "{", "7", "{\"a\":1,\"a\":2}",
                                        "[1] 2"};
    (void)state;

    serves("a", give_back);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        body_comes(BODY_TEXT, texts[i]);
        says_reply(7, 400);
    }
    body_comes(BODY_BINARY, "[1]");
    says_reply(7, 400);
}

static int say_nothing(hoist_ctx *ctx)
{
    assert_int_equal(hoist_reply_with_json(ctx, 200, NULL), -ENOMEM);
    assert_int_equal(hoist_push_json(ctx, hoist_to_all(), NULL, NULL), -ENOMEM);
    return hoist_push_json(ctx, hoist_to_all(), json_true(), NULL);
}

static void what_cannot_be_made_is_not_said(void **state)
{
    (void)state;
    serves("a", say_nothing);
    body_comes(BODY_TEXT, "[]");
    const message_push_t *push = &says(KIND_PUSH)->push;
    assert_true(hoist_is(lend(push->body.bytes), "true"));
    says_reply(7, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(a_body_is_read_and_a_reply_written),
        WORKER_TEST(what_is_no_json_is_a_bad_request),
        WORKER_TEST(what_cannot_be_made_is_not_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
