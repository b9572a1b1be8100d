# SPDX-License-Identifier: MIT
"""workers/README.md is right: each command in it starts a worker, and the dialogue
behind it goes as it is printed."""
import json
import pathlib
import re
import subprocess
import sys

from harness import BUILD, Client, Hoist, run
from test_examples import EXAMPLES, ROOT, Example

ENDPOINT, ADDRESS = "tcp://127.0.0.1:9555", "ws://127.0.0.1:9090"


def sections():
    """(title, commands, path of the URL, lines of the dialogue) of each example."""
    text = pathlib.Path(ROOT, "workers/README.md").read_text(encoding="utf-8")
    for section in text.split("\n### ")[1:]:
        title = section.partition("\n")[0]
        indented = re.findall(r"^    (.*)$", section, re.M)
        dialogue = [line for line in indented if line[0] in "<>"]
        commands = [line for line in indented if line.endswith(ENDPOINT)]
        assert len(dialogue) + len(commands) == len(indented), indented
        path = re.search(f"^At {ADDRESS}(/.*)$", section, re.M)[1]
        yield title, commands, path, dialogue


def command_of(line, endpoint):
    """As it is run here: another build, another port, Debian's Python."""
    words = [re.sub("^build/release", BUILD, word)
             for word in line.replace(ENDPOINT, endpoint).split()]
    if words[0] == "python3":
        words[0] = sys.executable
    words = [ROOT + "/" + word if word.startswith("workers/") else word for word in words]
    return (["env"] if "=" in words[0] else []) + words


def expanded(path):
    """As a shell has it between double quotes."""
    return subprocess.run(["sh", "-c", f'printf %s "{path}"'], cwd=ROOT, check=True,
                          timeout=30, stdout=subprocess.PIPE, text=True).stdout


def is_like(line, heard):
    """… is anything; JSON may have its spaces elsewhere."""
    if "…" not in line:
        try:
            return json.loads(line) == json.loads(heard)
        except ValueError:
            return line == heard
    return re.fullmatch(".*".join(map(re.escape, line.split("…"))), heard) is not None


def talk(client, dialogue):
    for line in dialogue:
        if line[0] == ">":
            client.send(line[2:])
        else:
            heard = client.recv()[1].decode()
            assert is_like(line[2:], heard), f"{line}: heard {heard}"


def test_each_command_starts_a_worker_that_talks_as_it_is_printed():
    for title, commands, path, dialogue in sections():
        assert commands and dialogue, title
        for line in commands:
            print("  " + line, flush=True)
            with Hoist() as hoist, Example(hoist, *command_of(line, hoist.workers)):
                client = Client(hoist.address, expanded(path)).opened()
                assert client.status == 101, client.head
                talk(client, dialogue)


def test_every_example_has_its_command():
    commands = " ".join(line for _, some, _, _ in sections() for line in some)
    for path in sorted(pathlib.Path(EXAMPLES).glob("*.*")):
        if path.suffix in (".py", ".mjs"):
            assert f"workers/examples/{path.name} " in commands, path
        elif path.suffix == ".c" and not path.stem.endswith("_test"):
            assert f"build/release/workers/examples/{path.stem} " in commands, path


def test_so_does_the_table_of_the_readme_name_them():
    table = pathlib.Path(ROOT, "README.md").read_text(encoding="utf-8")
    for title, *_ in sections():
        assert f"\n| `{title}` |" in table, title


if __name__ == "__main__":
    run(sys.modules[__name__])
