#!/bin/sh
# Writes <function>/bom.json beside each artefact: the crates in it, and those that build
# them, which may carry C code, as CycloneDX.
#
#   ARCH        arm64 (default) or x86_64
#   LAMBDA_DIR  where the artefacts are (default target/lambda)
#
# cargo-cyclonedx is installed at the first run.
set -eu
cd "$(dirname "$0")/.."

LAMBDA_DIR=${LAMBDA_DIR:-target/lambda}
case ${ARCH:-arm64} in
arm64) target=aarch64-unknown-linux-gnu ;;
x86_64) target=x86_64-unknown-linux-gnu ;;
*) echo "sbom: ARCH is '$ARCH'; it should be arm64 or x86_64" >&2; exit 1 ;;
esac

version=0.5.9
folder=$PWD/.dev/cargo-cyclonedx
if ! "$folder/bin/cargo-cyclonedx" cyclonedx --version 2>/dev/null | grep -q "$version"; then
    # Without optimizing it is built in half the time, and it has a second of work.
    cargo install --locked --quiet --debug --root "$folder" --version "$version" cargo-cyclonedx
fi

# It writes beside every Cargo.toml of the workspace; only those of functions are kept.
# With this variable the same commit makes the same bytes: no time, and no random number.
name=bom-$$
trap 'find . -name "$name.json" -not -path "./target/*" -delete' EXIT
SOURCE_DATE_EPOCH=0 "$folder/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 \
    --target "$target" --override-filename "$name"
for function in functions/*/; do
    function=$(basename "$function")
    # Not where it was built.
    sed "s|file://$PWD/|file:///|g" "functions/$function/$name.json" >"$LAMBDA_DIR/$function/bom.json"
    echo "$LAMBDA_DIR/$function/bom.json"
done
