"""What the tests share: the commands, and what stands in for AWS and Postgres."""

import os
import pathlib
import socket
import subprocess
import sys

import pytest

INFRA = pathlib.Path(__file__).parents[1]
ROOT = INFRA.parent
sys.path.insert(0, str(INFRA))

# SAM's transform asks for a region, and nothing here may ask for another's.
os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"

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


def run(command, *, answer="", **variables):
    """Runs deploy, rollback, logs or destroy as make does."""
    return subprocess.run(
        ["sh", f"infra/{command}.sh"],
        cwd=ROOT,
        env=environment(**variables),
        input=answer,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="session")
def aws():
    """A stand-in for AWS."""
    import ministack

    with ministack.Ministack(free_port()) as started:
        yield started


@pytest.fixture(scope="session")
def database():
    """An empty Postgres that takes only TLS and a password; its URL."""
    command = ["cargo", "run", "--quiet", "--locked", "--package", "dev", "--", "throwaway-postgres"]
    # It ends with its standard input, however this program ends.
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        url = server.stdout.readline().strip()
        assert url.startswith("postgres"), "Postgres did not start"
        yield url
        server.stdin.close()
        server.wait(timeout=60)
