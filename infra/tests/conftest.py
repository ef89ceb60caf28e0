"""What the tests share: what stands in for AWS and for Neon."""

import os
import subprocess
import sys

import pytest

import commands
import ministack
import postgres

# For check.py and neon.py, which are no tests, and for the stand-in for Neon's API.
sys.path[:0] = [str(commands.INFRA), str(commands.ROOT / "dev" / "neon")]

import stand_in  # noqa: E402

# SAM's transform asks for a region; nothing here talks to one.
os.environ["AWS_DEFAULT_REGION"] = ministack.REGION


@pytest.fixture(scope="session")
def aws():
    """A stand-in for AWS."""
    with ministack.Ministack(commands.free_port()) as started:
        yield started


@pytest.fixture(scope="module")
def database():
    """An empty Postgres that takes only TLS and a password; its URL."""
    command = ["cargo", "run", "--quiet", "--locked", "--bin", "dev", "--", "throwaway-postgres"]
    # It ends with its standard input, however this program ends.
    with subprocess.Popen(
        command, cwd=commands.ROOT, env=commands.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        url = server.stdout.readline().strip()
        assert url.startswith("postgres"), "Postgres did not start"
        yield url
        server.stdin.close()
        server.wait(timeout=60)


@pytest.fixture(scope="module")
def neon(database):
    """A stand-in for Neon's API, whose branches are databases of that Postgres."""
    with stand_in.Neon(database, lambda statement: postgres.run(database, [statement])) as started:
        yield started
