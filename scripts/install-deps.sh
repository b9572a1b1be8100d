#!/bin/sh
# Install the Debian packages of the sections named (scripts/packages.txt)
# that are not there yet.  Says in one line what it installs; says and does
# nothing when all is there.
#
#   scripts/install-deps.sh build [test …]
set -eu
cd "$(dirname "$0")"

wanted=$(for section in "$@"; do
    awk -v s="[$section]" \
        '/^#/ {next} /^\[/ {on = ($0 == s); next} on {print}' packages.txt
done)

# A program from another source (a newer Node.js, say) is as good as Debian's.
is_here() {
    case $1 in
    nodejs) command -v node >/dev/null ;;
    prometheus) command -v promtool >/dev/null ;;
    npm | clang | cmake) command -v "$1" >/dev/null ;;
    docker.io | docker-cli) command -v dockerd >/dev/null ;;
    *) dpkg-query -W -f '${Status}' "$1" 2>/dev/null |
        grep -q 'ok installed' ;;
    esac
}

# The packages of $wanted that are not here, alternatives unresolved.
absent=
for package in $wanted; do
    found=
    for name in $(echo "$package" | tr / ' '); do
        if is_here "$name"; then
            found=yes
        fi
    done
    [ -n "$found" ] || absent="$absent $package"
done
[ -n "$absent" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install-deps: not Debian; install by hand:$absent" >&2
    exit 1
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install-deps: neither root nor sudo; install by hand:$absent" >&2
        exit 1
    fi
    sudo="sudo DEBIAN_FRONTEND=noninteractive"
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq

names=
for package in $absent; do
    chosen=
    for name in $(echo "$package" | tr / ' '); do
        if [ -z "$chosen" ] && apt-cache show "$name" >/dev/null 2>&1; then
            chosen=$name
        fi
    done
    if [ -z "$chosen" ]; then
        echo "install-deps: this system has no package $package" >&2
        exit 1
    fi
    names="$names $chosen"
done
echo "installing:$names"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of words is meant
if ! $sudo apt-get install -y -qq --no-install-recommends $names \
    >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
