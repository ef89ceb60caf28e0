#!/bin/sh
# Runs schemathesis with docs/openapi.yaml against the application under `cargo
# lambda watch`: once signed in, once not. The last line counts the runs.
set -eu
cd "$(dirname "$0")/../.."

tools=.dev/openapi
# Written last, so that an interrupted installation is repeated.
if ! cmp -s tests/openapi/requirements.txt "$tools/complete"; then
    rm -rf "$tools"
    python3 -m venv "$tools" || {
        echo "cannot create a venv: apt install python3-venv" >&2
        exit 1
    }
    "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
        -r tests/openapi/requirements.txt
    cp tests/openapi/requirements.txt "$tools/complete"
fi
cargo build --quiet --locked --package tests --bin site
exec "$tools/bin/python" -B tests/openapi/check.py
