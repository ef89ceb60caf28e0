# shellcheck shell=sh
# Sourced by scripts in the clone's folder: what compiles for Lambda. toolchain ARCH,
# called once, sets PATH, BINDGEN_EXTRA_CLANG_ARGS and the compilers' flags.

# The version of Amazon Linux 2023, on which provided.al2023 is based.
GLIBC=2.34

# Not the cargo-lambda that may be installed: this version is pinned, and zig, which
# links for both architectures, is in the same folder.
toolchain() {
    python3 dev/tools.py
    PATH=$PWD/.dev/tools/bin:$PATH
    machine=x86
    [ "$1" = x86_64 ] || machine=aarch64
    # libclang is told where zig keeps the headers of the C library.
    libc=$PWD/.dev/tools/zig/libc/include
    BINDGEN_EXTRA_CLANG_ARGS="-D__GLIBC_MINOR__=${GLIBC#*.} -isystem $libc/$machine-linux-gnu -isystem $libc/generic-glibc \
    -isystem $libc/$machine-linux-any -isystem $libc/any-linux-any"

    # The same commit makes the same bytes in whichever folder: no program names one
    # of the builder. Names of files in panics and in errors of C code would.
    # These variables cannot say a folder with a blank. cargo-lambda adds to the first; AWS-LC's TLS is C++.
    for folder in "$PWD=/quotes" "${CARGO_HOME:-$HOME/.cargo}=/cargo"; do
        case $folder in
        *[[:space:]]*) continue ;;
        esac
        RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }--remap-path-prefix=$folder"
        CFLAGS="${CFLAGS:+$CFLAGS }-ffile-prefix-map=$folder"
        CXXFLAGS="${CXXFLAGS:+$CXXFLAGS }-ffile-prefix-map=$folder"
    done
    export PATH BINDGEN_EXTRA_CLANG_ARGS RUSTFLAGS CFLAGS CXXFLAGS
}
