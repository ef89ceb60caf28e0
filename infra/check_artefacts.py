"""Checks the zips: exactly the functions, each with its program and the roots,
for the right machine, with no newer glibc and no path of the builder's from C.

usage: check_artefacts.py ARCH GLIBC LAMBDA_DIR FUNCTION...
"""

import pathlib
import re
import sys
import zipfile

ROOTS = pathlib.Path(__file__).with_name("roots.pem")
# e_machine of the ELF header.
MACHINES = {"arm64": 183, "x86_64": 62}


def version(text):
    return tuple(int(part) for part in text.split("."))


def problem(zip_path, arch, glibc):
    """What is wrong with an artefact, or None."""
    with zipfile.ZipFile(zip_path) as artefact:
        if sorted(artefact.namelist()) != ["bootstrap", ROOTS.name]:
            return f"should contain bootstrap and {ROOTS.name}, not {', '.join(artefact.namelist())}"
        if artefact.read(ROOTS.name) != ROOTS.read_bytes():
            return f"has a {ROOTS.name} that differs from infra/{ROOTS.name}"
        program = artefact.read("bootstrap")
    if program[:4] != b"\x7fELF" or int.from_bytes(program[18:20], "little") != MACHINES[arch]:
        return f"is not a program for {arch}"
    needed = {match.decode() for match in re.findall(rb"GLIBC_(\d+\.\d+)", program)}
    newer = sorted(v for v in needed if version(v) > version(glibc))
    if newer:
        return f"needs glibc {', '.join(newer)}; Amazon Linux 2023 has {glibc}"
    # What __FILE__ was: it goes into AWS-LC's errors. build.sh gives these two names.
    path = re.search(rb"(?<=\0)/(?!cargo/|quotes/)[\w./-]+\.(?:cc?|h|inc)(?=\0)", program)
    if path:
        return f"names a file of the machine that built it, {path.group().decode()}"
    return None


def main(arch, glibc, folder, *functions):
    folder = pathlib.Path(folder)
    found = {path.parent.name for path in folder.glob("*/bootstrap.zip")}
    problems = [f"{name} is not one of the functions" for name in sorted(found - set(functions))]
    for name in functions:
        path = folder / name / "bootstrap.zip"
        text = problem(path, arch, glibc) if path.exists() else "is missing"
        if text:
            problems.append(f"{name} {text}")
        else:
            print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
    for text in problems:
        print(f"build: {text}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
