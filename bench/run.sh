#!/bin/sh
# `make bench`: builds the artefacts, their peers and the floor, measures all of
# them and writes bench/results. It takes about eight minutes after the builds.
#
#   --quick   less than a minute, to check that everything works; writes the
#             results to target/bench/results
set -eu
cd "$(dirname "$0")/.."

QUICK=
[ "${1:-}" != --quick ] || QUICK=1
FUNCTIONS=$(cd functions && echo */ | tr -d /)
FLOORS="floor-nothing floor-rs256 floor-statement"
OUT=$PWD/target/bench
PROGRAMS=$OUT/programs
export OUT

case $(uname -m) in
x86_64) here=x86_64 flag=--x86-64 there=arm64 ;;
aarch64) here=arm64 flag=--arm64 there=x86_64 ;;
*) echo "bench: artefacts can be built only for x86_64 and arm64, not for $(uname -m)" >&2; exit 1 ;;
esac

say() { echo "bench: $*" >&2; }

sh bench/tools.sh
PATH=$OUT/packages/go/go/bin:$PATH

# with_tools COMMAND...: runs a command that compiles for Lambda.
# shellcheck source=infra/toolchain.sh
. infra/toolchain.sh
with_tools() { (toolchain "$here"; "$@"); }

# fresh NAME: makes an empty folder for a program.
fresh() { rm -rf "${PROGRAMS:?}/$1" && mkdir -p "$PROGRAMS/$1"; }

# unpacked NAME ZIP: unpacks a program as Lambda does.
unpacked() {
    fresh "$1"
    cp "$2" "$PROGRAMS/$1.zip"
    python3 -m zipfile -e "$2" "$PROGRAMS/$1"
    chmod +x "$PROGRAMS/$1/bootstrap"
}

say "building the artefacts"
make --no-print-directory build ARCH="$here" LAMBDA_DIR="target/lambda-$here"
for function in $FUNCTIONS; do
    unpacked "$function" "target/lambda-$here/$function/bootstrap.zip"
done
if [ -z "$QUICK" ]; then
    say "building the artefacts for $there, to measure their size"
    make --no-print-directory build ARCH="$there" LAMBDA_DIR="target/lambda-$there"
fi

say "building the floor in the same way"
# In the same folder, for the same dependencies: cargo-lambda makes a zip of every
# program there, and so nothing of the floor stays.
set --
for floor in $FLOORS; do set -- "$@" --bin "$floor"; done
with_tools env CARGO_TARGET_DIR="target/artefacts/$here" cargo lambda build --release --locked "$@" \
    --output-format zip "$flag" --lambda-dir "$OUT/floor"
for floor in $FLOORS; do
    unpacked "$floor" "$OUT/floor/$floor/bootstrap.zip"
    rm -f target/artefacts/"$here"/*/release/"$floor"
done
unpacked nothing "$OUT/floor/floor-nothing/bootstrap.zip"

# peer PROFILE PACKAGE...: builds Rust peers, which are a workspace of their own.
peer() {
    profile=$1
    shift
    for package in "$@"; do set -- "$@" --package "$package" && shift; done
    with_tools env --chdir=bench/peers/rust CARGO_TARGET_DIR="$OUT/peers" cargo lambda build --profile "$profile" \
        --locked "$@" --output-format zip "$flag" --lambda-dir "$OUT/rust"
}
say "building the peers in Rust"
peer release axum-sqlx
peer tuned axum-sqlx-tuned rustls-peer
for peer in axum-sqlx axum-sqlx-tuned tokio-postgres-rustls; do
    unpacked "$peer" "$OUT/rust/$peer/bootstrap.zip"
done
sh bench/peers/build.sh

say "building the benchmark"
set -- --programs "$PROGRAMS" --artefacts "target/lambda-$here"
if [ -n "$QUICK" ]; then
    # The tests have compiled its dependencies like this.
    exec cargo run --locked --bin bench -- "$@" --quick --results "$OUT/results"
fi
# Not for deployment: without the link-time optimisation it builds in half the time.
CARGO_TARGET_DIR=$OUT/harness CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo build --release --locked --bin bench
exec "$OUT/harness/release/bench" "$@" "target/lambda-$there" --results bench/results
