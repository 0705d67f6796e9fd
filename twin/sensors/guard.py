"""Run a command, and end it when the process that asked for it is gone.

``python -m twin.sensors.guard COMMAND…`` is started with a pipe as its standard input. When the
other end of the pipe closes, for whatever reason (a kill -9 included), the command is told to
terminate. It runs without anything of twin loaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading


def main() -> int:
    """Run the command in ``sys.argv`` and return its exit status."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def end_with_parent() -> None:
        # returns when the parent has closed its end, or has died
        os.read(0, 1)
        child.terminate()
        try:
            child.wait(3.0)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=end_with_parent, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    status = main()
    # not sys.exit, which would wait for the thread that is reading
    os._exit(status if status >= 0 else 128 - status)
