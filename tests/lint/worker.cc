// SPDX-License-Identifier: MIT
//
// A worker in C++, as docs/c-worker.md shows it, that tests itself: what its
// handlers throw becomes a refusal.  sdk.sh builds and runs it.
#include <hoist_middleware.h>
#include <hoist_test.h>

#include <new>
#include <stdexcept>

template <int (*handler)(hoist_ctx *)> static int caught(hoist_ctx *ctx) noexcept
{
    try {
        return handler(ctx);
    } catch (const std::invalid_argument &wrong) {
        return hoist_fail(ctx, 400, "invalid", wrong.what());
    } catch (const std::exception &other) {
        return hoist_fail(ctx, 500, "internal", nullptr);
    }
}

static hoist_rule rule(const char *name, hoist_json_type type)
{
    hoist_rule made = {};
    made.name = name;
    made.type = type;
    return made;
}

static hoist_rule text(const char *name, unsigned most)
{
    hoist_rule made = rule(name, HOIST_JSON_STRING);
    made.min = 1;
    made.max = most;
    return made;
}

static int paint(hoist_ctx *ctx)
{
    hoist_text colour = hoist_body(ctx);

    if (colour.len == 0) {
        throw std::invalid_argument("which colour?");
    }
    if (hoist_is(colour, "octarine")) {
        throw std::bad_alloc();
    }
    return hoist_reply_text(ctx, "painted");
}

static int take(hoist_ctx *ctx)
{
    return hoist_reply_text(ctx, "taken");
}

static int status_of(hoist_test *test, const char *route, const char *body)
{
    hoist_test_event event = hoist_test_event();

    event.route = route;
    event.text = body;
    return hoist_test_send(test, &event)->status;
}

static int fails(hoist_app *app)
{
    hoist_test *test;

    if (hoist_test_new(app, &test) < 0) {
        return 1;
    }
    bool well =
        status_of(test, "paint", "red") == 200 &&
        status_of(test, "paint", "") == 400 &&
        status_of(test, "paint", "octarine") == 500 &&
        status_of(test, "order", "{\"sku\":\"a\",\"count\":1}") == 200 &&
        status_of(test, "order", "{\"sku\":\"\",\"count\":1}") == 400 &&
        status_of(test, "order", "{\"sku\":\"a\"}") == 400;
    hoist_test_destroy(&test);
    hoist_app_destroy(&app);
    return well ? 0 : 1;
}

int main()
{
    hoist_app *app = hoist_app_new();

    hoist_rate_limit_config limit = {};
    limit.rate = 100;
    hoist_use(app, hoist_rate_limit, &limit);
    hoist_on(app, "paint", caught<paint>);

    static const hoist_rule members[] = {
        text("sku", 32), rule("count", HOIST_JSON_INTEGER), hoist_rule()};
    static hoist_rule order = rule(nullptr, HOIST_JSON_OBJECT);
    order.members = members;
    hoist_validate_config orders = {};
    orders.body = &order;
    hoist_on(app, "order", caught<take>);
    hoist_use_on(app, "order", hoist_validate, &orders);
    return fails(app);
}
