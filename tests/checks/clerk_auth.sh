#!/bin/sh
# clerk-auth is usable by itself: it knows nothing of Lambda, and without the
# feature `jwks` there is no HTTP client, no TLS and no runtime. `package` also
# builds the crate as it would be published.
set -eu
cd "$(dirname "$0")/../.."

# depends_on PATTERN ARGUMENT...: prints what of the crate's tree matches.
depends_on() {
    pattern=$1
    shift
    cargo tree --locked --package clerk-auth --prefix none --format '{p}' "$@" | grep -E "^($pattern)" | sort -u
}

passed=0
failed=0
expect_nothing() {
    found=$(depends_on "$@" || true)
    if [ -z "$found" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "clerk-auth depends on: $found"
    fi
}

expect_nothing 'lambda|aws_lambda|shared|tokio-postgres' --edges all
expect_nothing 'hyper|reqwest|native-tls|tokio|axum|tower' --edges normal --no-default-features
expect_nothing 'axum|tower' --edges normal,build
if [ "${1:-}" = package ]; then
    if cargo package --locked --package clerk-auth; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
