#!/bin/sh
# The browser tests: `run.sh`, or `run.sh FILE...`. The last lines count them.
set -eu
cd "$(dirname "$0")"

node --eval 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' || {
    echo "The browser tests need Node.js 20.19 or later: https://nodejs.org"
    exit 1
}
if ! cmp -s package-lock.json node_modules/.installed; then
    npm ci --loglevel=error
    cp package-lock.json node_modules/.installed
fi
cargo build --quiet --locked --package tests --bin site
[ $# -gt 0 ] || set -- ./*.test.mjs
exec node --test --test-concurrency=3 --test-timeout=600000 \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=./support/count.mjs --test-reporter-destination=stdout "$@"
