#!/bin/sh
# install.sh PACKAGE...: installs Debian packages, as root with apt; otherwise
# it says what to type.
set -u

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Run: sudo apt-get install $*" >&2
    exit 1
fi

errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

# apt waits for dpkg's locks, but not for its own two: while another apt holds
# one of them, try again. 60 times five seconds are as long as the timeout.
waits=
apt() {
    for _ in $(seq 60); do
        DEBIAN_FRONTEND=noninteractive LC_ALL=C \
            apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >/dev/null 2>"$errors" && return
        grep -q 'Could not get lock' "$errors" || break
        [ "$waits" ] || echo "another apt is running: waiting for its end"
        waits=yes
        sleep 5
    done
    cat "$errors" >&2
    return 1
}

echo "installing $* with apt-get"
apt update && apt install --no-install-recommends "$@"
