#!/usr/bin/env bash
# The reference of libhoist can be made, and Doxygen has nothing to complain of: no
# comment of a public header speaks of a name that is not there.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

{
    cat docs/reference/Doxyfile
    echo "OUTPUT_DIRECTORY = $out"
} | doxygen -
for function in hoist_on hoist_push_to hoist_test_send; do
    grep -rqs "$function" "$out/html" || { echo "nothing of $function"; exit 1; }
done
