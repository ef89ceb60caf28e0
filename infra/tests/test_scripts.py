"""The shell scripts of this folder."""

import pathlib
import subprocess
import sys

import commands


def test_the_scripts_have_no_lint():
    scripts = sorted(str(path.relative_to(commands.ROOT)) for path in commands.INFRA.glob("*.sh"))
    program = pathlib.Path(sys.executable).with_name("shellcheck")
    result = subprocess.run(
        [program, "--external-sources", *scripts], cwd=commands.ROOT, capture_output=True, text=True, check=False
    )
    assert scripts and result.stdout == ""
