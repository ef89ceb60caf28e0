#!/bin/sh
# Prints one line for each tool that a build or `make dev` needs and that is
# missing, with how to install it. Everything else is downloaded to .dev/.
set -u
cd "$(dirname "$0")/.." || exit 1

missing=0
lacks() {
    echo "missing: $1" >&2
    missing=1
}

# The oldest supported Rust, from Cargo.toml.
oldest=$(sed -n 's/^rust-version = "\([0-9]*\.[0-9]*\).*/\1/p' Cargo.toml)

if ! command -v cargo >/dev/null || ! version=$(rustc --version 2>/dev/null); then
    lacks "cargo and rustc: install Rust from https://rustup.rs"
else
    version=$(echo "$version" | sed 's/^rustc \([0-9]*\.[0-9]*\).*/\1/')
    if [ "${version%%.*}" -lt "${oldest%%.*}" ] ||
        { [ "${version%%.*}" -eq "${oldest%%.*}" ] && [ "${version#*.}" -lt "${oldest#*.}" ]; }; then
        lacks "Rust $oldest or later (this is $version): rustup update"
    fi
fi
command -v python3 >/dev/null ||
    lacks "python3: install Python from https://www.python.org, or apt install python3"
command -v npm >/dev/null ||
    lacks "npm: install Node.js from https://nodejs.org, or apt install npm"
python3 -c 'import tomllib' 2>/dev/null ||
    lacks "Python 3.11 or later: apt install python3 python3-venv, or https://www.python.org"
# shellcheck disable=SC2086 # CC may have arguments
echo '#include <stdio.h>' | ${CC:-cc} -x c -c -o /dev/null - 2>/dev/null ||
    lacks "a C compiler: apt install gcc libc6-dev, or xcode-select --install"
# The TLS of AWS-LC is C++, though it uses no library of that.
has_cxx() { echo '#include <type_traits>' | ${CXX:-c++} -x c++ -c -o /dev/null - 2>/dev/null; }
has_cxx || { [ "$(id -u)" = 0 ] && sh dev/install.sh g++ && has_cxx; } ||
    lacks "a C++ compiler: apt install g++, or xcode-select --install"
command -v make >/dev/null ||
    lacks "make: apt install make, or xcode-select --install"

[ "$missing" = 0 ] && exec python3 dev/tools.py
exit 1
