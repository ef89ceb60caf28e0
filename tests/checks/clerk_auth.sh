#!/bin/sh
# clerk-auth is usable by itself: it knows nothing of Lambda, and without the
# feature `jwks` there is no HTTP client, no TLS and no runtime. `package` also
# builds the crate, and the one that it uses, as they would be published.
set -eu
cd "$(dirname "$0")/../.."

passed=0
failed=0
# expect_nothing PATTERN ARGUMENT...: nothing in the crate's tree matches.
expect_nothing() {
    pattern=$1
    shift
    tree=$(cargo tree --locked --package clerk-auth --prefix none --format '{p}' "$@")
    if found=$(printf '%s\n' "$tree" | grep -E "^($pattern)"); then
        failed=$((failed + 1))
        printf 'clerk-auth depends on: %s\n' "$found"
    else
        passed=$((passed + 1))
    fi
}

# expect COMMAND...: it succeeds.
expect() {
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

expect_nothing 'lambda|aws_lambda|shared|tokio-postgres' --edges all
expect_nothing 'hyper|reqwest|native-tls|tokio|axum|tower' --edges normal --no-default-features
expect_nothing 'axum|tower' --edges normal,build
expect cargo check --quiet --locked --package clerk-auth --no-default-features
if [ "${1:-}" = package ]; then
    # The crate that it uses is taken from here: it need not be published before.
    race=$PWD/shared/tcp-race
    expect cargo package --locked --package tcp-race
    expect cargo package --locked --package clerk-auth --config "patch.crates-io.tcp-race.path='$race'"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
