#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The units of deploy/systemd as `make install` puts them: systemd takes them, they are
locked, what they set is there, and the processes start with it and have the time that
they take to end.

    HOIST_BUILD=build/release tests/lint/systemd.py

Ends with 77 where there is no systemd-analyze.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOIST_BUILD", ROOT / "build/release")).resolve()
EXPOSED = 17  # tenths, as `systemd-analyze security` counts; 100 is a unit without locks
DRAIN = {"broker": "HOIST_DRAIN_TIME", "gateway": "HOIST_DRAIN_TIME", "worker": "HOIST_DRAIN"}
PEERS = {"broker": ("HOIST_MAX_WORKERS", "HOIST_MAX_GATEWAYS"),
         "gateway": ("HOIST_MAX_CONNECTIONS", "HOIST_MAX_HANDSHAKES")}
# Ports of a process's own choice, for a test.
ANYWHERE = {"HOIST_LISTEN": "127.0.0.1:0", "HOIST_ADMIN": "127.0.0.1:0",
            "HOIST_WORKERS": "tcp://127.0.0.1:*", "HOIST_GATEWAYS": "tcp://127.0.0.1:*"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


# Variable to who reads it, its values and its default.
SETTINGS = {row[2]: row[3:6] for row in
            ([cell.strip("` ") for cell in line.split("|")]
             for line in read("docs/settings.md").splitlines() if line.startswith("| `--"))}


def install(prefix):
    """As `make install`, but for the programs, which are linked to."""
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix, "--component", "systemd"],
                   check=True, stdout=subprocess.DEVNULL)
    (prefix / "bin").mkdir()
    (prefix / "bin/hoist").symlink_to(BUILD / "cli/hoist")
    folder = prefix / "lib/systemd/system"
    (folder / "hoist-worker@chat.service").symlink_to("hoist-worker@.service")
    return [folder / f"hoist-{name}.service" for name in ("broker", "gateway", "worker@chat")]


class Unit:
    def __init__(self, path):
        self.path = path
        self.kind = re.match(r"hoist-([a-z]+)", path.name)[1]
        self.lines = [line.partition("=")[::2] for line in
                      path.read_text(encoding="utf-8").splitlines()
                      if "=" in line and not line.startswith("#")]

    def all(self, name):
        return [value for key, value in self.lines if key == name]

    def one(self, name):
        [value] = self.all(name)
        return value

    def variables(self):
        return dict(value.split("=", 1) for value in self.all("Environment"))


def analyze(*words):
    done = subprocess.run(["systemd-analyze", *words], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def systemd_takes_it(unit):
    status, told = analyze("verify", str(unit.path))
    if status != 0 or told:
        yield told


def it_is_locked(unit):
    status, told = analyze("security", "--offline=true", f"--threshold={EXPOSED}", str(unit.path))
    if status != 0:
        yield told.splitlines()[-1]


def variables_are_settings(unit):
    for variable in unit.variables():
        is_known = (f'"{variable.removeprefix("HOIST_")}",' in read("base/variables.c")
                    if unit.kind == "worker" else
                    SETTINGS.get(variable, [""])[0] in (unit.kind, "both"))
        if not is_known:
            yield f"{variable} is no setting of a {unit.kind}"


def it_has_descriptors_for_all_that_it_lets_in(unit):
    """As cli/descriptors.c counts them, which says DESCRIPTORS-FEW else."""
    if unit.kind == "worker":
        return
    [spare] = re.findall(r"#define SPARE_DESCRIPTORS +(\d+)", read("cli/descriptors.c"))
    wanted = int(spare) + sum(int(SETTINGS[variable][2]) for variable in PEERS[unit.kind])
    if int(unit.one("LimitNOFILE")) < wanted:
        yield f"wants {wanted} descriptors"


def it_may_end_in_order(unit):
    drain_ms = int(unit.variables()[DRAIN[unit.kind]])
    if int(unit.one("TimeoutStopSec")) * 1000 < drain_ms + 5000:
        yield f"is killed before it has drained for {drain_ms} ms"


def it_says_what_is_true(unit):
    """No notification is sent, so `exec` is all that can be known."""
    if unit.one("Type") != "exec" or unit.all("WatchdogSec"):
        yield "waits for a notification that nobody sends"


def listens(process):
    """All that it has logged until then, or until it ended."""
    log = ""
    for line in process.stderr:
        log += line
        if re.search(r" (GATEWAY|BROKER)-LISTENING ", line):
            break
    return log


def it_starts_and_ends(unit):
    """With its environment, without a complaint."""
    if unit.kind == "worker":
        return
    with subprocess.Popen(unit.one("ExecStart").split(), env={**unit.variables(), **ANYWHERE},
                          stderr=subprocess.PIPE, text=True) as process:
        log = listens(process)
        process.terminate()
        log += process.stderr.read()
    if process.returncode != 0 or re.search(r" (error|VARIABLE-UNKNOWN) ", log):
        yield f"does not start: {process.returncode}\n{log}"


CHECKS = (systemd_takes_it, it_is_locked, variables_are_settings,
          it_has_descriptors_for_all_that_it_lets_in, it_may_end_in_order, it_says_what_is_true,
          it_starts_and_ends)


def main():
    if shutil.which("systemd-analyze") is None:
        print("NOT RUN: there is no systemd-analyze")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        units = [Unit(path) for path in install(pathlib.Path(folder))]
        wrong = [f"{unit.path.name}: {line}" for unit in units
                 for check in CHECKS for line in check(unit)]
    print("\n".join(wrong) or f"{len(units)} units: all as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
