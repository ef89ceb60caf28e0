"""The commands of this folder, run as make runs them."""

import os
import pathlib
import socket
import subprocess
import sys

INFRA = pathlib.Path(__file__).parents[1]
ROOT = INFRA.parent
# What a command may see of the caller's environment: no credentials, no settings.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**variables):
    """The environment of a command: the tools of this venv first."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    none = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    # Otherwise the tools ask the network for the credentials of a machine at AWS.
    none["AWS_EC2_METADATA_DISABLED"] = "true"
    return kept | {"PATH": path} | none | variables


def run(command, *arguments, answer="", **variables):
    """Runs deploy, rollback, logs or destroy as make does, or preview."""
    return subprocess.run(
        ["sh", f"infra/{command}.sh", *arguments],
        cwd=ROOT,
        env=environment(**variables),
        input=answer,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def complaint(result):
    """The only line that a command that did nothing wrote to standard error."""
    assert result.returncode != 0, result.stdout + result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.strip()
