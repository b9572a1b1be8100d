#!/usr/bin/env bash
# clang-tidy over every source of a build, in parallel.  A source that passed
# is not looked at again while it, all that it includes, its command line and
# .clang-tidy are unchanged: BUILD/tidy/ holds one stamp for each.  Versions
# of clang-tidy disagree, so that of Debian 12 decides; where it is not there
# this is skipped (77).
#
#   tests/lint/tidy.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1

if ! command -v clang-tidy-14 >/dev/null; then
    echo "skipped: no clang-tidy-14"
    exit 77
fi
mkdir -p "$build/tidy"
# The analyzer walks so many nodes of a function at most: seven times more is its
# own bound, at which a few sources take most of the time and tell no more.
nodes=30000
export build nodes

check_one() {
    local source=$1 key stamp output
    # The command line of this source, and every file of ours that it reads.
    key=$({
        cat .clang-tidy
        echo "$nodes"
        grep -F "\"command\"" "$build/compile_commands.json" |
            grep -F -- "$PWD/$source" || true
        clang -MM -I. -Iworkers/c -D_GNU_SOURCE -std=c11 "$source" |
            sed -e 's/^[^:]*://' -e 's/\\$//' | tr -s ' ' '\n' |
            grep -v '^$' | sort | xargs cat
    } | sha256sum | cut -d' ' -f1)
    stamp=$build/tidy/$key
    [ ! -e "$stamp" ] || return 0
    if output=$(clang-tidy-14 -p "$build" --quiet \
        --extra-arg=-Wno-unknown-warning-option \
        --extra-arg={-Xclang,-analyzer-config,-Xclang,max-nodes="$nodes"} \
        "$source" 2>&1); then
        touch "$stamp"
    else
        printf '%s\n' "$source:" "$output"
        return 1
    fi
}
export -f check_one

# What the build compiles, without what CMake generated.
mapfile -t sources < <(python3 -c '
import json, os, sys
for entry in json.load(open(sys.argv[1] + "/compile_commands.json")):
    path = os.path.relpath(entry["file"])
    if not path.startswith(("..", "build")):
        print(path)
' "$build" | sort -u)
echo "${#sources[@]} sources"
[ "${#sources[@]}" -gt 0 ]
printf '%s\0' "${sources[@]}" |
    xargs -0 -n 1 -P "$(nproc)" bash -c 'check_one "$0"'
