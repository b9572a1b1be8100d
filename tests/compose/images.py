# SPDX-License-Identifier: MIT
"""Images made of Debian packages, under the names of those that would be pulled:
for machines that reach Debian's mirror, but no registry of images."""
import os
import pathlib
import subprocess

MIRROR = os.environ.get("MIRROR", "http://deb.debian.org/debian")
NAMES = {12: "bookworm", 13: "trixie"}
HERE = pathlib.Path(__file__).resolve().parent
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"  # by whoever runs this

# As in Debian's own images: no manuals, and no waiting for the disk.
DPKG = ["path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*",
        "path-exclude=/usr/share/locale/*", "force-unsafe-io"]


def make_debian(engine, release):
    """debian:N-slim."""
    made = subprocess.Popen(
        ["mmdebstrap", "--quiet", "--variant=minbase",
         *(f"--dpkgopt={option}" for option in DPKG), NAMES[release], "-", MIRROR],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    engine.docker("import", "-", f"debian:{release}-slim", stdin=made.stdout)
    assert made.wait() == 0, "mmdebstrap failed"


def make_stand_in(engine, target, name):
    """One of the stages of stand-ins.Dockerfile, under that name."""
    with open(TRUSTED, encoding="utf-8") as file:
        trusted = file.read()
    context = engine.folder / "stand-ins"
    context.mkdir(exist_ok=True)
    (context / "trusted.crt").write_text(trusted)
    for file in ("package.json", "package-lock.json", "dynalite.mjs"):
        (context / file).write_bytes((HERE.parent / "aws" / file).read_bytes())
    engine.docker("build", "--quiet", "--target", target, "--tag", name,
                  "--file", str(HERE / "stand-ins.Dockerfile"), str(context))


def fetch_plugins(engine):
    """`docker compose` and `docker buildx` of Debian 13, beside what is here."""
    folder = engine.folder / "plugins"
    folder.mkdir()
    script = ("apt-get update -qq && cd /plugins && apt-get download -qq "
              "docker-compose docker-buildx && for deb in *.deb; do dpkg -x $deb .; done")
    engine.docker("run", "--rm", "--volume", f"{folder}:/plugins", "debian:13-slim",
                  "sh", "-c", script)
    for plugin in folder.glob("usr/libexec/docker/cli-plugins/*"):
        plugin.rename(engine.folder / "config/cli-plugins" / plugin.name)
