"""Run a command, and end it when the process that asked for it is gone.

``guard.py DIRECTORY COMMAND…`` is started with a pipe as its standard input. When the other end of
the pipe closes, for whatever reason (a kill -9 included), the command is told to terminate, and
the directory is removed, unless it is "". It runs without anything of twin loaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading


def main() -> int:
    """Run the command in ``sys.argv`` and return its exit status."""
    directory, *command = sys.argv[1:]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    orphaned = threading.Event()

    def end_with_parent() -> None:
        # returns when the parent has closed its end, or has died
        os.read(0, 1)
        orphaned.set()
        child.terminate()
        try:
            child.wait(3.0)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=end_with_parent, daemon=True).start()
    status = child.wait()
    if orphaned.is_set() and directory:
        shutil.rmtree(directory, ignore_errors=True)
    return status


if __name__ == "__main__":
    status = main()
    # not sys.exit, which would wait for the thread that is reading
    os._exit(status if status >= 0 else 128 - status)
