#!/bin/sh
# Brings what the benchmark needs beside Rust: as root with apt, else it says
# what to type.
set -u

missing=
needs() { # needs PACKAGE TEST...
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

libraries=/usr/share/gocode/src/github.com
needs golang-go command -v go
needs golang-github-lib-pq-dev test -d $libraries/lib/pq
needs golang-github-golang-jwt-jwt-dev test -d $libraries/golang-jwt/jwt
needs nodejs command -v node
needs npm command -v npm
needs python3 test -x /usr/bin/python3
needs python3-pip /usr/bin/python3 -m pip --version
needs pgbouncer test -x /usr/sbin/pgbouncer
needs valgrind command -v valgrind

[ -n "$missing" ] || exit 0
echo "The benchmark needs more tools:$missing" >&2
# shellcheck disable=SC2086 # a list of packages
exec sh "$(dirname "$0")/../dev/install.sh" $missing
