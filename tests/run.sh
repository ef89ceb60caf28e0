#!/bin/sh
# Runs the tests and counts them: `run.sh quick` or `run.sh slow`.
#
# After a stage that fails, the later ones still run. The tests do not see the
# caller's database and Clerk settings.
set -u
cd "$(dirname "$0")/.." || exit 1

unset DATABASE_URL MIGRATION_DATABASE_URL PGSSLROOTCERT PUBLIC_ORIGIN PORT
for name in $(env | sed -n 's/^\(CLERK_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0

# stage NAME COMMAND...: runs it and adds up what its test runner counted. A
# stage without a runner counts as one test.
stage() {
    name=$1
    shift
    echo "== $name"
    begin=$(date +%s)
    { "$@" 2>&1; echo "exit status $?"; } | tee "$log"
    status=$(sed -n '$s/^exit status //p' "$log")
    counts=$(awk '
        /^test result:/ { p += $4; f += $6; n = 1 }
        /^# pass /      { p += $3; n = 1 }
        /^# fail /      { f += $3; n = 1 }
        /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; n = 1 }
        END { if (n) print p + 0, f + 0 }' "$log")
    # shellcheck disable=SC2086 # two numbers
    set -- ${counts:-$([ "$status" = 0 ] && echo 1 0 || echo 0 1)}
    # A runner that stopped before it counted a failure.
    [ "$status" = 0 ] || [ "$2" -gt 0 ] || set -- "$1" 1
    passed=$((passed + $1))
    failed=$((failed + $2))
    echo "== $name: $1 passed, $2 failed, $(($(date +%s) - begin)) s"
}

# installed PROGRAM PACKAGE: installs the package if the program is missing.
installed() {
    # By its path: a function in this file may have the same name.
    [ -x "$1" ] && return
    echo "$1 is missing."
    sh dev/install.sh "$2" && [ -x "$1" ]
}

# postgres MAJOR: the database tests, on that version.
postgres() {
    TEST_POSTGRES=$1 cargo test --locked --package tests --test functions -- \
        addresses database_tls early_sasl original pooler prepared privileges refusals repeats resilience \
        round_trips table webhook
}

# The fuzz targets, ten seconds each.
fuzz() {
    BOLERO_RANDOM_TEST_TIME_MS=10000 BOLERO_RANDOM_ITERATIONS=1000000000 \
        cargo test --locked --package fuzz --test targets
}

quick() {
    stage "tools" sh dev/check-tools.sh
    stage "chromium" installed "${CHROMIUM:-/usr/bin/chromium}" chromium
    stage "firefox" installed "${FIREFOX:-/usr/bin/firefox-esr}" firefox-esr
    stage "pgbouncer" installed /usr/sbin/pgbouncer pgbouncer
    stage "strace" installed /usr/bin/strace strace
    stage "module graph" python3 tests/checks/module_graph.py
    stage "functions and routes" python3 infra/tests/check_routes.py
    stage "clerk-auth by itself" sh tests/checks/clerk_auth.sh
    stage "formatting" cargo fmt --all --check
    stage "clippy" cargo clippy --workspace --all-targets --locked -- --deny warnings
    stage "rust" cargo test --workspace --locked --no-fail-fast
    stage "browser" sh tests/browser/run.sh
}

slow() {
    stage "tools" sh dev/check-tools.sh
    stage "licences, sources, bans" sh tests/deny.sh
    stage "clerk-auth as a package" sh tests/checks/clerk_auth.sh package
    stage "fuzz targets" fuzz
    stage "OpenAPI" sh tests/openapi/run.sh
    stage "pgbouncer" installed /usr/sbin/pgbouncer pgbouncer
    stage "PostgreSQL 15" installed /usr/lib/postgresql/15/bin/postgres postgresql-15
    stage "database tests on PostgreSQL 15" postgres 15
    stage "database tests on PostgreSQL 17" postgres 17
    stage "database tests in hundreds of rounds" env LOAD_SECONDS=30 \
        cargo test --locked --package tests --test rounds -- --nocapture
    stage "artefacts for x86_64" make build ARCH=x86_64 LAMBDA_DIR=target/lambda-x86_64
    stage "artefacts for arm64" make build
    stage "bills of materials" sh infra/sbom.sh
    stage "infrastructure" sh infra/test.sh
    stage "benchmark, a few rounds" sh bench/run.sh --quick
}

"$1"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
