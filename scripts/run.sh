#!/usr/bin/env bash
# Start `hoist serve` with the chat page, and the chat and echo workers; say
# where they are, and stop all of them in order on Ctrl-C or when the terminal
# closes; a second Ctrl-C ends them at once.  HOIST_… variables work as ever.
#
#   scripts/run.sh BUILD
#
# Nothing but builtins runs in the foreground: where a program there ends by
# itself as Ctrl-C comes, bash takes it for that program's and runs no trap.
set -euo pipefail
cd "${0%/*}/.."
build=$1
log=$build/run.$$.log
read -r own_name </proc/$$/comm

# Until it becomes its program a child is a copy of this shell, which takes a
# signal for one of ours and drops it.
await_program() {
    local name
    while read -r name <"/proc/$1/comm" && [ "$name" = "$own_name" ]; do
        sleep 0.01 &
        wait $! || true
    done 2>/dev/null
}

# End one child, and wait until it has; its status does not matter.  Of one that
# has ended already bash may have missed it, and would wait for ever.
stop() {
    await_program "$1"
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
}

# Whoever asks a second time does not want to wait for what drains.
give_way() {
    trap '' INT TERM
    printf '%s\n' "run: ended at once" >&2
    exec 2>/dev/null # bash would tell of each that was killed
    kill -KILL $(jobs -p) 2>/dev/null || true
}

# In the order of the start, so the server first: it tells the workers of every
# disconnect while they live.  The table of jobs has a child from the fork on.
# A terminal that closes may say so twice, so SIGHUP counts once.
finish() {
    trap give_way INT TERM
    trap '' HUP
    trap - EXIT
    for pid in $(jobs -p); do stop "$pid"; done
    rm -f "$log"
}
trap finish EXIT
trap 'trap give_way INT TERM; exit 0' INT TERM
trap 'exit 0' HUP

# What the server has logged as an event's field, in text or JSON, in $found;
# false: nothing yet.
logged() {
    local lines line
    mapfile -t lines <"$log"
    for line in "${lines[@]}"; do
        [[ "$line" =~ $1.*[\ ,\"]$2(=|\":\")([^\ \"]+) ]] || continue
        found=${BASH_REMATCH[2]}
        return 0
    done
    return 1
}

# It says where it listens at this level.
case ${HOIST_LOG_LEVEL-} in
warn | error)
    printf '%s\n' "run: HOIST_LOG_LEVEL is info here, not $HOIST_LOG_LEVEL" >&2
    export HOIST_LOG_LEVEL=info
    ;;
esac

# It has ended before it listened, and has said why.
give_up() {
    local status=0
    wait "$server" || status=$?
    [ "$status" -ne 1 ] || printf '%s\n' "run: to use other ports:" \
        "  HOIST_LISTEN=127.0.0.1:9090 HOIST_WORKERS=tcp://127.0.0.1:9555 make run" >&2
    exit "$status"
}

# Sessions of their own: Ctrl-C reaches this script alone, which keeps the order.
# The log is opened here: a tee that starts late must not make it anew.
exec 3>"$log"
HOIST_STATIC=${HOIST_STATIC-workers/examples/chat} setsid "$build/cli/hoist" \
    serve 2> >(trap '' INT HUP; exec tee /dev/fd/3 >&2) 3>&- &
server=$!
until logged GATEWAY-LISTENING address; do
    kill -0 "$server" 2>/dev/null || give_up
    sleep 0.05 &
    wait $!
done
address=$found
logged BROKER-LISTENING workers
workers=$found
for example in chat echo; do
    setsid "$build/workers/examples/$example" --broker "$workers" 3>&- &
done
printf '%s\n' "" \
    "  chat         http://$address/      open it twice" \
    "  WebSockets   ws://$address/?name=Ada  send {\"action\": \"echo\", \"hello\": 1}" \
    "  workers      $workers" "" "  Ctrl-C stops everything; once more, at once." ""
wait "$server"
