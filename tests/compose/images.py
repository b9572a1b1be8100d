# SPDX-License-Identifier: MIT
"""Images made of Debian packages, under the names of those that would be pulled:
for machines that reach Debian's mirror, but no registry of images."""
import os
import pathlib
import shutil
import subprocess

MIRROR = os.environ.get("MIRROR", "http://deb.debian.org/debian")
NAMES = {12: "bookworm", 13: "trixie"}
# Else a package that merges /usr comes with all of Perl.
MERGED = {12: ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged"],
          13: []}
HERE = pathlib.Path(__file__).resolve().parent
AWS = HERE.parent / "aws"
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"  # by whoever runs this

# As in Debian's own images: no manuals, and no waiting for the disk.
DPKG = ["path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*",
        "path-exclude=/usr/share/locale/*", "force-unsafe-io"]


def make_debian(engine, release):
    """debian:N-slim."""
    command = ["mmdebstrap", "--quiet", "--variant=minbase", *MERGED[release],
               *(f"--dpkgopt={option}" for option in DPKG), NAMES[release], "-", MIRROR]
    log = engine.folder / f"debian-{release}.log"
    with open(log, "wb") as told:
        made = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                stderr=told)
    engine.docker("import", "-", f"debian:{release}-slim", stdin=made.stdout)
    assert made.wait() == 0, log.read_text(errors="replace")[-2000:]


def make_context(engine, has_node):
    """What stand-ins.Dockerfile copies, in a folder."""
    context = engine.folder / "stand-ins"
    context.mkdir()
    shutil.copy(TRUSTED, context / "trusted.crt")
    if has_node:
        engine.run("npm", "install", "--silent", "--no-save", "--prefix", str(context), "npm@10")
    for name in ("package.json", "package-lock.json", "dynalite.mjs"):
        shutil.copy(AWS / name, context)
    return context


def make_stand_in(engine, target, name, context):
    """One of the stages of stand-ins.Dockerfile, under that name."""
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
