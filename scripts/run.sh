#!/usr/bin/env bash
# Start `hoist serve` with the chat page, and the chat and echo workers; say
# where they are, and stop all of them in order on Ctrl-C.  HOIST_… variables
# work as ever.
#
#   scripts/run.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
log=$(mktemp)
server=
workers_pids=()

# End one child, and wait until it has; its status does not matter.
stop() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# The server first: it tells the workers of every disconnect while they live.
finish() {
    trap '' INT TERM
    trap - EXIT
    [ -z "$server" ] || stop "$server"
    for pid in "${workers_pids[@]}"; do stop "$pid"; done
    rm -f "$log"
}
trap finish EXIT
trap 'exit 0' INT TERM

# Sessions of their own: Ctrl-C reaches this script alone, which keeps the order.
HOIST_STATIC=${HOIST_STATIC-workers/examples/chat} \
    setsid "$build/cli/hoist" serve 2> >(trap '' INT; exec tee "$log" >&2) &
server=$!
until grep -q GATEWAY-LISTENING "$log"; do
    kill -0 "$server" 2>/dev/null || exit 1
    sleep 0.05
done
workers=$(sed -n 's/.*BROKER-LISTENING workers=\([^ ]*\).*/\1/p' "$log")
address=$(sed -n 's/.*GATEWAY-LISTENING address=//p' "$log")
for example in chat echo; do
    setsid "$build/workers/examples/$example" --broker "$workers" &
    workers_pids+=($!)
done
cat <<TEXT

  chat         http://$address/      open it twice
  WebSockets   ws://$address/?name=Ada  send {"action": "echo", "hello": 1}
  workers      $workers

  Ctrl-C stops everything.

TEXT
wait "$server"
