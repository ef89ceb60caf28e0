"""Packs each artefact anew: the program and roots.pem, where the template looks for it.

usage: pack.py LAMBDA_DIR FUNCTION...

The same program makes the same bytes: no time of day, and the same permissions
whoever builds.
"""

import pathlib
import sys
import zipfile

ROOTS = pathlib.Path(__file__).with_name("roots.pem")


def pack(artefact):
    with zipfile.ZipFile(artefact) as built:
        program = built.read("bootstrap")
    with zipfile.ZipFile(artefact, "w") as packed:
        for name, content, mode in (("bootstrap", program, 0o755), (ROOTS.name, ROOTS.read_bytes(), 0o644)):
            # Its time is the first that a zip can have.
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, content, compresslevel=9)


if __name__ == "__main__":
    for function in sys.argv[2:]:
        pack(pathlib.Path(sys.argv[1]) / function / "bootstrap.zip")
