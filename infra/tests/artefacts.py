"""The zips that were built: `make test-slow` builds both kinds before these tests."""

import os
import pathlib
import platform
import zipfile

import commands

FOLDERS = {
    "x86_64": os.environ.get("LAMBDA_DIR_X86_64", "target/lambda-x86_64"),
    "arm64": os.environ.get("LAMBDA_DIR_ARM64", "target/lambda"),
}
# The one that this machine can run by itself.
NATIVE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")


def folder(arch):
    """The folder of an architecture's artefacts."""
    path = commands.ROOT / FOLDERS[arch]
    found = path / "get-quote" / "bootstrap.zip"
    assert found.exists(), f"build the artefacts first: make build ARCH={arch} LAMBDA_DIR={FOLDERS[arch]}"
    return path


def migrations():
    """The program that checks and migrates, for this machine."""
    return folder(NATIVE) / "migrations"


def unpack(arch, function, target):
    """Unpacks an artefact as Lambda does; the program's path."""
    with zipfile.ZipFile(folder(arch) / function / "bootstrap.zip") as artefact:
        artefact.extractall(target)
        program = pathlib.Path(target) / "bootstrap"
        program.chmod(artefact.getinfo("bootstrap").external_attr >> 16)
    return program
