# SPDX-License-Identifier: MIT
"""The helpers of the integration tests, for what takes containers: all in good
time."""
import functools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import harness  # noqa: E402
from harness import Client, free_port  # noqa: E402, F401

PATIENCE_S = 60
PAUSE_S = 0.2  # each look is a program

until = functools.partial(harness.until, patience_s=PATIENCE_S, pause_s=PAUSE_S)
