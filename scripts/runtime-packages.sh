#!/bin/sh
# Print the Debian packages that these programs and libraries load their shared
# libraries from, one a line: what an image or a package has to depend on.
# Those of a library's own package are among them.
#
#   scripts/runtime-packages.sh FILE…
set -eu

# Of the package's file, whichever way it is spelled: dpkg knows some libraries
# by /lib, though that has become a link to /usr/lib.
owner() {
    path=$(realpath "$1")
    dpkg -S "$path" "${path#/usr}" 2>/dev/null | head -n 1 | cut -d : -f 1
}

for file in "$@"; do
    echo "$file"
    ldd "$file" | awk '$2 == "=>" {print $3}'
done | sort -u | while read -r library; do owner "$library"; done | sort -u
