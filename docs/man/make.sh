#!/bin/sh
# SPDX-License-Identifier: MIT
# Make the man pages of what the program and the headers say of themselves.
#
#   docs/man/make.sh HOIST DIRECTORY HEADER…
set -eu
hoist=$1
out=$2
shift 2
here=$(dirname "$0")
version=$("$hoist" version | awk '{print $NF}')

# fill PAGE MARK: the page, with standard input in the place of the mark's line.
fill() {
    cat >"$out/part"
    sed "s/@VERSION@/$version/" "$here/$1.in" |
        awk -v mark="@$2@" -v part="$out/part" '
            $0 != mark {print; next}
            {while ((getline line < part) > 0) print line}' >"$out/$1"
    rm "$out/part"
}

# The lines of standard input, as they stand.
verbatim() {
    awk 'BEGIN {print ".nf"}
        {gsub(/\\/, "\\e"); gsub(/-/, "\\-"); print "\\&" $0}
        END {print ".fi"}'
}

# What `hoist help COMMAND` says; of settings, that they are elsewhere.
commands() {
    "$hoist" help | awk '/^  [a-z]/' | while read -r command words; do
        printf '.SS "hoist %s"\n\\&%s.\n' "$command" "$words"
        said=$("$hoist" help "$command")
        [ "$said" != "$("$hoist" help)" ] || continue
        printf "%s\n" "$said" | awk '/^Each setting with its variable/ {exit} {print}' | verbatim
        if printf "%s\n" "$said" | grep -q '^Each setting with its variable'; then
            printf 'Its settings are in\n.BR hoist.conf (5).\n'
        fi
    done
}

mkdir -p "$out"
commands | fill hoist.1 COMMANDS
"$hoist" settings | awk -f "$here/settings.awk" | fill hoist.conf.5 SETTINGS
awk -f "$here/header.awk" "$@" | fill libhoist.3 HEADERS
