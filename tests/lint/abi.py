#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Structs and values of the public headers are as tests/lint/abi.txt has them, with
the HOIST_ABI that they belong to.

Programs make these structs, and functions take them without their size: a library
that has one field more reads it behind the struct of a program that was built before.
Settings of a middleware may grow at their end all the same, with another form of it
(HOIST_FORM, hoist.h).  So whoever changes one decides here:

    abi.py --write        the table as it is now: after HOIST_ABI (cmake/Sdk.cmake) was
                          raised, or when only structs, values and such forms were added
    abi.py --unreleased   the same, where no release has had this HOIST_ABI yet

CC is the compiler (cc).
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from symbols import forms, statements

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests/lint/abi.txt"
NOISE = (r"/\*.*?\*/", r"^#ifdef __cplusplus\n.*?#endif", r"^#.*?$")


def bare(header):
    text = header.read_text(encoding="utf-8")
    for noise in NOISE:
        text = re.sub(noise, "", text, flags=re.S | re.M)
    return text


def fields(body):
    """The names of `T a, *b[2]; R (*c)(X, Y);`."""
    for declaration in filter(None, map(str.strip, body.split(";"))):
        function = re.search(r"\(\*(\w+)\)\(", declaration)
        if function:
            yield function[1]
        else:
            for one in declaration.split(","):
                yield re.search(r"(\w+)(?:\[\w+\])?$", one.strip())[1]


def shapes(text):
    """(a struct, its fields), and (None, the values of an enum)."""
    for statement in statements(text):
        body = re.match(r"(?:typedef )?(struct|enum) ?(\w*) ?\{(.*)\} ?(\w*)$", statement)
        if body and body[1] == "enum":
            yield None, re.findall(r"\b(HOIST_\w+)\b(?=\s*(?:=|,|$))", body[3].strip())
        elif body:
            yield body[4] or f"struct {body[2]}", list(fields(body[3]))


def middleware(text):
    """(a middleware, how many forms its settings have had)."""
    for name, form in re.findall(r"^extern const hoist_middleware \*const\s+(\w+)"
                                 r"(?:\s+HOIST_FORM\((\w+)\))?;", text, re.M):
        yield name, len(forms(form)) if form else 1


def printing(headers):
    """A program that tells what a compiler makes of them."""
    yield "#include <stdio.h>\n#include <stddef.h>"
    yield from (f"#include <{header.name}>" for header in headers)
    yield "int main(void) {"
    for header in headers:
        for name, parts in shapes(bare(header)):
            if name is None:
                yield from (f'printf("{part} = %d\\n", (int){part});' for part in parts)
                continue
            yield f'printf("{name}: %zu bytes", sizeof({name}));'
            for part in parts:
                yield (f'printf(", {part} %zu+%zu", offsetof({name}, {part}), '
                       f"sizeof((({name} *)0)->{part}));")
            yield 'puts("");'
    yield "return 0; }"


def now():
    headers = [path for path in sorted((ROOT / "workers/c").glob("hoist*.h"))
               if any(shapes(bare(path)))]
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder, "abi")
        subprocess.run([os.environ.get("CC", "cc"), f"-I{ROOT}/workers/c", "-xc", "-",
                        "-o", program], input="\n".join(printing(headers)),
                       check=True, text=True, timeout=60)
        lines = subprocess.run([program], check=True, text=True, timeout=60,
                               stdout=subprocess.PIPE).stdout.splitlines()
    lines += [f"{name}: form {form}" for header in headers
              for name, form in middleware(bare(header))]
    return [f"HOIST_ABI {abi()}", *lines]


def abi():
    return re.search(r"^set\(HOIST_ABI (\d+)\)", (ROOT / "cmake/Sdk.cmake").read_text(),
                     re.M)[1]


def rest(lines, name):
    """What stands behind the name in its line; "": there is none."""
    return next((line.partition(": ")[2] for line in lines if line.startswith(f"{name}: ")),
                "")


def is_another_form(line, before, lines):
    """The line of settings that had fewer fields in the former form, or of that form."""
    name = line.partition(":")[0].removesuffix("_config")
    struct = f"{name}_config"
    had, has = (rest(table, struct).partition(", ")[2] for table in (before, lines))
    form = re.fullmatch(r"form (\d+)", rest(before, name))
    return bool(form and had and has.startswith(had + ", ") and
                rest(lines, name) == f"form {int(form[1]) + 1}")


def write(lines, is_unreleased):
    before = TABLE.read_text().splitlines() if TABLE.exists() else []
    broken = [line for line in before
              if line not in lines and not is_another_form(line, before, lines)]
    if broken and lines[0] == before[0] and not is_unreleased:
        print("\n".join(broken), "These have changed: raise HOIST_ABI in cmake/Sdk.cmake.",
              sep="\n")
        return 1
    TABLE.write_text("\n".join(lines) + "\n")
    return 0


def check(lines):
    right = TABLE.read_text().splitlines()
    wrong = [f"now      {line}" for line in lines if line not in right]
    wrong += [f"abi.txt  {line}" for line in right if line not in lines]
    if wrong:
        print("\n".join(wrong), __doc__, sep="\n\n")
    print(f"{len(lines)} lines")
    return 1 if wrong or len(lines) < 2 else 0


def main(option=None):
    if sys.maxsize < 1 << 32:
        print("skipped: the table is that of 64 bits")
        return 77
    if option in ("--write", "--unreleased"):
        return write(now(), option == "--unreleased")
    return check(now())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
