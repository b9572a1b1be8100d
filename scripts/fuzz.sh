#!/usr/bin/env bash
# Run every fuzz target for a while, starting from its committed corpus.  New
# inputs stay in build/fuzz/corpus; a crash ends the run and names its file.
#
#   scripts/fuzz.sh SECONDS [JOBS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
jobs=${2:-$(nproc)}

cmake --preset fuzz >/dev/null
cmake --build build/fuzz -j "$jobs"
for target in build/fuzz/tests/fuzz/fuzz_*; do
    [ -x "$target" ] || continue
    parser=$(basename "$target")
    parser=${parser#fuzz_}
    grown=build/fuzz/corpus/$parser
    mkdir -p "$grown"
    echo "fuzzing $parser for $seconds s"
    log=build/fuzz/$parser.log
    if ! "$target" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="build/fuzz/$parser-" \
        "$grown" "tests/fuzz/corpus/$parser" >"$log" 2>&1; then
        tail -n 40 "$log"
        exit 1
    fi
    grep '^stat::number_of_executed_units' "$log"
done
