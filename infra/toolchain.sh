# shellcheck shell=sh
# Sourced by scripts in the clone's folder: what compiles for Lambda. toolchain ARCH
# sets PATH and BINDGEN_EXTRA_CLANG_ARGS.

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
    export PATH BINDGEN_EXTRA_CLANG_ARGS
}
