# SPDX-License-Identifier: MIT
#
# A public header as part of a man page: its first comment, and under a heading for
# each of its sections what it declares, each with the comment above it.

function plain(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    return text ~ /^[.']/ ? "\\&" text : text
}

# A comment: paragraphs, and as it stands what is indented or a table.
function tell(    i, is_fixed, was_fixed) {
    print ".PP"
    for (i = 1; i <= lines; i++) {
        is_fixed = comment[i] ~ /^    / || comment[i] ~ /^[A-Za-z_, ]+  +[^ ]/
        if (is_fixed && !was_fixed) print ".nf"
        if (was_fixed && !is_fixed && comment[i] != "") print ".fi"
        was_fixed = is_fixed || (was_fixed && comment[i] == "")
        if (comment[i] ~ /^Returns? / && !is_fixed) print ".br"
        print comment[i] == "" ? ".PP" : plain(comment[i])
    }
    if (was_fixed) print ".fi"
    lines = 0
}

function keep(text) {
    sub(/^ *\/?\*+\/? ?/, "", text)
    sub(/ *\*\/$/, "", text)
    if (text !~ /^SPDX-/ && !(text == "" && lines == 0)) comment[++lines] = text
}

# What the comment is above, then the comment.
function end_declaration(    i) {
    if (declared > 0) {
        print ".PP"
        print ".nf"
        print ".ft B"
        for (i = 1; i <= declared; i++) print plain(declaration[i])
        print ".ft R"
        print ".fi"
        if (lines > 0) tell()
    }
    declared = lines = 0
}

FNR == 1 {
    name = FILENAME
    sub(/.*\//, "", name)
    print ".SH \"" toupper(name) "\""
    is_head = 1
    lines = declared = 0
}

/^#/ || /^extern "C"/ || /^}$/ && !is_inside {
    if (is_head && lines > 0) tell()
    is_head = 0
    if ($0 !~ /^#define HOIST_[A-Z_]+ /) next
}

/^\/\* --- / {
    end_declaration()
    sub(/^\/\* --- /, "")
    sub(/ -+ \*\/$/, "")
    print ".SS \"" toupper(substr($0, 1, 1)) substr($0, 2) "\""
    next
}

/^\/\*/ && !is_inside { end_declaration(); in_comment = 1 }

in_comment {
    keep($0)
    if ($0 ~ /\*\/$/) in_comment = 0
    next
}

/^$/ && !is_inside { end_declaration(); next }

# Of a function that is whole in the header the body is no reference.
/^static inline/ { is_inline = 1 }

{
    if (is_inline && $0 == "{") is_body = 1
    if (!is_body) declaration[++declared] = $0
    is_inside = $0 ~ /\{$/ ? 1 : is_inside
    if ($0 ~ /^\}/) is_inside = is_inline = is_body = 0
}

END { end_declaration() }
