#!/bin/sh
# Install what each requirements.txt of the repository names into the folder
# .venv beside it, when the file is newer than what is there.  Versions are
# those of the file, all of them.
set -eu
cd "$(dirname "$0")/.."

find . -name requirements.txt -not -path '*/.venv/*' \
    -not -path '*/node_modules/*' -not -path './build/*' | while read -r list; do
    folder=$(dirname "$list")
    stamp=$folder/.venv/.installed
    if [ ! -e "$stamp" ] || [ "$list" -nt "$stamp" ]; then
        echo "installing: Python packages of $folder"
        rm -rf "$folder/.venv"
        /usr/bin/python3 -m venv "$folder/.venv"
        "$folder/.venv/bin/pip" install --quiet --no-input \
            --disable-pip-version-check --no-deps --requirement "$list" </dev/null
        touch "$stamp"
    fi
done
