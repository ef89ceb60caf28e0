#!/bin/sh
# run.sh COMMAND...: runs the program in this folder. If it must be built first,
# this says so and cargo shows its progress, as VERBOSE=1 has it always.
set -u

program=${CARGO_TARGET_DIR:-target}/debug/dev
quiet=--quiet
if [ -n "${VERBOSE:-}" ] || [ ! -x "$program" ] ||
    [ -n "$(find Cargo.lock dev migrations shared -newer "$program" -type f | head -n 1)" ]; then
    echo "dev: building what make $1 needs; the first time this takes some minutes" >&2
    quiet=
fi
python3 dev/tools.py || exit 1
# shellcheck disable=SC2086 # an option or nothing
exec cargo run $quiet --locked --bin dev -- "$@"
