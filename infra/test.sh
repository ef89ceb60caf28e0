#!/bin/sh
# Runs the tests of this folder; the last line counts them. `make test-slow`
# has built the artefacts for both architectures before:
#
#   LAMBDA_DIR_ARM64 (target/lambda), LAMBDA_DIR_X86_64 (target/lambda-x86_64)
#
# Arguments go to pytest; by default all tests run, two files at a time: within a
# file they run in order.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "infra: $*" >&2
    echo "0 passed, 1 failed"
    exit 1
}

# What runs the programs for arm64 on other machines.
packages="qemu-user-static libc6-arm64-cross"
case $(uname -m) in
aarch64 | arm64) ;;
*)
    if ! command -v qemu-aarch64-static >/dev/null || [ ! -d /usr/aarch64-linux-gnu ]; then
        echo "Programs for arm64 cannot run here." >&2
        # shellcheck disable=SC2086 # two packages
        sh dev/install.sh $packages || fail "cannot install $packages"
    fi
    ;;
esac

python3 -c 'import ensurepip, venv' 2>/dev/null || sh dev/install.sh python3-venv || fail "python3 has no venv"

# venv NAME REQUIREMENTS: .dev/infra/NAME with exactly these packages.
venv() {
    folder=.dev/infra/$1
    # Written last, so that an interrupted installation is repeated.
    cmp -s "$2" "$folder/complete" && return
    rm -rf "$folder"
    python3 -m venv "$folder" || fail "cannot create a venv"
    # The list is complete, and pip need not resolve it again.
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --only-binary=:all: -r "$2" || fail "cannot install $2: Python 3.11 or later and PyPI are needed"
    cp "$2" "$folder/complete"
}
venv tools infra/tests/requirements.txt
venv ministack infra/tests/ministack.txt

[ $# -gt 0 ] || set -- infra/tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
{
    .dev/infra/tools/bin/python -B -m pytest -q -p no:cacheprovider --durations=5 \
        --numprocesses 2 --dist loadfile --no-loadscope-reorder "$@" 2>&1 || echo "exit $?"
} | tee "$log"
grep -q '^exit ' "$log" && status=1
# pytest's last line: "1 failed, 95 passed, 1 error in 60.00s"
awk -v status="$status" '
    / in [0-9.]+s/ { passed = failed = 0; for (i = 2; i <= NF; i++) {
        if ($i ~ /^passed/) passed += $(i - 1)
        if ($i ~ /^(failed|error)/) failed += $(i - 1) } }
    END { if (status && !failed) failed = 1; print passed + 0 " passed, " failed + 0 " failed" }' "$log"
exit "$status"
