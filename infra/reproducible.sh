#!/bin/sh
# Builds the artefacts once more, from a copy of the last commit in another folder, and
# compares the bytes with those in LAMBDA_DIR, which `make build` has made of this commit.
#
#   ARCH, LAMBDA_DIR  as for infra/build.sh
set -eu
cd "$(dirname "$0")/.."

LAMBDA_DIR=${LAMBDA_DIR:-target/lambda}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git archive HEAD | tar -x -C "$copy"
# It fetches its tools too, whose versions are pinned.
(cd "$copy" && LAMBDA_DIR=target/lambda sh infra/build.sh)

status=0
for function in functions/*/; do
    artefact=$(basename "$function")/bootstrap.zip
    if cmp "$LAMBDA_DIR/$artefact" "$copy/target/lambda/$artefact"; then
        echo "$(sha256sum <"$LAMBDA_DIR/$artefact" | cut -c 1-64)  $artefact"
    else
        status=1
    fi
done
exit "$status"
