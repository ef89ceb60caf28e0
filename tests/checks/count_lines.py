#!/usr/bin/env python3
"""Counts Rust lines that are neither blank nor comment nor inside `#[cfg(test)]`,
without the benchmark's peers.

Usage: python3 tests/checks/count_lines.py [-v]   (-v: every file)
"""

import subprocess
import sys
from pathlib import Path

from rust_source import product, test_modules

ROOT = Path(__file__).resolve().parents[2]

PRODUCT = ("functions/", "shared/src/", "shared/clerk/src/", "shared/tcp-race/src/", "migrations/")
SUPPORT = ("dev/", "bench/", "tests/src/")


def sources():
    """The Rust files that git knows, without modules that only tests compile."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.rs", ":!bench/peers"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [path for path in map(ROOT.joinpath, listed.stdout.split()) if path.exists()]
    only_tests = {
        path.parent / f"{name}.rs" if path.stem in ("lib", "main", "mod") else path.with_suffix("") / f"{name}.rs"
        for path in paths
        for name in test_modules(path)
    }
    return [path for path in paths if path not in only_tests]


def main():
    counts = {
        path.relative_to(ROOT).as_posix(): sum(1 for line in product(path).splitlines() if line.strip())
        for path in sources()
    }
    for title, folders in (("product", PRODUCT), ("support", SUPPORT)):
        total = 0
        for folder in folders:
            files = {name: lines for name, lines in counts.items() if name.startswith(folder)}
            total += sum(files.values())
            print(f"{sum(files.values()):6}  {folder}")
            if "-v" in sys.argv[1:]:
                for name, lines in files.items():
                    print(f"{lines:14}  {name}")
        print(f"{total:6}  {title}")


if __name__ == "__main__":
    main()
