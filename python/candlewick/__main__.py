"""``python -m candlewick ARGUMENTS`` is ``wick ARGUMENTS``."""

import os
import sys

from ._program import program

if __name__ == "__main__":
    command = [str(program()), *sys.argv[1:]]
    if os.name == "nt":
        import subprocess

        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)
