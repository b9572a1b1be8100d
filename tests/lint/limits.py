#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each limit of proto/message.h stands in PROTOCOL.md, "Limits", with the same
number, and none is missing there.

usage: limits.py ROOT-OF-THE-SOURCES
"""
import pathlib
import re
import sys

ROWS = {
    "FRAME_MAX": "frame", "KIND_MAX": "kind", "ROLE_MAX": "role",
    "BOOT_ID_MAX": "boot id", "PEER_NAME_MAX": "name",
    "OPTIONS_MAX": "options of any message",
    "DURATION_MAX": "any time in milliseconds", "ROUTE_KEY_MAX": "route key",
    "REDELIVER_MAX": "`redeliver` of a route",
    "ROUTES_MAX": "routes of a worker", "STATUS_MIN": "status of a REPLY",
    "STATUS_MAX": "status of a REPLY", "USER_MAX": "user, tenant",
    "TENANT_MAX": "user, tenant", "ATTRIBUTES_MAX": "attributes",
    "CONTEXT_MAX": "context", "DETAILS_MAX": "details",
    "CLOSE_CODE_MIN": "close code", "CLOSE_CODE_MAX": "close code",
    "TRACEPARENT_MAX": "traceparent",
    "REASON_MAX": "close reason", "TARGETS_MAX": "ids in a PUSH",
    "CONN_NAMED_MAX": "an id in PUSH, CLOSE, JOIN, LEAVE or GONE",
    "EXCEPT_MAX": "ids in `except`", "GROUP_MAX": "name of a group",
    "GROUPS_MAX": "groups of a connection",
    "INTERESTS_MAX": "names of a gateway",
    "ERROR_CODE_MAX": "ERROR's code", "ERROR_TEXT_MAX": "ERROR's text",
}


def limits_of_the_code(text):
    found = re.findall(r"^#define (\w+_(?:MAX|MIN))\s+(\(64 << 20\)|\d+)", text, re.M)
    return {name: "64 MiB" if "<<" in value else value for name, value in found}


def limits_of_the_document(text):
    section = text.split("\n## 13. Limits\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", section, re.M)
    return {what: limit for what, limit in rows}


def says(limit, name, value):
    """The greatest number is the last of the row's cell, the least its first."""
    if "MiB" in value:
        return limit == value
    numbers = re.findall(r"\d+", limit)
    return numbers and numbers[0 if name.endswith("_MIN") else -1] == value


def main():
    root = pathlib.Path(sys.argv[1])
    code = limits_of_the_code((root / "proto/message.h").read_text())
    document = limits_of_the_document((root / "proto/PROTOCOL.md").read_text())
    wrong = [f"{name}: no row is named for it" for name in code if name not in ROWS]
    wrong += [f"{name}: not in message.h" for name in ROWS if name not in code]
    wrong += [f"{name} is {code[name]}, the row \"{row}\" says {document.get(row)}"
              for name, row in ROWS.items()
              if name in code and not says(document.get(row, ""), name, code[name])]
    print("\n".join(wrong) or f"{len(code)} limits agree")
    return 1 if wrong else 0


sys.exit(main())
