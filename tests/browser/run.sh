#!/bin/sh
# The browser tests: `run.sh`, or `run.sh FILE...`. The last lines count them.
set -eu
cd "$(dirname "$0")"

if ! cmp -s package-lock.json node_modules/.installed; then
    npm ci --silent
    cp package-lock.json node_modules/.installed
fi
cargo build --quiet --locked --package tests --bin site
[ $# -gt 0 ] || set -- ./*.test.mjs
exec node --test --test-concurrency=2 --test-timeout=600000 \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=./support/count.mjs --test-reporter-destination=stdout "$@"
