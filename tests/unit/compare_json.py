#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Python's json and our scanner say yes and no to the same bodies: some by
hand, and some hundred thousand made of them by chance, from a fixed seed.

Python is made strict first: no NaN, no Infinity, no lone surrogate.

usage: compare_json.py JSON-VERDICTS-PROGRAM
"""
import json
import random
import subprocess
import sys

SEEDS = [
    '{"a":1}', '{"a":"x","b":[1,2,{"c":null}],"d":{}}', '[]', ' [ ] ', '[[],[[]]]',
    '0', '-0', '01', '1.5e+3', '-1E-2', '1.', '.5', '1e', '+1', '--1', '0x1',
    'true', 'false', 'null', 'NaN', 'Infinity', '-Infinity', 'nul', 'True',
    '"\\u00e9\\n\\/\\\\"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00\\ud83d"',
    '"é€😀"', '"\t"', '"\x7f"', '"\\x"', '', ' ', '{', '"', '\ufeff1',
    '{"a":1,}', '{"a":1 "b":2}', '[1,,2]', "{'a':1}", '{"a":1}}', '\x0b1', '\xa01',
    '{"\\u0061":{"a":"\\u0000"},"a":[true,false]}', '[1e5,-2.25,"x",{"y":[{}]}]',
]
PIECES = list('{}[]:,"\\ \n\t\r0123456789-+.eEuabdfnrtl\x00\x1fé😀') + [
    'true', 'null', '\\u', '\\ud800', '\\udc00', '\\u0041', '""', '"a":', '1e1', '[]']
ROUNDS = 100000


def refuse(word):
    raise ValueError(word)


def is_text(value):
    try:
        value.encode()
        return True
    except UnicodeEncodeError:
        return False


def is_whole(value):
    """No lone surrogate anywhere; an object is a list of its pairs."""
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, (list, tuple)):
        return all(is_whole(inner) for inner in value)
    return True


def is_json(text):
    try:
        value = json.loads(text, parse_constant=refuse, parse_int=str, parse_float=str,
                           object_pairs_hook=lambda pairs: pairs)
    except ValueError:
        return False
    return is_whole(value)


def changed(text, rng):
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice(("", rng.choice(PIECES))) + text[at + rng.randint(0, 2):]
    return text


def main():
    rng = random.Random(5)
    bodies = SEEDS + [changed(rng.choice(SEEDS), rng) for _ in range(ROUNDS)]
    lines = "".join(body.encode().hex() + "\n" for body in bodies)
    answers = subprocess.run([sys.argv[1]], input=lines, text=True, timeout=50,
                             stdout=subprocess.PIPE, check=True).stdout.split()
    assert len(answers) == len(bodies), "an answer to each"
    expected = ["yes" if is_json(body) else "no" for body in bodies]
    wrong = [(body, ours) for body, ours, theirs in zip(bodies, answers, expected)
             if ours != theirs]
    for body, ours in wrong[:20]:
        print(f"{body!r}: we say {ours}")
    print(f"{len(bodies)} bodies, {expected.count('yes')} of them JSON, {len(wrong)} differ")
    return 1 if wrong or expected.count("yes") < 1000 else 0


sys.exit(main())
