#!/usr/bin/env bash
# Prove that git and make are all that one needs: run a command, `make test`
# unless told otherwise, on a clone of the last commit in a fresh Debian.
#
#   scripts/clean-root.sh RELEASE FOLDER [-c COMMAND] [FILE…]
#
# As root, with debootstrap installed:
#
#   scripts/clean-root.sh trixie /var/tmp/trixie
#
# FOLDER is made when it is not there, else used as it was left; the clone is
# new each time.  Each FILE is copied to its own path inside: what the network
# here asks for, such as settings of apt, of npm and certificates
# (/usr/local/share/ca-certificates/…).  MIRROR names another mirror.
#
# All mounts are made in a namespace of its own, where the command's processes
# live too: nothing is left of either when it ends, so FOLDER can be removed.
set -euo pipefail
release=${1:?which release of Debian}
folder=$(realpath -m "${2:?which folder}")
shift 2
command="make test"
if [ "${1:-}" = -c ]; then
    command=$2
    shift 2
fi
source=$(realpath "$(dirname "$0")/..")

if [ ! -e "$folder/etc/debian_version" ] || [ -e "$folder/debootstrap" ]; then
    debootstrap --variant=minbase --include=ca-certificates,git,make \
        "$release" "$folder" "${MIRROR:-http://deb.debian.org/debian}"
fi
for file in /etc/resolv.conf "$@"; do
    install -D -m "$(stat -Lc %a "$file")" "$file" "$folder$file"
done
rm -rf "$folder/root/hoist"
git clone -q --no-hardlinks "$source" "$folder/root/hoist"

inside='
    mount -t proc proc "$0/proc"
    mount -t tmpfs -o mode=1777 tmpfs "$0/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$0/dev/pts"
    exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$0" \
        sh -c "update-ca-certificates >/dev/null 2>&1; cd /root/hoist && $1"'
exec unshare --mount --pid --fork --kill-child \
    bash -euc "$inside" "$folder" "$command"
