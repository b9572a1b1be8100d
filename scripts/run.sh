#!/usr/bin/env bash
# Start `hoist serve` and the echo worker, say where they are, and stop both in
# order on Ctrl-C.  HOIST_… variables work as ever.
#
#   scripts/run.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
log=$(mktemp)

# Sessions of their own: Ctrl-C reaches this script alone, which stops the worker
# first.
setsid "$build/cli/hoist" serve 2> >(tee "$log" >&2) &
server=$!
worker=
finish() {
    trap - INT TERM EXIT
    [ -z "$worker" ] || { kill "$worker" 2>/dev/null && wait "$worker"; } || true
    kill "$server" 2>/dev/null && wait "$server" || true
    rm -f "$log"
}
trap finish INT TERM EXIT

until grep -q GATEWAY-LISTENING "$log"; do
    kill -0 "$server" 2>/dev/null || exit 1
    sleep 0.05
done
workers=$(sed -n 's/.*BROKER-LISTENING workers=\([^ ]*\).*/\1/p' "$log")
address=$(sed -n 's/.*GATEWAY-LISTENING address=//p' "$log")
setsid "$build/workers/examples/echo" --broker "$workers" &
worker=$!
cat <<TEXT

  WebSockets   ws://$address/        send {"action": "echo", "hello": 1}
  workers      $workers

  Ctrl-C stops everything.

TEXT
wait "$server"
