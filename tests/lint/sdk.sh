#!/usr/bin/env bash
# The C SDK as a stranger gets it: hoist.h is C++ as well as C, and what
# `make install` puts down is enough to build the example by pkg-config alone.
#
#   tests/lint/sdk.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

DESTDIR=$root cmake --install "$build" --prefix /opt/hoist --component sdk \
    >"$root/log" || { cat "$root/log"; exit 1; }
pc=$(find "$root" -name hoist.pc)
export PKG_CONFIG_PATH=${pc%/*}
read -ra flags < <(pkg-config --cflags hoist)
read -ra libs < <(pkg-config --libs hoist)

cat >"$root/three.cc" <<'END'
#include <hoist.h>
#include <hoist_metrics.h>
#include <hoist_middleware.h>
static int hello(hoist_ctx *ctx) { return hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, hoist_str("hello"), nullptr); }
static int run(hoist_app *app, int argc, char **argv) { hoist_count(hoist_counter_of(app, "a_total", "", nullptr), 1); return hoist_on(app, "a", hello) + hoist_use(app, hoist_recover, nullptr) + hoist_main(app, argc, argv); }
int main(int argc, char **argv) { return run(hoist_app_new(), argc, argv); }
END
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    echo "hoist.h with $compiler"
    "$compiler" -std=c++11 -Wall -Wextra -Wpedantic -Werror "${flags[@]}" \
        "$root/three.cc" -o "$root/three" "${libs[@]}"
    "$root/three" --help >/dev/null
done

cat >"$root/shared.cc" <<'END'
#include <hoist_middleware.h>
#include <hoist_redis.h>
int main(int argc, char **argv) {
    hoist_app *app = hoist_app_new();
    hoist_ledger *ledger;
    char error[128];
    hoist_rate_limit_config config = {};
    if (hoist_redis_open("redis://127.0.0.1", nullptr, &ledger, error, sizeof error) < 0)
        return 1;
    config.ledger = ledger;
    config.name = "calls";
    hoist_use(app, hoist_rate_limit, &config);
    int status = hoist_main(app, argc, argv);
    hoist_redis_close(&ledger);
    return status;
}
END
echo "hoist_redis.h, found by pkg-config"
read -ra redis < <(pkg-config --cflags --libs hoist-redis)
g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror "$root/shared.cc" \
    -o "$root/shared" "${redis[@]}"
"$root/shared" --help >/dev/null

for standard in c99 c11; do
    echo "workers/examples/echo.c as $standard"
    cc -std=$standard -Wall -Wextra -Wpedantic -Werror "${flags[@]}" \
        workers/examples/echo.c -o "$root/echo" "${libs[@]}"
done
"$root/echo" --help >"$root/help"
grep -q -e --broker "$root/help"

echo "hoist_auth.h as C++, workers/examples/protected.c as c99"
echo '#include <hoist_auth.h>' | g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror \
    $(pkg-config --cflags hoist-auth) -fsyntax-only -x c++ -
read -ra auth < <(pkg-config --cflags --libs hoist-auth)
cc -std=c99 -Wall -Wextra -Wpedantic -Werror workers/examples/protected.c \
    -o "$root/protected" "${auth[@]}"
"$root/protected" --help >"$root/help"

echo "names that the library shows"
strange=$(find "$root" -name 'libhoist*.a' -exec nm --defined-only --extern-only {} + |
    awk 'NF == 3 && $3 !~ /^hoist_/')
[ -z "$strange" ] || { echo "$strange"; exit 1; }
