#!/usr/bin/env bash
# Build every flavour that the tests need and run all of their tests as one
# ctest run, so that the runner's own summary is the last thing printed.
#
#   scripts/test.sh [JOBS]
#
# release  gcc; all tests, format and lint among them
# asan     clang, AddressSanitizer and UndefinedBehaviorSanitizer; all tests
# tsan     gcc, ThreadSanitizer; the tests of several threads
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${1:-$(nproc)}
mkdir -p build
flavours="release asan tsan"

for flavour in $flavours; do
    cmake --preset "$flavour" -DBUILD_TESTING=ON >build/"$flavour".log 2>&1 || {
        cat build/"$flavour".log >&2
        exit 1
    }
    cmake --build build/"$flavour" -j "$jobs"
done

{
    for flavour in $flavours; do
        echo "subdirs($flavour)"
    done
} >build/CTestTestfile.cmake
# Three more than there are processors: one computes when the others do not (BATCH in
# tests/CMakeLists.txt), and these mostly wait.
exec ctest --test-dir build --output-on-failure -j $((jobs + 3))
