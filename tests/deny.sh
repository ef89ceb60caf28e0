#!/bin/sh
# Checks licences, sources and banned crates with cargo-deny, which it installs at the first
# run; `deny.sh advisories` checks known vulnerabilities instead, and needs the internet.
# Not those of bench/peers/rust, a workspace of its own: the peers are what this project does
# not use, such as ring and rustls, and no artefact has anything of them.
set -eu
cd "$(dirname "$0")/.."

version=0.20.2
folder=$PWD/.dev/cargo-deny
if ! "$folder/bin/cargo-deny" --version 2>/dev/null | grep -q "$version"; then
    cargo install --locked --quiet --root "$folder" --version "$version" cargo-deny
fi
[ $# -gt 0 ] || set -- licenses sources bans
"$folder/bin/cargo-deny" --locked check "$@"
