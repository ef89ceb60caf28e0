#!/bin/sh
# Licences, sources and banned crates, by cargo-deny. Fetched on first use.
set -eu
cd "$(dirname "$0")/.."

version=0.20.2
folder=$PWD/.dev/cargo-deny
if ! "$folder/bin/cargo-deny" --version 2>/dev/null | grep -q "$version"; then
    cargo install --locked --quiet --root "$folder" --version "$version" cargo-deny
fi
"$folder/bin/cargo-deny" --locked check licenses sources bans
