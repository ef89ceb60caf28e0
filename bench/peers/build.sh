#!/bin/sh
# Builds the peers of get-quote into $OUT/programs: what would be uploaded to
# Lambda, unpacked and as a zip. The Rust peers are built by run.sh.
set -eu
cd "$(dirname "$0")"
PROGRAMS=$OUT/programs

say() { echo "bench: $*" >&2; }

# packed NAME: makes the zip of a program's folder.
packed() { (cd "$PROGRAMS/$1" && rm -f "../$1.zip" && python3 -m zipfile -c "../$1.zip" ./*); }

say "building the peer in Go"
mkdir -p "$PROGRAMS/Go"
# Debian's packages are laid out for a GOPATH.
(cd go && GO111MODULE=off GOPATH="$OUT/packages/gopath/usr/share/gocode" GOFLAGS='' GOTOOLCHAIN=local CGO_ENABLED=0 \
    go build -trimpath -ldflags='-s -w' -o "$PROGRAMS/Go/bootstrap" main.go)
packed Go

say "building the peer in Node"
packages=$OUT/packages/node
mkdir -p "$packages" "$PROGRAMS/Node"
if ! cmp -s node/package-lock.json "$packages/installed"; then
    cp node/package.json node/package-lock.json node/.npmrc "$packages"
    (cd "$packages" && npm ci --ignore-scripts --no-audit --no-fund >&2)
    cp node/package-lock.json "$packages/installed"
fi
cp node/index.mjs "$packages"
(cd "$packages" && node_modules/.bin/esbuild index.mjs --bundle --minify --platform=node \
    --target=node20 --format=cjs --external:pg-native --log-level=warning --outfile="$PROGRAMS/Node/index.js")
packed Node

say "building the peer in Python"
installed=$OUT/packages/python.made-from
if ! cmp -s python/requirements.txt "$installed"; then
    rm -rf "$PROGRAMS/Python"
    /usr/bin/python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --only-binary=:all: --require-hashes --target "$PROGRAMS/Python" -r python/requirements.txt
    cp python/requirements.txt "$installed"
fi
cp python/bootstrap.py "$PROGRAMS/Python"
packed Python
