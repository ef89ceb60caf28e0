#!/bin/sh
# Checks licences, sources and banned crates with cargo-deny, which it installs at the first run.
set -eu
cd "$(dirname "$0")/.."

version=0.20.2
folder=$PWD/.dev/cargo-deny
if ! "$folder/bin/cargo-deny" --version 2>/dev/null | grep -q "$version"; then
    cargo install --locked --quiet --root "$folder" --version "$version" cargo-deny
fi
"$folder/bin/cargo-deny" --locked check licenses sources bans
