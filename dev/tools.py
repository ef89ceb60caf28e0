"""Fetches the programs of requirements.txt from PyPI into .dev/tools, unless they are there."""

import fcntl
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "dev/requirements.txt"
TOOLS = ROOT / ".dev/tools"
# Written last, so that an interrupted fetch is repeated.
COMPLETE = TOOLS / "complete"
# Scripts in the folder begin with its path and need the Python that made it: a copied
# clone and another Python fetch anew.
WANTED = f"{TOOLS}\n{sys.base_prefix} {sys.version}\n{REQUIREMENTS.read_text()}"


def is_complete():
    return COMPLETE.exists() and COMPLETE.read_text() == WANTED


def run(*command):
    # Standard output is for results.
    return subprocess.run(command, stdout=sys.stderr).returncode == 0


def fetch():
    """What is wrong, or None."""
    print("fetching cargo-lambda, zig, cmake and libclang", file=sys.stderr)
    shutil.rmtree(TOOLS, ignore_errors=True)
    if subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode:
        # Debian has it in a package of its own.
        if not run("sh", str(ROOT / "dev/install.sh"), "python3-venv"):
            return "python3 has no venv: apt install python3-venv"
    if not run(sys.executable, "-m", "venv", str(TOOLS)):
        return "python3 -m venv failed"
    if not run(str(TOOLS / "bin/pip"), "install", "--disable-pip-version-check", "--require-hashes",
               "--only-binary=:all:", "--progress-bar=on", "-r", str(REQUIREMENTS)):
        return "pip install failed"
    # Where .cargo/config.toml looks, whatever the version of Python.
    packages = next(TOOLS.glob("lib/python3*/site-packages")).relative_to(TOOLS)
    (TOOLS / "libclang").symlink_to(packages / "clang/native")
    (TOOLS / "zig").symlink_to(packages / "ziglang/lib")
    COMPLETE.write_text(WANTED)
    return None


def main():
    TOOLS.parent.mkdir(exist_ok=True)
    with open(TOOLS.parent / "tools.lock", "w") as lock:
        # One process fetches; the others wait and find it done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        problem = None if is_complete() else fetch()
    if problem:
        print(f"missing: {problem}", file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
