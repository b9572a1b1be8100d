# SPDX-License-Identifier: MIT
"""A Docker Engine to test with: the one that runs here, or one of our own that
ends with the test."""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess

from patience import PATIENCE_S, until


class CannotStart(Exception):
    """There is no engine to be had here."""


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def forward_policy():
    """What becomes of packets that are passed on: dockerd changes it for all."""
    done = subprocess.run(["iptables", "-S", "FORWARD"], capture_output=True, text=True,
                          check=False)
    return (done.stdout.split() + ["-P", "FORWARD", "ACCEPT"])[2]


class Engine:
    """is_ours: we started it, so its images are ours to make."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.process = None
        self.environment = dict(os.environ)
        if not self.answers():
            self.start()

    @property
    def is_ours(self):
        return self.process is not None

    def succeeds(self, *words):
        return subprocess.run(["docker", *words], env=self.environment, timeout=PATIENCE_S,
                              capture_output=True, check=False).returncode == 0

    def answers(self):
        try:
            return self.succeeds("version")
        except FileNotFoundError:
            raise CannotStart("no program docker: scripts/install-deps.sh compose") from None

    def can_pull(self, image):
        return self.succeeds("pull", "--quiet", image)

    def start(self):
        if os.geteuid() != 0:
            raise CannotStart("none runs, and to start one takes root")
        if shutil.which("dockerd") is None:
            raise CannotStart("no program dockerd: scripts/install-deps.sh compose")
        shutil.rmtree(self.folder, ignore_errors=True)  # of one that was killed
        (self.folder / "config/cli-plugins").mkdir(parents=True)
        socket = self.folder / "docker.sock"
        self.environment["DOCKER_HOST"] = f"unix://{socket}"
        self.environment["DOCKER_CONFIG"] = str(self.folder / "config")
        self.policy = forward_policy()
        command = ["dockerd", "--host", f"unix://{socket}",
                   "--data-root", str(self.folder / "data"),
                   "--exec-root", str(self.folder / "exec"),
                   "--pidfile", str(self.folder / "docker.pid")]
        with open(self.folder / "dockerd.log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        if not self.comes_up():
            self.stop()
            lines = (self.folder / "dockerd.log").read_text(errors="replace").splitlines()
            raise CannotStart("dockerd does not start here: " + "\n".join(lines[-3:]))

    def comes_up(self):
        """In time, and before it ends by itself."""
        try:
            until(lambda: self.answers() or self.process.poll() is not None, "dockerd")
        except AssertionError:
            return False
        return self.process.poll() is None

    def stop(self):
        """It ends its containers first; what it leaves of the network we take away."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        self.process.wait(120)
        for command in (["ip", "link", "delete", "docker0"],
                        ["iptables", "-P", "FORWARD", self.policy]):
            subprocess.run(command, stderr=subprocess.DEVNULL, check=False)

    def run(self, *command, **options):
        """A program that speaks to the engine; what it prints, when it succeeds."""
        done = subprocess.run(command, env={**self.environment, **options.pop("env", {})},
                              stdin=options.pop("stdin", subprocess.DEVNULL),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, **options)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-4000:]}"
        return done.stdout

    def docker(self, *words, **options):
        return self.run("docker", *words, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if self.is_ours:
            shutil.rmtree(self.folder, ignore_errors=True)
