# SPDX-License-Identifier: MIT
#
# The tables of `hoist settings` as lists of a man page.

function plain(text) {
    gsub(/`/, "", text)
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    return text
}

BEGIN { FS = " \\| " }

/^## / { print ".SS " substr($0, 4) }

/^\| `--/ {
    sub(/^\| /, "")
    sub(/ \|$/, "")
    name = plain($1)
    sub(/^\\-\\-/, "", name)
    whose = $3 == "both" ? "gateway and broker" : $3
    value = plain($5)
    print ".TP"
    print "\\fB" name "\\fR (" whose ", \\fB" plain($2) "\\fR)"
    print "\\&" plain($6) "."
    print "\\fI" plain($4) "\\fR; default " (value != "" ? value : "none") "."
}
