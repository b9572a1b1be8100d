#!/usr/bin/env bash
# The C SDK as a stranger gets it: hoist.h is C++ as well as C, and what
# `make install` puts down is enough to build programs, with the shared library
# and with the archive, by pkg-config alone or by CMake.
#
#   tests/lint/sdk.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

for component in sdk doc; do
    DESTDIR=$root cmake --install "$build" --prefix /opt/hoist --component $component \
        >"$root/log" || { cat "$root/log"; exit 1; }
done
pc=$(find "$root" -name hoist.pc)
export PKG_CONFIG_PATH=${pc%/*}
lib=${PKG_CONFIG_PATH%/pkgconfig}

cat >"$root/three.cc" <<'END'
#include <hoist.h>
#include <hoist_metrics.h>
#include <hoist_metrics.h>
#include <hoist_middleware.h>
#include <hoist_test.h>
static int hello(hoist_ctx *ctx) { return hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT, hoist_str("hello"), nullptr); }
static int run(hoist_app *app, int argc, char **argv) { hoist_count(hoist_counter_of(app, "a_total", "", nullptr), 1); return hoist_on(app, "a", hello) + hoist_use(app, hoist_recover, nullptr) + hoist_main(app, argc, argv); }
static int is_tested(hoist_app *app)
{
    hoist_test_event event = hoist_test_event();
    hoist_test *test;
    if (hoist_on(app, "$connect", hello) < 0 || hoist_test_new(app, &test) < 0) return 1;
    event.event = HOIST_CONNECT;
    event.query[0].name = "name";
    const hoist_test_outcome *outcome = hoist_test_send(test, &event);
    int rc = outcome->status == 200 && hoist_test_next(test)->kind == HOIST_TEST_PUSH ? 0 : 1;
    hoist_test_destroy(&test);
    hoist_app_destroy(&app);
    return rc;
}
int main(int argc, char **argv) { return is_tested(hoist_app_new()) + run(hoist_app_new(), argc, argv); }
END

cat >"$root/ledger.cc" <<'END'
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

# Names that the library has inside are the program's to use, too.
cat >"$root/names.c" <<'END'
#include <hoist.h>
int buf_put(void); int core_init(void); int settings_init(void); int link_feed(void);
int buf_put(void) { return 1; }
int core_init(void) { return 2; }
int settings_init(void) { return 3; }
int link_feed(void) { return 4; }
static int echo(hoist_ctx *ctx) { return hoist_reply(ctx, 200, hoist_body_type(ctx), hoist_body(ctx)); }
int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();
    hoist_on(app, "echo", echo);
    return buf_put() + core_init() + settings_init() + link_feed() == 10 ? hoist_main(app, argc, argv) : 1;
}
END

# needs PROGRAM yes|no: it wants the shared library when it starts, and runs.
needs() {
    local found=no
    if readelf -d "$1" | grep -q 'NEEDED.*\[libhoist\.so\.[0-9]*\]'; then
        found=yes
    fi
    [ $found = "$2" ] || { echo "$1: needs libhoist.so: $found"; exit 1; }
    LD_LIBRARY_PATH=$lib "$1" --help >"$root/help"
    grep -q -e --broker "$root/help"
}

# by_pkg_config MODULE yes|no
by_pkg_config() {
    local flags libs compiler standard
    read -ra flags < <(pkg-config --cflags "$1")
    read -ra libs < <(pkg-config --libs "$1")
    for compiler in g++ clang++; do
        command -v "$compiler" >/dev/null || continue
        echo "$1 with $compiler"
        "$compiler" -std=c++11 -Wall -Wextra -Wpedantic -Werror "${flags[@]}" \
            "$root/three.cc" -o "$root/three" "${libs[@]}"
        needs "$root/three" "$2"
    done
    for standard in c99 c11; do
        echo "$1 with workers/examples/echo.c as $standard"
        cc -std=$standard -Wall -Wextra -Wpedantic -Werror "${flags[@]}" \
            workers/examples/echo.c -o "$root/echo" "${libs[@]}"
        needs "$root/echo" "$2"
    done
    echo "$1 with a program that has names of ours"
    cc "${flags[@]}" "$root/names.c" -o "$root/names" "${libs[@]}"
    needs "$root/names" "$2"
}
echo "hoist with tests/lint/worker.cc, which throws"
read -ra flags < <(pkg-config --cflags --libs hoist-static)
g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror tests/lint/worker.cc -o "$root/worker" \
    "${flags[@]}"
"$root/worker" 2>"$root/log" || { cat "$root/log"; exit 1; }
by_pkg_config hoist yes
by_pkg_config hoist-static no

# beside_it MODULES SOURCE yes|no: a library beside libhoist.
beside_it() {
    local flags
    local compiler=(cc -std=c99)
    [[ $2 != *.cc ]] || compiler=(g++ -std=c++11)
    echo "$1 with ${2##*/}"
    # shellcheck disable=SC2086 # a list of modules is meant
    read -ra flags < <(pkg-config --cflags --libs $1)
    "${compiler[@]}" -Wall -Wextra -Wpedantic -Werror "$2" -o "$root/beside" "${flags[@]}"
    needs "$root/beside" "$3"
}
beside_it hoist-redis "$root/ledger.cc" yes
beside_it hoist-redis-static "$root/ledger.cc" no
echo '#include <hoist_auth.h>' >"$root/auth.cc"
g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
    -I"${lib%/lib*}/include" "$root/auth.cc"
beside_it "hoist-auth jansson" workers/examples/protected.c yes
beside_it "hoist-auth-static jansson" workers/examples/protected.c no

echo "find_package(hoist)"
mkdir "$root/project"
cp workers/examples/protected.c "$root"
cat >"$root/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.22)
project(stranger LANGUAGES C CXX)
find_package(hoist QUIET COMPONENTS no-such-library)
if(hoist_FOUND)
  message(FATAL_ERROR "a component that nobody has was found")
endif()
find_package(hoist 0.1 REQUIRED COMPONENTS auth redis)
foreach(kind hoist hoist_static)
  add_executable(c_${kind} ../names.c)
  add_executable(cc_${kind} ../three.cc)
  target_link_libraries(c_${kind} PRIVATE hoist::${kind})
  target_link_libraries(cc_${kind} PRIVATE hoist::${kind})
endforeach()
foreach(kind "" _static)
  add_executable(redis_hoist${kind} ../ledger.cc)
  add_executable(auth_hoist${kind} ../protected.c)
  target_link_libraries(redis_hoist${kind} PRIVATE hoist::redis${kind})
  target_link_libraries(auth_hoist${kind} PRIVATE hoist::auth${kind} jansson)
endforeach()
END
{
    cmake -S "$root/project" -B "$root/project/build" -G Ninja \
        -DCMAKE_PREFIX_PATH="${lib%/lib*}" && cmake --build "$root/project/build"
} >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }
for program in c cc redis auth; do
    needs "$root/project/build/${program}_hoist" yes
    needs "$root/project/build/${program}_hoist_static" no
done

echo "pages and examples"
/usr/bin/python3 tests/lint/installed.py "$root/opt/hoist"
