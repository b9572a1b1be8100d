#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A public header as Doxygen reads it.  The headers are written to be read as text,
and have none of its marks; this puts them in:

    the first comment             that of the file, and of a group of all that is in it
    /* --- title --- */           a group in that, up to the next one
    a comment above declarations  theirs: each one's, up to the next blank line
    a comment behind one          its own
    a middleware                  described by what stands above its settings

and in a comment

    "Returns …"                   what is returned, up to the next blank line
    "name: text"                  an item of a list, likewise
    "name  text"                  the same, as long as lines are indented
    lines that are indented       code
    hoist_something               a link, so that a name that is gone is a warning

usage: filter.py HEADER
"""
import pathlib
import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.S)
MIDDLEWARE = re.compile(r"^extern const hoist_middleware \*const (\w+);$", re.M)
SECTION = re.compile(r"/\* --- (.*?) -+ \*/")
NAME = r"[A-Za-z_]+(?:, [A-Za-z_]+)*"
ITEM = re.compile(rf"({NAME})(?:  +|: )(.*)")


def prose(text):
    """One line: nothing in it is a mark but names, which become links."""
    text = re.sub(r"[\\@<>&#%]", r"\\\g<0>", text).replace("--", "\\--")
    return re.sub(r"\bhoist_(?!worker_)\w*[a-z0-9](?!\w|\.h|\*)", r"#\g<0>", text)


def lines_of(comment):
    for line in ("*" + comment[2:-2]).splitlines():
        yield re.sub(r"^\s*\*(?: |$)", "", line).rstrip()


def body(comment, is_of_file=False):
    """The lines of a comment that has its own lines, with marks."""
    code, in_item, hangs, after_blank = [], False, False, True
    for line in lines_of(comment):
        is_code = line.startswith("    ") and not in_item
        if code and line and not is_code:
            yield from ["@code{.c}", *"\n".join(code).rstrip().split("\n"), "@endcode"]
            code = []
        item = ITEM.fullmatch(line)
        has_space = item and item[0][len(item[1])] == " "
        is_item = item and (has_space or (not is_of_file and (after_blank or in_item)))
        if is_code or (code and not line):
            code.append(line)
        elif line.startswith("SPDX-"):
            pass
        elif re.match(r"Returns? ", line):
            in_item, hangs = True, False
            yield "@return " + prose(line.partition(" ")[2])
        elif is_item and not line.startswith(" "):
            in_item, hangs = True, has_space
            yield f"- <b>{item[1]}</b> {prose(item[2])}"
        else:
            ends = in_item and hangs and line != "" and not line.startswith(" ")
            in_item = in_item and line != "" and not ends
            yield ("\n" if ends else "  " if in_item else "") + prose(line.strip())
        after_blank = line == ""
    if code:
        yield from ["@code{.c}", *code, "@endcode"]


def members_behind(text):
    """How long what a comment stands above is, and how many declarations."""
    above = text.partition("\n\n")[0]
    bare = COMMENT.sub("", above)
    if "{" in bare or "}" in bare.split(";")[0]:
        return len(above), 1
    above = re.split(r"\n[ \t]*}", above)[0]
    bare = COMMENT.sub("", above)
    return len(above), bare.count(";") if ";" in bare else bare.count(",")


def documented(comment, text):
    """A comment above, and what is behind it."""
    length, members = members_behind(text)
    mark = "/**\n" + "\n".join(body(comment)) + "\n */"
    if members < 2:
        return mark + text
    return f"{mark}\n/** @{{ */{text[:length]}\n/** @}} */{text[length:]}"


def header(path):
    stem = path.stem
    parts = COMMENT.split(path.read_text(encoding="utf-8"))
    comments = COMMENT.findall(path.read_text(encoding="utf-8"))
    in_group = False
    yield parts[0]
    for number, (comment, text) in enumerate(zip(comments, parts[1:])):
        section = SECTION.fullmatch(comment)
        before = parts[number].rpartition("\n")[2].strip()
        if number == 0:
            said = "\n".join(body(comment, True))
            yield f"/**\n@file {path.name}\n{said}\n*/\n"
            yield f"/**\n@defgroup {stem}_h {path.name}\n{said}\n@{{ */{text}"
        elif section and parts[number].endswith(" "):
            yield comment + text  # within a struct
        elif section:
            word = re.sub(r"[^a-z]+", "_", section[1].lower())
            yield "/** @} */\n" if in_group else ""
            yield f"/** @defgroup {stem}_{word} {section[1][0].upper()}{section[1][1:]}\n@{{ */" + text
            in_group = True
        elif before.startswith("#pragma"):
            yield comment + text
        elif before:
            yield "/**< " + " ".join(prose(line.strip()) for line in lines_of(comment)) + " */" + text
        else:
            yield documented(comment, text)


def main(path):
    text = MIDDLEWARE.sub(r"/** @copydoc \1_config */\n\g<0>", "".join(header(path)))
    # The last groups end with the file.
    end = text.rindex("#pragma GCC visibility pop") if "visibility pop" in text \
        else text.rindex("#endif")
    ends = "/** @} */\n" * (2 if text.count("@defgroup") > 1 else 1)
    sys.stdout.write(text[:end] + ends + text[end:])


main(pathlib.Path(sys.argv[1]))
