#!/bin/sh
# Builds the artefact of each function and checks it, and for this machine the
# program that checks a deployment and migrates.
#
#   ARCH        arm64 (default) or x86_64
#   LAMBDA_DIR  where <function>/bootstrap.zip and migrations go (default target/lambda)
set -eu
cd "$(dirname "$0")/.."

ARCH=${ARCH:-arm64}
LAMBDA_DIR=${LAMBDA_DIR:-target/lambda}
# Each folder is one package, one binary and one function.
FUNCTIONS=$(cd functions && echo */ | tr -d /)

case $ARCH in
arm64) flag=--arm64 ;;
x86_64) flag=--x86-64 ;;
*) echo "build: ARCH is '$ARCH'; it should be arm64 or x86_64" >&2; exit 1 ;;
esac

# Without optimizing and before anything is set for the functions: so it is what
# `make test` builds too, and AWS-LC is not compiled once more.
python3 dev/tools.py
cargo build --quiet --locked --bin migrations
mkdir -p "$LAMBDA_DIR"
cp -f "${CARGO_TARGET_DIR:-target}/debug/migrations" "$LAMBDA_DIR/"

# shellcheck source=infra/toolchain.sh
. infra/toolchain.sh
toolchain "$ARCH"

set --
for function in $FUNCTIONS; do
    rm -rf "${LAMBDA_DIR:?}/$function"
    set -- "$@" --bin "$function"
done
# A target folder for each architecture: cargo-lambda makes a zip of every
# function that it finds in one, whatever --bin says.
CARGO_TARGET_DIR="target/artefacts/$ARCH" cargo lambda build --release --locked \
    --output-format zip "$flag" --lambda-dir "$LAMBDA_DIR" "$@"

# shellcheck disable=SC2086 # one argument for each function
python3 infra/pack.py "$LAMBDA_DIR" $FUNCTIONS
# shellcheck disable=SC2086
python3 infra/check_artefacts.py "$ARCH" "$GLIBC" "$LAMBDA_DIR" $FUNCTIONS
