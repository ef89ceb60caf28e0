#!/bin/sh
# Fails while aws-lc-sys has a release that nobody has looked at. openssl-sys holds
# the linked one back, and advisories come late. SECURITY.md says what to do.
set -eu
cd "$(dirname "$0")/../.."

# The newest release when SECURITY.md was last compared with what it fixes.
looked_at=0.47.0

said=$(cargo info --color never aws-lc-sys | sed -n 's/^version: //p')
linked=$(sed -n '/^name = "aws-lc-sys"/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)
newest=${said##*latest }
newest=${newest%)}
[ -n "$newest" ] || { echo "cargo info says no version of aws-lc-sys" >&2; exit 1; }
echo "aws-lc-sys: $linked is linked, $newest is the newest, $looked_at the newest that was looked at"
[ "$newest" = "$looked_at" ] || [ "$newest" = "$linked" ]
