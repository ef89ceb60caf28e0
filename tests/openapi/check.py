"""Runs schemathesis against the application under `cargo lambda watch`; see run.sh.

The site (tests/src/bin/site) brings a Postgres of its own and the stand-in for
Clerk. schemathesis.toml and hooks.py list what is expected to deviate, with the
reasons.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parents[1]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
SITE = [TARGET / "debug/site", "--shape=watch"]

# cargo-lambda starts a function at its first request.
START_TIMEOUT = 120
START_POLL_INTERVAL = 0.5
FUNCTIONS = ("GET /", "GET /api/quote", "PUT /api/quote", "DELETE /api/quote", "POST /api/webhooks/clerk")

# The same examples in each run.
BOUNDS = (
    "--checks=all",
    "--max-examples=40",
    "--generation-deterministic",
    "--request-timeout=15",
    "--max-redirects=0",
    "--no-color",
)
RUN_TIMEOUT = 300


def answers(origin, function):
    """Whether a function has answered; cargo-lambda itself has no such header."""
    method, path = function.split(" ")
    request = urllib.request.Request(origin + path, method=method)
    opener = urllib.request.build_opener(NoRedirect)
    try:
        headers = opener.open(request, timeout=10).headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    except OSError:
        return False
    return "x-content-type-options" in headers


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def wait(origin):
    end = time.monotonic() + START_TIMEOUT
    for function in FUNCTIONS:
        while not answers(origin, function):
            if time.monotonic() > end:
                sys.exit(f"no function answers to {function}")
            time.sleep(START_POLL_INTERVAL)


def run(origin, *options):
    """Whether schemathesis finds nothing."""
    command = [
        pathlib.Path(sys.executable).with_name("schemathesis"),
        f"--config-file={FOLDER / 'schemathesis.toml'}",
        "run",
        ROOT / "docs/openapi.yaml",
        f"--url={origin}",
        *BOUNDS,
        *options,
    ]
    # cargo-lambda restarts the functions when a file of the clone changes.
    with tempfile.TemporaryDirectory() as elsewhere:
        variables = os.environ | {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(FOLDER),
            "SCHEMATHESIS_HOOKS": "hooks",
        }
        return subprocess.run(command, cwd=elsewhere, env=variables, timeout=RUN_TIMEOUT, check=False).returncode == 0


def main():
    with subprocess.Popen(SITE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as site:
        # It ends with its standard input.
        with site.stdin:
            application = json.loads(site.stdout.readline())["applications"][0]
            origin = application["origin"]
            wait(origin)
            token = application["token"]
            runs = [run(origin, f"--header=Authorization: Bearer {token}"), run(origin)]
    runs.append(site.returncode == 0)
    print(f"{sum(runs)} passed, {len(runs) - sum(runs)} failed")
    return 0 if all(runs) else 1


if __name__ == "__main__":
    sys.exit(main())
