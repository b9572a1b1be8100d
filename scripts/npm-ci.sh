#!/bin/sh
# Install what each package-lock.json of the repository names beside it, when
# the lock is newer than what is there.  Never changes a lock.
set -eu
cd "$(dirname "$0")/.."

find . -name package-lock.json -not -path '*/node_modules/*' \
    -not -path './build/*' | while read -r lock; do
    folder=$(dirname "$lock")
    stamp=$folder/node_modules/.package-lock.json
    if [ ! -e "$stamp" ] || [ "$lock" -nt "$stamp" ]; then
        echo "installing: npm packages of $folder"
        (cd "$folder" && npm ci --loglevel=error --no-audit --no-fund </dev/null)
        touch "$stamp"
    fi
done
