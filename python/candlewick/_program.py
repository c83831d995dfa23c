"""Where the program ``wick`` is, and how it is called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path


class WickError(RuntimeError):
    """``wick`` ended with another exit code than 0.

    ``code`` is that exit code: 2 the file or the command line is wrong, 3 some trial failed, 130 interrupted,
    1 anything else. ``message`` is what it wrote to standard error.
    """

    def __init__(self, command: list[str], code: int, message: str) -> None:
        super().__init__(f"{' '.join(command)} ended with exit code {code}:\n{message.strip()}")
        self.command = command
        self.code = code
        self.message = message


def program() -> Path:
    """The path of ``wick``: that of ``$WICK``, else the one that this package was installed with, else that of
    ``$PATH``.

    Raises FileNotFoundError if there is none.
    """
    name = "wick.exe" if os.name == "nt" else "wick"
    if chosen := os.environ.get("WICK"):
        return Path(chosen)
    schemes = [sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")]
    folders = [Path(sys.executable).parent, *(Path(sysconfig.get_path("scripts", scheme)) for scheme in schemes)]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    if found := shutil.which(name):
        return Path(found)
    raise FileNotFoundError("wick was not found; install the package again, or set WICK to the path of the program")


def wick(*arguments: str | os.PathLike[str]) -> str:
    """Runs ``wick`` with these arguments and returns its standard output.

    Raises WickError if it ends with another exit code than 0.
    """
    command = [str(program()), *(os.fspath(argument) for argument in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise WickError(command, done.returncode, done.stderr or done.stdout)
    return done.stdout
