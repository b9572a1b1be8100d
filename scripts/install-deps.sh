#!/bin/sh
# Install the Debian packages of the sections named (scripts/packages.txt)
# that are not there yet.  Says in one line what it installs; says and does
# nothing when all is there.
#
#   scripts/install-deps.sh build [test …]
set -eu
cd "$(dirname "$0")"

wanted=
for section in "$@"; do
    wanted="$wanted $(awk -v s="[$section]" \
        '/^#/ {next} /^\[/ {on = ($0 == s); next} on {print}' packages.txt)"
done

is_installed() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

is_known() {
    apt-cache show "$1" >/dev/null 2>&1
}

missing() {
    list=
    for package in $wanted; do
        found=
        for name in $(echo "$package" | tr / ' '); do
            if is_installed "$name"; then
                found=yes
            fi
        done
        [ -n "$found" ] || list="$list $package"
    done
    echo "$list"
}

absent=$(missing)
[ -n "$absent" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq

names=
for package in $absent; do
    for name in $(echo "$package" | tr / ' '); do
        if is_known "$name"; then
            names="$names $name"
            break
        fi
    done
done
echo "installing:$names"
$sudo apt-get install -y -qq --no-install-recommends $names >/dev/null
