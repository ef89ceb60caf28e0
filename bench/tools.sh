#!/bin/sh
# Brings what the benchmark needs beside Rust. Debian packages: as root with apt,
# else it says what to type. Go and the sources of its libraries: unpacked into
# $OUT/packages.
set -eu
cd "$(dirname "$0")/.."

missing=
needs() { # needs PACKAGE TEST...
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

needs nodejs command -v node
needs npm command -v npm
needs python3 test -x /usr/bin/python3
needs python3-pip /usr/bin/python3 -m pip --version
needs valgrind command -v valgrind
if [ -n "$missing" ]; then
    echo "The benchmark needs more tools:$missing" >&2
    # shellcheck disable=SC2086 # a list of packages
    sh dev/install.sh $missing
fi

# done_for NAME FILE: whether NAME was made from this FILE.
done_for() { cmp -s "$2" "$OUT/packages/$1.made-from"; }
note() { cp "$2" "$OUT/packages/$1.made-from"; }
mkdir -p "$OUT/packages"

peers=bench/peers/go
if ! done_for go $peers/requirements.txt; then
    rm -rf "$OUT/packages/go"
    /usr/bin/python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --only-binary=:all: --require-hashes --target "$OUT/packages/go" -r $peers/requirements.txt
    note go $peers/requirements.txt
fi

# The packages are sources alone, and are unpacked and not installed: what they
# depend on is for their own tests.
if ! done_for gopath $peers/debian-packages.txt; then
    rm -rf "$OUT/packages/gopath" "$OUT/packages/debian"
    mkdir -p "$OUT/packages/gopath" "$OUT/packages/debian"
    list=$PWD/$peers/debian-packages.txt
    cd "$OUT/packages/debian"
    # Fails where apt has no list of packages yet.
    xargs apt-get -qq download <"$list" 2>/dev/null || {
        [ "$(id -u)" = 0 ] || { echo "Run: sudo apt-get update" >&2; exit 1; }
        sh "$OLDPWD/dev/install.sh"
        xargs apt-get -qq download <"$list"
    }
    for package in *.deb; do dpkg-deb -x "$package" ../gopath; done
    cd "$OLDPWD"
    rm -r "$OUT/packages/debian"
    note gopath $peers/debian-packages.txt
fi
